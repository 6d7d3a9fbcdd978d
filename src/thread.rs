//! A thread as a person works with it: prompts in, events out, questions answered.

pub mod catalog;
pub mod environment;
pub mod event;
pub mod folders;
pub mod reader;
pub mod repository;
pub mod writer;

use std::time::Duration;

use futures_util::FutureExt;
use rand::RngExt;
use serde_json::{Map, Value, json};

use crate::app_server::Server;
use crate::app_server::protocol::approval::{Decision, answers, filled};
pub use crate::app_server::protocol::thread::Thread as View;
use crate::app_server::protocol::thread::{ThreadAnswer, TurnAnswer, TurnStatus};
use crate::app_server::protocol::{is_unknown_method, view};
use crate::failure::{Code, Failure};
use crate::name::{RemotePath, ThreadId, TurnId};
use crate::rpc::message::{Message, RequestId};
use crate::rpc::peer::{Incoming, Peer};
use crate::rpc::pending::CallError;
use event::{Approval, Event};
use reader::Reader;

/// How a thread is started; what is not set is left to the remote's own configuration.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The model.
    pub model: Option<String>,
    /// "untrusted", "on-request", "never": the server's words.
    pub approval_policy: Option<String>,
    /// "read-only", "workspace-write", "danger-full-access": the server's words.
    pub sandbox: Option<String>,
    /// Values of Codex's configuration for this thread, by their dotted names.
    pub config: Map<String, Value>,
}

/// What a review looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewTarget {
    /// What is not committed.
    Uncommitted,
    /// What differs from a branch.
    Base(String),
    /// One commit.
    Commit(String),
    /// What these words say.
    Custom(String),
}

/// A prompt on its way.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// What the person wrote.
    pub text: String,
    /// How hard the model should think: the server's words.
    pub effort: Option<String>,
    /// The schema of the last message.
    pub output_schema: Option<Value>,
    /// Pictures, already on the remote.
    pub images: Vec<RemotePath>,
}

/// What one message of the server was.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The message exactly as it came.
    pub raw: Value,
    /// What it means for this thread.
    pub events: Vec<Event>,
}

/// A thread that this connection is subscribed to.
pub struct Thread {
    server: Server,
    reader: Reader,
    /// What the server said of it when it was started or resumed.
    pub view: View,
    /// The model it uses.
    pub model: String,
}

impl Thread {
    /// Starts a thread in a folder that is known to exist: the server itself does not look.
    ///
    /// # Errors
    /// [`Code::ServerRefused`] in the server's words; [`Code::LinkLost`] and its like when the connection ends.
    pub async fn start(server: Server, cwd: &RemotePath, options: &Options) -> Result<Self, Failure> {
        let mut params = options.params();
        params.insert("cwd".into(), json!(cwd));
        Self::open(server, "thread/start", params).await
    }

    /// Takes a thread up again, running or from disk.
    ///
    /// # Errors
    /// As [`Self::start`]; [`Code::NameUnknown`] when the server has no such thread, [`Code::ActiveWriter`] when another
    /// process writes to it.
    pub async fn resume(server: Server, id: &ThreadId, options: &Options) -> Result<Self, Failure> {
        let mut params = options.params();
        params.extend(named(id));
        let peer = server.peer.clone();
        let opened = match Self::open(server, "thread/resume", params).await {
            Err(failure) => Err(writer::named(&peer, id, failure).await),
            opened => opened,
        };
        opened.map_err(|failure| Failure { hint: failure.hint.replace("HOST:ID", &format!("HOST:{id}")), ..failure })
    }

    async fn open(server: Server, method: &str, params: Map<String, Value>) -> Result<Self, Failure> {
        let of_ours = params.contains_key("config");
        let answer = server.peer.call(method, Value::Object(params)).await.map_err(|error| match &error {
            CallError::Refused(told) if is_unknown_method(&told.message) => server.too_old(&told.message),
            CallError::Refused(_) | CallError::Ended(_) => match refused(method, error) {
                failure if of_ours && failure.code == Code::CodexConfig => {
                    failure.hint("mend what -c says here, or that line of that file on the host")
                }
                failure => failure,
            },
        })?;
        let answer: ThreadAnswer = view(&answer).ok_or_else(|| broken(method))?;
        let reader = Reader::new(answer.thread.id.clone());
        Ok(Self { server, reader, view: answer.thread, model: answer.model })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ThreadId {
        &self.view.id
    }

    /// The connection, when nothing more is wanted of the thread.
    #[must_use]
    pub fn into_server(self) -> Server {
        self.server
    }

    /// For calls beside the thread.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.server.peer
    }

