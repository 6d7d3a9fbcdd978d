//! A front end that sits on `outpost endpoint`, writes down all it hears, and comes back when our process is killed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use outpost::rpc::peer::{Incoming, Peer};
use outpost::rpc::pending::CallError;
use outpost::rpc::websocket;
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::pause;
use super::plan::Plan;
use super::shared::{Decision, Shared, question};
use super::stored::{Fate, fate, items, shown};
use crate::bed::front::{Front, method, params, request_id, text};

/// What was shown and heard over one connection to one process of ours.
#[derive(Default)]
pub(super) struct Life {
    /// The finished items of the thread when it was resumed.
    pub(super) shown: Vec<Value>,
    /// The turns that ran then.
    pub(super) running: Vec<String>,
    /// What came since.
    pub(super) heard: Vec<Incoming>,
}

/// The connection is over: our process was killed.
#[derive(Debug)]
struct Gone;

/// The front end.
pub(super) struct Client {
    shared: Arc<Shared>,
    /// Whether it is the second one of its thread.
    pub(super) is_second: bool,
    pub(super) name: usize,
    /// The folder of its thread; none of a second one.
    cwd: PathBuf,
    us: watch::Receiver<Option<PathBuf>>,
    peer: Peer,
    incoming: mpsc::Receiver<Incoming>,
    pub(super) thread: String,
    pub(super) lives: Vec<Life>,
    pub(super) outcomes: HashMap<String, usize>,
    /// Words that were added to turns.
    added: Vec<Added>,
}

/// Words for a turn that runs.
struct Added {
    id: String,
    words: String,
    /// In which of the lives.
    life: usize,
    answer: JoinHandle<Result<Value, CallError>>,
}

/// What the front end knows of words that it added to a turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The server has them.
    Taken,
    /// They are the person's again.
    GivenBack,
    Refused(String),
    /// Our process was killed before that was known.
    Nothing,
}

impl Client {
    /// Connects and starts a thread.
    pub(super) async fn begin(name: usize, us: watch::Receiver<Option<PathBuf>>, (cwd, shared): (&Path, Arc<Shared>)) -> Self {
        let mut client = Self::new(name, us, (shared, false)).await;
        cwd.clone_into(&mut client.cwd);
        client.start().await;
        client
    }

    /// Starts its thread.
    async fn start(&mut self) {
        self.thread.clear();
        self.lives = vec![Life::default()];
        let tool = json!({"type": "function", "name": "look", "description": "looks", "inputSchema": {"type": "object"}});
        while self.thread.is_empty() {
            match self.peer.call("thread/start", json!({"cwd": self.cwd, "dynamicTools": [tool]})).await {
                Ok(started) => text(&started, &["thread", "id"]).clone_into(&mut self.thread),
                // The answer was lost, and it is not known whether there is a thread.
                Err(CallError::Refused(_)) => {}
                Err(CallError::Ended(_)) => (self.peer, self.incoming) = connect(&mut self.us).await,
            }
        }
    }

    async fn new(name: usize, us: watch::Receiver<Option<PathBuf>>, (shared, is_second): (Arc<Shared>, bool)) -> Self {
        let (peer, incoming) = connect(&mut us.clone()).await;
        let (thread, lives, outcomes, added) = (String::new(), Vec::new(), HashMap::new(), Vec::new());
        Self { shared, is_second, name, cwd: PathBuf::new(), us, peer, incoming, thread, lives, outcomes, added }
    }

    /// Connects to a thread of another front end.
    pub(super) async fn join(name: usize, us: watch::Receiver<Option<PathBuf>>, (shared, thread): (Arc<Shared>, String)) -> Self {
        let mut client = Self::new(name, us, (shared, true)).await;
        client.thread = thread;
        while client.come_back("").await.is_err() {}
        client
    }

