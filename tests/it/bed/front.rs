//! A front end that writes down all it hears: the durable connection of a host, without any words or colours.

use std::time::Duration;

use outpost::app_server::durable::driver::Durable;
use outpost::app_server::durable::event::Event;
use outpost::app_server::durable::link::State;
use outpost::app_server::durable::settings::Settings;
use outpost::name::Alias;
use outpost::project::keeper::Keeper;
use outpost::remote::Want;
use outpost::rpc::message::RequestId;
use outpost::rpc::peer::{Incoming, Peer};
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::Context;
use outpost::step::Nobody;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::sandbox::Sandbox;
use super::tap::Tap;

/// Longer than anything here takes: a link that is dead is known in 10 s, and seven of these may share two cores.
const LIMIT: Duration = Duration::from_secs(60);

/// The front end.
pub(crate) struct Front {
    pub(crate) peer: Peer,
    incoming: mpsc::Receiver<Incoming>,
    pub(crate) heard: Vec<Incoming>,
    pub(crate) state: watch::Receiver<State>,
    pub(crate) events: mpsc::Receiver<Event>,
}

impl Front {
    /// Reaches a host of the sandbox and says hello.
    pub(crate) async fn reach(sandbox: &Sandbox, alias: &str, settings: Settings) -> Self {
        Self::tapped(sandbox, alias, (settings, &Tap::default())).await
    }

    /// As [`Self::reach`], over links that may be tapped.
    pub(crate) async fn tapped(sandbox: &Sandbox, alias: &str, (settings, tap): (Settings, &Tap)) -> Self {
        let local = sandbox.local();
        let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
        let alias: Alias = alias.parse().unwrap();
        let (keeper, reached) = Keeper::reach(&context, &alias, Want::server()).await.unwrap();
        let identity = reached.identity();
        let durable = Durable::start((tap.on(reached.into_wire()), identity), tap.dial(keeper.dial()), settings);
        let (peer, incoming) = Peer::start(durable.wire);
        let front = Self { peer, incoming, heard: Vec::new(), state: durable.state, events: durable.events };
        let hello = json!({"clientInfo": {"name": "front", "version": "0"}, "capabilities": {"experimentalApi": true}});
        front.call("initialize", hello).await;
        front.peer.notify("initialized", Value::Null).await.unwrap();
        front
    }

    /// Asks, and expects a result.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let asked = tokio::time::timeout(LIMIT, self.peer.call(method, params)).await;
        asked.unwrap_or_else(|_| panic!("no answer to {method}")).unwrap_or_else(|e| panic!("{method}: {e:?}"))
    }

    /// Starts a thread; gives its id.
    pub(crate) async fn thread(&self, cwd: &std::path::Path) -> String {
        text(&self.call("thread/start", json!({"cwd": cwd})).await, &["thread", "id"]).to_owned()
    }

    /// A prompt with its `clientUserMessageId`.
    pub(crate) fn prompt(thread: &str, id: &str, words: &str) -> Value {
        json!({"threadId": thread, "input": [{"type": "text", "text": words}], "clientUserMessageId": id})
    }

    /// Listens until something comes; gives it.
    pub(crate) async fn until(&mut self, what: &str, is_it: impl Fn(&Incoming) -> bool) -> Incoming {
        loop {
            let next = tokio::time::timeout(LIMIT, self.incoming.recv()).await;
            let next = next.unwrap_or_else(|_| {
                let events: Vec<Event> = std::iter::from_fn(|| self.events.try_recv().ok()).collect();
                let (story, last) = (self.story(), self.heard.iter().rev().take(6).collect::<Vec<_>>());
                panic!("never heard {what}; {story:?}; {events:#?}; {:?}; last {last:#?}", *self.state.borrow());
            });
            let next = next.unwrap_or_else(|| panic!("the connection ended: {}", self.peer.why_ended()));
            self.heard.push(next.clone());
            if is_it(&next) {
                return next;
            }
        }
    }

    pub(crate) async fn until_method(&mut self, wanted: &str) -> Incoming {
        self.until(wanted, |m| method(m) == wanted).await
    }

    pub(crate) async fn answer(&self, asked: &Incoming, decision: &str) {
        self.peer.respond(request_id(asked), Ok(json!({"decision": decision}))).await.unwrap();
    }

    /// Waits for a state of link, server and agent.
    pub(crate) async fn until_state(&mut self, what: &str, is_it: impl Fn(&State) -> bool) {
        let found = tokio::time::timeout(LIMIT, self.state.wait_for(|s| is_it(s))).await;
        found.unwrap_or_else(|_| panic!("never {what}")).unwrap();
    }

    /// All it heard of items and turns, a word each: `item(`, its text, `)item`, `}status`.
    pub(crate) fn story(&self) -> Vec<String> {
        let mut story: Vec<String> = Vec::new();
        for message in &self.heard {
            let params = params(message);
            let (kind, status) = (text(params, &["item", "type"]), text(params, &["item", "status"]));
            match method(message) {
                "turn/started" => story.push("turn{".into()),
                "turn/completed" => story.push(format!("}}{}", text(params, &["turn", "status"]))),
                "item/started" => story.push(format!("{kind}(")),
                "item/completed" => story.push(format!("){kind} {status}").trim_end().into()),
                // Whether a short command streams what it prints is up to Codex, so that is not part of it.
                "item/agentMessage/delta" => {
                    let delta = text(params, &["delta"]);
                    match story.last_mut().filter(|last| last.starts_with("> ")) {
                        Some(last) => last.push_str(delta),
                        None => story.push(format!("> {delta}")),
                    }
                }
                "item/commandExecution/requestApproval" | "item/fileChange/requestApproval" => story.push("?".into()),
                _ => {}
            }
        }
        story
    }
}

pub(crate) fn method(message: &Incoming) -> &str {
    match message {
        Incoming::Request { method, .. } | Incoming::Notification { method, .. } => method,
    }
}

pub(crate) fn params(message: &Incoming) -> &Value {
    match message {
        Incoming::Request { params, .. } | Incoming::Notification { params, .. } => params,
    }
}

pub(crate) fn request_id(message: &Incoming) -> RequestId {
    match message {
        Incoming::Request { id, .. } => id.clone(),
        Incoming::Notification { .. } => panic!("{message:?} wants no answer"),
    }
}

/// A text field, empty when it is not there.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    path.iter().try_fold(value, |v, key| v.get(key)).and_then(Value::as_str).unwrap_or_default()
}
