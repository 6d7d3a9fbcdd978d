//! The durable connection of one client, as a pure state machine: messages of both sides, links that come and go, and the
//! time go in; messages, events and the time of the next [`Hold::tick`] come out. `docs/RELIABILITY.md` has its promises.
//!
//! The client's connection is never closed because a link was lost. While there is none its messages wait; when one is back
//! the client is first told what it missed, each item once and in order, and then its messages go out.

mod lookup;
mod prompts;
mod recover;
mod server;
mod unsure;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde_json::Value;

use self::prompts::Prompts;
use super::catch_up::CatchUp;
use super::event::{Agent, Event, Server};
use super::method::{self, Kind};
use super::questions::Questions;
use super::say;
use super::track::Track;
use crate::failure::{Code, Failure};
use crate::rpc::message::{Message, RequestId};

/// How many messages of a client wait for a link before it is not read any more; then its own socket fills, and it waits.
const QUEUE: usize = 1024;
/// How many bytes of them: a few prompts with images, and not memory without end. One more message is taken while there are fewer.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;
/// How long a server may leave every question of a recovery unanswered before its link counts as lost. It doubles each time that this
/// happens in a row, for an answer that takes as long as that over a slow link.
const PATIENCE: Duration = Duration::from_secs(60);
/// What [`PATIENCE`] grows to.
const MOST_PATIENCE: Duration = Duration::from_secs(3_600);
/// How long a link must be gone before somebody else's client is told by a `warning`.
const WARN_AFTER: Duration = Duration::from_secs(3);

/// Whether the client is told of a lost link by a `warning` among the server's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notes {
    /// A stock client, which has no other way to learn it. Holds the name of the host for the text.
    Warn(String),
    /// A front end of ours, which watches the link's state.
    Quiet,
}

/// What came out.
#[derive(Debug, Default, PartialEq)]
pub struct Out {
    /// For the client, in order.
    pub to_client: Vec<Message>,
    /// For the server, in order.
    pub to_server: Vec<Message>,
    /// For our own front ends, in order.
    pub events: Vec<Event>,
    /// The link stands and is of no use: it counts as lost.
    pub hang_up: Option<Failure>,
    /// The connection cannot go on.
    pub stop: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No link.
    Down,
    /// The handshake is being repeated.
    Greeting,
    /// Threads are being caught up with.
    CatchingUp,
    /// Prompts whose fate is not known are being looked for.
    Settling,
    /// Messages go straight through.
    Live,
}

/// Who waits for an answer of the server.
#[derive(Debug, Clone, PartialEq)]
enum Whose {
    /// The client, by this id of its own; `lost` when the link went before the answer.
    Client { id: RequestId, lost: bool, again: bool },
    /// Nobody: the handshake.
    Greeting,
    /// The catching up with a thread.
    CatchUp(String),
    /// Where the history of a thread that the client resumed ends.
    Baseline(String),
    /// The search for a prompt.
    Lookup(String),
    /// Nobody: a prompt that its server had not kept, by its `clientUserMessageId`; `lost` as above.
    SentAgain { message: String, lost: bool },
}

impl Whose {
    /// Whether the link went before the answer, and what became of it is still to be found out.
    fn lost(&self) -> bool {
        matches!(self, Self::Client { lost: true, .. } | Self::SentAgain { lost: true, .. })
    }
}

#[derive(Debug)]
struct Asked {
    whose: Whose,
    method: String,
    params: Value,
}

