//! What the server has of a thread after a cut, and how the client is told the part that it missed.

use serde_json::Value;

use std::collections::HashSet;

use super::say;
use super::track::{Finished, Track, Turn};
use crate::rpc::message::Message;

/// One item as the server lists it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its turn.
    pub turn: String,
    /// The item.
    pub item: Value,
    /// When it began; may be null.
    pub began: Value,
}

impl Listed {
    fn named(&self, id: &str) -> Self {
        Self { item: say::named(&self.item, id), ..self.clone() }
    }
}

/// All that was asked of the server about one thread, in an order that leaves no gap: first the thread, then its turns,
/// then their items.
#[derive(Debug, Default)]
pub struct Harvest {
    /// The status of the thread.
    pub status: Option<Value>,
    /// The turns that the client does not know to be over, oldest first.
    pub turns: Vec<Value>,
    /// Their items, in order.
    pub items: Vec<Listed>,
    /// The turn at which the listing stopped: the client is told nothing of it and of what is older.
    pub boundary: Option<Value>,
    /// The commands that run beyond the end of their turn.
    pub terminals: HashSet<String>,
    /// The server could not list items. It gave the thread as a whole, and of turns that are over maybe not the commands.
    pub whole: bool,
}

impl Harvest {
    /// A turn.
    #[must_use]
    pub fn turn(&self, id: &str) -> Option<&Value> {
        self.turns.iter().find(|t| say::text(t, &["id"]) == Some(id))
    }
}

impl Track {
    /// Whether the client needs to be told about a turn that the server lists.
    #[must_use]
    pub fn wants(&self, turn: &Value) -> bool {
        let Some(id) = say::text(turn, &["id"]) else { return false };
        match self.turns.iter().find(|t| t.id == id) {
            Some(known) => !known.settled(),
            None => self.history_known || self.has_turns() || say::runs(turn) || self.awaits(turn),
        }
    }

    /// Whether turns older than this one need not be asked for.
    #[must_use]
    pub fn reaches(&self, turn: &Value) -> bool {
        let id = say::text(turn, &["id"]);
        match self.turns.iter().position(|t| Some(t.id.as_str()) == id) {
            Some(at) => self.turns.iter().take(at + 1).all(Turn::settled),
            None => !self.has_turns() && !self.history_known && !say::runs(turn) && self.expected.is_empty(),
        }
    }

    /// Whether a turn has ended unseen of which the server may have kept no commands.
    #[must_use]
    pub fn commands_lost(&self, harvest: &Harvest) -> bool {
        let unseen = |turn: &&Value| {
            let known = self.turns.iter().find(|t| say::text(turn, &["id"]) == Some(&t.id));
            !say::runs(turn) && known.is_none_or(|known| !known.over)
        };
        let has_commands = |turn: &Value| {
            let of_it = harvest.items.iter().filter(|e| say::text(turn, &["id"]) == Some(&e.turn));
            of_it.filter(|e| say::text(&e.item, &["type"]) == Some("commandExecution")).count() > 0
        };
        harvest.whole && harvest.turns.iter().filter(unseen).any(|turn| !has_commands(turn))
    }

    /// Tells the client what it missed.
    pub fn replay(&mut self, harvest: &Harvest, out: &mut Vec<Message>) {
        if let Some(turn) = harvest.boundary.as_ref().filter(|_| !self.has_turns()) {
            self.seed_turns(std::iter::once(turn));
            self.boundary = say::text(turn, &["id"]).map(str::to_owned);
        }
        self.terminals.clone_from(&harvest.terminals);
        self.lost_turns(harvest, out);
        for listed in &harvest.turns {
            let Some(id) = say::text(listed, &["id"]) else { continue };
            self.begin(id, listed, out);
            let entries: Vec<&Listed> = harvest.items.iter().filter(|e| e.turn == id).collect();
            let names = self.names(id, &entries.iter().map(|e| &e.item).collect::<Vec<_>>());
            for (entry, name) in entries.into_iter().zip(names) {
                match name {
                    Some(name) => self.replay_item(&entry.named(&name), say::runs(listed), out),
                    None => self.replay_item(entry, say::runs(listed), out),
                }
            }
            if !say::runs(listed) {
                self.turn_over((id, listed), None, out);
                let items = || self.turns.iter().flat_map(|turn| turn.items.iter());
                let lasting = harvest.terminals.iter().any(|id| !items().any(|item| item.id == *id));
                self.turn(id).into_iter().for_each(|turn| turn.lasting = lasting);
            }
        }
        self.history_known = true;
        self.expected.clear();
        self.replay_status(harvest, out);
    }

    fn begin(&mut self, id: &str, listed: &Value, out: &mut Vec<Message>) {
        if self.turn(id).is_none() {
            self.turns.push(Turn::new(id, listed));
            out.push(say::turn_started(&self.id, listed));
        }
        if let Some(turn) = self.turn(id) {
            turn.cut = true;
        }
    }

    fn replay_item(&mut self, entry: &Listed, runs: bool, out: &mut Vec<Message>) {
        let running = say::text(&entry.item, &["status"]) == Some("inProgress");
        if !running {
            let finished = Finished { turn: &entry.turn, value: &entry.item, ms: &entry.began };
            return self.item_done(finished, None, out);
        }
        if runs {
            let at = say::At { thread: &self.id.clone(), turn: &entry.turn };
            let before = out.len();
            self.pass(say::item_started(at, &entry.item, &entry.began), out);
            if out.len() > before {
                self.freeze(entry);
            }
        }
    }

    fn freeze(&mut self, entry: &Listed) {
        if let (Some(turn), Some(id)) = (self.turn(&entry.turn), say::text(&entry.item, &["id"]))
            && let Some(item) = turn.item(id)
        {
            item.frozen = true;
        }
    }

    /// Turns that ran at the cut and that the server does not have any more: it was killed before it kept them.
    fn lost_turns(&mut self, harvest: &Harvest, out: &mut Vec<Message>) {
        let active = harvest.status.as_ref().is_some_and(|s| say::text(s, &["type"]) == Some("active"));
        let open = self.turns.iter().filter(|t| !t.over && harvest.turn(&t.id).is_none());
        let lost: Vec<(String, Value)> = open.map(|t| (t.id.clone(), say::turn_lost(&t.value))).collect();
        for (id, value) in lost.iter().filter(|_| !active) {
            self.turn_over((id, value), None, out);
        }
    }

    fn replay_status(&mut self, harvest: &Harvest, out: &mut Vec<Message>) {
        if let Some(status) = &harvest.status {
            let params = serde_json::json!({"threadId": self.id, "status": status});
            self.pass(Message::notification("thread/status/changed", params), out);
        }
    }
}
