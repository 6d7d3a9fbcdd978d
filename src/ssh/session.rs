//! One authenticated connection to a host, in process or through the system's `ssh`.

use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use super::ByteStream;
use super::connection::{Connection, Open};
use super::exec::{Exec, Piped};
use super::facts::Facts;
use super::forward::{self, Listen, Listener};
pub use super::open::Context;
use super::shell::{Control, Pty, Shell};
use super::system::SystemSsh;
use crate::failure::Failure;
use crate::host::target::{Purpose, Target};

/// A session; clones share the one connection.
#[derive(Clone)]
pub struct Session {
    carrier: Carrier,
    facts: Arc<Facts>,
    lends_agent: bool,
}

#[derive(Clone)]
enum Carrier {
    InProcess(Connection),
    System(SystemSsh),
}

/// How a terminal on the remote is had.
pub enum Terminal {
    /// Its streams are ours to join with the local terminal.
    Streams(Box<Shell>),
    /// A program that joins it with the local terminal by itself when it is run on it.
    Program(Box<Command>),
}

/// How much of a terminal's output may be on its way: as OpenSSH's client has it, so that Ctrl-C is soon seen to work.
const TERMINAL_WINDOW: u32 = 1024 * 1024;

/// What a session that is alone is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// A person at a terminal.
    Terminal,
    /// A command's data.
    Data,
}

