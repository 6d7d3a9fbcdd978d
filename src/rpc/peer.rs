//! The client's end of a connection: a cloneable handle for calls, one task that sorts what comes.
//!
//! The connection lives as long as a [`Peer`] does. Answers are never stuck behind notifications that nobody reads yet:
//! the task keeps a backlog of [`BACKLOG`] messages, or of so many bytes, before it stops reading.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::inlet::Inlet;
use super::message::{METHOD_NOT_FOUND, Message, OVERLOADED, RequestId, RpcError};
use super::pending::{CallError, Pending};
use super::wire::{BYTES, DEPTH, Ended, Wire};
use crate::failure::{Code, Failure};

/// Messages kept for a front end that is busy, before the connection is no longer read.
pub const BACKLOG: usize = 16 * 1024;
/// Bytes of them: several times what the longest turn says between two looks of a front end, and no burden for a small machine.
const BACKLOG_BYTES: usize = 64 * 1024 * 1024;
/// How long a server may take to answer what only reads, the pauses of an overloaded one included: a page of a list, not a history.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// How often a read is tried against a server that says it is overloaded: with the pauses below, about 13 s in all.
const OVERLOAD_TRIES: u32 = 7;
/// The first pause; it doubles.
const OVERLOAD_PAUSE: Duration = Duration::from_millis(100);

/// What the server sends on its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// Wants an answer by [`Peer::respond`]; what the front end does not know is answered by [`Peer::unknown`].
    Request {
        /// To answer with.
        id: RequestId,
        /// The method.
        method: String,
        /// Its parameters.
        params: Value,
    },
    /// Wants none.
    Notification {
        /// The method.
        method: String,
        /// Its parameters.
        params: Value,
    },
}

/// A handle of the connection; clones share it.
#[derive(Debug, Clone)]
pub struct Peer {
    to: mpsc::Sender<Message>,
    pending: Pending,
    ended: Ended,
    /// How long a read may take; none for ever.
    patience: Option<Duration>,
}

impl Peer {
    /// Takes a connection over. When the receiver ends so has the connection, and [`Peer::why_ended`] says why.
    #[must_use]
    pub fn start(wire: Wire) -> (Self, mpsc::Receiver<Incoming>) {
        let (sender, incoming) = mpsc::channel(DEPTH);
        let peer = Self { to: wire.to, pending: Pending::default(), ended: wire.ended.clone(), patience: None };
        let sorter = Sorter {
            from: wire.from,
            ended: wire.ended,
            pending: peer.pending.clone(),
            incoming: Some(Inlet::new(sender, BYTES)),
            backlog: Backlog::default(),
        };
        tokio::spawn(sorter.run());
        (peer, incoming)
    }

    /// Gives up what only reads when the server is silent for 30 s. Not for a durable connection: there the answer may wait
    /// for a link that is away.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self { patience: Some(READ_LIMIT), ..self }
    }

    /// Asks and waits. Dropping the future forgets the answer; the server carries the request out all the same.
    ///
    /// # Errors
    /// What the server answered, or that the connection ended.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, CallError> {
        let (id, waiter) = self.pending.enter()?;
        let sent = self.to.send(Message::request(id, method, params)).await;
        sent.map_err(|_| CallError::Ended(self.ended.why()))?;
        waiter.await
    }

    /// As [`Peer::call`] for what only reads: tried again while the server says that it is overloaded.
    ///
    /// # Errors
    /// As [`Peer::call`]; [`Code::ServerSilent`] after too long a silence ([`Peer::impatient`]).
    pub async fn read(&self, method: &str, params: Value) -> Result<Value, CallError> {
        let Some(limit) = self.patience else { return self.read_for_ever(method, params).await };
        let read = tokio::time::timeout(limit, self.read_for_ever(method, params)).await;
        read.unwrap_or_else(|_| Err(CallError::Ended(silent(method, limit))))
    }

    async fn read_for_ever(&self, method: &str, params: Value) -> Result<Value, CallError> {
        let mut pause = OVERLOAD_PAUSE;
        for _ in 1..OVERLOAD_TRIES {
            match self.call(method, params.clone()).await {
                Err(CallError::Refused(e)) if e.code == OVERLOADED => wait(jittered(pause)).await,
                other => return other,
            }
            pause *= 2;
        }
        self.call(method, params).await
    }

    /// Tells without wanting an answer.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn notify(&self, method: &str, params: Value) -> Result<(), CallError> {
        self.send(Message::notification(method, params)).await
    }

    /// Answers a request of the server.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn respond(&self, id: RequestId, result: Result<Value, RpcError>) -> Result<(), CallError> {
        self.send(Message::response(id, result)).await
    }

    /// Answers a request that this front end does not know.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn unknown(&self, id: RequestId, method: &str) -> Result<(), CallError> {
        self.respond(id, Err(no_such(method))).await
    }

    /// Why the connection is over, once it is.
    #[must_use]
    pub fn why_ended(&self) -> Failure {
        self.ended.why()
    }

    async fn send(&self, message: Message) -> Result<(), CallError> {
        self.to.send(message).await.map_err(|_| CallError::Ended(self.ended.why()))
    }
}

