//! What a remote says about itself, read from the fields of its answer.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use super::preflight::{self, Finding};

/// In which environment things were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The login shell's.
    #[default]
    Login,
    /// The interactive shell's inside the login shell: the login shell alone has no codex.
    Interactive,
    /// The one that sshd gives a command: the login shell did not run our script.
    Plain,
}

/// A `codex` on the remote.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Candidate {
    /// Its path.
    pub path: String,
    /// What it says to `--version`, when it was asked.
    pub version: Option<String>,
}

/// The facts about the far side. All text is the remote's own and raw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Facts {
    /// The account.
    pub user: String,
    /// Its number.
    pub uid: String,
    /// Its home.
    pub home: String,
    /// Its login shell.
    pub shell: String,
    /// The environment that everything was found in.
    pub stage: Stage,
    /// Whether the login shell did not come to our script, though it has a login environment (elvish has none).
    pub login_lost: bool,
    /// PATH there.
    pub path: String,
    /// `uname -s`.
    pub os: String,
    /// `uname -m`.
    pub arch: String,
    /// `uname -n`.
    pub hostname: String,
    /// The machine's identity; empty when it has none.
    pub machine: String,
    /// The identity of this run of the machine; empty when unknown.
    pub boot: String,
    /// The `codex` that was asked for or found first.
    pub codex: Option<Candidate>,
    /// The program that runs: `codex`, or the native one beside an npm wrapper.
    pub runs: String,
    /// Every `codex` that was found, when they were looked for.
    pub candidates: Vec<Candidate>,
    /// CODEX_HOME there.
    pub codex_home: String,
    /// The kind of file system that it is on; empty when unknown.
    pub home_fs: String,
    /// The folder that was asked for, without links.
    pub folder: Option<String>,
    /// The app-server's socket, when it has one.
    pub socket: Option<String>,
    /// Tells this process of the app-server from the next one; none when it has no socket.
    pub epoch: Option<String>,
    /// The process of the SSH server that carries this connection, for [`super::Want::fence`]; none where it cannot be told.
    #[serde(skip)]
    pub carrier: Option<String>,
    /// Why nothing may be left behind on this host, when there is a reason.
    pub ends_sessions: Option<Ending>,
    /// What became of the person's agent, when their ForwardAgent lends it.
    pub agent: Option<Agent>,
    /// Other hosts on which we started a server with the same CODEX_HOME.
    pub other_hosts: Vec<String>,
    /// Command lines of app-servers that were started to listen for everybody, when they were looked for.
    pub listeners: Vec<String>,
    /// Of these the ones that are seen to listen.
    #[serde(skip)]
    pub listening: Vec<String>,
    /// Processes of codex's own updater for this CODEX_HOME, when they were looked for.
    pub updaters: Vec<u32>,
    /// Whether we started the server that runs.
    pub ours: bool,
    /// The start-up file of a login bash, below the home, when it is worth to be named.
    #[serde(skip)]
    pub profile: Option<String>,
    /// What would stand in the way of a turn, when it was asked for.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// How long the shell took before it ran our script, start-up files included.
    #[serde(skip)]
    pub shell_took: Duration,
}

impl Facts {
    /// The codex that runs, for people.
    #[must_use]
    pub fn codex_in_words(&self) -> String {
        let Some(codex) = &self.codex else { return String::new() };
        let version = codex.version.as_ref().map(|v| format!("{v}, ")).unwrap_or_default();
        let stage = match self.stage {
            Stage::Login => "",
            Stage::Interactive => " (found by the interactive shell only)",
            Stage::Plain => " (the login shell did not run; found on sshd's own PATH)",
        };
        format!("{version}{}{stage}", codex.path)
    }

    /// Whether CODEX_HOME is on a file system that other hosts may share and on which SQLite's locks may fail.
    #[must_use]
    pub fn is_on_network(&self) -> bool {
        const NETWORK: &[&str] =
            &["nfs", "afs", "smb", "smb2", "cifs", "fuseblk", "fuse.sshfs", "lustre", "gpfs", "ceph", "beegfs", "9p", "v9fs"];
        NETWORK.iter().any(|kind| self.home_fs.eq_ignore_ascii_case(kind) || self.home_fs.starts_with("nfs"))
    }
}

/// What became of an agent that was lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Agent {
    /// The app-server can use it.
    Lent,
    /// The app-server that runs was not started with it.
    Unused,
    /// The start-up files of the login shell set `SSH_AUTH_SOCK` to another.
    Own,
    /// sshd made no socket for it.
    Refused,
}

/// Why a server that stays behind would be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// logind is set to end every process of a session with it.
    Logind,
    /// The session is a container of its own.
    Container,
    /// The settings of the host say so: it has happened once, or a person wrote it.
    Remembered,
    /// It has happened: the one that we started is gone, and the host has not restarted.
    Reaped,
}

/// The fields of an answer as they came.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    single: HashMap<String, String>,
    candidates: Vec<Candidate>,
    other_hosts: Vec<String>,
    listeners: Vec<String>,
    listening: Vec<String>,
    updaters: Vec<u32>,
    companions: Vec<String>,
}