/// The machine.
#[derive(Debug)]
pub struct Hold {
    notes: Notes,
    phase: Phase,
    next: i64,
    asked: BTreeMap<i64, Asked>,
    queue: VecDeque<Message>,
    queue_bytes: usize,
    questions: Questions,
    threads: HashMap<String, Track>,
    catching_up: BTreeMap<String, CatchUp>,
    prompts: Prompts,
    /// The parameters of the client's `initialize`; once one is answered, of that one.
    initialize: Option<Value>,
    /// Whether one was answered.
    greeted: bool,
    initialized: bool,
    codex_home: Option<String>,
    /// Whether the server shows a prompt's id again.
    shows_ids: bool,
    /// The server process behind the link.
    epoch: Option<String>,
    /// The one that was there when the host was last asked, for a link that does not say; it may be another by now.
    about: Option<String>,
    /// The one that the client last talked to.
    known: Option<String>,
    /// What the one is to the other.
    server: Server,
    lost_at: Option<Duration>,
    warned: bool,
    /// Of how many outages the client was warned.
    outages: u32,
    /// Of how many servers that were lost.
    restarts: u32,
    /// Whether a turn was told to be interrupted since the link went.
    interrupted: bool,
    /// How many prompts the client was told to have back.
    handed_back: u32,
    /// Ephemeral threads that the last loss of the link closed: what was sent there cannot be looked for.
    passed: HashSet<String>,
    /// Whether this is not the first link.
    returned: bool,
    /// What was last said to the client that a server says on every new connection, by its method.
    greetings: HashMap<String, Value>,
    /// Threads to ask about again, and when.
    later: Vec<(Duration, String)>,
    /// When prompts that were not found are looked for once more.
    settle_at: Option<Duration>,
    /// When the handshake is tried once more, and how often the server was too busy for it.
    greet_at: Option<Duration>,
    refusals: u32,
    /// When the server last answered anything.
    heard: Duration,
    /// How long it may leave a question of ours unanswered.
    patience: Duration,
}

impl Hold {
    /// A machine without a link.
    #[must_use]
    pub fn new(notes: Notes) -> Self {
        Self {
            notes,
            phase: Phase::Down,
            next: 0,
            asked: BTreeMap::new(),
            queue: VecDeque::new(),
            queue_bytes: 0,
            questions: Questions::default(),
            threads: HashMap::new(),
            catching_up: BTreeMap::new(),
            prompts: Prompts::default(),
            initialize: None,
            greeted: false,
            initialized: false,
            codex_home: None,
            shows_ids: true,
            epoch: None,
            about: None,
            known: None,
            server: Server::Unknown,
            lost_at: None,
            warned: false,
            outages: 0,
            restarts: 0,
            interrupted: false,
            handed_back: 0,
            passed: HashSet::new(),
            returned: false,
            greetings: HashMap::new(),
            later: Vec::new(),
            settle_at: None,
            greet_at: None,
            refusals: 0,
            heard: Duration::ZERO,
            patience: PATIENCE,
        }
    }

    /// Whether another message of the client can be taken.
    #[must_use]
    pub fn takes(&self) -> bool {
        self.queue.len() < QUEUE && self.queue_bytes < QUEUE_BYTES
    }

    /// Whether messages go straight through.
    #[must_use]
    pub fn live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Which server the last link leads to.
    #[must_use]
    pub fn server_is(&self) -> Server {
        self.server
    }

    /// Whether the client has asked for `initialize` and no server has answered yet.
    #[must_use]
    pub fn greets(&self) -> bool {
        self.initialize.is_some() && !self.greeted
    }

    /// What the agent does.
    #[must_use]
    pub fn agent(&self) -> Agent {
        let of = |track: &Track| match () {
            () if self.questions.waiting(&track.id) => Agent::Waiting,
            () if track.working() => Agent::Working,
            () => Agent::Idle,
        };
        self.threads.values().map(of).max().unwrap_or_default()
    }

