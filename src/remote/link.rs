//! The byte stream of an app-server.

use std::io::Cursor;

use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;

use super::answer::Answer;
use super::exchange::Heard;
use super::facts::Facts;
use super::remedy::READS_INPUT;
use crate::failure::{Code, Failure};
use crate::ssh::ByteStream;
use crate::ssh::exec::{Exec, ExitStatus, Tail};
use crate::ssh::session::Session;
use crate::step::{Progress, Step, Watch};

/// How one message is told from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// WebSocket frames behind an HTTP upgrade.
    WebSocket,
    /// One JSON document a line.
    Lines,
}

/// How we came to the app-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was running.
    Joined,
    /// We started it; it stays when the session ends.
    Started,
    /// It runs inside the session and ends with it.
    Attached,
}

/// The byte stream of an app-server.
pub struct Link {
    /// Positioned where the server's own bytes begin.
    pub stream: ByteStream,
    /// How to read it.
    pub framing: Framing,
    /// How we came to it.
    pub how: How,
    /// The last that the remote command said on standard error.
    pub stderr: Tail,
    /// How the remote command ended, once it did.
    pub status: oneshot::Receiver<ExitStatus>,
    /// Whether [`super::Want::early`] went ahead to the server (a server that reads lines never sees it).
    pub early_sent: bool,
}

/// The link that an answered bring-up leads to.
///
/// # Errors
/// What the script stopped for; [`Code::ShellReadsInput`] when the only way left is closed.
pub async fn open(session: &Session, heard: Heard, watch: &dyn Watch) -> Result<(Facts, Link), Failure> {
    match heard.exec {
        Some(exec) => over_exec(heard.answer, exec, watch),
        None => over_socket(session, heard.answer, watch).await,
    }
}

fn over_exec(answer: Answer, exec: Exec, watch: &dyn Watch) -> Result<(Facts, Link), Failure> {
    let (facts, how, rest) = answer.conclude(watch)?;
    let framing = if how == How::Attached { Framing::Lines } else { Framing::WebSocket };
    let Exec { stdin, stdout, stderr, status } = exec;
    let stream = Box::new(tokio::io::join(Cursor::new(rest).chain(stdout), stdin));
    Ok((facts, Link { stream, framing, how, stderr, status, early_sent: true }))
}

/// The standard input of the exec is closed: the server's socket must be reached by a channel of its own.
async fn over_socket(session: &Session, answer: Answer, watch: &dyn Watch) -> Result<(Facts, Link), Failure> {
    let (facts, how, _) = answer.conclude(watch)?;
    let socket = facts.socket.clone().unwrap_or_default();
    let reads = |failure: Failure| {
        let said =
            format!("a start-up file of the login shell reads all of standard input, and the socket is out of reach: {failure}");
        Failure::new(Code::ShellReadsInput, "open a way to the app-server").said(said).hint(READS_INPUT)
    };
    let stream = session.unix_socket(&socket).await.map_err(reads)?;
    let text = "a start-up file of the login shell reads all of standard input".to_owned();
    watch.progress(Progress::Warning {
        step: Step::LoginShell,
        code: Some(Code::ShellReadsInput),
        text,
        hint: READS_INPUT.to_owned(),
    });
    let (_, status) = oneshot::channel();
    let link = Link { stream, framing: Framing::WebSocket, how, stderr: Tail::default(), status, early_sent: false };
    Ok((facts, link))
}
