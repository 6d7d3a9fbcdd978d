//! One russh connection: the handshake, and everything that rides on it after the login.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use russh::client::{Config, Handle, Msg};
use russh::{Channel, Disconnect};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::ByteStream;
use super::ask::NobodyToAsk;
use super::channel::Running;
use super::door::Doors;
use super::handler::{Handler, Seen};
use super::host_key::update::Plan;
use super::host_key::{Checker, Known};
use super::open::Context;
use super::tap::Tap;
use super::trust::{Judge, Judged, Trust};
use crate::failure::{Code, Failure};
use crate::step::{Progress, Step};

/// How long a link is given to take our goodbye.
const PARTING: Duration = Duration::from_secs(1);

/// How long a server's list of host keys is waited for where a person is to be asked about it; sshd sends it right after the login.
const ANNOUNCING: Duration = Duration::from_secs(3);

/// A connection on which nobody has logged in yet.
pub(crate) struct Link {
    pub(crate) handle: Handle<Handler>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) doors: Arc<Doors>,
    /// Gives the byte stream up, with all it still holds.
    cut: CancellationToken,
}

impl Link {
    /// Exchanges keys over a byte stream; the notes are the caller's to read even when it fails.
    pub(crate) async fn shake(
        (stream, cut): (ByteStream, CancellationToken),
        config: Config,
        judge: Judge,
        seen: Arc<Seen>,
    ) -> Result<Self, russh::Error> {
        let doors = Arc::new(Doors::default());
        let handler = Handler { judge, seen: Arc::clone(&seen), doors: Arc::clone(&doors), cut: cut.clone() };
        let noted = Arc::clone(&seen);
        let stream = Tap::new(stream, move |_: &ByteStream, _: &[u8]| noted.arrives());
        let handle = russh::client::connect_stream(Arc::new(config), stream, handler).await?;
        Ok(Self { handle, seen, doors, cut })
    }
}

/// What opens a channel.
#[derive(Debug, Clone)]
pub(crate) enum Open {
    /// A session, for a command or a shell.
    Session,
    /// A Unix socket on the remote.
    Unix(String),
    /// A TCP port as seen from the remote.
    Tcp(String, u16),
}

/// A logged-in connection; clones share it, and it ends when the last clone and the last channel are gone.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    handle: Handle<Handler>,
    seen: Arc<Seen>,
    doors: Arc<Doors>,
    host: String,
    environment: Vec<(String, String)>,
    /// Whether the next session channel is to ask for the agent; sshd takes one such wish on a connection.
    wants_agent: AtomicBool,
    cut: CancellationToken,
    /// The jump host that carries us.
    _via: Option<Connection>,
}

impl Connection {
    pub(crate) fn new(link: Link, host: String, environment: Vec<(String, String)>, via: Option<Self>) -> Self {
        let Link { handle, seen, doors, cut } = link;
        let wants_agent = AtomicBool::new(false);
        Self { inner: Arc::new(Inner { handle, seen, doors, host, environment, wants_agent, cut, _via: via }) }
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.inner.seen
    }

    /// The alias it leads to.
    pub(crate) fn host(&self) -> &str {
        &self.inner.host
    }

    pub(crate) fn doors(&self) -> &Doors {
        &self.inner.doors
    }

    pub(crate) fn handle(&self) -> &Handle<Handler> {
        &self.inner.handle
    }

