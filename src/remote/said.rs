//! Smaller errands than a bring-up: stopping our server, showing its log.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::Limits;
use super::exchange::{Errand, Heard};
use super::facts::Facts;
use super::job::Job;
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::ssh::session::Session;
use crate::step::Watch;

/// What became of a server that was to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It was ours and has ended.
    Ours,
    /// There is one, and somebody else started it.
    NotOurs,
    /// There was none.
    None,
}

/// Stops the server that we started on the host, recognised by number, start time and executable. Without `now` it ends its
/// running turns first, however long they take.
///
/// # Errors
/// As a bring-up, up to the login shell.
pub async fn stop(session: &Session, settings: &HostSettings, now: bool, watch: &dyn Watch) -> Result<Stopped, Failure> {
    let limits = Limits { answer: Limits::UNLIMITED, ..Limits::default() };
    let heard = Errand { session, settings, job: &Job::Stop { now }, limits }.run(watch).await?;
    match heard.answer.word("stopped") {
        Some("ours") => Ok(Stopped::Ours),
        Some("foreign") => Ok(Stopped::NotOurs),
        Some("none") => Ok(Stopped::None),
        _ => Err(heard.answer.refused()),
    }
}

/// A remote's own words.
pub struct Said {
    /// What was found there.
    pub facts: Facts,
    /// Whether an app-server seems to run there; only of signing in.
    pub running: bool,
    /// The words; raw.
    pub text: Box<dyn AsyncRead + Send + Unpin>,
    /// What it reads; its end ends a log that is followed.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Opens the log of the server that we started: its last lines, and what is written from now on with `follow`.
///
/// # Errors
/// [`Code::LogMissing`]; as a bring-up, up to the login shell.
pub async fn logs(session: &Session, settings: &HostSettings, job: Job, watch: &dyn Watch) -> Result<Said, Failure> {
    said(session, settings, &job, watch).await
}

/// Runs a job that ends with a stream.
pub(super) async fn said(session: &Session, settings: &HostSettings, job: &Job, watch: &dyn Watch) -> Result<Said, Failure> {
    let Heard { answer, exec } = Errand { session, settings, job, limits: Limits::default() }.run(watch).await?;
    if answer.word("error").is_some() {
        return Err(answer.refused());
    }
    let Some(exec) = exec else {
        return Err(Failure::new(Code::ShellReadsInput, "talk to the host").hint(super::remedy::READS_INPUT));
    };
    let (facts, running) = (answer.facts(), answer.word("running") == Some("yes"));
    let first = std::io::Cursor::new(answer.rest());
    Ok(Said { facts, running, text: Box::new(first.chain(exec.stdout)), input: exec.stdin })
}