fn no_such(method: &str) -> RpcError {
    RpcError::new(METHOD_NOT_FOUND, format!("this client does not know {method}"))
}

fn silent(method: &str, limit: Duration) -> Failure {
    Failure::new(Code::ServerSilent, format!("ask the app-server for {method}"))
        .said(format!("no answer within {} s", limit.as_secs()))
        .hint("`outpost logs HOST` shows what it wrote; `outpost stop HOST` ends a server that we started")
}

fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.75..1.25))
}

async fn wait(pause: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the server asked us to come back later; there is no event for that")]
    tokio::time::sleep(pause).await;
}

/// The task: sorts what comes into answers and the rest.
struct Sorter {
    from: mpsc::Receiver<Message>,
    ended: Ended,
    pending: Pending,
    /// Gone when nobody listens any more.
    incoming: Option<Inlet<Incoming>>,
    backlog: Backlog,
}

/// What waits for its reader, with what each weighs.
#[derive(Default)]
struct Backlog {
    waiting: VecDeque<(Incoming, usize)>,
    bytes: usize,
}

impl Backlog {
    fn has_room(&self) -> bool {
        self.waiting.len() < BACKLOG && self.bytes < BACKLOG_BYTES
    }

    fn push(&mut self, incoming: Incoming, weight: usize) {
        self.bytes += weight;
        self.waiting.push_back((incoming, weight));
    }

    fn pop(&mut self) -> Option<(Incoming, usize)> {
        let next = self.waiting.pop_front()?;
        self.bytes -= next.1;
        Some(next)
    }
}

enum Event {
    Came(Option<Message>),
    Room(bool),
}

impl Sorter {
    async fn run(mut self) {
        loop {
            match self.next().await {
                Event::Came(Some(message)) => self.sort(message),
                Event::Came(None) => break,
                Event::Room(listening) => self.hand_on(listening),
            }
        }
        self.pending.end(&self.ended.why());
        // What came before the end is still theirs; whoever stops listening ends this too.
        while let (Some(inlet), Some((next, weight))) = (&mut self.incoming, self.backlog.pop()) {
            if !inlet.send(next, weight).await {
                return;
            }
        }
    }

    async fn next(&mut self) -> Event {
        let (room, waiting) = (self.backlog.has_room(), !self.backlog.waiting.is_empty());
        tokio::select! {
            message = self.from.recv(), if room => Event::Came(message),
            free = reserve(self.incoming.as_mut()), if waiting => Event::Room(free),
        }
    }

    /// A request that nobody here hears is left to other clients: whoever refuses an approval has declined it.
    fn sort(&mut self, message: Message) {
        let weight = message.weight();
        match message {
            Message::Response { id, result } => self.pending.answer(&id, result),
            Message::Notification { method, params } => self.keep(Incoming::Notification { method, params }, weight),
            Message::Request { id, method, params } => self.keep(Incoming::Request { id, method, params }, weight),
        }
    }

    /// What came before an answer is there to be heard before the answer is, while there is room.
    fn keep(&mut self, incoming: Incoming, weight: usize) {
        self.backlog.push(incoming, weight);
        self.hand_on(true);
    }

    fn hand_on(&mut self, listening: bool) {
        let Some(inlet) = self.incoming.as_mut().filter(|inlet| listening && !inlet.is_closed()) else {
            self.incoming = None;
            self.backlog = Backlog::default();
            return;
        };
        while inlet.has_room()
            && let Some((next, weight)) = self.backlog.pop()
        {
            // There is room, and whoever stops listening meanwhile wants none of it.
            drop(inlet.put(next, weight));
        }
    }
}