    /// Listens, answers what is its to answer, and leaves and comes back now and then, until it shall stop.
    pub(super) async fn watch(&mut self, plans: &[Plan], rng: &mut SmallRng, mut stop: watch::Receiver<bool>) {
        loop {
            let next = tokio::select! {
                next = self.incoming.recv() => next,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let Some(next) = next else {
                while self.come_back("").await.is_err() {}
                continue;
            };
            self.hear(&next);
            match method(&next) {
                "item/completed" => self.adds_to(params(&next), plans, rng),
                "turn/completed" if rng.random_bool(0.2) => {
                    pause(rng.random_range(0..2_000)).await;
                    while self.come_back("").await.is_err() {}
                }
                _ if matches!(next, Incoming::Request { .. }) => self.decide(&next, rng),
                _ => {}
            }
        }
    }

    fn hear(&mut self, next: &Incoming) {
        if let Some(life) = self.lives.last_mut() {
            life.heard.push(next.clone());
        }
    }

    /// Words for the turn of the prompt that was taken in, when they are for this front end to add.
    fn adds_to(&mut self, item: &Value, plans: &[Plan], rng: &mut SmallRng) {
        let turn = text(item, &["item", "clientId"]).strip_prefix(&format!("c{}-", self.name)).and_then(|n| n.parse().ok());
        let plan =
            turn.and_then(|turn: usize| plans.get(turn)).filter(|p| (p.by_second && self.shared.has_second()) == self.is_second);
        if let Some(words) = plan.and_then(|plan| plan.more.as_ref()) {
            self.add(words, text(item, &["turnId"]), rng);
        }
    }

    /// Brings one prompt to the end of its turn.
    pub(super) async fn turn(&mut self, (turn, plans): (usize, &[Plan]), rng: &mut SmallRng) {
        let (id, plan) = (format!("c{}-{turn}", self.name), &plans[turn]);
        let mut runs = self.send(&id, &plan.words).await;
        let status = loop {
            let followed = match &mut runs {
                Ok(turn) => self.follow((&id, turn.take()), plans, rng).await,
                Err(Gone) => Err(Gone),
            };
            if let Ok(status) = followed {
                break status;
            }
            runs = match self.come_back(&id).await {
                Ok(Fate::Running(turn)) => Ok(Some(turn)),
                Ok(Fate::Over(status)) => break status,
                Ok(Fate::Unknown) => self.send(&id, &plan.words).await,
                Err(Gone) => Err(Gone),
            };
        };
        *self.outcomes.entry(status).or_default() += 1;
    }

    async fn send(&mut self, id: &str, words: &str) -> Result<Option<String>, Gone> {
        loop {
            match self.call("turn/start", Front::prompt(&self.thread, id, words)).await? {
                Ok(_) => return Ok(None),
                // Codex forgets a thread that had no prompt yet when nobody is there for a minute (docs/RELIABILITY.md).
                Err(e) if self.outcomes.is_empty() && e.starts_with("thread not found") => self.start().await,
                Err(e) => panic!("the prompt {id} was refused: {e}"),
            }
        }
    }

    /// The result of a call, or why it was refused.
    async fn call(&self, method: &str, params: Value) -> Result<Result<Value, String>, Gone> {
        match self.peer.call(method, params).await {
            Ok(value) => Ok(Ok(value)),
            Err(CallError::Refused(e)) => Ok(Err(e.message)),
            Err(CallError::Ended(_)) => Err(Gone),
        }
    }

    /// Listens to the end of the turn that the prompt is in; gives how it ended.
    async fn follow(
        &mut self,
        (id, mut turn): (&str, Option<String>),
        plans: &[Plan],
        rng: &mut SmallRng,
    ) -> Result<String, Gone> {
        loop {
            let next = self.incoming.recv().await.ok_or(Gone)?;
            self.hear(&next);
            let params = params(&next);
            match method(&next) {
                "turn/completed" if turn.as_deref() == Some(text(params, &["turn", "id"])) => {
                    return Ok(text(params, &["turn", "status"]).to_owned());
                }
                "item/completed" if text(params, &["item", "clientId"]) == id => {
                    self.adds_to(params, plans, rng);
                    turn = Some(text(params, &["turnId"]).into());
                }
                _ if matches!(next, Incoming::Request { .. }) => self.decide(&next, rng),
                _ => {}
            }
        }
    }

    /// Adds words to a turn after a while.
    fn add(&mut self, words: &str, turn: &str, rng: &mut SmallRng) {
        let (id, wait) = (format!("s{}", words.trim_end_matches(';')), rng.random_range(0..1_500));
        let mut steer = Front::prompt(&self.thread, &id, words);
        steer["expectedTurnId"] = turn.into();
        let peer = self.peer.clone();
        let answer = tokio::spawn(async move {
            pause(wait).await;
            peer.call("turn/steer", steer).await
        });
        self.added.push(Added { id, words: words.to_owned(), life: self.lives.len() - 1, answer });
    }

    /// Of all words that were added, by the ids they were sent with.
    pub(super) async fn words_added(&mut self) -> Vec<(String, Told)> {
        let mut all = Vec::new();
        for added in std::mem::take(&mut self.added) {
            let answer = tokio::time::timeout(Duration::from_secs(60), added.answer).await;
            let given_back = |m: &Incoming| method(m) == "warning" && text(params(m), &["message"]).contains(&added.words);
            let told = match answer.expect("each request is answered").unwrap() {
                Err(CallError::Refused(e)) => Told::Refused(e.message),
                _ if self.lives[added.life].heard.iter().any(given_back) => Told::GivenBack,
                Ok(_) if added.life + 1 == self.lives.len() => Told::Taken,
                Ok(_) | Err(CallError::Ended(_)) => Told::Nothing,
            };
            all.push((added.id, told));
        }
        all
    }

    /// Answers after a while; whoever asks again is given the same answer.
    fn decide(&mut self, asked: &Incoming, rng: &mut SmallRng) {
        let (yes, by_second, wait) =
            (rng.random_bool(0.7), rng.random_bool(0.5) && self.shared.has_second(), rng.random_range(0..600));
        let new = || Decision { yes, by_second, asked: params(asked).clone(), method: method(asked).to_owned() };
        let decision = self.shared.decided.lock().unwrap().entry(question(asked)).or_insert_with(new).clone();
        if decision.by_second != self.is_second {
            return;
        }
        let (peer, id, answer) = (self.peer.clone(), request_id(asked), decision.answer());
        // It ends with the connection at the latest.
        tokio::spawn(async move {
            pause(wait).await;
            drop(peer.respond(id, Ok(answer)).await);
        });
    }

    /// Connects to the next process of ours, shows the thread as it is, and looks what became of a prompt.
    async fn come_back(&mut self, id: &str) -> Result<Fate, Gone> {
        (self.peer, self.incoming) = connect(&mut self.us).await;
        let resumed = self.insist("thread/resume", json!({"threadId": self.thread})).await?;
        self.lives.push(shown(&resumed["thread"]));
        if id.is_empty() {
            return Ok(Fate::Unknown);
        }
        // What the killed process had sent may be on its way for a while.
        for _ in 0..8 {
            let read = self.insist("thread/read", json!({"threadId": self.thread, "includeTurns": true})).await?;
            if let Some(fate) = fate(&read["thread"], id) {
                return Ok(fate);
            }
            pause(500).await;
        }
        Ok(Fate::Unknown)
    }

    /// Asks again when it is refused: a server may still be storing a thread.
    async fn insist(&self, method: &str, params: Value) -> Result<Value, Gone> {
        let mut said = String::new();
        for _ in 0..20 {
            match self.call(method, params.clone()).await? {
                Ok(value) => return Ok(value),
                Err(e) => said = e,
            }
            pause(300).await;
        }
        panic!("{method} is refused: {said}");
    }

    /// All items that the server has, oldest first: `{turnId, item}`.
    pub(super) async fn stored(&mut self) -> Vec<Value> {
        let stored = loop {
            match self.list().await {
                Ok(stored) => break stored,
                Err(Gone) => drop(self.come_back("").await),
            }
        };
        // What was said before the answer, and not yet listened to.
        while let Ok(Some(next)) = tokio::time::timeout(Duration::from_millis(300), self.incoming.recv()).await {
            self.lives.last_mut().unwrap().heard.push(next);
        }
        stored
    }

    async fn list(&self) -> Result<Vec<Value>, Gone> {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let asked = json!({"threadId": self.thread, "limit": 100, "sortDirection": "asc", "cursor": cursor});
            let Ok(page) = self.call("thread/items/list", asked).await? else { return self.read().await };
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            cursor = page["nextCursor"].clone();
            if cursor.is_null() {
                return Ok(all);
            }
        }
    }

