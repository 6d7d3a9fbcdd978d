//! Changing hosts.toml: one host's settings at a time, what a person wrote around them stays.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{KEYS, load, path, read};
use crate::config::toml_file;
use crate::failure::{Code, Failure};
use crate::name::Alias;
use crate::paths::Local;

/// A checked `key=value` of `hosts set`; an empty value unsets the key.
#[derive(Debug, Clone)]
pub struct Setting {
    key: String,
    /// The name of the variable, for `env.NAME`.
    variable: Option<String>,
    value: Option<Value>,
}

impl Setting {
    /// From `key=value`.
    ///
    /// # Errors
    /// [`Code::Usage`] for an unknown key, with the nearest ones, and for a value that does not fit.
    pub fn parse(word: &str) -> Result<Self, Failure> {
        let usage = |said: String| Failure::new(Code::Usage, format!("setting '{word}'")).said(said);
        let (key, value) = word.split_once('=').ok_or_else(|| usage("it is not key=value".to_owned()))?;
        let (key, variable) = key.split_once('.').map_or((key, None), |(key, variable)| (key, Some(variable.to_owned())));
        if !KEYS.contains(&key) || key == "enabled" {
            let settable: Vec<&str> = KEYS.iter().copied().filter(|key| *key != "enabled").collect();
            return Err(usage(read::unknown_key(key)).hint(read::near(key, &settable)));
        }
        let value = if value.is_empty() { Ok(None) } else { parsed(key, variable.as_deref(), value).map(Some) };
        Ok(Self { key: key.to_owned(), variable, value: value.map_err(usage)? })
    }

    fn apply(&self, host: &mut dyn TableLike) {
        match &self.variable {
            None => put(host, &self.key, self.value.clone()),
            Some(name) => {
                if host.get(&self.key).is_none() && self.value.is_some() {
                    host.insert(&self.key, Item::Value(Value::InlineTable(InlineTable::new())));
                }
                if let Some(table) = host.get_mut(&self.key).and_then(Item::as_table_like_mut) {
                    put(table, name, self.value.clone());
                }
            }
        }
    }
}

fn put(table: &mut dyn TableLike, key: &str, value: Option<Value>) {
    match (value, table.get_mut(key).and_then(Item::as_value_mut)) {
        (Some(mut value), Some(old)) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        (Some(value), None) => drop(table.insert(key, Item::Value(value))),
        (None, _) => drop(table.remove(key)),
    }
}

fn parsed(key: &str, variable: Option<&str>, value: &str) -> Result<Value, String> {
    match (key, variable) {
        ("env", Some(name)) => {
            read::variable(name)?;
            Ok(read::single_line(name, value)?.into())
        }
        ("env", None) => Err("write env.NAME=value".to_owned()),
        (_, Some(_)) => Err(format!("`{key}` has no parts")),
        ("run_through", None) => words(value).map(|words| Value::Array(Array::from_iter(words))),
        ("carrier", None) => read::carrier(value).map(|_| value.into()),
        ("session_attached", None) => value.parse::<bool>().map(Value::from).map_err(|_| format!("`{key}` is not true or false")),
        (_, None) => read::remote_path(key, value).map(Value::from),
    }
}

