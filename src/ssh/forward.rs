//! What a session carries besides commands: TCP and Unix streams both ways, and the agent.

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::ByteStream;
use super::auth::agent::socket;
use super::connection::{Connection, Open};
use super::door::Bound;
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;
use crate::step::{Progress, Step, Watch};

/// How many connections that arrived on the remote may wait to be taken; further ones are refused.
pub(crate) const WAITING: usize = 32;

/// Where the remote shall listen for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// On a TCP port; 0 lets the remote choose.
    Tcp {
        /// The address as sshd takes it: `localhost`, `*`, or one of the remote's own.
        address: String,
        /// The port.
        port: u16,
    },
    /// On a Unix socket.
    Unix {
        /// Its path there.
        path: String,
    },
}

/// A listener on the remote; dropping it ends the listening.
pub struct Listener {
    /// The port that the remote listens on; 0 for a Unix socket.
    pub port: u16,
    /// The connections that arrive.
    pub incoming: mpsc::Receiver<ByteStream>,
    /// Ends the listening when it is dropped.
    _end: Box<dyn std::any::Any + Send>,
}

impl Listener {
    pub(crate) fn new(port: u16, incoming: mpsc::Receiver<ByteStream>, end: impl std::any::Any + Send) -> Self {
        Self { port, incoming, _end: Box::new(end) }
    }
}

/// What listens for us on a connection of our own.
struct Listening {
    port: u16,
    what: Listen,
    connection: Connection,
}

/// Asks the remote to listen.
pub(crate) async fn listen(connection: &Connection, what: Listen) -> Result<Listener, Failure> {
    let (sender, incoming) = mpsc::channel(WAITING);
    let asked = match &what {
        Listen::Tcp { address, port } => {
            connection.handle().tcpip_forward(address, u32::from(*port)).await.map(|bound| (bound, *port))
        }
        Listen::Unix { path } => connection.handle().streamlocal_forward(path).await.map(|()| (0, 0)),
    };
    let (bound, asked_for) = asked.map_err(|_| refusal(connection, &what))?;
    // russh answers 0 when a certain port was asked for and given.
    let port = u16::try_from(bound).ok().filter(|p| *p != 0).unwrap_or(asked_for);
    let listening = Listening { port, what, connection: connection.clone() };
    connection.doors().let_forward(listening.bound(), sender);
    Ok(Listener::new(port, incoming, listening))
}

fn refusal(connection: &Connection, what: &Listen) -> Failure {
    if connection.seen().has_ended() { connection.lost() } else { refused(what, "the server refused").at(connection.host()) }
}

/// The failure of a remote that does not listen for us.
pub(crate) fn refused(what: &Listen, said: &str) -> Failure {
    let (tried, hint) = match what {
        Listen::Tcp { address, port } => (
            format!("listen on {address} port {port} of the remote"),
            "the port may be taken there, or sshd forbids it (AllowTcpForwarding)",
        ),
        Listen::Unix { path } => (
            format!("listen on {path} of the remote"),
            "the path may exist already, or sshd forbids it (AllowStreamLocalForwarding)",
        ),
    };
    Failure::new(Code::ChannelRefused, tried).said(said).hint(hint)
}

impl Listening {
    fn bound(&self) -> Bound {
        match &self.what {
            Listen::Tcp { .. } => Bound::Tcp(self.port.into()),
            Listen::Unix { path } => Bound::Unix(path.clone()),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.connection.doors().shut(&self.bound());
        let (connection, what, port) = (self.connection.clone(), self.what.clone(), self.port);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            match what {
                Listen::Tcp { address, .. } => drop(connection.handle().cancel_tcpip_forward(address, port.into()).await),
                Listen::Unix { path } => drop(connection.handle().cancel_streamlocal_forward(path).await),
            }
        });
    }
}

/// A stream to a TCP port as seen from the remote.
pub(crate) async fn tcp(connection: &Connection, host: &str, port: u16) -> Result<ByteStream, Failure> {
    connection.stream(Open::Tcp(host.to_owned(), port)).await
}

/// Whether ForwardAgent asks for an agent at all.
pub(crate) fn is_agent_wanted(target: &Target) -> bool {
    !matches!(target.first("forwardagent"), None | Some("no" | "false"))
}

/// The socket that ForwardAgent means: the login's own agent for `yes`, else the path or the variable that stands there.
///
/// # Errors
/// A path whose tokens or variables cannot be expanded.
pub fn agent_socket(target: &Target, local: &Local) -> Result<Option<PathBuf>, Failure> {
    match target.first("forwardagent").filter(|_| is_agent_wanted(target)) {
        None => Ok(None),
        Some("yes" | "true") => socket(target, local),
        Some(text) => match text.strip_prefix('$').filter(|n| !n.starts_with('{')) {
            Some(name) => Ok(local.var(name).map(PathBuf::from)),
            None => super::tokens::Tokens::new(target, local).path(text).map(Some),
        },
    }
}

/// The socket when an agent answers there; else the person is told that none is lent.
pub(crate) async fn listening(socket: Option<PathBuf>, watch: &dyn Watch) -> Option<PathBuf> {
    let socket = socket?;
    let Err(e) = tokio::net::UnixStream::connect(&socket).await else { return Some(socket) };
    let text = format!("ForwardAgent is set, but no agent listens at {} ({e}): none is lent to the host", socket.display());
    watch.progress(Progress::Warning {
        step: Step::LoggedIn,
        code: None,
        text,
        hint: "start ssh-agent here, and ssh-add your key".to_owned(),
    });
    None
}
