//! A server as `docs/RELIABILITY.md` describes it, and a world of one client, one machine and one link, in virtual time.

mod server;

use std::time::Duration;

use serde_json::{Value, json};

use super::event::Event;
use super::hold::{Hold, Notes, Out};
use super::say;
use crate::rpc::message::{Message, RequestId, RpcError};
pub use server::{Do, FOR_EVER, Release, Server};

/// One client, one machine, one link, one server.
pub struct World {
    pub server: Server,
    pub hold: Hold,
    pub now: Duration,
    /// All that the client was sent.
    pub heard: Vec<Message>,
    pub events: Vec<Event>,
    pub up: bool,
    /// Requests of this method are lost on their way.
    pub loses: Option<&'static str>,
    /// What of an old connection is still on its way.
    pub late: Vec<Message>,
    /// Whether the old connection is ended before the next one stands; else what is late arrives soon after it does.
    pub fenced: bool,
    next: i64,
}

impl World {
    /// With a greeted client.
    pub fn new(notes: Notes) -> Self {
        let server = Server::default();
        let mut world = Self {
            server,
            hold: Hold::new(notes),
            now: Duration::ZERO,
            heard: Vec::new(),
            events: Vec::new(),
            up: false,
            loses: None,
            late: Vec::new(),
            fenced: true,
            next: 0,
        };
        world.link();
        world.call("initialize", json!({"clientInfo": {"name": "test"}}));
        world.send(Message::notification("initialized", Value::Null));
        world
    }

    /// A link comes up.
    pub fn link(&mut self) {
        if !self.up {
            self.up = true;
            self.server.connect();
            let mut out = Out::default();
            self.hold.up(Some(self.server.epoch.to_string()), self.now, &mut out);
            let late = std::mem::take(&mut self.late);
            self.take(out);
            self.pump();
            if !self.fenced {
                late.into_iter().for_each(|m| self.arrives(m));
                self.pump();
            }
        }
    }

    /// Something that was late arrives at the server, and its answer goes nowhere.
    pub fn arrives(&mut self, message: Message) {
        let mut said = std::mem::take(&mut self.server.say);
        self.server.receive(message);
        self.server.say.retain(|m| self.up && !matches!(m, Message::Response { .. }));
        said.append(&mut self.server.say);
        self.server.say = said;
    }

    /// What is late arrives while there is no link.
    pub fn late_arrives(&mut self) {
        if !self.up {
            std::mem::take(&mut self.late).into_iter().for_each(|m| self.arrives(m));
        }
    }

    /// A link comes up, and goes when so many messages of the server have arrived.
    pub fn link_for(&mut self, messages: usize) {
        self.up = true;
        self.late.clear();
        self.server.connect();
        let mut out = Out::default();
        self.hold.up(Some(self.server.epoch.to_string()), self.now, &mut out);
        self.take(out);
        self.pump_some(messages);
    }

    /// The link goes.
    pub fn cut(&mut self) {
        self.up = false;
        self.server.connect();
        self.hold.down(self.now);
    }

    /// The server is killed, and the link with it.
    pub fn kill(&mut self) {
        self.cut();
        // What was on its way to it leads nowhere.
        self.late.clear();
        self.server.kill();
    }

    pub fn take(&mut self, out: Out) {
        assert_eq!(out.stop, None);
        if out.hang_up.is_some() {
            self.cut();
        }
        self.heard.extend(out.to_client);
        self.events.extend(out.events);
        if self.up {
            let arrives = |m: &Message| self.loses.is_none() || m.method() != self.loses;
            out.to_server.into_iter().filter(arrives).for_each(|m| self.server.receive(m));
        } else {
            assert_eq!(out.to_server, [], "there is no link");
        }
    }

    /// Messages cross until there are none.
    pub fn pump(&mut self) {
        while let Some(message) = self.server.next() {
            let mut out = Out::default();
            self.hold.server(message, self.now, &mut out);
            self.take(out);
        }
    }

    /// So many messages of the server arrive.
    pub fn pump_few(&mut self, messages: usize) {
        for _ in 0..messages {
            let Some(message) = self.server.next() else { break };
            let mut out = Out::default();
            self.hold.server(message, self.now, &mut out);
            self.take(out);
        }
    }

    /// Of the messages that the server has ready only so many arrive, then the link goes.
    pub fn pump_some(&mut self, messages: usize) {
        self.pump_few(messages);
        self.cut();
    }

    /// The client sends.
    pub fn send(&mut self, message: Message) {
        let mut out = Out::default();
        self.hold.client(message, &mut out);
        self.take(out);
        self.pump();
    }

