//! One authenticated connection to a host, in process or through the system's `ssh`.

use std::sync::Arc;
use std::time::Duration;

use super::ByteStream;
use super::connection::{Connection, Open};
use super::exec::Exec;
use super::facts::Facts;
use super::forward::{Listen, Listener};
pub use super::open::Context;
use super::shell::{Pty, Shell};
use super::system::SystemSsh;
use crate::failure::{Code, Failure};
use crate::host::target::Target;

/// A session; clones share the one connection.
#[derive(Clone)]
pub struct Session {
    carrier: Carrier,
    facts: Arc<Facts>,
}

#[derive(Clone)]
enum Carrier {
    InProcess(Connection),
    System(SystemSsh),
}

impl Session {
    /// Connects, checks the host key and logs in, jump hosts first.
    ///
    /// # Errors
    /// A code for each cause; `host` is the hop it happened at.
    pub async fn open(target: &Target, context: &Context<'_>) -> Result<Self, Failure> {
        let (connection, facts) = super::open::open(target, *context, 0).await?;
        Ok(Self { carrier: Carrier::InProcess(connection), facts: Arc::new(facts) })
    }

    /// The same over the system's `ssh` (`carrier = "ssh"`), which prompts by itself.
    ///
    /// # Errors
    /// As [`Session::open`], with ssh's own words.
    pub async fn open_with_system_ssh(target: &Target, context: &Context<'_>) -> Result<Self, Failure> {
        let (ssh, facts) = SystemSsh::open(target, *context).await?;
        Ok(Self { carrier: Carrier::System(ssh), facts: Arc::new(facts) })
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
    /// [`Code::ChannelRefused`] when sshd forbids it or nobody listens; the link is lost.
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
            Carrier::System(_) => Err(only_in_process("forward a port")),
        }
    }

    /// Lets the remote listen for us.
    ///
    /// # Errors
    /// [`Code::ChannelRefused`]; the link is lost.
    pub async fn listen(&self, what: Listen) -> Result<Listener, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => super::forward::listen(connection, what).await,
            Carrier::System(_) => Err(only_in_process("listen on the remote")),
        }
    }

    /// Opens the account's shell, or runs a command, on a pseudo-terminal.
    ///
    /// # Errors
    /// As [`Session::exec`].
    pub async fn shell(&self, pty: &Pty, command: Option<&str>) -> Result<Shell, Failure> {
        match &self.carrier {
            Carrier::InProcess(connection) => super::shell::open(connection, pty, command).await,
            Carrier::System(_) => Err(only_in_process("open a terminal")),
        }
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

    /// Asks the host for a sign of life; the answer is how long it took.
    ///
    /// # Errors
    /// [`Code::LinkLost`] when none comes within the limit.
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

fn only_in_process(tried: &str) -> Failure {
    Failure::new(Code::KeywordUnsupported, tried).said("the host's carrier is the system ssh").hint("use ssh itself for this")
}