/// Words between blanks, or an array as TOML and JSON write it.
fn words(value: &str) -> Result<Vec<String>, String> {
    let written = if value.starts_with('[') {
        let array: Option<Array> = value.parse::<Value>().ok().and_then(|value| value.as_array().cloned());
        let words = array.and_then(|array| array.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        words.ok_or("`run_through` is not an array of strings")?
    } else if value.contains(['"', '\'', '\\']) {
        return Err("`run_through` with quotes is written as an array: [\"sudo\", \"-iu\", \"dev\"]".to_owned());
    } else {
        value.split_whitespace().map(str::to_owned).collect()
    };
    read::checked_argv(written)
}

/// Writes settings of a host.
///
/// # Errors
/// [`Code::SettingsBroken`]; a file that cannot be parsed is left alone.
pub fn set(local: &Local, alias: &Alias, settings: &[Setting]) -> Result<(), Failure> {
    change(local, |document| with_host(document, alias, |host| settings.iter().for_each(|setting| setting.apply(host))))
}

/// Remembers that a host ends what a session leaves behind, or that it no longer does.
///
/// # Errors
/// As [`set`].
pub fn remember_session_attached(local: &Local, alias: &Alias, attached: bool) -> Result<(), Failure> {
    if load(local)?.settings(alias).session_attached.unwrap_or(false) == attached {
        return Ok(());
    }
    let value = attached.then_some(Value::from(true));
    change(local, |document| with_host(document, alias, |host| put(host, "session_attached", value)))
}

/// Chooses hosts. Where all of them were switched off and none is chosen yet, they are only switched on again: choosing them
/// would shut out the others.
///
/// # Errors
/// As [`set`].
pub fn enable(local: &Local, aliases: &[Alias]) -> Result<(), Failure> {
    let file = load(local)?;
    let back = !file.is_any_chosen() && aliases.iter().all(|alias| file.settings(alias).enabled == Some(false));
    flag(local, aliases, (!back).then_some(true))
}

/// Switches hosts off.
///
/// # Errors
/// As [`set`].
pub fn disable(local: &Local, aliases: &[Alias]) -> Result<(), Failure> {
    flag(local, aliases, Some(false))
}

/// Forgets which hosts were chosen or switched off: all are usable again.
///
/// # Errors
/// As [`set`].
pub fn enable_all(local: &Local) -> Result<(), Failure> {
    let named: Vec<Alias> = load(local)?.named().cloned().collect();
    if named.is_empty() { Ok(()) } else { flag(local, &named, None) }
}

/// Forgets all settings of hosts.
///
/// # Errors
/// As [`set`].
pub fn remove(local: &Local, aliases: &[Alias]) -> Result<(), Failure> {
    change(local, |document| {
        if let Some(hosts) = document.get_mut("hosts").and_then(Item::as_table_like_mut) {
            aliases.iter().for_each(|alias| drop(hosts.remove(alias.as_str())));
        }
    })
}

fn flag(local: &Local, aliases: &[Alias], value: Option<bool>) -> Result<(), Failure> {
    change(local, |document| {
        for alias in aliases {
            with_host(document, alias, |host| put(host, "enabled", value.map(Value::from)));
        }
    })
}

fn change(local: &Local, edit: impl FnOnce(&mut DocumentMut)) -> Result<(), Failure> {
    // What is wrong already is told before it is built upon.
    load(local)?;
    toml_file::edit(&path(local), Code::SettingsBroken, |document| {
        edit(document);
        tidy(document);
    })
}

/// Edits the table of a host, made when there is none. `load` has seen that `hosts` and its hosts are tables of some kind.
fn with_host(document: &mut DocumentMut, alias: &Alias, edit: impl FnOnce(&mut dyn TableLike)) {
    let first = document.is_empty();
    let hosts = document.entry("hosts").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let inline = hosts.is_inline_table();
    let Some(hosts) = hosts.as_table_like_mut() else { return };
    if !hosts.contains_key(alias.as_str()) {
        hosts.insert(alias.as_str(), if inline { Item::Value(Value::InlineTable(InlineTable::new())) } else { fresh(first) });
    }
    if let Some(host) = hosts.get_mut(alias.as_str()).and_then(Item::as_table_like_mut) {
        edit(host);
    }
}

/// A table with a line of space above it.
fn fresh(first: bool) -> Item {
    let mut table = Table::new();
    table.decor_mut().set_prefix(if first { "" } else { "\n" });
    Item::Table(table)
}

/// Drops tables that hold nothing.
fn tidy(document: &mut DocumentMut) {
    let Some(hosts) = document.get_mut("hosts").and_then(Item::as_table_like_mut) else { return };
    for (_, host) in hosts.iter_mut() {
        let Some(host) = host.as_table_like_mut() else { continue };
        if host.get("env").and_then(Item::as_table_like).is_some_and(TableLike::is_empty) {
            host.remove("env");
        }
    }
    let empty = |item: &Item| item.as_table_like().is_some_and(TableLike::is_empty);
    let names: Vec<String> = hosts.iter().filter(|(_, host)| empty(host)).map(|(name, _)| name.to_owned()).collect();
    names.iter().for_each(|name| drop(hosts.remove(name)));
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(#[expect(dead_code, reason = "removed with it")] tempfile::TempDir, Local);

    fn home(text: &str) -> Home {
        let dir = tempfile::tempdir().expect("a folder");
        let local = Local {
            home: dir.path().into(),
            user: "u".into(),
            codex_home: dir.path().into(),
            ssh_config: None,
            vars: std::collections::HashMap::new(),
        };
        if !text.is_empty() {
            std::fs::create_dir(local.outpost_dir()).expect("made");
            std::fs::write(path(&local), text).expect("written");
        }
        Home(dir, local)
    }

    impl Home {
        fn text(&self) -> String {
            load(&self.1).expect("still good");
            std::fs::read_to_string(path(&self.1)).expect("there")
        }

        fn set(&self, words: &[&str]) {
            let settings: Vec<_> = words.iter().map(|word| Setting::parse(word).expect(word)).collect();
            set(&self.1, &alias("dev.box"), &settings).expect("set");
        }
    }

    fn alias(word: &str) -> Alias {
        word.parse().expect("an alias")
    }

    #[test]
    fn settings_come_and_go() {
        let home = home("");
        home.set(&["codex=/opt/codex", "env.A=1", "env.B=x y", "run_through=sudo -iu dev", "carrier=ssh"]);
        insta::assert_snapshot!(home.text(), @r#"
        [hosts."dev.box"]
        codex = "/opt/codex"
        env = { A = "1", B = "x y" }
        run_through = ["sudo", "-iu", "dev"]
        carrier = "ssh"
        "#);
        home.set(&["codex=", "env.A=", "env.B=", "run_through=[\"ssh\", \"-T\"]", "carrier="]);
        assert_eq!(home.text(), "[hosts.\"dev.box\"]\nrun_through = [\"ssh\", \"-T\"]\n");
        home.set(&["run_through="]);
        assert_eq!(home.text(), "");
    }

    #[test]
    fn what_a_person_wrote_stays() {
        let home = home("# mine\r\n[hosts.x]\r\ncodex = \"/a\" # why\r\n\r\n[hosts.\"dev.box\"]\r\ncodex = \"/b\" # here\r\n");
        home.set(&["codex=/c", "codex_home=~/h"]);
        assert_eq!(
            home.text(),
            "# mine\r\n[hosts.x]\r\ncodex = \"/a\" # why\r\n\r\n[hosts.\"dev.box\"]\r\ncodex = \"/c\" # here\r\ncodex_home = \"~/h\"\r\n"
        );
        remove(&home.1, &[alias("x")]).expect("removed");
        assert!(!home.text().contains("why") && home.text().contains("# here"));
    }

    #[test]
    fn inline_tables_are_edited_too() {
        let home = home("hosts = { a = { codex = \"/a\" } }\n");
        home.set(&["codex=/c"]);
        let file = load(&home.1).expect("good");
        assert_eq!(file.settings(&alias("dev.box")).codex.as_deref(), Some("/c"));
        assert_eq!(file.settings(&alias("a")).codex.as_deref(), Some("/a"));
    }

    #[test]
    fn choosing_hosts() {
        let home = home("");
        let usable = || -> String {
            let file = load(&home.1).expect("good");
            ["a", "b", "c"].into_iter().filter(|word| file.is_usable(&alias(word))).collect()
        };
        type Step = fn(&Local, &[Alias]) -> Result<(), Failure>;
        let steps: [(&str, Step, &[&str], &str); 6] = [
            ("disable", disable, &["b"], "ac"),
            ("enable back", enable, &["b"], "abc"),
            ("enable", enable, &["a", "b"], "ab"),
            ("disable", disable, &["a"], "b"),
            ("remove", remove, &["a"], "b"),
            ("all", |local, _| enable_all(local), &[], "abc"),
        ];
        for (name, step, words, want) in steps {
            step(&home.1, &words.iter().map(|w| alias(w)).collect::<Vec<_>>()).expect(name);
            assert_eq!(usable(), want, "{name} {words:?}");
        }
    }

    #[test]
    fn settings_that_make_no_sense() {
        for (word, said) in [
            ("codex", "it is not key=value"),
            ("codx=/x", "unknown key `codx`"),
            ("enabled=true", "unknown key `enabled`"),
            ("codex=bin", "`codex` is a path on the host: it begins with / or ~/"),
            ("env=A", "write env.NAME=value"),
            ("env.A-B=1", "'A-B' is not the name of a variable"),
            ("codex.x=/a", "`codex` has no parts"),
            ("carrier=tcp", "`carrier` is not \"builtin\" or \"ssh\""),
            ("run_through=sudo 'x'", "`run_through` with quotes is written as an array: [\"sudo\", \"-iu\", \"dev\"]"),
            ("run_through=[1]", "`run_through` is not an array of strings"),
            ("session_attached=maybe", "`session_attached` is not true or false"),
        ] {
            assert_eq!(Setting::parse(word).expect_err(word).said, said, "{word}");
        }
    }

    #[test]
    fn a_host_that_ends_processes_is_remembered_once() {
        let home = home("");
        remember_session_attached(&home.1, &alias("a"), false).expect("nothing");
        assert!(!path(&home.1).exists());
        remember_session_attached(&home.1, &alias("a"), true).expect("written");
        assert_eq!(home.text(), "[hosts.a]\nsession_attached = true\n");
        remember_session_attached(&home.1, &alias("a"), false).expect("written");
        assert_eq!(home.text(), "");
    }

    #[test]
    fn a_broken_file_is_left_alone() {
        let home = home("[hosts.a]\nbad = 1\n");
        assert_eq!(disable(&home.1, &[alias("a")]).expect_err("broken").code, Code::SettingsBroken);
        assert_eq!(std::fs::read_to_string(path(&home.1)).expect("there"), "[hosts.a]\nbad = 1\n");
    }
}
