//! What a script is to do on a remote: the pieces it is made of, and what they are given.

use super::Want;
use crate::config::hosts::HostSettings;
use crate::ssh::quote;

const BEGIN: &str = include_str!("begin.sh");
const CODEX: &str = include_str!("codex.sh");
const FOLDER: &str = include_str!("folder.sh");
const RECORD: &str = include_str!("record.sh");
const AGENT: &str = include_str!("agent.sh");
const FENCE: &str = include_str!("fence.sh");
const SERVER: &str = include_str!("server.sh");
const LISTENERS: &str = include_str!("listeners.sh");
const PREFLIGHT: &str = include_str!("preflight.sh");
const STOP: &str = include_str!("stop.sh");
const LOGS: &str = include_str!("logs.sh");
const INSTALL: &str = include_str!("install.sh");
const BROWSE: &str = include_str!("browse.sh");
const SIGN_IN: &str = include_str!("sign_in.sh");
const WORKTREE: &str = include_str!("worktree.sh");
const ENVIRONMENT: &str = include_str!("environment.sh");

/// Every piece, for the tests.
#[cfg(test)]
pub(super) const ALL: &[&str] = &[
    BEGIN,
    CODEX,
    FOLDER,
    RECORD,
    AGENT,
    FENCE,
    SERVER,
    LISTENERS,
    PREFLIGHT,
    STOP,
    LOGS,
    INSTALL,
    BROWSE,
    SIGN_IN,
    WORKTREE,
    ENVIRONMENT,
];

/// What a script is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    /// Say the facts and become the way to the app-server.
    BringUp(Want),
    /// Stop the server that we started.
    Stop {
        /// In the middle of its work.
        now: bool,
    },
    /// Show the log of the server that we started.
    Logs {
        /// How many of its last lines.
        lines: u32,
        /// And what is written from now on.
        follow: bool,
    },
    /// List folders for as long as somebody asks.
    Browse,
    /// Sign codex in or out.
    SignIn {
        /// Which of it.
        action: SignIn,
        /// Where to sign in, instead of with OpenAI: for tests.
        issuer: Option<String>,
        /// The word that stands before codex's exit status; random.
        nonce: String,
    },
    /// Make a git worktree.
    Worktree {
        /// Of the repository that this folder is in.
        folder: String,
        /// Its new branch.
        branch: String,
        /// The name of its folder.
        place: String,
    },
    /// Install codex, or a part of that.
    Install(Install),
    /// Keep the variables of the settings for a shell.
    Environment {
        /// A plain word.
        id: String,
    },
}

/// What is to become of the sign-in of a remote codex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// A person opens an address and enters a code.
    Device,
    /// By an API key on standard input.
    ApiKey,
    /// By an access token on standard input.
    AccessToken,
    /// Who is signed in.
    Status,
    /// Nobody any more.
    Logout,
}

impl SignIn {
    fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::ApiKey => "api-key",
            Self::AccessToken => "access-token",
            Self::Status => "status",
            Self::Logout => "logout",
        }
    }
}

/// A part of an installation. The parts of one share an id, which names the folder that they work in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Install {
    /// Which.
    pub part: Part,
    /// Where the standalone archives are: the address of the folder that holds them.
    pub base: String,
    /// A plain word.
    pub id: String,
}

/// The parts of an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// See which ways the host allows.
    Look,
    /// Run the npm of the host.
    Npm,
    /// Fetch the standalone archive and unpack it.
    Standalone,
    /// Take an archive of this many bytes that comes on standard input.
    Receive(u64),
    /// Unpack the archive that was taken.
    Upload,
}

impl Part {
    fn word(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Npm => "npm",
            Self::Standalone => "standalone",
            Self::Receive(_) => "receive",
            Self::Upload => "upload",
        }
    }
}

impl Job {
    /// The pieces of stage two.
    pub(super) fn pieces(&self) -> &'static [&'static str] {
        match self {
            Self::BringUp(want) if want.versions => &[BEGIN, CODEX, FOLDER, RECORD, AGENT, LISTENERS, PREFLIGHT, FENCE, SERVER],
            Self::BringUp(_) => &[BEGIN, CODEX, FOLDER, RECORD, AGENT, FENCE, SERVER],
            Self::Stop { .. } => &[BEGIN, RECORD, STOP],
            Self::Logs { .. } => &[BEGIN, LOGS],
            Self::Browse => &[BEGIN, BROWSE],
            Self::SignIn { .. } => &[BEGIN, CODEX, SIGN_IN],
            Self::Worktree { .. } => &[BEGIN, FOLDER, WORKTREE],
            Self::Install(_) => &[BEGIN, INSTALL],
            Self::Environment { .. } => &[BEGIN, ENVIRONMENT],
        }
    }

    pub(super) fn variables(&self, settings: &HostSettings) -> Vec<(&'static str, String)> {
        let word = |value: &Option<String>| value.clone().unwrap_or_default();
        match self {
            Self::BringUp(want) => vec![
                ("want", want.server.word(settings.session_attached == Some(true)).to_owned()),
                ("codex", word(&settings.codex)),
                ("folder", word(&want.folder)),
                ("versions", flag(want.versions)),
                ("early", flag(!want.early.is_empty())),
                ("token", flag(want.token.is_some())),
                ("agent", flag(want.agent)),
                ("fence", word(&want.fence)),
            ],
            Self::Stop { now } => vec![("now", flag(*now))],
            Self::Logs { lines, follow } => vec![("lines", lines.to_string()), ("follow", flag(*follow))],
            Self::Browse => vec![("most", super::browse::MOST.to_string())],
            Self::SignIn { action, issuer, nonce } => vec![
                ("codex", word(&settings.codex)),
                ("versions", String::new()),
                ("action", action.word().to_owned()),
                ("issuer", word(issuer)),
                ("nonce", nonce.clone()),
            ],
            Self::Worktree { folder, branch, place } => {
                vec![("folder", folder.clone()), ("branch", branch.clone()), ("place", place.clone())]
            }
            Self::Install(install) => install.variables(),
            Self::Environment { id } => {
                let exports = settings.env.iter().map(|(name, value)| format!("export {name}={}\n", quote::posix(value)));
                vec![("errand", id.clone()), ("exports", exports.collect())]
            }
        }
    }
}

impl Install {
    fn variables(&self) -> Vec<(&'static str, String)> {
        let size = if let Part::Receive(size) = self.part { size } else { 0 };
        vec![
            ("by", self.part.word().to_owned()),
            ("base", self.base.clone()),
            ("errand", self.id.clone()),
            ("size", size.to_string()),
        ]
    }
}

fn flag(set: bool) -> String {
    if set { "yes".to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_installation_is_given_is_not_set_by_the_scripts_before_it() {
        let install = Install { part: Part::Npm, base: String::new(), id: String::new() };
        for (name, _) in install.variables() {
            let set = [BEGIN, RECORD, CODEX]
                .map(|script| script.lines().any(|line| line.trim_start().starts_with(&format!("_{name}="))));
            assert_eq!(set, [false; 3], "{name}");
        }
    }
}