    /// For releases that cannot list.
    async fn read(&self) -> Result<Vec<Value>, Gone> {
        let read = self.insist("thread/read", json!({"threadId": self.thread, "includeTurns": true})).await?;
        Ok(items(&read["thread"]))
    }

    /// What was decided about each question.
    pub(super) fn decided(&self) -> Vec<Decision> {
        self.shared.decided.lock().unwrap().values().cloned().collect()
    }

    /// All it was shown and heard, a line each, for whoever looks for the cause of a deviation.
    pub(super) fn story(&self) -> String {
        let mut story = format!("front end {}, thread {}", self.name, self.thread);
        for life in &self.lives {
            let shown: Vec<&str> = life.shown.iter().map(|e| text(e, &["item", "id"])).collect();
            write!(story, "\n== shown {shown:?}, running {:?}", life.running).unwrap();
            for message in &life.heard {
                write!(story, "\n{} {}", method(message), params(message)).unwrap();
            }
        }
        story
    }
}

/// A connection to our process on which `initialize` was answered; waits for one as long as it takes.
async fn connect(us: &mut watch::Receiver<Option<PathBuf>>) -> (Peer, mpsc::Receiver<Incoming>) {
    loop {
        let path = us.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        if let Ok(stream) = UnixStream::connect(&path).await
            && let Ok(wire) = websocket::client(stream).await
        {
            let (peer, incoming) = Peer::start(wire);
            let hello = json!({"clientInfo": {"name": "front", "version": "0"}, "capabilities": {"experimentalApi": true}});
            if peer.call("initialize", hello).await.is_ok() && peer.notify("initialized", Value::Null).await.is_ok() {
                return (peer, incoming);
            }
        }
        pause(20).await;
    }
}