    /// Sends a prompt and gives the turn it began. It is kept from [`Event::Prompted`] with `message_id` on, not before.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn prompt(&self, prompt: &Prompt, message_id: &str) -> Result<TurnId, Failure> {
        let mut params = json!({ "threadId": self.id(), "input": prompt.input(), "clientUserMessageId": message_id });
        for (key, value) in [("effort", prompt.effort.clone().map(Value::String)), ("outputSchema", prompt.output_schema.clone())]
        {
            if let (Some(value), Some(params)) = (value, params.as_object_mut()) {
                params.insert(key.into(), value);
            }
        }
        let answer = self.call("turn/start", params).await?;
        Ok(view::<TurnAnswer>(&answer).ok_or_else(|| broken("turn/start"))?.turn.id)
    }

    /// Adds words to a running turn.
    ///
    /// # Errors
    /// As [`Self::start`]; the server refuses when another turn runs by now.
    pub async fn steer(&self, turn: &TurnId, prompt: &Prompt, message_id: &str) -> Result<(), Failure> {
        let params = json!({
            "threadId": self.id(), "expectedTurnId": turn, "input": prompt.input(), "clientUserMessageId": message_id,
        });
        self.call("turn/steer", params).await.map(drop)
    }

    /// Puts a prompt behind those that wait for the running turn to end.
    ///
    /// # Errors
    /// As [`Self::start`]; releases without a queue refuse.
    pub async fn queue(&self, prompt: &Prompt, message_id: &str) -> Result<(), Failure> {
        let params = json!({ "threadId": self.id(), "input": prompt.input(), "clientUserMessageId": message_id });
        self.call("thread/queue/add", params).await.map(drop)
    }

    /// Begins a review of what a target names; gives its turn.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn review(&self, target: &ReviewTarget) -> Result<TurnId, Failure> {
        let target = match target {
            ReviewTarget::Uncommitted => json!({ "type": "uncommittedChanges" }),
            ReviewTarget::Base(branch) => json!({ "type": "baseBranch", "branch": branch }),
            ReviewTarget::Commit(sha) => json!({ "type": "commit", "sha": sha, "title": null }),
            ReviewTarget::Custom(words) => json!({ "type": "custom", "instructions": words }),
        };
        let answer = self.call("review/start", json!({ "threadId": self.id(), "target": target })).await?;
        Ok(view::<TurnAnswer>(&answer).ok_or_else(|| broken("review/start"))?.turn.id)
    }

    /// The turn that runs now.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn running(&self) -> Result<Option<TurnId>, Failure> {
        let turns = catalog::turns(self.peer(), self.id(), 1).await?;
        Ok(turns.into_iter().find(|turn| turn.status == TurnStatus::InProgress).map(|turn| turn.id))
    }

    /// The turn that runs, or that the thread's queue is about to begin.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn next_turn(&self) -> Result<Option<TurnId>, Failure> {
        // Nothing tells that a queue is paused, so it is waited for a while only.
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..30 {
            ticks.tick().await;
            // The queue is asked first: what leaves it meanwhile is running then.
            let queued = match self.call("thread/queue/list", json!({"threadId": self.id(), "limit": 1})).await {
                Ok(answer) => answer.pointer("/data/0").is_some(),
                Err(e) if is_unknown_method(&e.said) => false,
                Err(e) => return Err(e),
            };
            let running = self.running().await?;
            if running.is_some() || !queued {
                return Ok(running);
            }
        }
        Ok(None)
    }

    /// The questions that wait for a person, the oldest first, right after [`Self::resume`]. The server sends them again some time after its answer
    /// to that, but before the one to the next: a thread's resumes are worked off one after the other.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn waiting(&mut self) -> Result<Vec<Approval>, Failure> {
        self.call("thread/resume", Value::from_iter(named(self.id()))).await?;
        let mut waiting: Vec<Approval> = Vec::new();
        while let Some(Some(news)) = self.next().now_or_never() {
            gather(&mut waiting, news);
        }
        // The server numbers them as they come up.
        waiting.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(waiting)
    }

    /// Stops a turn; one that has already ended is fine.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn interrupt(&self, turn: &TurnId) -> Result<(), Failure> {
        let params = json!({ "threadId": self.id(), "turnId": turn });
        match self.server.peer.call("turn/interrupt", params).await {
            Ok(_) => Ok(()),
            Err(CallError::Refused(error)) if error.message.contains("no active turn") => Ok(()),
            Err(error) => Err(refused("turn/interrupt", error)),
        }
    }

    /// The next message of the server; none when the connection has ended, for the reason of [`Self::why_ended`].
    /// What the server asks and nobody here can answer is refused on the way.
    pub async fn next(&mut self) -> Option<News> {
        let message = self.server.incoming.recv().await?;
        let events = self.reader.read(&message);
        if let Incoming::Request { id, method, .. } = &message {
            let asked = events.iter().any(|event| matches!(event, Event::Asked(_)));
            if !asked && self.reader.concerns(&message) {
                // The connection's end is seen by the next recv.
                drop(self.server.peer.unknown(id.clone(), method).await);
            }
        }
        Some(News { raw: raw(message), events })
    }

    /// Why [`Self::next`] gave none.
    #[must_use]
    pub fn why_ended(&self) -> Failure {
        self.server.peer.why_ended()
    }

    /// Answers an approval.
    ///
    /// # Errors
    /// When the connection has ended; the question is then asked again by the next one.
    pub async fn decide(&self, approval: &Approval, decision: Decision) -> Result<(), Failure> {
        self.respond(approval.id.clone(), approval.asked.answer(decision)).await
    }

    /// Answers the agent's questions: for each its id and the words.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub async fn reply(&self, approval: &Approval, given: &[(String, Vec<String>)]) -> Result<(), Failure> {
        self.respond(approval.id.clone(), answers(given)).await
    }

    /// Accepts the form of an MCP server with what was filled in.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub async fn fill(&self, approval: &Approval, content: Value) -> Result<(), Failure> {
        self.respond(approval.id.clone(), filled(content)).await
    }

    async fn respond(&self, id: RequestId, result: Value) -> Result<(), Failure> {
        self.server.peer.respond(id, Ok(result)).await.map_err(|e| refused("answer the server", e))
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, Failure> {
        self.server.peer.call(method, params).await.map_err(|e| refused(method, e))
    }
}

