//! The stand-in's threads, who listens to them, and which questions are open.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::Settings;
use super::turn;
use crate::demo::script::Script;
use crate::rpc::message::{INVALID_REQUEST, Message, RequestId, RpcError};

/// The app-server of the stand-in.
pub(super) struct Engine {
    pub(super) script: Script,
    pub(super) settings: Settings,
    codex_home: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    clients: BTreeMap<u64, mpsc::Sender<Message>>,
    threads: BTreeMap<String, Thread>,
    questions: BTreeMap<i64, Question>,
    count: i64,
}

struct Thread {
    cwd: PathBuf,
    turns: Vec<Turn>,
    listeners: BTreeSet<u64>,
    created: u64,
    /// Dropping it, or sending, ends the running turn.
    running: Option<watch::Sender<bool>>,
}

struct Turn {
    id: String,
    status: &'static str,
    items: Vec<Value>,
}

struct Question {
    thread: String,
    message: Message,
    answer: oneshot::Sender<Value>,
}

/// What follows an answer that was sent.
enum Then {
    Nothing,
    Started(Value),
    Play(turn::Play),
    AskAgain(String),
}

type Answer = Result<(Value, Then), RpcError>;

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// An id in the form of Codex's.
pub(super) fn id() -> String {
    let random: u128 = rand::random();
    let hex = format!("{random:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn refused(message: impl Into<String>) -> RpcError {
    RpcError { code: INVALID_REQUEST, message: message.into(), data: None }
}

fn word<'a>(params: &'a Value, key: &str) -> &'a str {
    params.get(key).and_then(Value::as_str).unwrap_or_default()
}

