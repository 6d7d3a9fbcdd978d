//! The task behind a durable connection: owns the wire to the server, dials again, and runs the machine of
//! [`super::hold`] and the policy of [`super::policy`]. It decides nothing itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::event::{Agent, Event, Server};
use super::hold::{Hold, Notes, Out};
use super::link::{Link, State};
use super::outbox::Outbox;
use super::policy::{Next, Policy};
use super::settings::Settings;
use crate::failure::{Code, Failure};
use crate::rpc::message::Message;
use crate::rpc::network::Network;
use crate::rpc::pulse::Sleep;
use crate::rpc::wire::{DEPTH, Wire};

/// Messages for a client that reads slowly, before the server is no longer read; and for a link that takes them slowly, before the client
/// is no longer read.
const BACKLOG: usize = 4096;
/// How often a lost link looks whether the machine slept.
const LOOK: Duration = Duration::from_secs(1);

/// Where a link leads to. A client is never gone on with elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The machine: its id, or its host key.
    pub host: String,
    /// The user there.
    pub user: String,
    /// CODEX_HOME there.
    pub codex_home: String,
    /// The server process, by whatever tells it from the next one (pid and start time, boot id); none when not known.
    pub epoch: Option<String>,
    /// Where that is not known: the one that was there when the host was last asked, if that was after the last link was lost.
    pub about: Option<String>,
}

/// One dial on its way.
pub type Dialling = Pin<Box<dyn Future<Output = Result<(Wire, Identity), Failure>> + Send>>;
/// Dials. It asks nobody: at a reconnect nobody may be there.
pub type Dial = Box<dyn FnMut() -> Dialling + Send>;

/// A durable connection.
#[derive(Debug)]
pub struct Durable {
    /// The client's end: a [`crate::rpc::peer::Peer`] or a WebSocket of somebody else's client sits on it.
    pub wire: Wire,
    /// Link, server and agent.
    pub state: watch::Receiver<State>,
    /// What no message of the server says.
    pub events: mpsc::Receiver<Event>,
    nudge: Arc<Notify>,
}

impl Durable {
    /// Takes over a link that stands; from now on `dial` makes the next ones.
    #[must_use]
    pub fn start(first: (Wire, Identity), dial: Dial, settings: Settings) -> Self {
        Self::begin(first.1.clone(), Some(first), (dial, settings))
    }

    /// Begins without a link, and dials at once; it never goes elsewhere than to `identity`.
    #[must_use]
    pub fn join(identity: Identity, dial: Dial, settings: Settings) -> Self {
        Self::begin(identity, None, (dial, settings))
    }

    fn begin(identity: Identity, first: Option<(Wire, Identity)>, how: (Dial, Settings)) -> Self {
        let ((dial, settings), (client, wire)) = (how, Wire::pair());
        let state = State { link: Link::Up, server: Server::Unknown, agent: Agent::Idle };
        let ((state_in, state), (events_in, events)) = (watch::channel(state), mpsc::channel(DEPTH));
        let nudge = Arc::new(Notify::new());
        let began = Instant::now();
        let driver = Driver {
            hold: Hold::new(settings.notes.clone()),
            policy: Policy::new(settings.pace, rand::random()),
            sleep: Sleep::new(Duration::ZERO, (settings.around.wall)()),
            network: (settings.around.network)(),
            settings,
            dial,
            to_client: Outbox::new(client.to),
            from_client: client.from,
            client_ended: client.ended,
            events: Outbox::new(events_in),
            state: state_in,
            identity,
            began,
            link: Here::Down { since: began, next: Some(Duration::ZERO), why: Failure::new(Code::LinkLost, "reach the host") },
            nudge: Arc::clone(&nudge),
        };
        tokio::spawn(driver.run(first));
        Self { wire, state, events, nudge }
    }

    /// A handle that makes a lost link be dialled at once: the network changed, or a person asked for it.
    #[must_use]
    pub fn nudge(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }
}

enum Here {
    Up { from: mpsc::Receiver<Message>, to: Outbox<Message>, ended: crate::rpc::wire::Ended },
    Down { since: Instant, next: Option<Duration>, why: Failure },
    Dialling { since: Instant, dial: Dialling, why: Failure },
}

struct Driver {
    hold: Hold,
    policy: Policy,
    settings: Settings,
    dial: Dial,
    to_client: Outbox<Message>,
    from_client: mpsc::Receiver<Message>,
    client_ended: crate::rpc::wire::Ended,
    events: Outbox<Event>,
    state: watch::Sender<State>,
    identity: Identity,
    began: Instant,
    sleep: Sleep,
    network: Option<Network>,
    link: Here,
    nudge: Arc<Notify>,
}

