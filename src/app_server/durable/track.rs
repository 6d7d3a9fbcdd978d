//! What one client has been told of one thread, and the filter that tells it each thing once.
//!
//! While nothing was cut the filter changes nothing. An item that was open at a cut is *frozen*: the server does not tell
//! again what was missed of it, so its further pieces are held until the finished item has the whole text.

mod item;
mod ours;
mod rest;
mod same;

use std::collections::HashSet;

use serde_json::{Value, json};

pub(super) use self::item::Item;
use self::rest::{flush, gap_like, missing};
use super::method;
use super::say::{self, At};
use crate::rpc::message::Message;

/// How many turns are remembered: enough to know where the client's knowledge ends.
const TURNS: usize = 16;
/// Of how many of them the items are remembered, for those that end after their turn.
const TURNS_WITH_ITEMS: usize = 4;
/// Stands where text is missing and will never be known.
pub const GAP: &str = "[…]";

/// What a client knows of a thread.
#[derive(Debug)]
pub struct Track {
    /// The thread.
    pub id: String,
    /// The last status the client was told.
    pub status: Option<Value>,
    /// Whether the turns that the client knows, or had before it came, are known here.
    pub history_known: bool,
    /// The server refuses to resume it before its first prompt.
    pub unprompted: bool,
    /// It is never kept, so it can never be resumed.
    pub ephemeral: bool,
    /// Whether a person's prompt was sent to it. A stock client has ephemeral threads of its own, for titles.
    pub spoken_to: bool,
    /// How often the server in a row refused to resume it when the link went.
    pub refusals: u32,
    /// Turns that the client asked for, and that it was told nothing of yet.
    pub(super) expected: Vec<String>,
    /// The newest turn that there was when it was not known where the client's history ends.
    pub(super) boundary: Option<String>,
    /// Commands that were seen to run beyond the end of their turn.
    pub(super) terminals: HashSet<String>,
    pub(super) turns: Vec<Turn>,
}

#[derive(Debug, Default)]
pub(super) struct Turn {
    pub id: String,
    /// As last told.
    pub value: Value,
    pub over: bool,
    /// Events of it may have been missed.
    pub cut: bool,
    /// A command that the client was told nothing of goes on behind the end of this turn, or may.
    pub lasting: bool,
    pub items: Vec<Item>,
}

/// An item that is finished.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finished<'a> {
    /// Its turn.
    pub turn: &'a str,
    /// The item.
    pub value: &'a Value,
    /// When; may be null.
    pub ms: &'a Value,
}

impl Turn {
    pub fn new(id: &str, value: &Value) -> Self {
        Self { id: id.to_owned(), value: value.clone(), ..Self::default() }
    }

    pub fn item(&mut self, id: &str) -> Option<&mut Item> {
        self.items.iter_mut().rev().find(|i| i.id == id)
    }

    /// Over, and nothing of it can end any more.
    pub fn settled(&self) -> bool {
        let may_end = |i: &Item| i.guessed || !i.done && say::text(&i.value, &["type"]) == Some("commandExecution");
        self.over && !self.lasting && !self.items.iter().any(may_end)
    }
}

impl Track {
    /// A thread that the client has just been given by the answer of `thread/start`, `resume` or `fork`.
    #[must_use]
    pub fn new(id: &str, thread: &Value, history_known: bool) -> Self {
        let mut track = Self {
            id: id.to_owned(),
            status: thread.get("status").filter(|s| !s.is_null()).cloned(),
            history_known,
            unprompted: false,
            ephemeral: thread.get("ephemeral").and_then(Value::as_bool).unwrap_or(false),
            spoken_to: false,
            refusals: 0,
            expected: Vec::new(),
            boundary: None,
            terminals: HashSet::new(),
            turns: Vec::new(),
        };
        let turns = thread.get("turns").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        track.history_known |= !turns.is_empty();
        let mut turns = turns.to_vec();
        say::end_the_dead(&mut turns);
        track.seed_turns(turns.iter());
        track
    }

