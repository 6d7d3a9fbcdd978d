//! Our own settings of each host: `$CODEX_HOME/outpost/hosts.toml`, small, edited by hand or with `outpost hosts set`.
//!
//! ```toml
//! [hosts.devbox]
//! codex = "~/bin/codex"
//! codex_home = "/scratch/me/codex"
//! env = { HTTPS_PROXY = "http://proxy:3128" }
//! run_through = ["sudo", "-iu", "dev"]
//! carrier = "ssh"
//! ```

pub mod edit;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::toml_file::TomlFile;
use crate::failure::{Code, Failure};
use crate::name::Alias;
use crate::paths::Local;

/// The name of the file in [`Local::outpost_dir`].
const FILE: &str = "hosts.toml";

/// The keys of a host's table.
pub const KEYS: &[&str] = &["carrier", "codex", "codex_home", "enabled", "env", "run_through", "session_attached"];

/// What carries the bytes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// The SSH that is built in.
    #[default]
    Builtin,
    /// A child `ssh`, for what the built-in one cannot do.
    Ssh,
}

impl Carrier {
    /// From the word of the file or of `--carrier`.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "builtin" => Some(Self::Builtin),
            "ssh" => Some(Self::Ssh),
            _ => None,
        }
    }
}

/// The settings of one host; a host without any has the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HostSettings {
    /// The `codex` to run: absolute, or `~/…` on the remote.
    pub codex: Option<String>,
    /// `CODEX_HOME` there: absolute, or `~/…`.
    pub codex_home: Option<String>,
    /// Variables for the app-server, such as a proxy or a CA file.
    pub env: BTreeMap<String, String>,
    /// A command that the bring-up runs through, such as `sudo -iu dev`; empty for none.
    pub run_through: Vec<String>,
    /// What carries the session; none leaves it to the default.
    pub carrier: Option<Carrier>,
    /// Remembered: this host ends what a session leaves behind, so the server runs inside the session.
    pub session_attached: Option<bool>,
    /// Chosen (`true`) or switched off (`false`) by the person.
    pub enabled: Option<bool>,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostsFile {
    hosts: BTreeMap<Alias, HostSettings>,
}

/// Where the file is.
#[must_use]
pub fn path(local: &Local) -> PathBuf {
    local.outpost_dir().join(FILE)
}

/// Reads the file; a missing one is empty.
///
/// # Errors
/// [`Code::SettingsBroken`] with file, line and column; an unknown key is an error, with the nearest known ones.
pub fn load(local: &Local) -> Result<HostsFile, Failure> {
    let path = path(local);
    let file = TomlFile::read(&path, Code::SettingsBroken)?;
    Ok(HostsFile { hosts: read::hosts(&file)? })
}

impl HostsFile {
    /// The settings of a host.
    #[must_use]
    pub fn settings(&self, alias: &Alias) -> HostSettings {
        self.hosts.get(alias).cloned().unwrap_or_default()
    }

    /// The hosts that the file names.
    pub fn named(&self) -> impl Iterator<Item = &Alias> {
        self.hosts.keys()
    }

    /// Whether the person works with this host: every host that is not switched off, until one is chosen.
    #[must_use]
    pub fn is_usable(&self, alias: &Alias) -> bool {
        let enabled = self.hosts.get(alias).and_then(|settings| settings.enabled);
        enabled.unwrap_or_else(|| !self.is_any_chosen())
    }

    /// Lets through only a host that the person works with.
    ///
    /// # Errors
    /// [`Code::HostDisabled`] with the way to switch it on.
    pub fn require_usable(&self, alias: &Alias) -> Result<(), Failure> {
        if self.is_usable(alias) {
            return Ok(());
        }
        let why = if self.settings(alias).enabled == Some(false) { "it is switched off" } else { "other hosts are chosen" };
        let hint = format!("outpost hosts enable {alias}");
        Err(Failure::new(Code::HostDisabled, "this host is not in use").said(why).hint(hint).at(alias))
    }

    fn is_any_chosen(&self) -> bool {
        self.hosts.values().any(|settings| settings.enabled == Some(true))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a hosts.toml of this text says.
    pub(crate) fn loaded(text: &str) -> Result<HostsFile, Failure> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(FILE);
        std::fs::write(&path, text).expect("written");
        let file = TomlFile::read(&path, Code::SettingsBroken)?;
        Ok(HostsFile { hosts: read::hosts(&file)? })
    }

    fn alias(word: &str) -> Alias {
        word.parse().expect("an alias")
    }

    #[test]
    fn settings_are_read() {
        let file = loaded(concat!(
            "[hosts.devbox]\ncodex = \"~/bin/codex\"\ncodex_home = \"/x\"\nenv = { A = \"1\" }\n",
            "run_through = [\"sudo\", \"-iu\", \"dev\"]\ncarrier = \"ssh\"\nsession_attached = true\n\n",
            "[hosts.\"a.b\".env]\nB = \"2\"\n"
        ))
        .expect("good");
        let devbox = file.settings(&alias("devbox"));
        assert_eq!(devbox.codex.as_deref(), Some("~/bin/codex"));
        assert_eq!((devbox.run_through.len(), devbox.carrier, devbox.session_attached), (3, Some(Carrier::Ssh), Some(true)));
        assert_eq!(file.settings(&alias("a.b")).env["B"], "2");
        assert_eq!(file.settings(&alias("other")), HostSettings::default());
    }

    #[test]
    fn all_are_usable_until_one_is_chosen() {
        for (text, usable) in [
            ("", "abc"),
            ("[hosts.a]\ncodex = \"/x\"", "abc"),
            ("[hosts.a]\nenabled = true", "a"),
            ("[hosts.a]\nenabled = false", "bc"),
            ("[hosts.a]\nenabled = true\n[hosts.b]\nenabled = true", "ab"),
            ("[hosts.a]\nenabled = true\n[hosts.b]\nenabled = false", "a"),
        ] {
            let file = loaded(text).expect("good");
            let found: String = ["a", "b", "c"].into_iter().filter(|word| file.is_usable(&alias(word))).collect();
            assert_eq!(found, usable, "{text}");
        }
        let file = loaded("[hosts.a]\nenabled = true").expect("good");
        assert_eq!(file.require_usable(&alias("b")).expect_err("not chosen").hint, "outpost hosts enable b");
    }
}
