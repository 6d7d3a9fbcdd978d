//! What one client has been told of one item.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::app_server::durable::say;
use crate::rpc::message::Message;

/// Text kept to find what is missing of a frozen item, in bytes; of a longer one only the finished item is told.
const SEEN: usize = 1024 * 1024;
/// Pieces held for a frozen item, in bytes; they are only needed when its turn ends without it.
const HELD: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(in crate::app_server::durable) struct Item {
    pub id: String,
    /// Its type; empty when it is not known.
    pub kind: String,
    /// As told at its start; null when the client was never told, and again once it is done.
    pub value: Value,
    pub started: bool,
    pub done: bool,
    pub frozen: bool,
    /// Was declined, by the client or (when its approval was open at a cut and did not come again) by somebody else.
    pub asked: bool,
    /// Is done because it was taken for declined: nobody said so, and its real end may come.
    pub guessed: bool,
    pub seen: String,
    pub seen_all: bool,
    pub held: Vec<Message>,
    held_bytes: usize,
    /// Of a finished one, what its words hash to.
    words: u64,
}

impl Item {
    pub fn new(id: &str, value: &Value, frozen: bool) -> Self {
        let (started, kind) = (!value.is_null(), kind(value).to_owned());
        Self { id: id.to_owned(), kind, value: value.clone(), started, frozen, seen_all: true, ..Self::default() }
    }

    /// One that is first heard of by a piece (`item/KIND/…`). Without a cut the client came in the middle of it and has to
    /// make of it what it can.
    pub fn of_piece(id: &str, method: &str, cut: bool) -> Self {
        let kind = method.split('/').nth(1).unwrap_or_default().to_owned();
        Self { kind, started: !cut, seen_all: cut, ..Self::new(id, &Value::Null, cut) }
    }

    pub fn is_command(&self) -> bool {
        self.kind == "commandExecution"
    }

    /// Whether it is taken for declined when its turn ends without its end.
    pub fn may_be_declined(&self) -> bool {
        self.asked && matches!(say::text(&self.value, &["type"]), Some("commandExecution" | "fileChange"))
    }

    pub fn see(&mut self, delta: &str) {
        self.seen_all &= self.seen.len() + delta.len() <= SEEN;
        if self.seen_all {
            self.seen.push_str(delta);
        }
    }

    pub fn hold(&mut self, message: Message) {
        let bytes = message.params().and_then(|p| say::text(p, &["delta"])).map_or(64, str::len);
        if self.held_bytes + bytes <= HELD {
            self.held_bytes += bytes;
            self.held.push(message);
        }
    }

    /// It is taken for this, until its end comes.
    pub fn guess(&mut self, value: &Value) {
        (self.done, self.guessed, self.words) = (true, true, words(value));
    }

    pub fn end(&mut self, value: &Value) {
        let (id, kind) = (std::mem::take(&mut self.id), kind(value).to_owned());
        *self = Self { id, kind, words: words(value), started: true, done: true, ..Self::default() };
    }

    /// Whether one that is finished has the words of this one, as far as the client has been told.
    pub fn reads_like(&self, given: &Value) -> bool {
        match say::whole_text(given) {
            _ if self.done => self.words == words(given),
            Some(whole) if self.seen_all => whole.starts_with(&self.seen),
            Some(_) | None => true,
        }
    }
}

fn kind(value: &Value) -> &str {
    say::text(value, &["type"]).unwrap_or_default()
}

/// What tells an item from another of its kind, where that is known.
fn words(item: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match kind(item) {
        "agentMessage" | "plan" => say::text(item, &["text"]).hash(&mut hasher),
        "reasoning" => item.get("summary").map(Value::to_string).hash(&mut hasher),
        "userMessage" => {
            let parts = item.get("content").and_then(Value::as_array).into_iter().flatten();
            parts.filter_map(|part| say::text(part, &["text"])).for_each(|text| text.hash(&mut hasher));
        }
        _ => {}
    }
    hasher.finish()
}