    /// When [`Hold::tick`] wants to be called.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let warn = self.lost_at.filter(|_| self.phase != Phase::Live && !self.warned && self.notes != Notes::Quiet);
        let later = self.later.iter().map(|(at, _)| *at).min();
        [warn.map(|at| at + WARN_AFTER), later, self.settle_at, self.greet_at, self.deadline()].into_iter().flatten().min()
    }

    /// Until when the server must have answered something.
    fn deadline(&self) -> Option<Duration> {
        let ours = |a: &Asked| matches!(a.whose, Whose::Greeting | Whose::CatchUp(_) | Whose::Lookup(_));
        let waits = self.phase != Phase::Down && self.asked.values().any(ours);
        waits.then(|| self.heard + self.patience)
    }

    /// Which server process was there when the host was last asked, for a link that does not say which it leads to.
    pub fn is_about(&mut self, epoch: Option<String>) {
        self.about = epoch;
    }

    /// Takes a message of the client.
    pub fn client(&mut self, message: Message, out: &mut Out) {
        match message {
            Message::Response { id, result } => {
                let answer = self.questions.answered(&id, result);
                out.to_server.extend(answer.filter(|_| self.phase != Phase::Down));
            }
            Message::Notification { ref method, .. } if method == "initialized" => {
                self.initialized = true;
                if !matches!(self.phase, Phase::Down | Phase::Greeting) {
                    out.to_server.push(message);
                }
            }
            other @ (Message::Request { .. } | Message::Notification { .. }) if self.phase != Phase::Live => {
                self.queue_bytes += other.to_text().len();
                self.queue.push_back(other);
            }
            Message::Notification { .. } => out.to_server.push(message),
            Message::Request { id, method, params } => {
                self.ask((Whose::Client { id, lost: false, again: false }, &method, params), out);
            }
        }
    }

    /// Sends a request to the server under a number of ours.
    fn ask(&mut self, request: (Whose, &str, Value), out: &mut Out) {
        let (whose, method, params) = request;
        if let Whose::Client { .. } | Whose::SentAgain { .. } = whose {
            match method::kind(method) {
                Kind::Prompt => {
                    self.prompts.sent(method, &params, self.epoch.as_deref());
                    let thread = say::text(&params, &["threadId"]).and_then(|thread| self.threads.get_mut(thread));
                    thread.into_iter().for_each(|track| track.spoken_to |= prompts::prompt_id(&params).is_some());
                }
                Kind::Effect if method == "initialize" && !self.greeted => self.initialize = Some(params.clone()),
                Kind::Read | Kind::Interrupt | Kind::Effect => {}
            }
        }
        let number = self.next;
        self.next += 1;
        out.to_server.push(Message::request(RequestId::Number(number), method, params.clone()));
        self.asked.insert(number, Asked { whose, method: method.to_owned(), params });
    }

    /// The time has come that [`Hold::wake_at`] named.
    pub fn tick(&mut self, now: Duration, out: &mut Out) {
        if self.phase != Phase::Live {
            self.warn(now, out);
        }
        if self.phase == Phase::Down {
            return;
        }
        if self.deadline().is_some_and(|at| at <= now) {
            let waited = self.patience.as_secs();
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
            let why = Failure::new(Code::ServerSilent, "catch up over the new link");
            out.hang_up = Some(why.said(format!("the server answered nothing for {waited} s")));
            return;
        }
        let due = |at: &Duration| *at <= now;
        let threads: Vec<String> = self.later.iter().filter(|(at, _)| due(at)).map(|(_, t)| t.clone()).collect();
        self.later.retain(|(at, _)| !due(at));
        if !threads.is_empty() || [self.settle_at, self.greet_at].iter().flatten().any(due) {
            self.heard = now;
        }
        for thread in threads {
            self.ask_about(&thread, out);
        }
        if self.greet_at.as_ref().is_some_and(due) {
            self.greet_at = None;
            let params = self.initialize.clone().unwrap_or_default();
            self.ask((Whose::Greeting, "initialize", params), out);
        }
        if self.settle_at.as_ref().is_some_and(due) {
            self.settle_at = None;
            self.look_for_prompts(now, out);
            // They may have been seen meanwhile.
            self.all_settled(now, out);
        }
    }

    fn warn(&mut self, now: Duration, out: &mut Out) {
        let Notes::Warn(host) = &self.notes else { return };
        if !self.warned && self.lost_at.is_some_and(|at| at + WARN_AFTER <= now) {
            self.warned = true;
            self.outages += 1;
            out.to_client.push(say::link_is_lost(host, self.outages));
        }
    }
}