impl Fields {
    /// Adds one; of two with one key the later counts, save for lists.
    pub fn add(&mut self, key: String, value: &[u8]) {
        let value = String::from_utf8_lossy(value).into_owned();
        match (key.as_str(), self.candidates.last_mut()) {
            ("candidate", _) => self.candidates.push(Candidate { path: value, version: None }),
            ("candidate_version", Some(last)) => last.version = version(&value),
            ("other_host", _) => self.other_hosts.push(value),
            ("listener", _) => self.listeners.push(value),
            ("listener_seen", _) if value == "yes" => self.listening.extend(self.listeners.last().cloned()),
            ("updater", _) => self.updaters.extend(value.parse::<u32>()),
            ("companion", _) => self.companions.push(value),
            _ => drop(self.single.insert(key, value)),
        }
    }

    /// A field that must not be mistaken for an empty one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.single.get(key).map(String::as_str)
    }

    /// Programs that belong to the codex and are not there.
    #[must_use]
    pub fn companions(&self) -> &[String] {
        &self.companions
    }

    fn take(&self, key: &str) -> String {
        self.get(key).unwrap_or_default().to_owned()
    }

    /// All fields as facts; what is missing stays empty.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let system = self.take("system");
        let (os, arch) = system.split_once(' ').unwrap_or((&system, ""));
        let codex = self.get("codex").map(|path| Candidate { path: path.into(), version: self.get("version").and_then(version) });
        Facts {
            user: self.take("user"),
            uid: self.take("uid"),
            home: self.take("home"),
            shell: self.take("shell"),
            stage: match self.get("at") {
                Some("plain") => Stage::Plain,
                Some("interactive") => Stage::Interactive,
                _ => Stage::Login,
            },
            login_lost: self.get("login") == Some("lost"),
            path: self.take("path"),
            os: os.to_owned(),
            arch: arch.to_owned(),
            hostname: self.take("hostname"),
            machine: self.take("machine"),
            boot: self.take("boot"),
            codex,
            runs: self.take("runs"),
            candidates: self.candidates.clone(),
            codex_home: self.take("codex_home"),
            home_fs: self.take("home_fs"),
            folder: self.get("folder").map(str::to_owned),
            socket: self.get("socket").map(str::to_owned),
            epoch: self.get("epoch").map(str::to_owned),
            carrier: self.get("carrier").map(str::to_owned),
            ends_sessions: match self.get("killing") {
                Some("container") => Some(Ending::Container),
                Some("remembered") => Some(Ending::Remembered),
                Some("logind") => Some(Ending::Logind),
                Some("reaped") => Some(Ending::Reaped),
                _ => None,
            },
            agent: match self.get("agent") {
                Some("lent") => Some(Agent::Lent),
                Some("unused") => Some(Agent::Unused),
                Some("own") => Some(Agent::Own),
                Some("refused") => Some(Agent::Refused),
                _ => None,
            },
            other_hosts: self.other_hosts.clone(),
            listeners: self.listeners.clone(),
            listening: self.listening.clone(),
            profile: self.get("profile").map(str::to_owned),
            updaters: self.updaters.clone(),
            ours: self.get("ours").is_some(),
            findings: preflight::findings(self),
            shell_took: Duration::ZERO,
        }
    }
}

/// The version in what a `codex --version` printed: the last word of a line `codex-cli 0.169.0`, whatever warnings stand around it.
fn version(printed: &str) -> Option<String> {
    let line = printed.lines().find(|l| l.starts_with("codex"))?;
    line.split_whitespace().last().filter(|w| w.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

/// Versions by their numbers; what follows a `-` comes before the release itself.
#[must_use]
pub(super) fn by_version(one: &str, other: &str) -> Ordering {
    let parts = |version: &str| -> (Vec<u64>, bool) {
        let (numbers, before) = version.split_once('-').map_or((version, false), |(numbers, _)| (numbers, true));
        (numbers.split('.').map(|n| n.parse().unwrap_or(0)).collect(), !before)
    };
    parts(one).cmp(&parts(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (one, other, order) in [
            ("0.9.0", "0.10.0", Ordering::Less),
            ("1.0", "1.0", Ordering::Equal),
            ("0.2.0-alpha.1", "0.2.0", Ordering::Less),
            ("0.2.1-alpha.1", "0.2.0", Ordering::Greater),
        ] {
            assert_eq!(by_version(one, other), order, "{one} {other}");
        }
    }

    #[test]
    fn versions_are_found_among_warnings() {
        assert_eq!(version("WARNING: x\ncodex-cli 0.169.0\n").as_deref(), Some("0.169.0"));
        assert_eq!(version("codex-cli 0.1.0-alpha.2").as_deref(), Some("0.1.0-alpha.2"));
        for none in ["", "env: node: No such file", "codex what"] {
            assert_eq!(version(none), None, "{none:?}");
        }
    }

    #[test]
    fn candidates_keep_their_order_and_versions() {
        let mut fields = Fields::default();
        for (key, value) in [
            ("candidate", "/a/codex"),
            ("candidate_version", "codex-cli 1.0"),
            ("candidate", "/b/codex"),
            ("candidate_version", ""),
        ] {
            fields.add(key.into(), value.as_bytes());
        }
        let expected = [("/a/codex", Some("1.0")), ("/b/codex", None)];
        let found = fields.facts().candidates;
        assert_eq!(found.iter().map(|c| (c.path.as_str(), c.version.as_deref())).collect::<Vec<_>>(), expected);
    }
}
