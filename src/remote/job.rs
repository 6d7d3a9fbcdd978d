//! What a script is to do on a remote: the pieces it is made of, and what they are given.

use super::Want;
use crate::config::hosts::HostSettings;

const BEGIN: &str = include_str!("begin.sh");
const CODEX: &str = include_str!("codex.sh");
const FOLDER: &str = include_str!("folder.sh");
const RECORD: &str = include_str!("record.sh");
const SERVER: &str = include_str!("server.sh");
const LISTENERS: &str = include_str!("listeners.sh");
const STOP: &str = include_str!("stop.sh");
const LOGS: &str = include_str!("logs.sh");
const INSTALL: &str = include_str!("install.sh");
const BROWSE: &str = include_str!("browse.sh");
const SIGN_IN: &str = include_str!("sign_in.sh");
const WORKTREE: &str = include_str!("worktree.sh");

/// Every piece, for the tests.
#[cfg(test)]
pub(super) const ALL: &[&str] =
    &[BEGIN, CODEX, FOLDER, RECORD, SERVER, LISTENERS, STOP, LOGS, INSTALL, BROWSE, SIGN_IN, WORKTREE];

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
    /// Install codex with the npm of the host.
    InstallByNpm,
    /// Install codex from a tar archive that comes on standard input.
    InstallByUpload {
        /// Where in it the program is.
        entry: String,
    },
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

impl Job {
    /// The pieces of stage two.
    pub(super) fn pieces(&self) -> &'static [&'static str] {
        match self {
            Self::BringUp(want) if want.versions => &[BEGIN, CODEX, FOLDER, RECORD, LISTENERS, SERVER],
            Self::BringUp(_) => &[BEGIN, CODEX, FOLDER, RECORD, SERVER],
            Self::Stop { .. } => &[BEGIN, RECORD, STOP],
            Self::Logs { .. } => &[BEGIN, LOGS],
            Self::InstallByNpm | Self::InstallByUpload { .. } => &[BEGIN, INSTALL],
            Self::Browse => &[BEGIN, BROWSE],
            Self::SignIn { .. } => &[BEGIN, CODEX, SIGN_IN],
            Self::Worktree { .. } => &[BEGIN, FOLDER, WORKTREE],
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
            Self::InstallByNpm => vec![("by", "npm".to_owned()), ("entry", String::new())],
            Self::InstallByUpload { entry } => vec![("by", "upload".to_owned()), ("entry", entry.clone())],
        }
    }
}

fn flag(set: bool) -> String {
    if set { "yes".to_owned() } else { String::new() }
}