/// Waits for room; false when nobody listens any more.
async fn reserve(inlet: Option<&mut Inlet<Incoming>>) -> bool {
    match inlet {
        Some(inlet) => inlet.room().await,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;
    use serde_json::json;

    async fn asked(far: &mut Wire) -> (RequestId, String) {
        match far.from.recv().await {
            Some(Message::Request { id, method, .. }) => (id, method),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn calls_are_answered_while_nobody_reads_the_notifications() {
        let (near, mut far) = Wire::pair();
        let (peer, mut incoming) = Peer::start(near);
        let call = tokio::spawn(async move { peer.call("thread/list", json!({})).await });
        let (id, method) = asked(&mut far).await;
        for n in 0..2_000 {
            far.to.send(Message::notification("item/agentMessage/delta", json!(n))).await.expect("open");
        }
        far.to.send(Message::response(id, Ok(json!(method)))).await.expect("open");
        assert_eq!(call.await.expect("ends"), Ok(json!("thread/list")));
        drop(far);
        for n in 0..2_000 {
            let Some(Incoming::Notification { params, .. }) = incoming.recv().await else { panic!("lost {n}") };
            assert_eq!(params, json!(n));
        }
        assert_eq!(incoming.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_overloaded_server_is_asked_again_for_what_only_reads() {
        let (near, mut far) = Wire::pair();
        let (peer, _incoming) = Peer::start(near);
        let server = tokio::spawn(async move {
            let mut asks = 0;
            while let Some(Message::Request { id, .. }) = far.from.recv().await {
                asks += 1;
                let answer = if asks < 4 { Err(RpcError::new(OVERLOADED, "later")) } else { Ok(json!(asks)) };
                far.to.send(Message::response(id, answer)).await.expect("open");
            }
        });
        let refused = peer.call("turn/start", json!({})).await;
        assert!(matches!(refused, Err(CallError::Refused(e)) if e.code == OVERLOADED));
        assert_eq!(peer.read("thread/list", json!({})).await, Ok(json!(4)));
        drop(peer);
        server.await.expect("the connection closed with its last handle");
    }

    #[tokio::test]
    async fn what_comes_before_an_answer_is_there_when_that_is_sorted() {
        let (near, _far) = Wire::pair();
        let (sender, mut incoming) = mpsc::channel(1);
        let (from, ended, pending) = (near.from, near.ended, Pending::default());
        let incoming_of = Some(Inlet::new(sender, BYTES));
        let mut sorter = Sorter { from, ended, pending, incoming: incoming_of, backlog: Backlog::default() };
        sorter.sort(Message::notification("before", Value::Null));
        assert!(incoming.try_recv().is_ok());
    }

    #[tokio::test]
    async fn the_end_answers_everybody_and_says_why() {
        let (near, far) = Wire::pair();
        let (peer, mut incoming) = Peer::start(near);
        let call = tokio::spawn({
            let peer = peer.clone();
            async move { peer.call("x", Value::Null).await }
        });
        tokio::task::yield_now().await;
        far.ended.because(Failure::new(Code::ServerProtocol, "read"));
        drop(far);
        assert!(matches!(call.await.expect("ends"), Err(CallError::Ended(f)) if f.code == Code::ServerProtocol));
        assert_eq!(incoming.recv().await, None);
        assert_eq!(peer.why_ended().code, Code::ServerProtocol);
    }

    #[tokio::test]
    async fn a_request_that_nobody_hears_is_left_to_others() {
        let (near, mut far) = Wire::pair();
        let (peer, incoming) = Peer::start(near);
        drop(incoming);
        for id in 0..3 {
            let approval = "item/commandExecution/requestApproval";
            far.to.send(Message::request(RequestId::Number(id), approval, Value::Null)).await.expect("open");
        }
        let call = tokio::spawn(async move { peer.call("model/list", Value::Null).await });
        let Some(Message::Request { id, method, .. }) = far.from.recv().await else { panic!("it is answered") };
        assert_eq!(method, "model/list");
        far.to.send(Message::response(id, Ok(Value::Null))).await.expect("open");
        assert_eq!(call.await.expect("ends"), Ok(Value::Null));
        assert_eq!(far.from.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_of_a_mute_server_is_given_up() {
        let (near, far) = Wire::pair();
        let (peer, _incoming) = Peer::start(near);
        let peer = peer.impatient();
        let began = tokio::time::Instant::now();
        let read = peer.read("thread/list", json!({})).await;
        assert!(matches!(read, Err(CallError::Ended(f)) if f.code == Code::ServerSilent && f.said.contains("30 s")));
        assert_eq!(began.elapsed(), READ_LIMIT);
        drop(far);
    }

    /// What a server that floods us makes us hold is a matter of bytes, not only of messages.
    #[tokio::test(start_paused = true)]
    async fn a_flood_is_held_up_before_it_fills_the_memory() {
        let (a, b) = tokio::io::duplex(64 * 1024);
        let (peer, mut incoming) = Peer::start(super::super::lines::client(a));
        let (_, mut far) = tokio::io::split(b);
        let line = format!("{}\n", Message::notification("flood", json!("x".repeat(1024 * 1024))).to_text());
        let mut sent = 0;
        let idle = Duration::from_secs(60);
        while let Ok(written) = tokio::time::timeout(idle, tokio::io::AsyncWriteExt::write_all(&mut far, line.as_bytes())).await {
            written.expect("open");
            sent += line.len();
        }
        assert!(sent <= BACKLOG_BYTES + 2 * BYTES + 8 * line.len(), "{sent}");
        assert!(matches!(incoming.recv().await, Some(Incoming::Notification { method, .. }) if method == "flood"));
        drop(peer);
    }
}