    /// The client asks; gives back its id.
    pub fn call(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.send(Message::request(RequestId::Number(id), method, params));
        id
    }

    /// The client asks, and the link goes before (`false`) or after (`true`) the server has it.
    pub fn call_into_cut(&mut self, method: &str, params: Value, arrives: bool) -> i64 {
        let id = self.next;
        self.next += 1;
        let mut out = Out::default();
        self.hold.client(Message::request(RequestId::Number(id), method, params), &mut out);
        if arrives {
            out.to_server.into_iter().for_each(|m| self.server.receive(m));
        }
        self.cut();
        id
    }

    /// The client asks, and the link goes while the server does not have it yet.
    pub fn call_into_late(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        let mut out = Out::default();
        self.hold.client(Message::request(RequestId::Number(id), method, params), &mut out);
        self.late.extend(out.to_server);
        self.cut();
        id
    }

    /// A prompt is answered, and nothing that the server says besides arrives.
    pub fn call_and_no_more(&mut self, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        let mut out = Out::default();
        self.hold.client(Message::request(RequestId::Number(id), "turn/start", params), &mut out);
        out.to_server.into_iter().for_each(|m| self.server.receive(m));
        self.server.say.retain(|m| matches!(m, Message::Response { .. }));
        self.pump();
        id
    }

    /// The agent acts.
    pub fn act(&mut self, thread: &str, what: Do) {
        self.server.act(thread, &what);
        if self.up { self.pump() } else { self.server.say.clear() }
    }

    /// Time passes.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.hold.wake_at().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            let mut out = Out::default();
            self.hold.tick(self.now, &mut out);
            self.take(out);
            self.pump();
        }
        self.now = until;
    }

    /// The answer to a request of the client; all of them, to see that there is one.
    pub fn answers(&self, id: i64) -> Vec<&Result<Value, RpcError>> {
        let of = |m: &'_ Message| matches!(m, Message::Response { id: i, .. } if *i == RequestId::Number(id));
        let found = self.heard.iter().filter(|m| of(m));
        found.filter_map(|m| if let Message::Response { result, .. } = m { Some(result) } else { None }).collect()
    }

    pub fn start_thread(&mut self) -> String {
        let id = self.call("thread/start", json!({"cwd": "/"}));
        self.answers(id).first().and_then(|r| say::text(r.as_ref().ok()?, &["thread", "id"])).unwrap_or_default().to_owned()
    }

    pub fn prompt(thread: &str, id: &str) -> Value {
        json!({"threadId": thread, "input": [{"type": "text", "text": "hi"}], "clientUserMessageId": id})
    }

    /// Open requests that the client was sent, oldest first.
    pub fn asked(&self) -> Vec<&RequestId> {
        self.heard.iter().filter_map(|m| if let Message::Request { id, .. } = m { Some(id) } else { None }).collect()
    }

    pub fn answer(&mut self, id: RequestId, decision: &str) {
        self.send(Message::response(id, Ok(json!({"decision": decision}))));
    }

    /// What the client heard of a thread, one word an event, deltas joined: the story a person sees.
    pub fn story(&self, thread: &str) -> Vec<String> {
        let mut story: Vec<String> = Vec::new();
        for message in &self.heard {
            let Some(params) = message.params().filter(|p| say::text(p, &["threadId"]) == Some(thread)) else { continue };
            let (method, item) = (message.method().unwrap_or_default(), say::item_of(params).unwrap_or_default());
            match method {
                "turn/started" => story.push("turn{".into()),
                "turn/completed" => story.push(format!("}}{}", say::text(params, &["turn", "status"]).unwrap_or_default())),
                "item/started" => story.push(format!("{item}(")),
                "item/completed" => {
                    let status = say::text(params, &["item", "status"]).unwrap_or_default();
                    story.push(format!("){item} {status}").trim_end().to_owned());
                }
                "thread/status/changed" => {}
                _ if method.ends_with("elta") => {
                    let delta = say::text(params, &["delta"]).unwrap_or_default();
                    match story.last_mut().filter(|last| last.starts_with(&format!("{item}:"))) {
                        Some(last) => last.push_str(delta),
                        None => story.push(format!("{item}:{delta}")),
                    }
                }
                "serverRequest/resolved" => story.push("resolved".into()),
                _ if matches!(message, Message::Request { .. }) => story.push(format!("ask {item}")),
                other => story.push(other.to_owned()),
            }
        }
        story
    }
}