impl Options {
    fn params(&self) -> Map<String, Value> {
        let words = [("model", &self.model), ("approvalPolicy", &self.approval_policy), ("sandbox", &self.sandbox)];
        let words = words.into_iter().filter_map(|(key, word)| Some((key.to_owned(), Value::String(word.clone()?))));
        let config = Some(&self.config).filter(|c| !c.is_empty()).map(|c| ("config".to_owned(), Value::Object(c.clone())));
        words.chain(config).collect()
    }
}

impl Prompt {
    fn input(&self) -> Vec<Value> {
        let text = json!({ "type": "text", "text": self.text, "text_elements": [] });
        let images = self.images.iter().map(|path| json!({ "type": "localImage", "path": path }));
        std::iter::once(text).chain(images).collect()
    }
}

/// A thread to resume. Its history comes in pages when somebody reads it; with this answer it could be larger than a message may be.
fn named(id: &ThreadId) -> [(String, Value); 2] {
    [("threadId".to_owned(), json!(id)), ("excludeTurns".to_owned(), json!(true))]
}

fn gather(waiting: &mut Vec<Approval>, news: News) {
    for event in news.events {
        if let Event::Asked(approval) = event {
            waiting.retain(|known| known.id != approval.id);
            waiting.push(approval);
        } else if let Event::Resolved(id) = event {
            waiting.retain(|approval| approval.id != id);
        }
    }
}

/// A fresh `clientUserMessageId`: 128 random bits.
#[must_use]
pub fn message_id() -> String {
    format!("outpost-{:032x}", rand::rng().random::<u128>())
}

fn raw(message: Incoming) -> Value {
    match message {
        Incoming::Request { id, method, params } => Message::Request { id, method, params },
        Incoming::Notification { method, params } => Message::Notification { method, params },
    }
    .to_value()
}

/// What the server's words mean where we know them.
fn refused(method: &str, error: CallError) -> Failure {
    let failure = error.failure(format!("ask the app-server for {method}"));
    if failure.said.contains("already has an active writer") {
        return Failure { code: Code::ActiveWriter, ..failure }
            .hint("another Codex on that host has this thread open: close it there");
    }
    if let Some((_, id)) = failure.said.split_once("Run `codex unarchive ") {
        let id: String = id.chars().take_while(|c| *c != '`').collect();
        return failure.hint(format!("it is put away; take it out again first: outpost thread unarchive HOST:{id}"));
    }
    if failure.said.contains("failed to load configuration") {
        return Failure { code: Code::CodexConfig, ..failure }.hint("mend that line of that file on the host");
    }
    let unknown = ["no rollout found", "thread not found", "thread not loaded", "invalid thread id"];
    if unknown.iter().any(|words| failure.said.contains(words)) {
        return Failure { code: Code::NameUnknown, ..failure }.hint("`outpost threads` lists the threads of your hosts");
    }
    failure
}

fn broken(method: &str) -> Failure {
    Failure::new(Code::ServerProtocol, format!("read the answer of {method}")).hint("`outpost check` shows the server's version")
}
