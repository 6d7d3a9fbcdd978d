//! The server: what was measured of codex 0.169, as far as the machine sees it.

mod background;
mod lists;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use crate::app_server::durable::say;
use crate::rpc::message::{INVALID_REQUEST, METHOD_NOT_FOUND, Message, OVERLOADED, RequestId, RpcError};

/// What the server does on its own.
#[derive(Debug, Clone)]
pub enum Do {
    /// The agent begins a message.
    Say,
    /// It says more of it.
    More(&'static str),
    /// The message is finished.
    Said,
    /// A command begins and needs an approval.
    Ask,
    /// A command begins without asking.
    Run,
    /// The command prints.
    Print(&'static str),
    /// The command ends.
    Ran,
    /// Somebody else declines what waits.
    DeclinedElsewhere,
    /// Somebody else accepts it.
    AcceptedElsewhere,
    /// The turn ends, and its command goes on.
    Leave,
    /// A command that went on so ends.
    Exits,
    /// The turn ends.
    End,
}

/// What a release does otherwise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// 0.169.
    #[default]
    Newest,
    /// 0.153: the answer of `thread/resume` numbers the messages of a running turn anew.
    Numbers,
    /// 0.149 and before: cannot list items, numbers the messages of every turn anew, and keeps no commands of a turn that is over.
    Forgets,
}

#[derive(Debug, Default)]
pub struct Thread {
    pub turns: Vec<Value>,
    /// Finished items with their turns, in order.
    pub items: Vec<(String, Value)>,
    pub prompts: usize,
    /// Whether it was read while it had no prompt.
    read: bool,
    /// Words for the running turn that are shown when the model is asked next.
    pending: Vec<Value>,
    running: Option<Value>,
    waiting: Option<(i64, Value)>,
    turn: Option<String>,
    ephemeral: bool,
    /// Commands that go on behind their turns.
    terminals: Vec<(String, Value)>,
}

/// The server.
#[derive(Debug, Default)]
pub struct Server {
    pub threads: BTreeMap<String, Thread>,
    pub epoch: u32,
    pub answers: Vec<(String, Value)>,
    pub release: Release,
    /// How many more questions meet a thread whose file is there, and whose entry in the database is not; [`FOR_EVER`] when the
    /// server died over it.
    pub half_stored: u32,
    /// How many more times another process has the thread that is to be resumed.
    pub held: u32,
    pub made: u32,
    /// How many more questions are answered with "overloaded".
    pub busy: u32,
    /// Whether it answers nothing any more.
    pub silent: bool,
    /// Whether the threads are archived, and will not be resumed.
    pub archived: bool,
    /// What clients said of themselves.
    pub hellos: Vec<Value>,
    requests: i64,
    greeted: bool,
    /// Whether open requests are put again as late as they may: before the next word of the thread.
    pub late: bool,
    /// Whether a turn makes room first (compaction): its prompt is in it only when the agent acts.
    pub slow: bool,
    /// Threads whose open requests are still to be put.
    resumed: BTreeSet<String>,
    subscribed: BTreeSet<String>,
    pub say: VecDeque<Message>,
}

impl Server {
    fn id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}{}", self.made)
    }

    pub fn connect(&mut self) {
        self.greeted = false;
        self.subscribed.clear();
        self.resumed.clear();
        self.say.clear();
    }

    /// SIGKILL, and a start.
    pub fn kill(&mut self) {
        self.epoch += 1;
        self.requests = 0;
        self.connect();
        for thread in self.threads.values_mut() {
            thread.running = None;
            thread.waiting = None;
            thread.terminals.clear();
            thread.prompts -= std::mem::take(&mut thread.pending).len();
            if let Some(turn) = thread.turn.take() {
                thread.set_turn(&turn, "interrupted");
            }
        }
        self.threads.retain(|_, t| t.prompts > 0 && !t.ephemeral);
    }

    fn tell(&mut self, thread: &str, method: &str, mut params: Value) {
        self.put_again(thread);
        params["threadId"] = json!(thread);
        if self.subscribed.contains(thread) {
            self.say.push_back(Message::notification(method, params));
        }
    }

    pub fn receive(&mut self, message: Message) {
        match message {
            Message::Notification { .. } => {}
            Message::Request { .. } if self.silent => {}
            Message::Request { id, method, params } => {
                let (result, after) = self.answer(&method, &params);
                self.say.push_back(Message::response(id, result));
                if let Some(thread) = after {
                    self.resumed.insert(thread.clone());
                    if !self.late {
                        self.put_again(&thread);
                    }
                }
            }
            Message::Response { id, result } => self.decided(&id, result.unwrap_or_default()),
        }
    }

    fn put_again(&mut self, thread: &str) {
        if self.resumed.remove(thread)
            && let Some((id, params)) = self.threads.get(thread).and_then(|t| t.waiting.clone())
        {
            self.say.push_back(Message::request(RequestId::Number(id), ASK, params));
        }
    }

    /// What it says next; what was late comes when there is nothing else.
    pub fn next(&mut self) -> Option<Message> {
        if self.say.is_empty() {
            self.resumed.clone().iter().for_each(|thread| self.put_again(thread));
        }
        self.say.pop_front()
    }

    /// What stands in the way of any answer.
    fn refusal(&mut self, method: &str) -> Option<RpcError> {
        if self.busy > 0 {
            self.busy -= 1;
            return Some(RpcError::new(OVERLOADED, "Server overloaded; retry later."));
        }
        if !self.greeted && method != "initialize" {
            return Some(RpcError::new(INVALID_REQUEST, "Not initialized"));
        }
        let stored = ["thread/resume", "thread/turns/list", "thread/items/list", "thread/read"];
        if self.half_stored > 0 && stored.contains(&method) {
            self.half_stored -= u32::from(self.half_stored != FOR_EVER);
            let empty = "failed to read session metadata /s.jsonl: rollout at /s.jsonl is empty";
            return Some(RpcError::new(
                METHOD_NOT_FOUND,
                if self.half_stored == 0 { "list_turns is not supported yet" } else { empty },
            ));
        }
        if self.held > 0 && method == "thread/resume" {
            self.held -= 1;
            return Some(RpcError::new(INVALID_REQUEST, "thread t already has an active writer"));
        }
        None
    }

    fn answer(&mut self, method: &str, params: &Value) -> (Result<Value, RpcError>, Option<String>) {
        let thread = say::text(params, &["threadId"]).unwrap_or_default().to_owned();
        let no = |code: i64, text: &str| (Err(RpcError::new(code, text)), None);
        if let Some(refused) = self.refusal(method) {
            return (Err(refused), None);
        }
        match method {
            "initialize" if self.greeted => no(INVALID_REQUEST, "Already initialized"),
            "thread/unsubscribe" => {
                self.subscribed.remove(&thread);
                (Ok(json!({})), None)
            }
            "initialize" => {
                self.greeted = true;
                self.hellos.push(params.clone());
                self.say.push_back(Message::notification("configWarning", json!({"summary": "x"})));
                (Ok(json!({"userAgent": "codex/0.169.0", "codexHome": "/home/me/.codex"})), None)
            }
            "thread/start" => {
                let id = self.id("thread");
                let ephemeral = params["ephemeral"] == json!(true);
                self.threads.insert(id.clone(), Thread { ephemeral, ..Thread::default() });
                self.subscribed.insert(id.clone());
                (Ok(json!({"thread": {"id": id, "status": {"type": "idle"}, "turns": [], "ephemeral": ephemeral}})), None)
            }
            "thread/resume" => self.resume(&thread, params),
            "thread/items/list" if self.release == Release::Forgets => {
                no(METHOD_NOT_FOUND, "thread/items/list is not supported yet")
            }
            "thread/backgroundTerminals/list" if self.release == Release::Newest => (self.terminals(&thread), None),
            "thread/turns/list" | "thread/items/list" | "thread/read" => (self.listed(method, &thread, params), None),
            "turn/start" => self.turn_start(&thread, params),
            "turn/steer" => match self.threads.get(&thread).and_then(|t| t.turn.clone()) {
                Some(turn) => {
                    drop(self.turn_start(&thread, params));
                    (Ok(json!({"turnId": turn})), None)
                }
                None => no(INVALID_REQUEST, "no active turn to steer"),
            },
            "turn/interrupt" => match self.threads.get(&thread).and_then(|t| t.turn.clone()) {
                Some(_) => {
                    self.end(&thread, "interrupted");
                    (Ok(json!({})), None)
                }
                None => no(INVALID_REQUEST, "no active turn to interrupt"),
            },
            "model/list" | "command/exec" => (Ok(json!({"data": []})), None),
            _ => no(METHOD_NOT_FOUND, "unknown"),
        }
    }

    fn status(&mut self, thread: &str) {
        if let Some(status) = self.threads.get(thread).map(Thread::status) {
            self.tell(thread, "thread/status/changed", json!({"status": status}));
        }
    }

    fn decided(&mut self, id: &RequestId, answer: Value) {
        let found = self.threads.iter().find(|(_, t)| t.waiting.as_ref().is_some_and(|(w, _)| RequestId::Number(*w) == *id));
        let Some(thread) = found.map(|(thread, _)| thread.clone()) else { return };
        self.answers.push((thread.clone(), answer.clone()));
        self.settle(&thread, answer["decision"] == json!("accept"));
    }

    fn settle(&mut self, thread: &str, accepted: bool) {
        self.put_again(thread);
        let Some(t) = self.threads.get_mut(thread) else { return };
        let (Some((id, _)), Some(turn)) = (t.waiting.take(), t.turn.clone()) else { return };
        let item = t.running.clone().unwrap_or_default();
        if !accepted {
            t.running = None;
        }
        self.tell(thread, "serverRequest/resolved", json!({"requestId": id}));
        self.status(thread);
        if !accepted {
            self.tell(thread, "item/completed", json!({"turnId": turn, "item": say::declined(&item), "completedAtMs": 2}));
        }
    }

    fn end(&mut self, thread: &str, status: &str) {
        // With words left the agent goes on.
        if status == "completed" && self.take_in(thread) {
            return;
        }
        self.put_again(thread);
        let Some(t) = self.threads.get_mut(thread) else { return };
        let Some(turn) = t.turn.take() else { return };
        t.running = None;
        t.prompts -= std::mem::take(&mut t.pending).len();
        let waiting = t.waiting.take();
        t.set_turn(&turn, status);
        if let Some((id, _)) = waiting {
            self.tell(thread, "serverRequest/resolved", json!({"requestId": id}));
        }
        self.status(thread);
        self.tell(thread, "turn/completed", json!({"turn": {"id": turn, "status": status, "items": []}}));
    }

    /// The agent acts.
    pub fn act(&mut self, thread: &str, what: &Do) {
        if matches!(what, Do::Exits) {
            return self.exits(thread);
        }
        let Some((turn, running)) = self.threads.get(thread).and_then(|t| Some((t.turn.clone()?, t.running.clone()))) else {
            return;
        };
        let kind = running.as_ref().and_then(|r| say::text(r, &["type"])).unwrap_or_default().to_owned();
        let asked = self.threads.get(thread).is_some_and(|t| t.waiting.is_some());
        match what {
            Do::Say if running.is_none() => {
                let item = json!({"type": "agentMessage", "id": self.id("message"), "text": ""});
                self.begin(thread, &turn, item);
            }
            Do::Ask | Do::Run if running.is_none() => {
                let id = self.id("command");
                self.begin(thread, &turn, json!({"type": "commandExecution", "id": id, "command": "ls", "status": "inProgress"}));
                if matches!(what, Do::Ask) {
                    self.ask(thread, json!({"threadId": thread, "turnId": turn, "itemId": id, "command": "ls"}));
                }
            }
            Do::More(text) if kind == "agentMessage" => self.grow(thread, &turn, ("text", "item/agentMessage/delta", text)),
            Do::Print(text) if kind == "commandExecution" && !asked => {
                self.grow(thread, &turn, ("aggregatedOutput", "item/commandExecution/outputDelta", text));
            }
            Do::Said if kind == "agentMessage" => self.finish(thread, &turn),
            Do::Ran if kind == "commandExecution" && !asked => self.finish(thread, &turn),
            Do::DeclinedElsewhere => self.settle(thread, false),
            Do::AcceptedElsewhere => self.settle(thread, true),
            Do::Leave if kind == "commandExecution" && !asked => self.leave(thread, &turn),
            Do::End if running.is_none() => self.end(thread, "completed"),
            Do::Say | Do::More(_) | Do::Said | Do::Ask | Do::Run | Do::Print(_) | Do::Ran | Do::End | Do::Leave | Do::Exits => {}
        }
    }

    fn begin(&mut self, thread: &str, turn: &str, item: Value) {
        self.take_in(thread);
        if let Some(t) = self.threads.get_mut(thread) {
            t.running = Some(item.clone());
        }
        self.tell(thread, "item/started", json!({"turnId": turn, "item": item, "startedAtMs": 1}));
    }

    fn ask(&mut self, thread: &str, params: Value) {
        let id = self.requests;
        self.requests += 1;
        if let Some(t) = self.threads.get_mut(thread) {
            t.waiting = Some((id, params.clone()));
        }
        self.status(thread);
        if self.subscribed.contains(thread) {
            self.say.push_back(Message::request(RequestId::Number(id), ASK, params));
        }
    }

    fn grow(&mut self, thread: &str, turn: &str, how: (&str, &str, &str)) {
        let (field, method, text) = how;
        let Some(item) = self.threads.get_mut(thread).and_then(|t| t.running.as_mut()) else { return };
        let grown = format!("{}{text}", say::text(item, &[field]).unwrap_or_default());
        item[field] = json!(grown);
        let id = item["id"].clone();
        self.tell(thread, method, json!({"turnId": turn, "itemId": id, "delta": text}));
    }

    fn finish(&mut self, thread: &str, turn: &str) {
        let Some(t) = self.threads.get_mut(thread) else { return };
        let Some(mut item) = t.running.take() else { return };
        if item["type"] == json!("commandExecution") {
            item["status"] = json!("completed");
        }
        t.items.push((turn.to_owned(), item.clone()));
        self.tell(thread, "item/completed", json!({"turnId": turn, "item": item, "completedAtMs": 2}));
    }
}

/// Such a thread is not loaded, and cannot be.
pub const FOR_EVER: u32 = u32::MAX;

const ASK: &str = "item/commandExecution/requestApproval";

impl Thread {
    fn status(&self) -> Value {
        match (&self.turn, &self.waiting) {
            (None, _) => json!({"type": "idle"}),
            (Some(_), None) => json!({"type": "active", "activeFlags": []}),
            (Some(_), Some(_)) => json!({"type": "active", "activeFlags": ["waitingOnApproval"]}),
        }
    }

    fn set_turn(&mut self, id: &str, status: &str) {
        self.turns.iter_mut().filter(|t| t["id"] == json!(id)).for_each(|t| t["status"] = json!(status));
    }

    pub fn turn(&self) -> Option<&str> {
        self.turn.as_deref()
    }
}