    /// Turns that the client was shown, oldest first.
    pub fn seed_turns<'a>(&mut self, turns: impl Iterator<Item = &'a Value>) {
        for turn in turns {
            let Some(id) = say::text(turn, &["id"]) else { continue };
            if self.turn(id).is_none() {
                let over = !say::runs(turn);
                self.turns.push(Turn { over, ..Turn::new(id, turn) });
            }
            for item in turn.get("items").and_then(Value::as_array).into_iter().flatten() {
                self.seed_item(id, item);
            }
        }
        self.prune();
    }

    /// Turns that the client was shown on request (`thread/turns/list`, `thread/read`), older than what it knows.
    pub fn seed_older(&mut self, answer: &Value, asked: &Value) {
        let whole = answer.get("thread").and_then(|t| t.get("turns"));
        let Some(listed) = answer.get("data").or(whole).and_then(Value::as_array) else { return };
        let mut older: Vec<Value> = listed.clone();
        if whole.is_none() && say::text(asked, &["sortDirection"]) != Some("asc") {
            older.reverse();
        }
        let known = std::mem::take(&mut self.turns);
        say::end_the_dead(&mut older);
        older.retain(|turn| !known.iter().any(|k| Some(k.id.as_str()) == say::text(turn, &["id"])));
        self.seed_turns(older.iter());
        self.turns.extend(known);
        self.prune();
    }

    /// Items that the client was shown by `thread/items/list`.
    pub fn seed_items(&mut self, answer: &Value, asked: &Value) {
        let listed = answer.get("data").and_then(Value::as_array).into_iter().flatten();
        let mut shown: Vec<(&str, &Value)> = listed.filter_map(|e| say::text(e, &["turnId"]).zip(e.get("item"))).collect();
        if say::text(asked, &["sortDirection"]) == Some("desc") {
            shown.reverse();
        }
        for of_turn in shown.chunk_by(|a, b| a.0 == b.0) {
            let items: Vec<&Value> = of_turn.iter().map(|(_, item)| *item).collect();
            for ((turn, item), name) in of_turn.iter().zip(self.names(of_turn.first().map_or("", |e| e.0), &items)) {
                match name {
                    Some(id) => self.seed_item(turn, &say::named(item, &id)),
                    None => self.seed_item(turn, item),
                }
            }
        }
    }

    /// An item that the client was shown in a list.
    pub fn seed_item(&mut self, turn: &str, item: &Value) {
        let running = say::text(item, &["status"]) == Some("inProgress");
        let (Some(id), Some(turn)) = (say::text(item, &["id"]), self.turn(turn)) else { return };
        if turn.item(id).is_none() {
            let mut shown = Item::new(id, item, false);
            if !running {
                shown.end(item);
            }
            turn.items.push(shown);
        }
    }

    pub(super) fn turn(&mut self, id: &str) -> Option<&mut Turn> {
        self.turns.iter_mut().rev().find(|t| t.id == id)
    }

    fn turn_or_new(&mut self, id: &str) -> Option<&mut Turn> {
        if self.turn(id).is_none() {
            self.turns.push(Turn::new(id, &json!({"id": id, "items": [], "status": "inProgress"})));
        }
        self.turn(id)
    }

    /// Whether a turn runs, as far as the client knows.
    #[must_use]
    pub fn working(&self) -> bool {
        self.turns.iter().any(|t| !t.over)
    }

    /// Whether a turn runs, as the server says; where it says nothing, as far as the client knows.
    #[must_use]
    pub fn active(&self) -> bool {
        let status = self.status.as_ref().and_then(|status| say::text(status, &["type"]));
        status.map_or_else(|| self.working(), |status| status == "active")
    }

    /// The link was lost: whatever is open has a gap from now on.
    pub fn cut(&mut self, asked: &[String]) {
        for turn in self.turns.iter_mut().filter(|t| !t.settled()) {
            turn.cut = true;
            for item in turn.items.iter_mut().filter(|i| !i.done) {
                if let Some(gap) = item.held.last().and_then(gap_like) {
                    item.held.push(gap);
                }
                item.frozen = true;
                item.asked |= asked.contains(&item.id);
            }
        }
    }

    /// An approval that was thought gone is there again.
    pub fn asked_again(&mut self, item: &str) {
        self.set_asked(item, false);
    }

    /// The client said no, and the server heard it: should its word of that be lost with a link, nothing else tells it.
    pub fn refused(&mut self, item: &str) {
        self.set_asked(item, true);
    }

    fn set_asked(&mut self, item: &str, asked: bool) {
        let items = self.turns.iter_mut().flat_map(|turn| turn.items.iter_mut());
        items.filter(|i| i.id == item && !i.done).for_each(|i| i.asked = asked);
    }

    /// Passes a notification of this thread on, changes it, holds it, or drops what the client has been told already.
    pub fn pass(&mut self, message: Message, out: &mut Vec<Message>) {
        let Message::Notification { method, params } = &message else { return out.push(message) };
        match method.as_str() {
            "turn/started" => self.turn_started(message, out),
            "turn/completed" => {
                let (turn, id) = (params.get("turn").cloned().unwrap_or_default(), say::turn_of(params).map(str::to_owned));
                match id {
                    Some(id) => self.turn_over((&id, &turn), Some(message), out),
                    None => out.push(message),
                }
            }
            "item/started" => self.item_started(message, out),
            "item/completed" => self.item_completed(message, out),
            "thread/status/changed" => self.status_changed(message, out),
            _ if method::piece(method).is_some() => self.piece(message, out),
            _ => out.push(message),
        }
    }

    fn status_changed(&mut self, message: Message, out: &mut Vec<Message>) {
        let status = message.params().and_then(|p| p.get("status")).cloned();
        if status.is_none() || status != self.status {
            self.status = status;
            out.push(message);
        }
    }

    fn turn_started(&mut self, message: Message, out: &mut Vec<Message>) {
        let turn = message.params().and_then(|p| p.get("turn")).cloned().unwrap_or_default();
        let Some(id) = say::text(&turn, &["id"]) else { return out.push(message) };
        if self.turn(id).is_none() {
            self.turns.push(Turn::new(id, &turn));
            self.prune();
            out.push(message);
        }
    }

    fn item_started(&mut self, message: Message, out: &mut Vec<Message>) {
        let item = message.params().and_then(|p| p.get("item")).cloned().unwrap_or_default();
        let Some((turn, id)) = message.params().and_then(say::turn_of).zip(say::text(&item, &["id"])) else {
            return out.push(message);
        };
        if let Some(turn) = self.turn_or_new(turn)
            && turn.item(id).is_none()
        {
            turn.items.push(Item::new(id, &item, false));
            out.push(message);
        }
    }

    fn piece(&mut self, message: Message, out: &mut Vec<Message>) {
        let method = message.method().unwrap_or_default();
        let Some((turn, id)) = message.params().and_then(|p| say::turn_of(p).zip(say::item_of(p))) else {
            return out.push(message);
        };
        let Some(turn) = self.turn_or_new(turn) else { return };
        if turn.item(id).is_none() {
            // Without a cut the client came in the middle of the item and has to make of it what it can.
            turn.items.push(Item::of_piece(id, method, turn.cut));
        }
        match turn.item(id) {
            Some(item) if item.done => {}
            Some(item) if item.frozen => {
                // It was not declined.
                item.asked = false;
                item.hold(message);
            }
            Some(item) => {
                if let Some(delta) = message.params().and_then(|p| say::text(p, &["delta"])) {
                    item.see(delta);
                }
                out.push(message);
            }
            None => out.push(message),
        }
    }

    fn item_completed(&mut self, message: Message, out: &mut Vec<Message>) {
        let params = message.params().cloned().unwrap_or_default();
        let Some((turn, item)) = say::turn_of(&params).zip(params.get("item")) else { return out.push(message) };
        let ms = params.get("completedAtMs").cloned().unwrap_or_default();
        self.item_done(Finished { turn, value: item, ms: &ms }, Some(message), out);
    }

    /// Tells that an item is finished, with whatever the client missed of it before.
    pub(super) fn item_done(&mut self, item: Finished<'_>, message: Option<Message>, out: &mut Vec<Message>) {
        let (Finished { turn: turn_id, value, ms }, thread) = (item, self.id.clone());
        let Some(id) = say::text(value, &["id"]) else { return out.extend(message) };
        let Some(turn) = self.turn_or_new(turn_id) else { return };
        let (at, cut) = (At { thread: &thread, turn: turn_id }, turn.cut || message.is_none());
        if turn.item(id).is_none() {
            turn.items.push(Item::new(id, &Value::Null, cut));
        }
        let Some(item) = turn.item(id) else { return };
        // It was not declined after all: this is its end.
        if item.guessed {
            out.extend(missing(at, item, value));
            item.end(value);
            return out.push(message.unwrap_or_else(|| say::item_completed(at, value.clone(), ms)));
        }
        if item.done {
            return;
        }
        if cut && !item.started {
            out.push(say::item_started(at, value, ms));
        }
        if item.frozen || message.is_none() {
            out.extend(missing(at, item, value));
        }
        item.end(value);
        out.push(message.unwrap_or_else(|| say::item_completed(at, value.clone(), ms)));
    }

    /// Tells that a turn is over, after what is left of its items.
    pub(super) fn turn_over(&mut self, turn: (&str, &Value), message: Option<Message>, out: &mut Vec<Message>) {
        let ((id, value), thread, terminals) = (turn, self.id.clone(), self.terminals.clone());
        let Some(turn) = self.turn_or_new(id) else { return };
        if turn.over {
            return;
        }
        let at = At { thread: &thread, turn: id };
        let whole = say::text(value, &["status"]) == Some("completed");
        for item in turn.items.iter_mut().filter(|i| !i.done) {
            item.asked &= !terminals.contains(&item.id);
            // A command that goes on behind its turn has its end before it.
            if !(whole && item.is_command()) {
                flush(at, item, out);
            }
            // Of a turn that died with its server nobody declined anything: it is open there, as a live server leaves it.
            if item.may_be_declined() && !say::interrupted(value) {
                let declined = say::declined(&item.value);
                item.guess(&declined);
                out.push(say::item_completed(at, declined, &Value::Null));
            }
        }
        turn.over = true;
        // What began while there was no link may go on: the next recovery asks.
        turn.lasting |= turn.cut && message.is_some();
        turn.value = json!({"id": id, "items": [], "status": say::text(value, &["status"])});
        out.push(message.unwrap_or_else(|| say::turn_completed(&thread, value)));
        self.prune();
    }

    fn prune(&mut self) {
        let told = std::mem::take(&mut self.expected).into_iter().filter(|id| !self.knows(id));
        self.expected = told.collect();
        let many = self.turns.len();
        let mut at = 0;
        self.turns.retain(|turn| {
            at += 1;
            !turn.over || many - at < TURNS
        });
        let over = self.turns.iter_mut().rev().filter(|t| t.over).skip(TURNS_WITH_ITEMS);
        over.for_each(|turn| (turn.items, turn.lasting) = (Vec::new(), false));
    }
}