    /// Opens a channel in a task of its own: an open that is given up half-way would leave a session slot taken.
    pub(crate) async fn open(&self, what: Open) -> Result<Channel<Msg>, Failure> {
        let (sender, receiver) = oneshot::channel();
        let (connection, asked) = (self.clone(), what.clone());
        tokio::spawn(async move {
            let opened = connection.ask_for(asked).await;
            if let Err(Ok(unwanted)) = sender.send(opened) {
                drop(unwanted.close().await);
            }
        });
        match receiver.await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(e)) => Err(self.refusal(&what, &e)),
            Err(_) => Err(self.lost()),
        }
    }

    async fn ask_for(&self, what: Open) -> Result<Channel<Msg>, russh::Error> {
        let handle = &self.inner.handle;
        match what {
            Open::Session => handle.channel_open_session().await,
            Open::Unix(path) => handle.channel_open_direct_streamlocal(path).await,
            Open::Tcp(host, port) => handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0).await,
        }
    }

    fn refusal(&self, what: &Open, e: &russh::Error) -> Failure {
        let russh::Error::ChannelOpenFailure(reason) = e else { return self.lost() };
        let words = std::mem::take(&mut self.seen().notes().channel_refusal);
        let (tried, hint) = match what {
            Open::Session => {
                ("open a session channel".to_owned(), "sshd's MaxSessions may be too low, or its ForceCommand forbids it")
            }
            Open::Unix(path) => (format!("open the remote socket {path}"), "sshd must allow it: AllowStreamLocalForwarding yes"),
            Open::Tcp(host, port) => {
                (format!("open {host} port {port} from the remote"), "sshd must allow it: AllowTcpForwarding yes")
            }
        };
        let said = if words.is_empty() { format!("{reason:?}") } else { words };
        Failure::new(Code::ChannelRefused, tried).said(said).hint(hint).at(&self.inner.host)
    }

    /// The failure of a link that is no more, with the server's last words.
    pub(crate) fn lost(&self) -> Failure {
        let parting = self.seen().notes().parting.clone();
        Failure::new(Code::LinkLost, "use the connection")
            .said(parting)
            .hint("it is made again on the next try")
            .at(&self.inner.host)
    }

    /// Runs a command line; the reply is not waited for.
    pub(crate) async fn exec(&self, command: &str) -> Result<Running, Failure> {
        let channel = self.open(Open::Session).await?;
        self.prepare(&channel).await?;
        channel.exec(true, command).await.map_err(|_| self.lost())?;
        Ok(Running::start(channel))
    }

    /// Lets the remote reach the agent behind this socket; the next session channel asks for it.
    pub(crate) fn forward_agent(&self, socket: PathBuf) {
        self.inner.doors.let_agent(socket);
        self.inner.wants_agent.store(true, Ordering::Relaxed);
    }

    /// Sends the variables, and the wish for the agent; a server that does not want one ignores it.
    pub(crate) async fn prepare(&self, channel: &Channel<Msg>) -> Result<(), Failure> {
        for (name, value) in &self.inner.environment {
            channel.set_env(false, name, value).await.map_err(|_| self.lost())?;
        }
        if self.inner.wants_agent.swap(false, Ordering::Relaxed) {
            channel.agent_forward(false).await.map_err(|_| self.lost())?;
        }
        Ok(())
    }

    /// Opens a byte stream to a Unix socket or a TCP port as seen from the remote.
    pub(crate) async fn stream(&self, what: Open) -> Result<ByteStream, Failure> {
        Ok(Running::start(self.open(what).await?).stream())
    }

    /// UpdateHostKeys: learns what the server announces and proves to hold, and forgets what it no longer has. Nobody waits for it
    /// and it holds nothing open, unless a person is to be asked: they are asked now, before they have other things to answer.
    pub(crate) async fn learn_host_keys(&self, trust: &Trust, context: Context<'_>) {
        let Some(Judged::Known(known)) = self.seen().key().0 else { return };
        let checker = Arc::clone(trust.checker());
        if !checker.asks_before_it_learns() {
            let (seen, inner) = (Arc::clone(&self.inner.seen), Arc::downgrade(&self.inner));
            tokio::spawn(async move {
                if let Some(plan) = proven(&seen, &inner, (&checker, &known)).await {
                    drop(checker.learn(&plan, &NobodyToAsk).await);
                }
            });
            return;
        }
        let weak = Arc::downgrade(&self.inner);
        let planning = proven(&self.inner.seen, &weak, (&checker, &known));
        let Ok(Some(plan)) = tokio::time::timeout(ANNOUNCING, planning).await else { return };
        if let Some(told) = checker.learn(&plan, context.ask).await.unwrap_or_else(Some) {
            context.watch.progress(Progress::news(Step::HostKey, told));
        }
    }

    /// Whether the other side answers within the limit.
    pub(crate) async fn ping(&self, limit: Duration) -> Result<Duration, Failure> {
        let began = std::time::Instant::now();
        match tokio::time::timeout(limit, self.inner.handle.send_ping()).await {
            Ok(Ok(())) if !self.seen().has_ended() => Ok(began.elapsed()),
            Ok(_) => Err(self.lost()),
            Err(_) => Err(Failure::new(Code::LinkLost, "ping the host")
                .said(format!("no answer within {limit:?}"))
                .at(&self.inner.host)),
        }
    }

    /// Says goodbye and waits, briefly, until the link is gone; one that takes no goodbye is given up with all it still holds.
    pub(crate) async fn close(&self) {
        let parting = async {
            drop(self.inner.handle.disconnect(Disconnect::ByApplication, "", "").await);
            self.seen().ended().await;
        };
        if tokio::time::timeout(PARTING, parting).await.is_err() {
            self.inner.cut.cancel();
            drop(tokio::time::timeout(PARTING, self.seen().ended()).await);
        }
    }
}

/// What is to be learned of the keys that the server announces, once it has proved that it holds them.
async fn proven(seen: &Seen, inner: &Weak<Inner>, (checker, known): (&Checker, &Known)) -> Option<Plan> {
    tokio::select! {
        () = seen.announced() => {}
        () = seen.ended() => return None,
    }
    let announced = seen.notes().announced.clone();
    let plan = checker.plan_update(known, &announced)?;
    let inner = inner.upgrade()?;
    if plan.prove.is_empty() || inner.handle.hostkeys_prove(plan.prove.clone()).await.is_ok() { Some(plan) } else { None }
}
