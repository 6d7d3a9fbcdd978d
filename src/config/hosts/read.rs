//! Reading hosts.toml: every key known, every value checked, every error with its line and column.

use std::collections::BTreeMap;
use std::ops::Range;

use toml_edit::{Item, TableLike};

use super::{Carrier, HostSettings, KEYS};
use crate::config::toml_file::TomlFile;
use crate::failure::Failure;
use crate::name::{self, Alias};

/// All hosts of the file.
pub(super) fn hosts(file: &TomlFile) -> Result<BTreeMap<Alias, HostSettings>, Failure> {
    let document = file.parse()?;
    let mut hosts = BTreeMap::new();
    for (key, item) in document.iter() {
        if key != "hosts" {
            return Err(unknown(file, (key, span(document.as_table(), key)), &["hosts"]));
        }
        let table = table(file, "hosts", item)?;
        for (word, item) in table.iter() {
            let alias: Alias = word.parse().map_err(|e| file.wrong(span(table, word), e))?;
            hosts.insert(alias, host(file, item)?);
        }
    }
    Ok(hosts)
}

fn host(file: &TomlFile, item: &Item) -> Result<HostSettings, Failure> {
    let table = table(file, "a host", item)?;
    let mut settings = HostSettings::default();
    for (key, item) in table.iter() {
        let wrong = |said: String| file.wrong(item.span(), said);
        match key {
            "codex" => settings.codex = Some(remote_path(key, text(key, item).map_err(wrong)?).map_err(wrong)?),
            "codex_home" => settings.codex_home = Some(remote_path(key, text(key, item).map_err(wrong)?).map_err(wrong)?),
            "env" => settings.env = env(file, item)?,
            "run_through" => settings.run_through = argv(item).map_err(wrong)?,
            "carrier" => settings.carrier = Some(carrier(text(key, item).map_err(wrong)?).map_err(wrong)?),
            "session_attached" => settings.session_attached = Some(flag(key, item).map_err(wrong)?),
            "enabled" => settings.enabled = Some(flag(key, item).map_err(wrong)?),
            _ => return Err(unknown(file, (key, span(table, key)), KEYS)),
        }
    }
    Ok(settings)
}

fn table<'a>(file: &TomlFile, what: &str, item: &'a Item) -> Result<&'a dyn TableLike, Failure> {
    item.as_table_like().ok_or_else(|| file.wrong(item.span(), format!("{what} is not a table")))
}

fn span(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    table.key(key).and_then(toml_edit::Key::span)
}

/// A key that nothing means: said with the nearest ones that mean something.
fn unknown(file: &TomlFile, (key, at): (&str, Option<Range<usize>>), known: &[&str]) -> Failure {
    file.wrong(at, unknown_key(key)).hint(near(key, known))
}

pub(super) fn unknown_key(key: &str) -> String {
    format!("unknown key `{}`", key.escape_debug())
}

pub(super) fn near(key: &str, known: &[&str]) -> String {
    let near = name::nearest(key, known.iter().copied());
    if near.is_empty() {
        format!("the keys are {}", known.join(", "))
    } else {
        format!("did you mean `{}`?", near.join("` or `"))
    }
}

fn text<'a>(key: &str, item: &'a Item) -> Result<&'a str, String> {
    item.as_str().ok_or_else(|| format!("`{key}` is not a string"))
}

fn flag(key: &str, item: &Item) -> Result<bool, String> {
    item.as_bool().ok_or_else(|| format!("`{key}` is not true or false"))
}

pub(super) fn carrier(word: &str) -> Result<Carrier, String> {
    Carrier::from_word(word).ok_or_else(|| "`carrier` is not \"builtin\" or \"ssh\"".to_owned())
}

pub(super) fn remote_path(key: &str, path: &str) -> Result<String, String> {
    single_line(key, path)?;
    if path.starts_with('/') || path.starts_with("~/") {
        Ok(path.to_owned())
    } else {
        Err(format!("`{key}` is a path on the host: it begins with / or ~/"))
    }
}