/// What happened.
enum Happened {
    FromServer(Option<Message>),
    FromClient(Option<Message>),
    Dialled(Result<(Wire, Identity), Failure>),
    Sent(bool),
    Time,
    Nudged,
}

impl Driver {
    async fn run(mut self, first: Option<(Wire, Identity)>) {
        if let Some(link) = first {
            self.joined(link);
        }
        loop {
            let happened = self.next().await;
            if let Err(why) = self.handle(happened) {
                self.give_up();
                self.state.send_modify(|state| state.link = Link::Ended(why.clone()));
                self.client_ended.because(why);
                break;
            }
        }
        // What the client was still to be told before the end.
        while !self.to_client.waiting.is_empty() && self.to_client.hand_on().await {}
    }

    /// Nobody will send what is not delivered yet: the person gets it back.
    fn give_up(&mut self) {
        let mut out = Out::default();
        self.hold.give_up(&mut out);
        self.to_client.waiting.extend(out.to_client);
        // At the end nobody waits for room: an event that does not fit is lost, the failure is not.
        self.events.waiting.extend(out.events);
        self.events.hand_on_now();
    }

    async fn next(&mut self) -> Happened {
        let due = self.due();
        let client_has_room = self.to_client.waiting.len() < BACKLOG;
        let link_has_room = !matches!(&self.link, Here::Up { to, .. } if to.waiting.len() >= BACKLOG);
        tokio::select! {
            happened = at_link(&mut self.link, client_has_room) => happened,
            message = self.from_client.recv(), if self.hold.takes() && link_has_room => Happened::FromClient(message),
            taken = self.to_client.hand_on() => Happened::Sent(taken),
            _ = self.events.hand_on() => Happened::Sent(true),
            () = tokio::time::sleep_until(due) => Happened::Time,
            () = self.nudge.notified() => Happened::Nudged,
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// When to look at the clock next.
    fn due(&self) -> Instant {
        let idle = if matches!(self.link, Here::Up { .. }) { Duration::from_secs(3600) } else { LOOK };
        let next = match &self.link {
            Here::Down { next, .. } => *next,
            Here::Up { .. } | Here::Dialling { .. } => None,
        };
        let soonest = [Some(self.now() + idle), next, self.hold.wake_at()].into_iter().flatten().min();
        self.began + soonest.unwrap_or_default()
    }

    /// Decides nothing: asks the machine and the policy.
    fn handle(&mut self, happened: Happened) -> Result<(), Failure> {
        let now = self.now();
        let mut out = Out::default();
        match happened {
            Happened::FromServer(Some(message)) => self.hold.server(message, now, &mut out),
            Happened::FromServer(None) => return self.lost(None),
            Happened::FromClient(Some(message)) => self.hold.client(message, &mut out),
            Happened::FromClient(None) | Happened::Sent(false) => {
                return Err(Failure::new(Code::LinkLost, "serve the client").said("it is gone"));
            }
            Happened::Dialled(Ok(link)) => return self.reached(link),
            Happened::Dialled(Err(why)) => return self.unreached(why),
            Happened::Sent(true) => return Ok(()),
            Happened::Nudged => return self.woke(),
            Happened::Time => return self.time(),
        }
        self.take(out)
    }

    fn take(&mut self, out: Out) -> Result<(), Failure> {
        self.to_client.waiting.extend(out.to_client);
        if !self.events.to.is_closed() {
            self.events.waiting.extend(out.events);
        }
        // What happened is there to be read before the messages that came of it.
        self.events.hand_on_now();
        if let Here::Up { to, .. } = &mut self.link {
            to.waiting.extend(out.to_server);
        }
        self.show();
        match (out.stop, out.hang_up) {
            (Some(why), _) => Err(why),
            (None, Some(why)) => self.lost(Some(why)),
            (None, None) => Ok(()),
        }
    }

    fn time(&mut self) -> Result<(), Failure> {
        let now = self.now();
        let woke = self.sleep.woke(now, (self.settings.around.wall)()) | self.moved();
        let (since, next) = match &self.link {
            Here::Up { .. } => (None, None),
            Here::Down { since, next, .. } => (Some(*since), *next),
            Here::Dialling { since, .. } => (Some(*since), None),
        };
        if let (Some(limit), Some(since)) = (self.settings.limit, since)
            && since.elapsed() >= limit
        {
            let said = format!("there was no link for {} s", limit.as_secs());
            return Err(Failure::new(Code::LinkLost, "wait for the link to come back").said(said));
        }
        if next.is_some_and(|at| at <= now) {
            self.dial_now();
        } else if woke && since.is_some() {
            return self.woke();
        }
        let mut out = Out::default();
        self.hold.tick(now, &mut out);
        self.take(out)
    }

    /// Whether this machine is in another network than when it was last asked.
    fn moved(&mut self) -> bool {
        let Some(now) = (self.settings.around.network)() else { return false };
        let moved = self.network.as_ref().is_some_and(|was| *was != now);
        self.network = Some(now);
        moved
    }

    fn woke(&mut self) -> Result<(), Failure> {
        let (since, why) = match &self.link {
            Here::Up { .. } => return Ok(()),
            Here::Down { since, why, .. } | Here::Dialling { since, why, .. } => (*since, why.clone()),
        };
        // A dial that began before hangs on a network that is gone.
        let at = self.policy.woke(self.now());
        self.wait(since, Next::At(at), why)
    }

    fn dial_now(&mut self) {
        let (since, why) = match &self.link {
            Here::Up { .. } => return,
            Here::Down { since, why, .. } | Here::Dialling { since, why, .. } => (*since, why.clone()),
        };
        self.link = Here::Dialling { since, why, dial: (self.dial)() };
    }

    /// The link is lost, or is of no use for this reason.
    fn lost(&mut self, why: Option<Failure>) -> Result<(), Failure> {
        let why = why.unwrap_or_else(|| match &self.link {
            Here::Up { ended, .. } => ended.why(),
            Here::Down { why, .. } | Here::Dialling { why, .. } => why.clone(),
        });
        // A server that ends instead of greeting is a failure for the person who waits for it, not a lost link.
        if self.settings.notes == Notes::Quiet && self.hold.greets() {
            return Err(why);
        }
        let now = self.now();
        self.hold.down(now);
        self.sleep = Sleep::new(now, (self.settings.around.wall)());
        let next = self.policy.lost(now);
        self.wait(Instant::now(), next, why)
    }

    fn unreached(&mut self, why: Failure) -> Result<(), Failure> {
        let Here::Dialling { since, .. } = &self.link else { return Ok(()) };
        let (since, next) = (*since, self.policy.failed(self.now(), &why));
        self.wait(since, next, why)
    }

    fn wait(&mut self, since: Instant, next: Next, why: Failure) -> Result<(), Failure> {
        let next = match next {
            Next::At(at) => Some(at),
            Next::Stop(why) => return Err(why),
        };
        self.link = Here::Down { since, next, why };
        self.show();
        Ok(())
    }

    fn reached(&mut self, link: (Wire, Identity)) -> Result<(), Failure> {
        let (was, is) = (&self.identity, &link.1);
        if (&was.host, &was.user, &was.codex_home) != (&is.host, &is.user, &is.codex_home) {
            return Err(other_machine(was, is));
        }
        self.joined(link);
        Ok(())
    }

    fn joined(&mut self, link: (Wire, Identity)) {
        let (wire, identity) = link;
        let (now, mut out) = (self.now(), Out::default());
        self.policy.up(now);
        self.link = Here::Up { from: wire.from, to: Outbox::new(wire.to), ended: wire.ended };
        self.hold.is_about(identity.about.clone());
        self.hold.up(identity.epoch.clone(), now, &mut out);
        self.identity = identity;
        drop(self.take(out));
    }

    /// Shows the three states to whoever watches.
    fn show(&self) {
        let link = match &self.link {
            Here::Up { .. } => Link::Up,
            Here::Down { since, next, why } => {
                Link::Lost { since: *since, again: next.map(|at| self.began + at), why: why.clone() }
            }
            Here::Dialling { since, why, .. } => Link::Lost { since: *since, again: None, why: why.clone() },
        };
        let new = State { link, server: self.hold.server_is(), agent: self.hold.agent() };
        self.state.send_if_modified(|state| {
            let changed = *state != new;
            *state = new;
            changed
        });
    }
}

/// What happens at the link.
async fn at_link(link: &mut Here, client_has_room: bool) -> Happened {
    match link {
        Here::Up { from, to, .. } => tokio::select! {
            message = from.recv(), if client_has_room => Happened::FromServer(message),
            // A link that takes nothing any more ends on its other side too.
            taken = to.hand_on() => if taken { Happened::Sent(true) } else { Happened::FromServer(None) },
        },
        Here::Dialling { dial, .. } => Happened::Dialled(dial.await),
        Here::Down { .. } => std::future::pending().await,
    }
}

fn other_machine(was: &Identity, is: &Identity) -> Failure {
    let said = format!("it was {was} and is {is}");
    Failure::new(Code::OtherMachine, "go on where the lost link left off")
        .said(said)
        .hint("the thread belongs to the machine it was started on; start a new one here")
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{} with CODEX_HOME {}", self.user, self.host, self.codex_home)
    }
}

#[cfg(test)]
mod tests;
