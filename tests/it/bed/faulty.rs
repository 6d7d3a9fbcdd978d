//! A wire with faults between a client and a bed's sshd: it cuts, resets, half-closes, stalls and swallows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::sandbox::{Sandbox, append};
use super::sshd::Host;

/// How the wire treats what goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It passes.
    Good,
    /// It passes this many milliseconds late, each way.
    Slow(u64),
    /// Nothing passes until the mood is another; nothing is lost.
    Stall,
    /// Nothing passes and nobody is told: a half-open link. What was sent is lost.
    Swallow,
    /// New connections are closed at once.
    Refuse,
}

/// What happens to the connections that stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Both ends are closed.
    Cut,
    /// The client gets a reset.
    Reset,
    /// Nothing more comes from the host; the other way stays open.
    HalfClose,
    /// Nothing more comes from the client; the other way stays open.
    HalfCloseUp,
    /// What the client sends for so many milliseconds stays on its way, then its end is closed; so many more later the host gets all
    /// of it, as from a network that kept it, and only then knows of the end.
    Late(u64, u64),
}

/// The wire; it ends when it is dropped.
pub(crate) struct Faulty {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    faults: broadcast::Sender<Fault>,
    passed: watch::Sender<usize>,
    swallowed: watch::Sender<usize>,
    tried: watch::Sender<usize>,
    serving: Option<JoinHandle<()>>,
    listener: Option<TcpListener>,
}

