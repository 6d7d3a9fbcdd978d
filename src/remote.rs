//! The far side of a session: one exec brings its facts, and the byte stream of its app-server.
//!
//! `docs/REMOTE.md` tells what runs there. Nothing that the remote says is trusted: answers are bounded, exit codes are not believed,
//! and what is kept of its words is raw text that whoever shows it neutralises.

mod answer;
pub mod browse;
mod concern;
pub mod enter;
mod environment;
mod exchange;
pub mod facts;
mod frame;
mod install;
pub mod job;
mod judge;
mod link;
#[cfg(test)]
mod pasted;
mod preflight;
mod refusal;
mod remedy;
mod said;
mod script;
mod sign_in;
mod worktree;

use std::time::Duration;

pub use environment::environment;
pub use facts::Facts;
pub use install::{Installed, Offer, offer, put, send};
pub use link::{Framing, How, Link};
pub use refusal::ended;
pub use said::{Said, Stopped, logs, stop};
pub use sign_in::sign_in;
pub use worktree::{Worktree, worktree};

use exchange::Errand;
use job::Job;

use crate::config::hosts::HostSettings;
use crate::failure::Failure;
use crate::ssh::ask::Secret;
use crate::ssh::session::Session;
use crate::step::Watch;

/// What a bring-up is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Want {
    /// What is to become of the app-server.
    pub server: Wanted,
    /// Whether to look for every `codex` and ask each for its version; costs time.
    pub versions: bool,
    /// A folder to check: absolute, `~/…`, or relative to the remote home.
    pub folder: Option<String>,
    /// Bytes to send to the server as soon as the script runs (the HTTP upgrade), so that they cost no round trip of their own.
    pub early: Vec<u8>,
    /// An access token for a server that runs inside the session, with a CODEX_HOME of its own that goes with it.
    pub token: Option<Secret>,
    /// Whether the session lends the person's agent ([`Session::lends_agent`]): a server that is started then can use it.
    pub agent: bool,
    /// What carried a connection of ours that is lost ([`Facts::carrier`]): it is ended first, so that nothing it still holds arrives.
    pub fence: Option<String>,
    /// How long its parts may take.
    pub limits: Limits,
}

/// What is to become of the app-server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Join one that runs, else try one inside the session that ends with it.
    #[default]
    Check,
    /// Join one that runs, else start one that stays.
    Server,
    /// One inside the session that ends with it, whatever runs.
    Attached,
}

impl Wanted {
    /// The script's word for it; a host that is known to end what a session leaves behind gets nothing to end.
    fn word(self, session_attached: bool) -> &'static str {
        match self {
            Self::Attached => "attached",
            Self::Check | Self::Server if session_attached => "inside",
            Self::Check => "check",
            Self::Server => "server",
        }
    }
}

impl Want {
    /// Everything that can be known, and nothing left behind.
    #[must_use]
    pub fn check() -> Self {
        Self { server: Wanted::Check, versions: true, ..Self::default() }
    }

    /// A server to work with.
    #[must_use]
    pub fn server() -> Self {
        Self { server: Wanted::Server, ..Self::default() }
    }

    /// With a folder that must be there.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<String>) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// A host that was brought up.
pub struct Remote {
    /// What was found.
    pub facts: Facts,
    /// The way to the app-server.
    pub server: Link,
}

/// How long the parts of a bring-up may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the script is also tried with its input closed, where the start-up files have not let it run by then.
    pub patience: Duration,
    /// Start-up files that take longer are worth a word.
    pub slow: Duration,
    /// Until the login shell has run our script; people have start-up files of half a minute.
    pub shell: Duration,
    /// From there to the end of the answer; a first start of codex on a slow disk takes several seconds.
    pub answer: Duration,
}

impl Limits {
    /// For what a person waits for and may interrupt.
    const UNLIMITED: Duration = Duration::from_secs(365 * 24 * 3600);
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(8),
            slow: Duration::from_secs(2),
            shell: Duration::from_secs(60),
            answer: Duration::from_secs(60),
        }
    }
}

/// Brings a host up: one exec, in which the login shell runs our script, which says what it finds and becomes the way to the
/// app-server. Reports the steps `LoginShell` and `Codex`; the step `AppServer` is done when the server has answered `initialize`,
/// which is the caller's.
///
/// # Errors
/// Whatever stands between a login and a `codex`, each with its own code.
pub async fn bring_up(session: &Session, settings: &HostSettings, want: Want, watch: &dyn Watch) -> Result<Remote, Failure> {
    let limits = want.limits;
    let early = !want.early.is_empty();
    let token = want.token.clone();
    let job = Job::BringUp(want);
    let mut heard = Errand { session, settings, job: &job, limits }.run(watch).await?;
    if let (Some(token), Some(exec)) = (token, &mut heard.exec)
        && heard.answer.word("error").is_none()
    {
        exchange::send(exec, format!("{}\n", token.reveal()).as_bytes()).await;
    }
    let (facts, mut server) = link::open(session, heard, watch).await?;
    server.early_sent &= early;
    Ok(Remote { facts, server })
}
