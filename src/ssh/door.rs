//! The channels that a server may open towards us: forwards we asked for, and the agent when it was asked for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use russh::Channel;
use russh::client::{ChannelOpenHandle, Msg};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ByteStream;
use super::channel::Running;

/// Connections to the agent at once: a host that wants more at one time is refused, and may come again.
const AGENTS: usize = 16;

/// What listens on the remote on our behalf.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Bound {
    /// A TCP port.
    Tcp(u32),
    /// A Unix socket.
    Unix(String),
}

/// Who takes the channels that the server opens.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    agent: Option<PathBuf>,
    /// The connections to the agent; they end with the session.
    at_agent: JoinSet<()>,
    forwards: HashMap<Bound, mpsc::Sender<ByteStream>>,
}

impl Open {
    fn agent_with_room(&mut self) -> Option<PathBuf> {
        while self.at_agent.try_join_next().is_some() {}
        self.agent.clone().filter(|_| self.at_agent.len() < AGENTS)
    }
}

impl Doors {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the server reach the agent behind this socket from now on.
    pub(crate) fn let_agent(&self, socket: PathBuf) {
        self.open().agent = Some(socket);
    }

    /// Hands the connections that arrive at `bound` to `to`.
    pub(crate) fn let_forward(&self, bound: Bound, to: mpsc::Sender<ByteStream>) {
        self.open().forwards.insert(bound, to);
    }

    pub(crate) fn shut(&self, bound: &Bound) {
        self.open().forwards.remove(bound);
    }

    pub(crate) async fn tcp(&self, port: u32, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        self.forward(&Bound::Tcp(port), channel, reply).await;
    }

    pub(crate) async fn unix(&self, path: &str, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        self.forward(&Bound::Unix(path.to_owned()), channel, reply).await;
    }

    /// A forward nobody asked for, or whose taker is busy, is refused: the reply is dropped.
    async fn forward(&self, bound: &Bound, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        let to = self.open().forwards.get(bound).cloned();
        let Some(to) = to else { return };
        if let Ok(place) = to.try_reserve() {
            reply.accept().await;
            place.send(Running::start(channel).stream());
        };
    }

    pub(crate) async fn agent(&self, channel: Channel<Msg>, reply: ChannelOpenHandle) {
        let Some(socket) = self.open().agent_with_room() else { return };
        reply.accept().await;
        let mut remote = Running::start(channel).stream();
        self.open().at_agent.spawn(async move {
            if let Ok(mut agent) = UnixStream::connect(socket).await {
                drop(tokio::io::copy_bidirectional(&mut remote, &mut agent).await);
            }
        });
    }
}