impl Session {
    /// As [`Session::open`] for one shell or command and nothing else: the whole connection waits for its reader, so that nothing
    /// is lost however slow the reader is.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_alone(target: &Target, context: &Context<'_>, what: Alone) -> Result<Self, Failure> {
        let terminal = what == Alone::Terminal;
        let window = if terminal { TERMINAL_WINDOW } else { super::transport::WINDOW };
        Self::open(&target.clone().with_purpose(Purpose::Alone { window, terminal }), context).await
    }

    /// Connects, checks the host key and logs in, jump hosts first; lends the person's agent where ForwardAgent says so.
    ///
    /// # Errors
    /// A code for each cause; `host` is the hop it happened at.
    pub async fn open(target: &Target, context: &Context<'_>) -> Result<Self, Failure> {
        let (connection, facts) = super::open::open(target, *context).await?;
        let facts = super::facts::Facts { account: target.user().to_owned(), ..facts };
        let socket = forward::agent_socket(target, context.local).map_err(|e| e.at(&target.alias))?;
        let socket = forward::listening(socket, context.watch).await;
        let session = Self { carrier: Carrier::InProcess(connection), facts: Arc::new(facts), lends_agent: socket.is_some() };
        socket.into_iter().for_each(|socket| session.forward_agent(socket));
        Ok(session)
    }

    /// The same over the system's `ssh` (`carrier = "ssh"`), which prompts by itself.
    ///
    /// # Errors
    /// As [`Session::open`], with ssh's own words.
    pub async fn open_with_system_ssh(target: &Target, context: &Context<'_>) -> Result<Self, Failure> {
        let (ssh, facts) = SystemSsh::open(target, *context).await?;
        let facts = super::facts::Facts { account: target.user().to_owned(), ..facts };
        let lends_agent = forward::is_agent_wanted(target);
        Ok(Self { carrier: Carrier::System(ssh), facts: Arc::new(facts), lends_agent })
    }

    /// What is known of the connection.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Runs a command line by the account's login shell (`SHELL -c COMMAND`).
    ///
    /// # Errors
    /// When no channel could be opened, or the link is lost.
    pub async fn exec(&self, command: &str) -> Result<Exec, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => connection.exec(command).await.map(super::channel::Running::exec),
            Carrier::System(ssh) => ssh.exec(command),
        }
    }

    /// Connects to a Unix socket on the remote.
    ///
    /// # Errors
    /// [`crate::failure::Code::ChannelRefused`] when sshd forbids it or nobody listens; the link is lost.
    pub async fn unix_socket(&self, path: &str) -> Result<ByteStream, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => connection.stream(Open::Unix(path.to_owned())).await,
            Carrier::System(ssh) => ssh.unix_socket(path).await,
        }
    }

    /// Connects to a TCP port as seen from the remote.
    ///
    /// # Errors
    /// As [`Session::unix_socket`].
    pub async fn tcp(&self, host: &str, port: u16) -> Result<ByteStream, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => super::forward::tcp(connection, host, port).await,
            Carrier::System(ssh) => ssh.tcp(host, port).await,
        }
    }

    /// Why a stream of [`Session::tcp`] that ended at once came to nothing, where that shows only now: over the system's ssh.
    pub async fn tcp_refused(&self, host: &str, port: u16) -> Option<Failure> {
        match &self.carrier {
            Carrier::InProcess(_) => None,
            Carrier::System(ssh) => ssh.refused(host, port).await,
        }
    }

    /// Whether a stream that is not read makes its sender wait, and nobody else; otherwise it is to be read at once, and loses its
    /// channel when it is not.
    #[must_use]
    pub fn holds_senders_back(&self) -> bool {
        match &self.carrier {
            Carrier::InProcess(_) => false,
            Carrier::System(_) => true,
        }
    }

    /// Lets the remote listen for us.
    ///
    /// # Errors
    /// [`crate::failure::Code::ChannelRefused`]; the link is lost.
    pub async fn listen(&self, what: Listen) -> Result<Listener, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => super::forward::listen(connection, what).await,
            Carrier::System(ssh) => ssh.listen(what).await,
        }
    }

    /// Opens the account's shell, or runs a command, on a pseudo-terminal; the session must be alone.
    ///
    /// # Errors
    /// As [`Session::exec`].
    pub async fn terminal(&self, pty: &Pty, command: Option<&str>) -> Result<Terminal, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => {
                super::shell::open(connection, pty, command).await.map(|shell| Terminal::Streams(Box::new(shell)))
            }
            Carrier::System(ssh) => Ok(Terminal::Program(Box::new(ssh.terminal(command)))),
        }
    }

    /// Runs a command, or the account's shell, without a terminal, its three streams whole; the session must be alone. What can
    /// be told to it beside, if anything.
    ///
    /// # Errors
    /// As [`Session::exec`].
    pub async fn pipe(&self, command: Option<&str>) -> Result<(Piped, Option<Control>), Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => {
                super::shell::pipe(connection, command).await.map(|shell| (shell.piped, Some(shell.control)))
            }
            Carrier::System(ssh) => ssh.pipe(command).map(|piped| (piped, None)),
        }
    }

    /// Why the link is no more.
    #[must_use]
    pub fn lost(&self) -> Failure {
        match &self.carrier {
            Carrier::InProcess(connection) => connection.lost(),
            Carrier::System(ssh) => ssh.lost(),
        }
    }

    /// Whether the person's agent is lent to the host, as their ForwardAgent says.
    #[must_use]
    pub fn lends_agent(&self) -> bool {
        self.lends_agent
    }

    /// Whether the connection is ours alone: a person's ControlMaster may carry their own sessions.
    #[must_use]
    pub fn is_ours_alone(&self) -> bool {
        matches!(self.carrier, Carrier::InProcess(_))
    }

    /// Lets the remote use the agent behind a local socket (see [`super::forward::agent_socket`]): from the next command on,
    /// `SSH_AUTH_SOCK` there leads to it.
    pub fn forward_agent(&self, socket: std::path::PathBuf) {
        if let Carrier::InProcess(connection) = &self.carrier {
            connection.forward_agent(socket);
        }
    }

    /// Waits for the end of the link.
    pub async fn closed(&self) {
        match &self.carrier {
            Carrier::InProcess(connection) => connection.seen().ended().await,
            Carrier::System(ssh) => ssh.closed().await,
        }
    }

    /// Whether the link seems to stand: over the system's `ssh` that is whether its login does.
    pub async fn stands(&self, limit: Duration) -> bool {
        match &self.carrier {
            Carrier::InProcess(connection) => connection.ping(limit).await.is_ok(),
            Carrier::System(ssh) => ssh.stands(),
        }
    }

    /// Asks the host for a sign of life; the answer is how long it took.
    ///
    /// # Errors
    /// [`crate::failure::Code::LinkLost`] when none comes within the limit.
    pub async fn ping(&self, limit: Duration) -> Result<Duration, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => connection.ping(limit).await,
            Carrier::System(ssh) => ssh.ping(limit).await,
        }
    }

    /// Says goodbye; what still runs on the connection ends.
    pub async fn close(&self) {
        match &self.carrier {
            Carrier::InProcess(connection) => connection.close().await,
            Carrier::System(ssh) => ssh.close().await,
        }
    }
}