impl Engine {
    pub(super) fn new(script: Script, settings: Settings, codex_home: PathBuf) -> Self {
        Self { script, settings, codex_home, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client came; its number.
    pub(super) fn join(&self, sender: mpsc::Sender<Message>) -> u64 {
        let mut state = self.state();
        state.count += 1;
        let client = state.count.unsigned_abs();
        state.clients.insert(client, sender);
        client
    }

    /// A client left; its turns go on.
    pub(super) fn leave(&self, client: u64) {
        let mut state = self.state();
        state.clients.remove(&client);
        state.threads.values_mut().for_each(|thread| thread.listeners.retain(|listener| *listener != client));
    }

    /// Takes one message of a client.
    pub(super) fn handle(self: &Arc<Self>, client: u64, message: Message) {
        match message {
            Message::Request { method, .. } if self.settings.mute.contains(&method) => {}
            Message::Request { id, method, params } => {
                let (result, then) = match self.answer(client, &method, &params) {
                    Ok((result, then)) => (Ok(result), then),
                    Err(error) => (Err(error), Then::Nothing),
                };
                self.state().send(client, Message::Response { id, result });
                self.follow(client, then);
            }
            Message::Response { id: RequestId::Number(id), result } => self.decided(id, result),
            Message::Response { .. } | Message::Notification { .. } => {}
        }
    }

    fn follow(self: &Arc<Self>, client: u64, then: Then) {
        match then {
            Then::Nothing => {}
            Then::Started(thread) => {
                self.state().send(client, Message::notification("thread/started", json!({"thread": thread})))
            }
            Then::Play(play) => drop(tokio::spawn(turn::play(Arc::clone(self), play))),
            Then::AskAgain(thread) => {
                let state = self.state();
                let open = state.questions.values().filter(|question| question.thread == thread);
                open.for_each(|question| state.send(client, question.message.clone()));
            }
        }
    }

    fn answer(&self, client: u64, method: &str, params: &Value) -> Answer {
        if let Some(words) = self.settings.refuse.get(method) {
            return Err(refused(words));
        }
        let plain = |value: Value| Ok((value, Then::Nothing));
        match method {
            "initialize" => plain(self.initialized(params)),
            "account/read" => plain(json!({"account": null, "requiresOpenaiAuth": self.settings.signed_out})),
            "thread/start" => self.start(client, params),
            "thread/resume" => self.resume(client, word(params, "threadId")),
            "thread/list" => {
                let state = self.state();
                let threads: Vec<Value> = state.threads.iter().map(|(id, thread)| thread.view(id, false)).collect();
                plain(json!({"data": threads, "nextCursor": null}))
            }
            "thread/loaded/list" => plain(json!({"data": self.state().threads.keys().collect::<Vec<_>>(), "nextCursor": null})),
            "turn/start" => self.start_turn(client, params),
            "turn/interrupt" => self.interrupt(word(params, "threadId")),
            "thread/read" | "thread/turns/list" | "thread/items/list" | "thread/unsubscribe" => {
                self.look(client, method, word(params, "threadId"))
            }
            "fs/getMetadata" | "fs/readDirectory" => files(method, word(params, "path")),
            _ => Err(refused(format!("Invalid request: unknown variant `{method}`"))),
        }
    }

    fn initialized(&self, params: &Value) -> Value {
        let name = params.get("clientInfo").map_or("", |info| word(info, "name"));
        let version = self.settings.running.as_deref().unwrap_or(super::RELEASE);
        json!({
            "userAgent": format!("{name}/{version} (stand-in)"), "codexHome": self.codex_home,
            "platformFamily": std::env::consts::FAMILY, "platformOs": std::env::consts::OS,
        })
    }

    fn start(&self, client: u64, params: &Value) -> Answer {
        let id = id();
        let cwd = PathBuf::from(word(params, "cwd"));
        let thread = Thread { cwd, turns: Vec::new(), listeners: BTreeSet::from([client]), created: now(), running: None };
        let view = thread.view(&id, false);
        let answer = thread.opened(view.clone());
        self.state().threads.insert(id, thread);
        Ok((answer, Then::Started(view)))
    }

    fn resume(&self, client: u64, id: &str) -> Answer {
        let mut state = self.state();
        let thread = state.threads.get_mut(id).ok_or_else(|| refused(format!("no rollout found for thread id {id}")))?;
        thread.listeners.insert(client);
        Ok((thread.opened(thread.view(id, true)), Then::AskAgain(id.to_owned())))
    }

    fn start_turn(&self, client: u64, params: &Value) -> Answer {
        let mut state = self.state();
        let id = word(params, "threadId");
        let thread = state.threads.get_mut(id).ok_or_else(|| refused(format!("thread not found: {id}")))?;
        let input = params.get("input").cloned().unwrap_or_default();
        let texts = input.as_array().into_iter().flatten().map(|part| word(part, "text"));
        let turn = Turn { id: self::id(), status: "inProgress", items: Vec::new() };
        let (cancel, cancelled) = watch::channel(false);
        let play = turn::Play {
            thread: id.to_owned(),
            turn: turn.id.clone(),
            cwd: thread.cwd.clone(),
            prompt: texts.collect::<Vec<_>>().join("\n"),
            message: json!({"type": "userMessage", "id": self::id(), "clientId": params.get("clientUserMessageId"), "content": input}),
            cancelled,
        };
        let view = turn.view("notLoaded");
        thread.listeners.insert(client);
        thread.running = Some(cancel);
        thread.turns.push(turn);
        Ok((json!({ "turn": view }), Then::Play(play)))
    }

    fn interrupt(&self, id: &str) -> Answer {
        let mut state = self.state();
        let thread = state.threads.get_mut(id).ok_or_else(|| refused(format!("thread not found: {id}")))?;
        let running = thread.running.take().ok_or_else(|| refused("no active turn to interrupt"))?;
        running.send_replace(true);
        Ok((json!({}), Then::Nothing))
    }

    fn look(&self, client: u64, method: &str, id: &str) -> Answer {
        let mut state = self.state();
        let thread = state.threads.get_mut(id).ok_or_else(|| refused(format!("no rollout found for thread id {id}")))?;
        let result = match method {
            "thread/read" => json!({"thread": thread.view(id, true)}),
            "thread/turns/list" => json!({"data": thread.turn_views(), "nextCursor": null}),
            "thread/items/list" => {
                let of_turn = |turn: &Turn| -> Vec<Value> {
                    turn.items.iter().map(|item| json!({"turnId": turn.id, "item": item})).collect()
                };
                json!({"data": thread.turns.iter().flat_map(of_turn).collect::<Vec<_>>(), "nextCursor": null})
            }
            _ => json!({"status": if thread.listeners.remove(&client) { "unsubscribed" } else { "notSubscribed" }}),
        };
        Ok((result, Then::Nothing))
    }

    /// Tells everybody who listens to a thread.
    pub(super) fn tell(&self, thread: &str, method: &str, params: Value) {
        let state = self.state();
        let Some(listeners) = state.threads.get(thread).map(|thread| &thread.listeners) else { return };
        listeners.iter().for_each(|client| state.send(*client, Message::notification(method, params.clone())));
    }

    /// Asks everybody who listens to a thread; the first answer counts.
    pub(super) fn ask(&self, thread: &str, method: &str, params: Value) -> oneshot::Receiver<Value> {
        let (answer, answered) = oneshot::channel();
        let mut state = self.state();
        state.count += 1;
        let id = state.count;
        let message = Message::request(RequestId::Number(id), method, params);
        for client in state.threads.get(thread).map_or_else(BTreeSet::new, |thread| thread.listeners.clone()) {
            state.send(client, message.clone());
        }
        state.questions.insert(id, Question { thread: thread.to_owned(), message, answer });
        answered
    }

    fn decided(&self, id: i64, result: Result<Value, RpcError>) {
        let Some(question) = self.state().questions.remove(&id) else { return };
        let resolved = json!({"threadId": question.thread, "requestId": id});
        self.tell(&question.thread, "serverRequest/resolved", resolved);
        // A turn that was interrupted meanwhile no longer waits.
        drop(question.answer.send(result.unwrap_or_else(|_| json!({"decision": "decline"}))));
    }

    /// Closes the questions that nobody waits for.
    pub(super) fn withdraw(&self, thread: &str) {
        let mut state = self.state();
        let open: Vec<i64> = state.questions.iter().filter(|(_, q)| q.thread == thread).map(|(id, _)| *id).collect();
        open.iter().for_each(|id| drop(state.questions.remove(id)));
        drop(state);
        open.iter().for_each(|id| self.tell(thread, "serverRequest/resolved", json!({"threadId": thread, "requestId": id})));
    }

    /// Keeps an item of a turn: a new one, or the new state of a known one.
    pub(super) fn keep(&self, thread: &str, turn: &str, item: &Value) {
        let mut state = self.state();
        let turns = state.threads.get_mut(thread).map(|thread| thread.turns.iter_mut());
        let Some(turn) = turns.and_then(|mut turns| turns.find(|t| t.id == turn)) else { return };
        match turn.items.iter_mut().find(|kept| kept.get("id") == item.get("id")) {
            Some(kept) => kept.clone_from(item),
            None => turn.items.push(item.clone()),
        }
    }

    /// Ends a turn; how it is shown then.
    pub(super) fn ended(&self, thread: &str, turn: &str, status: &'static str) -> Value {
        let mut state = self.state();
        let Some(thread) = state.threads.get_mut(thread) else { return Value::Null };
        thread.running = None;
        let Some(turn) = thread.turns.iter_mut().find(|t| t.id == turn) else { return Value::Null };
        turn.status = status;
        turn.view("summary")
    }
}

impl State {
    fn send(&self, client: u64, message: Message) {
        if let Some(sender) = self.clients.get(&client) {
            // A client that does not read is not waited for.
            drop(sender.try_send(message));
        }
    }
}

impl Turn {
    fn view(&self, items: &str) -> Value {
        let shown = if items == "full" { self.items.clone() } else { Vec::new() };
        json!({"id": self.id, "items": shown, "itemsView": items, "status": self.status, "error": null})
    }
}

impl Thread {
    fn turn_views(&self) -> Vec<Value> {
        self.turns.iter().map(|turn| turn.view("full")).collect()
    }

    fn view(&self, id: &str, turns: bool) -> Value {
        let seconds = self.created / 1000;
        let first = self.turns.first().and_then(|turn| turn.items.first());
        let preview = first.and_then(|item| item.pointer("/content/0/text")).cloned().unwrap_or_else(|| "".into());
        let turns = if turns { self.turn_views() } else { Vec::new() };
        let status = if self.running.is_some() { json!({"type": "active", "activeFlags": []}) } else { json!({"type": "idle"}) };
        json!({
            "id": id, "preview": preview, "modelProvider": "scripted", "createdAt": seconds, "updatedAt": seconds, "status": status,
            "path": null, "cwd": self.cwd, "cliVersion": super::RELEASE, "source": "vscode", "gitInfo": null, "name": null,
            "turns": turns,
        })
    }

    fn opened(&self, view: Value) -> Value {
        json!({
            "thread": view, "model": "scripted", "modelProvider": "scripted", "cwd": self.cwd, "approvalPolicy": "on-request",
            "sandbox": {"type": "workspaceWrite", "writableRoots": [], "networkAccess": false}, "reasoningEffort": null,
        })
    }
}

fn files(method: &str, path: &str) -> Answer {
    let failed = |e: std::io::Error| refused(format!("{path}: {e}"));
    if method == "fs/getMetadata" {
        let meta = std::fs::metadata(path).map_err(failed)?;
        let view = json!({"isDirectory": meta.is_dir(), "isFile": meta.is_file(), "isSymlink": false});
        return Ok((view, Then::Nothing));
    }
    let entries = std::fs::read_dir(path).map_err(failed)?.flatten();
    let view = |entry: std::fs::DirEntry| {
        let is_directory = entry.path().is_dir();
        json!({"fileName": entry.file_name().to_string_lossy(), "isDirectory": is_directory, "isFile": !is_directory})
    };
    Ok((json!({"entries": entries.map(view).collect::<Vec<_>>()}), Then::Nothing))
}