impl Faulty {
    /// A wire on a port that the system picks. [`Self::lead_to`] gives it its other end.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self {
            address,
            mood: watch::Sender::new(Mood::Good),
            faults: broadcast::Sender::new(16),
            passed: watch::Sender::new(0),
            swallowed: watch::Sender::new(0),
            tried: watch::Sender::new(0),
            serving: None,
            listener: Some(listener),
        }
    }

    /// The lines of the host's block that lead through it.
    pub(crate) fn ssh_lines(&self) -> [String; 3] {
        ["HostName 127.0.0.1".into(), format!("Port {}", self.address.port()), "ProxyCommand none".into()]
    }

    /// From now on connections lead to this host, whose key is known by this address.
    pub(crate) fn lead_to(&mut self, host: Arc<Host>, sandbox: &Sandbox) {
        let public = std::fs::read_to_string(host.dir.join("hostkey_ed25519.pub")).unwrap();
        append(&sandbox.known_hosts(), &format!("[127.0.0.1]:{} {public}", self.address.port()));
        let listener = self.listener.take().expect("it leads nowhere yet");
        let line = Line { mood: self.mood.subscribe(), passed: self.passed.clone(), swallowed: self.swallowed.clone() };
        self.serving = Some(tokio::spawn(serve((listener, self.tried.clone()), host, line, self.faults.clone())));
    }

    pub(crate) fn mood(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// How many pieces went through it, either way.
    pub(crate) fn passed(&self) -> usize {
        *self.passed.borrow()
    }

    /// Waits until so many did.
    pub(crate) async fn until_passed(&self, pieces: usize) {
        drop(self.passed.subscribe().wait_for(|passed| *passed >= pieces).await);
    }

    /// Waits until a piece of a connection was swallowed; counts anew each time.
    pub(crate) async fn until_swallowed(&self) {
        drop(self.swallowed.subscribe().wait_for(|swallowed| *swallowed > 0).await);
        self.swallowed.send_replace(0);
    }

    /// Waits until so many more connections came, refused ones among them.
    pub(crate) async fn until_tried(&self, more: usize) {
        let wanted = *self.tried.borrow() + more;
        drop(self.tried.subscribe().wait_for(|tried| *tried >= wanted).await);
    }

    pub(crate) fn fault(&self, fault: Fault) {
        drop(self.faults.send(fault));
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// What the ways of a connection share.
#[derive(Clone)]
struct Line {
    mood: watch::Receiver<Mood>,
    passed: watch::Sender<usize>,
    swallowed: watch::Sender<usize>,
}

async fn serve(
    (listener, tried): (TcpListener, watch::Sender<usize>),
    host: Arc<Host>,
    line: Line,
    faults: broadcast::Sender<Fault>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        // Whoever waited for this try may change the mood at once; this try met the one before.
        let refused = *line.mood.borrow() == Mood::Refuse;
        tried.send_modify(|tried| *tried += 1);
        if refused {
            continue;
        }
        client.set_nodelay(true).unwrap();
        connections.spawn(connection(client, Arc::clone(&host), line.clone(), faults.subscribe()));
    }
}

async fn connection(client: TcpStream, host: Arc<Host>, line: Line, mut faults: broadcast::Receiver<Fault>) {
    let (mut from_host, mut to_host) = tokio::io::split(host.connect_pipe());
    let (mut from_client, mut to_client) = client.into_split();
    let (half_up, half_down) = (Notify::new(), Notify::new());
    let fault = {
        let up = one_way((&mut from_client, &mut to_host), line.clone(), &half_up);
        let down = one_way((&mut from_host, &mut to_client), line, &half_down);
        let trouble = async {
            loop {
                match faults.recv().await.unwrap_or(Fault::Cut) {
                    end @ (Fault::Cut | Fault::Reset | Fault::Late(..)) => return end,
                    Fault::HalfClose => half_down.notify_one(),
                    Fault::HalfCloseUp => half_up.notify_one(),
                }
            }
        };
        tokio::select! {
            () = up => Fault::Cut,
            () = down => Fault::Cut,
            fault = trouble => fault,
        }
    };
    match fault {
        Fault::Reset => drop(to_client.as_ref().set_zero_linger()),
        Fault::Late(keep, late) => {
            let kept = kept_for(&mut from_client, Duration::from_millis(keep)).await;
            drop((from_client, to_client));
            arrive_late((&mut from_host, &mut to_host), &kept, Duration::from_millis(late)).await;
        }
        Fault::Cut | Fault::HalfClose | Fault::HalfCloseUp => {}
    }
}

/// What comes for so long.
async fn kept_for(from: &mut (impl AsyncRead + Unpin), time: Duration) -> Vec<u8> {
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let until = tokio::time::Instant::now() + time;
    while let Ok(Ok(n @ 1..)) = tokio::time::timeout_at(until, from.read(&mut buffer)).await {
        kept.extend_from_slice(&buffer[..n]);
    }
    kept
}

/// The host says what it says meanwhile to nobody.
#[expect(clippy::disallowed_methods, reason = "distance takes time")]
async fn arrive_late((from, to): (&mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)), kept: &[u8], late: Duration) {
    let hears_nobody = async {
        let mut buffer = [0; 4096];
        while let Ok(1..) = from.read(&mut buffer).await {}
    };
    let arrives = async {
        tokio::time::sleep(late).await;
        drop(to.write_all(kept).await);
        drop(to.flush().await);
        // It has the time to act on it.
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    tokio::select! {
        () = hears_nobody => {}
        () = arrives => {}
    }
}

/// Passes bytes on until `from` ends. A way that is closed by a fault is over, and the connection is not.
async fn one_way<R, W>((from, to): (&mut R, &mut W), line: Line, closed: &Notify)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    tokio::select! {
        () = pass(from, to, line) => {}
        () = closed.notified() => {}
    }
    // Closed by a fault, or `from` has ended already.
    drop(to.shutdown().await);
    let mut buffer = [0; 4096];
    while let Ok(1..) = from.read(&mut buffer).await {}
}

async fn pass(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin), mut line: Line) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        if wait_out(&mut line.mood).await == Mood::Swallow {
            line.swallowed.send_modify(|swallowed| *swallowed += 1);
            // What is swallowed is swallowed for good: a connection that lost bytes can only end.
            while let Ok(1..) = from.read(&mut buffer).await {}
            return;
        }
        if to.write_all(&buffer[..n]).await.is_err() || to.flush().await.is_err() {
            return;
        }
        line.passed.send_modify(|passed| *passed += 1);
    }
}

/// The mood in which what was read now passes or is lost.
#[expect(clippy::disallowed_methods, reason = "distance takes time")]
async fn wait_out(mood: &mut watch::Receiver<Mood>) -> Mood {
    loop {
        let now = *mood.borrow_and_update();
        match now {
            Mood::Good | Mood::Refuse | Mood::Swallow => return now,
            Mood::Slow(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                return now;
            }
            Mood::Stall => drop(mood.changed().await),
        }
    }
}
