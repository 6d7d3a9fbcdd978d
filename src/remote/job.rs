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

/// Every piece, for the tests.
#[cfg(test)]
pub(super) const ALL: &[&str] = &[BEGIN, CODEX, FOLDER, RECORD, SERVER, LISTENERS, STOP, LOGS, INSTALL, BROWSE];

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
            ],
            Self::Stop { now } => vec![("now", flag(*now))],
            Self::Logs { lines, follow } => vec![("lines", lines.to_string()), ("follow", flag(*follow))],
            Self::Browse => vec![("most", super::browse::MOST.to_string())],
            Self::InstallByNpm => vec![("by", "npm".to_owned()), ("entry", String::new())],
            Self::InstallByUpload { entry } => vec![("by", "upload".to_owned()), ("entry", entry.clone())],
        }
    }
}

fn flag(set: bool) -> String {
    if set { "yes".to_owned() } else { String::new() }
}
