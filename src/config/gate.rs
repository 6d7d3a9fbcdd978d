//! The gate: `[features] remote_connections = true` in Codex's own config.toml. One key, read often and changed on request.

mod splice;

use std::path::Path;

use toml_edit::Item;

use super::toml_file::TomlFile;
use crate::failure::{Code, Failure};
use crate::paths::Local;

const TABLE: &str = "features";
const KEY: &str = "remote_connections";

/// What an edit of the gate did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The file was changed.
    Written,
    /// The file did not exist and was made.
    Made,
    /// It already said so.
    Already,
}

/// Whether the gate is on: only a plain `true` is; a missing file or key is off.
///
/// # Errors
/// [`Code::ConfigBroken`] with file, line and column: a file that cannot be read or parsed is never taken for "off".
pub fn is_on(local: &Local) -> Result<bool, Failure> {
    let path = local.config_toml();
    let file = TomlFile::read(&path, Code::ConfigBroken)?;
    read(&file)
}

/// Lets through only when the gate is on.
///
/// # Errors
/// [`Code::GateOff`] with the way to switch it on, or as [`is_on`].
pub fn require(local: &Local) -> Result<(), Failure> {
    if is_on(local)? {
        return Ok(());
    }
    let path = local.config_toml();
    Err(Failure::new(Code::GateOff, "remote connections are switched off")
        .said(format!("{} does not say `[features] remote_connections = true`", path.display()))
        .hint("outpost enable"))
}

/// Switches the gate on or off, leaving the rest of the file as it is; links are followed, a missing file is made (0600).
///
/// # Errors
/// [`Code::ConfigBroken`]; a file that cannot be parsed is left alone.
pub fn set(local: &Local, on: bool) -> Result<Change, Failure> {
    let path = local.config_toml();
    let file = TomlFile::read(&path, Code::ConfigBroken)?;
    if read(&file)? == on {
        return Ok(Change::Already);
    }
    let text = splice::set(file.text(), &file.parse()?, on);
    prove(&path, &file, &text, on)?;
    file.write(&text)?;
    Ok(if file.exists() { Change::Written } else { Change::Made })
}

fn read(file: &TomlFile) -> Result<bool, Failure> {
    let document = file.parse()?;
    let Some(features) = document.get(TABLE) else { return Ok(false) };
    let Some(table) = features.as_table_like() else {
        return Err(file.wrong(features.span(), format!("`{TABLE}` is {}, not a table", kind(features))));
    };
    let Some(item) = table.get(KEY) else { return Ok(false) };
    item.as_bool().ok_or_else(|| file.wrong(item.span(), format!("`{KEY}` is {}, not true or false", kind(item))))
}