fn env(file: &TomlFile, item: &Item) -> Result<BTreeMap<String, String>, Failure> {
    let table = table(file, "`env`", item)?;
    let mut env = BTreeMap::new();
    for (name, item) in table.iter() {
        variable(name).map_err(|said| file.wrong(span(table, name), said))?;
        let value = text(name, item).and_then(|value| single_line(name, value)).map_err(|said| file.wrong(item.span(), said))?;
        env.insert(name.to_owned(), value.to_owned());
    }
    Ok(env)
}

/// The name of a variable, as every shell takes it.
pub(super) fn variable(name: &str) -> Result<(), String> {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if first && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(())
    } else {
        Err(format!("'{}' is not the name of a variable", name.escape_debug()))
    }
}

/// What goes to the host goes there on one line.
pub(super) fn single_line<'a>(key: &str, value: &'a str) -> Result<&'a str, String> {
    if value.contains(['\n', '\r', '\0']) { Err(format!("`{key}` holds a line break or NUL")) } else { Ok(value) }
}

fn argv(item: &Item) -> Result<Vec<String>, String> {
    let said = || "`run_through` is not an array of strings".to_owned();
    let array = item.as_array().ok_or_else(said)?;
    let words: Option<Vec<String>> = array.iter().map(|word| word.as_str().map(str::to_owned)).collect();
    checked_argv(words.ok_or_else(said)?)
}

/// The words of `run_through`: a program and its arguments.
pub(super) fn checked_argv(words: Vec<String>) -> Result<Vec<String>, String> {
    for word in &words {
        single_line("run_through", word)?;
    }
    if words.first().is_none_or(|word| word.is_empty() || word.starts_with('-')) {
        return Err("`run_through` does not begin with a program".to_owned());
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::super::tests::loaded;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, place, said, hint) in [
            ("[host.a]\n", "1:2", "unknown key `host`", "did you mean `hosts`?"),
            ("[hosts.a]\ncodx = 1\n", "2:1", "unknown key `codx`", "did you mean `codex` or `codex_home`?"),
            (
                "[hosts.a]\nzzz = 1\n",
                "2:1",
                "unknown key `zzz`",
                "the keys are carrier, codex, codex_home, enabled, env, run_through, session_attached",
            ),
            ("[hosts.a]\ncodex = \"bin/codex\"\n", "2:9", "`codex` is a path on the host: it begins with / or ~/", ""),
            ("[hosts.a]\ncarrier = \"ssl\"\n", "2:11", "`carrier` is not \"builtin\" or \"ssh\"", ""),
            ("[hosts.a]\nenv = { \"A-B\" = \"\" }\n", "2:9", "'A-B' is not the name of a variable", ""),
            ("[hosts.a]\nenv = { A = \"x\\ny\" }\n", "2:13", "`A` holds a line break or NUL", ""),
            ("[hosts.a]\nenv.A = 1\n", "2:9", "`A` is not a string", ""),
            ("[hosts.a]\nrun_through = \"sudo\"\n", "2:15", "`run_through` is not an array of strings", ""),
            ("[hosts.a]\nrun_through = []\n", "2:15", "`run_through` does not begin with a program", ""),
            ("[hosts.\"a*\"]\n", "1:8", "host 'a*' holds the character '*'", ""),
            ("hosts = 1\n", "1:9", "hosts is not a table", ""),
            ("[hosts]\na = 1\n", "2:5", "a host is not a table", ""),
            ("[hosts.a]\nenabled = 1\n", "2:11", "`enabled` is not true or false", ""),
            ("x =\n", "1:4", "string values must be quoted, expected literal string", ""),
        ] {
            let failure = loaded(text).expect_err(text);
            assert_eq!(failure.said, said, "{text}");
            assert!(hint == failure.hint || hint.is_empty() && failure.hint.starts_with("mend line"), "{failure:?}");
            assert!(failure.tried.ends_with(&format!("hosts.toml:{place}")), "{} {place}", failure.tried);
        }
    }
}
