//! What comes from the server while a link stands.

use std::time::Duration;

use serde_json::{Value, json};

use super::prompts::{prompt_id, shows_ids};
use super::{Asked, Hold, Out, Phase, Whose};
use crate::app_server::durable::catch_up::CatchUp;
use crate::app_server::durable::event::Event;
use crate::app_server::durable::method;
use crate::app_server::durable::questions::Put;
use crate::app_server::durable::say;
use crate::app_server::durable::track::Track;
use crate::rpc::message::{Message, RequestId, RpcError};

/// How many turns are asked for to know where the history that a client has ends; more than one, for somebody may roll some back.
const BASELINE: usize = 8;

impl Hold {
    /// Takes a message of the server.
    pub fn server(&mut self, message: Message, now: Duration, out: &mut Out) {
        match message {
            Message::Response { id: RequestId::Number(number), result } => {
                self.heard = now;
                if let Some(asked) = self.asked.remove(&number) {
                    self.answered(asked, result, (now, out));
                }
            }
            Message::Response { .. } => {}
            Message::Request { .. } | Message::Notification { .. } => {
                if self.deadline().is_none() {
                    // What is asked because of this is waited for from now on.
                    self.heard = now;
                }
                self.said(message, out);
            }
        }
    }

    /// A request or notification: held while its thread is being caught up with.
    fn said(&mut self, message: Message, out: &mut Out) {
        let thread = message.params().and_then(|p| say::text(p, &["threadId"]));
        if let Some(catch_up) = thread.and_then(|t| self.catching_up.get_mut(t)) {
            return catch_up.held.push(message);
        }
        if thread.is_none() && self.was_said(&message) {
            return;
        }
        if let Some(thread) = self.in_doubt(&message) {
            // Whether what was left open was declined, or still runs, is asked before the end of the turn is told.
            self.catching_up.insert(thread.clone(), CatchUp::new(&thread));
            self.ask_about(&thread, out);
            return self.said(message, out);
        }
        self.hand_on(message, out);
    }

    /// The thread of a turn that ends with an item of which nobody knows what became.
    fn in_doubt(&self, message: &Message) -> Option<String> {
        let (Some("turn/completed"), Some(params)) = (message.method(), message.params()) else { return None };
        let track = self.threads.get(say::text(params, &["threadId"])?)?;
        (!track.doubtful(say::turn_of(params)?).is_empty()).then(|| track.id.clone())
    }

    /// Whether the client has heard what a server says to everybody who comes.
    fn was_said(&mut self, message: &Message) -> bool {
        let (Some(method), Some(params)) = (message.method(), message.params()) else { return false };
        if !method::said_on_arrival(method) {
            return false;
        }
        let same = self.greetings.insert(method.to_owned(), params.clone()).as_ref() == Some(params);
        // Some of it comes only after the first answers.
        self.phase != Phase::Live || same && self.returned
    }

    /// A request or notification goes to the client, once.
    pub(super) fn hand_on(&mut self, message: Message, out: &mut Out) {
        match message {
            Message::Request { id, method, params } => self.put((id, method, params), out),
            Message::Notification { ref method, ref params } if method == "serverRequest/resolved" => {
                let id = params.get("requestId").and_then(|id| serde_json::from_value(id.clone()).ok());
                let Some(settled) = id.and_then(|id| self.questions.resolved(&id)) else { return };
                out.to_client.extend(settled.told);
                let refused = settled.refused.as_ref();
                if let Some((track, item)) = refused.and_then(|(t, item)| Some((self.threads.get_mut(t)?, item))) {
                    track.refused(item);
                }
            }
            Message::Notification { ref method, ref params } => {
                self.delivered(params, out);
                let ended = say::text(params, &["turn", "id"]).filter(|_| method == "turn/completed").map(str::to_owned);
                let (closed, thread) = (method == "thread/closed", say::text(params, &["threadId"]).map(str::to_owned));
                match thread.as_ref().and_then(|t| self.threads.get_mut(t)) {
                    Some(track) => track.pass(message, &mut out.to_client),
                    None => out.to_client.push(message),
                }
                if let Some(thread) = thread.as_ref().filter(|_| closed) {
                    self.threads.remove(thread);
                }
                ended.iter().for_each(|turn| self.turn_over(turn, out));
                if let Some(thread) = thread.filter(|_| closed || ended.is_some()) {
                    self.look_again(&thread);
                }
            }
            Message::Response { .. } => {}
        }
    }

    fn put(&mut self, (id, method, params): (RequestId, String, Value), out: &mut Out) {
        let (thread, item) = (say::text(&params, &["threadId"]), say::text(&params, &["itemId"]));
        if let Some((track, item)) = thread.and_then(|t| self.threads.get_mut(t)).zip(item) {
            track.asked_again(item);
        }
        match self.questions.put(id, method, params) {
            Put::ToClient(message) => out.to_client.push(message),
            Put::ToServer(message) => out.to_server.push(message),
            Put::Nothing => {}
        }
    }

    /// A prompt is seen on the server.
    pub(super) fn delivered(&mut self, params: &Value, out: &mut Out) {
        let Some(message) = params.get("item").and_then(say::client_id).map(str::to_owned) else { return };
        let turn = say::turn_of(params).unwrap_or_default().to_owned();
        self.seen(&message, &turn, out);
    }