/// A type in words.
fn kind(item: &Item) -> String {
    let name = item.type_name();
    let article = if name.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// Before anything is written: the new text must differ from the old one in this key alone.
fn prove(path: &Path, old: &TomlFile, new: &str, on: bool) -> Result<(), Failure> {
    let bare = |text: &str| -> Option<toml::Table> {
        let mut table: toml::Table = text.trim_start_matches('\u{feff}').parse().ok()?;
        let said = table.get_mut(TABLE).and_then(toml::Value::as_table_mut).and_then(|features| features.remove(KEY));
        if table.get(TABLE).and_then(toml::Value::as_table).is_some_and(toml::Table::is_empty) {
            table.remove(TABLE);
        }
        (text == old.text() || said == Some(toml::Value::Boolean(on))).then_some(table)
    };
    match (bare(old.text()), bare(new)) {
        (Some(before), Some(after)) if before == after => Ok(()),
        _ => Err(Failure::new(Code::ConfigBroken, format!("change {}", path.display()))
            .said("the file is laid out in a way that could not be edited safely; nothing was written")
            .hint(format!("add it by hand:\n[{TABLE}]\n{KEY} = {on}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn local(dir: &Path) -> Local {
        Local {
            home: dir.into(),
            user: "u".into(),
            codex_home: dir.into(),
            ssh_config: None,
            vars: std::collections::HashMap::new(),
        }
    }

    fn with(text: &str, check: impl FnOnce(&Local)) {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("config.toml"), text).expect("written");
        check(&local(dir.path()));
    }

    fn after(text: &str, on: bool) -> String {
        let mut out = String::new();
        with(text, |local| {
            set(local, on).expect("set");
            assert_eq!(is_on(local), Ok(on), "{text:?}");
            assert_eq!(set(local, on), Ok(Change::Already));
            out = std::fs::read_to_string(local.config_toml()).expect("read");
        });
        out
    }

    #[test]
    fn only_true_is_on() {
        for (text, on) in [
            ("", false),
            ("[features]\n", false),
            ("[features]\nremote_connections = false\n", false),
            ("[features]\nremote_connections = true\n", true),
            ("features.remote_connections = true", true),
            ("features = { remote_connections = true }", true),
            ("\u{feff}[features]\r\nremote_connections = true\r\n", true),
            ("[other]\nremote_connections = true\n", false),
        ] {
            with(text, |local| assert_eq!(is_on(local), Ok(on), "{text:?}"));
        }
    }

    #[test]
    fn a_broken_file_is_never_off() {
        for (text, place, said) in [
            ("a = 1\n[features\n", "config.toml:2:10", "unclosed table, expected `]`"),
            (
                "[features]\nremote_connections = \"true\"\n",
                "config.toml:2:22",
                "`remote_connections` is a string, not true or false",
            ),
            ("[features]\nremote_connections = 1\n", "config.toml:2:22", "`remote_connections` is an integer, not true or false"),
            ("x = 1\nfeatures = 3\n", "config.toml:2:12", "`features` is an integer, not a table"),
            ("[[features]]\nremote_connections = true\n", "config.toml:1:1", "`features` is an array of tables, not a table"),
            ("[features]\nremote_connections = true\n[features]\n", "config.toml:3:2", "duplicate key"),
        ] {
            with(text, |local| {
                let failure = require(local).expect_err(text);
                assert_eq!((failure.code, failure.said.as_str()), (Code::ConfigBroken, said));
                assert!(failure.tried.ends_with(place), "{} should end with {place}", failure.tried);
                assert_eq!(set(local, true).expect_err(text).code, Code::ConfigBroken);
                assert_eq!(std::fs::read_to_string(local.config_toml()).expect("read"), text, "left alone");
            });
        }
    }

    #[test]
    fn switching_on_touches_one_key() {
        for (text, want) in [
            ("", "[features]\nremote_connections = true\n"),
            ("# mine\nmodel = \"x\" # why\n", "# mine\nmodel = \"x\" # why\n\n[features]\nremote_connections = true\n"),
            (
                "model = 1\r\n\r\n[a]\r\nb = 2\r\n",
                "model = 1\r\n\r\n[a]\r\nb = 2\r\n\r\n[features]\r\nremote_connections = true\r\n",
            ),
            ("[features]\nz = 1 # z\n\n[a]\nb = 2\n", "[features]\nz = 1 # z\nremote_connections = true\n\n[a]\nb = 2\n"),
            ("[features] # head\n", "[features] # head\nremote_connections = true\n"),
            ("[features]\nremote_connections = false # off\n", "[features]\nremote_connections = true # off\n"),
            ("features = { a = true }\nb = 1\n", "features = { a = true, remote_connections = true }\nb = 1\n"),
            ("features = {}\n", "features = { remote_connections = true }\n"),
            ("features={a=1}", "features={a=1, remote_connections = true}"),
            (
                "features.a = [\n 1,\n] # c\nb = 1\nfeatures.c = 2\nd = 3\n",
                "features.a = [\n 1,\n] # c\nb = 1\nfeatures.c = 2\nfeatures.remote_connections = true\nd = 3\n",
            ),
            ("a.x = 1\nb = 2\na.y = 3\n[features]", "a.x = 1\nb = 2\na.y = 3\n[features]\nremote_connections = true\n"),
            (
                "[features]\na.b = 1\n[features.c]\nd = 1\n",
                "[features]\na.b = 1\nremote_connections = true\n[features.c]\nd = 1\n",
            ),
            ("model = 1", "model = 1\n\n[features]\nremote_connections = true\n"),
            ("features.a = true\n[b]\n", "features.a = true\nfeatures.remote_connections = true\n[b]\n"),
            ("[features.sub]\na = 1\n", "[features.sub]\na = 1\n\n[features]\nremote_connections = true\n"),
            ("\u{feff}a = 1\r\n", "\u{feff}a = 1\r\n\r\n[features]\r\nremote_connections = true\r\n"),
            ("a = '''\r\nx\r\n'''\r\n", "a = '''\r\nx\r\n'''\r\n\r\n[features]\r\nremote_connections = true\r\n"),
            (
                "z=1\na   =    2\n[ features ]\n  b = 1\n# end\n",
                "z=1\na   =    2\n[ features ]\n  b = 1\nremote_connections = true\n# end\n",
            ),
        ] {
            assert_eq!(after(text, true), want, "{text:?}");
        }
    }

    proptest! {
        /// Whatever the file: switched on and off again it says what it said, or it was left alone.
        #[test]
        fn other_bytes_stay(lines in prop::collection::vec(prop::sample::select(LINES), 0..8), ending in prop::sample::select(&["\n", "\r\n"])) {
            let text = lines.join(ending);
            with(&text, |local| {
                let now = || std::fs::read_to_string(local.config_toml()).expect("there");
                match set(local, true) {
                    Ok(_) => {
                        let kept = text.lines().filter(|line| !line.contains('{') && !line.contains("remote_connections"));
                        let on = now();
                        let mut left = on.lines();
                        for line in kept {
                            assert!(left.any(|other| other == line), "{line:?} of {text:?} in {on:?}");
                        }
                        assert!(ending == "\n" || on.matches('\n').count() == on.matches("\r\n").count() || !text.contains('\n'), "{on:?}");
                    }
                    Err(failure) => {
                        assert_eq!((failure.code, now()), (Code::ConfigBroken, text.clone()));
                        assert!(text.parse::<toml::Table>().is_err() || text.contains("connections = 1"), "{text:?}: {failure}");
                    }
                }
            });
        }
    }

    const LINES: &[&str] = &[
        "a = 1",
        "b.c = 2",
        "b.d = 3 # d",
        "features.x = true",
        "features.y = [",
        "  1,",
        "]",
        "[features]",
        "[features.sub]",
        "[ other ]",
        "features = { x = 1 }",
        "features = {}",
        "remote_connections = false # off",
        "remote_connections = 1",
        "# comment",
        "",
        "  e = 'f'",
        "[[list]]",
        "features.remote_connections = false",
    ];

    #[test]
    fn switching_off_keeps_the_line() {
        assert_eq!(after("[features]\nremote_connections = true # on\n", false), "[features]\nremote_connections = false # on\n");
        assert_eq!(after("features={remote_connections=true,a=1}", false), "features={remote_connections=false,a=1}");
    }

    #[test]
    fn a_missing_file_is_off_and_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let local = local(&dir.path().join("codex"));
        assert_eq!(require(&local).expect_err("off").code, Code::GateOff);
        assert_eq!(set(&local, false), Ok(Change::Already));
        assert!(!local.config_toml().exists());
        assert_eq!(set(&local, true), Ok(Change::Made));
        assert_eq!(require(&local), Ok(()));
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(local.config_toml()).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_link_is_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("dots")).expect("made");
        std::fs::write(dir.path().join("dots/c.toml"), "a = 1\n").expect("written");
        std::os::unix::fs::symlink("dots/c.toml", dir.path().join("config.toml")).expect("linked");
        let local = local(dir.path());
        assert_eq!(set(&local, true), Ok(Change::Written));
        assert!(std::fs::symlink_metadata(local.config_toml()).expect("there").is_symlink());
        assert_eq!(
            std::fs::read_to_string(dir.path().join("dots/c.toml")).expect("read"),
            "a = 1\n\n[features]\nremote_connections = true\n"
        );
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        let dir = tempfile::tempdir().expect("a folder");
        let local = local(dir.path());
        std::fs::write(local.config_toml(), b"a = 1\nb = \"\xff\"\n").expect("written");
        let failure = is_on(&local).expect_err("not UTF-8");
        assert!(failure.to_string().ends_with("config.toml:2:6: not UTF-8"), "{failure}");
        std::fs::remove_file(local.config_toml()).expect("removed");
        std::fs::create_dir(local.config_toml()).expect("made");
        assert_eq!(is_on(&local).expect_err("a folder").said, "it is a directory, not a file");
        std::fs::remove_dir(local.config_toml()).expect("removed");
        std::fs::File::create(local.config_toml()).expect("made").set_len(200 << 20).expect("sparse");
        assert_eq!(is_on(&local).expect_err("large").code, Code::ConfigBroken);
    }
}