    pub(super) fn seen(&mut self, message: &str, turn: &str, out: &mut Out) {
        if let Some(prompt) = self.prompts.done(message) {
            self.answer_lost(message, turn, out);
            let (thread, message, turn) = (prompt.thread, message.to_owned(), turn.to_owned());
            out.events.push(Event::Delivered { thread, message, turn });
        }
    }

    fn answered(&mut self, asked: Asked, result: Result<Value, RpcError>, at: (Duration, &mut Out)) {
        let (now, out) = at;
        match &asked.whose {
            Whose::Client { id, again, .. } => {
                let result = if *again { settled(&asked.method, result) } else { result };
                self.learn(&asked, &result, out);
                out.to_client.push(Message::response(id.clone(), result));
                self.learned(&asked, out);
            }
            Whose::Greeting => self.greeted(result, (now, out)),
            Whose::CatchUp(thread) => self.caught(&thread.clone(), result, (now, out)),
            Whose::Baseline(thread) => {
                if let (Some(track), Ok(value)) = (self.threads.get_mut(thread), result) {
                    track.seed_older(&value, &json!({"sortDirection": "desc"}));
                    track.history_known = true;
                }
            }
            Whose::Lookup(prompt) => self.looked((&prompt.clone(), &asked.method), result, (now, out)),
            Whose::SentAgain { message, .. } => match result {
                Ok(value) => self.promise(message, &value),
                Err(_) => self.give_back(message, out),
            },
        }
    }

    /// What an answer to the client says about threads and prompts.
    fn learn(&mut self, asked: &Asked, result: &Result<Value, RpcError>, out: &mut Out) {
        let thread = say::text(&asked.params, &["threadId"]);
        let Ok(value) = result else {
            if let Some(id) = prompt_id(&asked.params) {
                drop(self.prompts.done(id));
            }
            return;
        };
        match asked.method.as_str() {
            "initialize" => {
                self.codex_home = say::text(value, &["codexHome"]).map(str::to_owned);
                self.shows_ids = shows_ids(value);
                self.greeted = true;
            }
            "thread/start" | "thread/resume" | "thread/fork" => self.subscribe(asked, value, out),
            "thread/unsubscribe" => {
                if let Some(thread) = thread.filter(|t| self.threads.remove(*t).is_some()) {
                    self.catching_up.remove(thread);
                    self.look_again(thread);
                }
            }
            "thread/turns/list" | "thread/read" => {
                if let Some(track) = thread.and_then(|t| self.threads.get_mut(t)) {
                    track.seed_older(value, &asked.params);
                }
            }
            "thread/items/list" => {
                if let Some(track) = thread.and_then(|t| self.threads.get_mut(t)) {
                    track.seed_items(value, &asked.params);
                }
            }
            "turn/start" | "turn/steer" => {
                if let Some(id) = prompt_id(&asked.params) {
                    self.promise(id, value);
                }
                self.expect(thread, value);
            }
            _ => {}
        }
    }

    fn promise(&mut self, id: &str, value: &Value) {
        let turn = say::turn_of(value).map(str::to_owned);
        if let Some(prompt) = self.prompts.get(id) {
            prompt.turn = turn;
            let thread = prompt.thread.clone();
            self.expect(Some(&thread), value);
        }
    }

    /// The client asked for a turn, and is to be told of it.
    fn expect(&mut self, thread: Option<&str>, value: &Value) {
        if let Some((track, turn)) = thread.and_then(|t| self.threads.get_mut(t)).zip(say::turn_of(value)) {
            track.expect(turn);
        }
    }

    /// What follows from an answer once the client has it.
    fn learned(&mut self, asked: &Asked, out: &mut Out) {
        let Some(thread) = say::text(&asked.params, &["threadId"]).filter(|_| asked.method == "turn/start") else { return };
        if let Some(track) = self.threads.get_mut(thread).filter(|t| t.unprompted) {
            // The first prompt made the thread known to the server's store: now it can be resumed.
            track.unprompted = false;
            self.catch_up_late(thread, out);
        }
    }

    fn subscribe(&mut self, asked: &Asked, value: &Value, out: &mut Out) {
        let Some((thread, id)) = value.get("thread").and_then(|t| Some((t, say::text(t, &["id"])?))) else { return };
        let new = asked.method == "thread/start";
        let mut track = Track::new(id, thread, new);
        if let Some(page) = value.get("initialTurnsPage").filter(|p| p.is_object()) {
            track.seed_older(page, &json!({"sortDirection": "desc"}));
            track.history_known = true;
        }
        let known = track.history_known;
        self.threads.insert(id.to_owned(), track);
        self.questions.wanted(id);
        if let Some(held) = self.catching_up.remove(id).map(|c| c.held) {
            held.into_iter().for_each(|m| self.hand_on(m, out));
        }
        if !known {
            let params = json!({"threadId": id, "limit": BASELINE, "sortDirection": "desc", "itemsView": "notLoaded"});
            self.ask((Whose::Baseline(id.to_owned()), "thread/turns/list", params), out);
        }
    }
}

/// An interrupt that is sent again may find its turn gone: that is what was wanted.
fn settled(method: &str, result: Result<Value, RpcError>) -> Result<Value, RpcError> {
    match result {
        Err(e) if method == "turn/interrupt" && e.message.contains("no active turn") => Ok(json!({})),
        other => other,
    }
}
