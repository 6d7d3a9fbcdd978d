//! Which turns of a thread are the client's to hear of, and which items of them may be taken for declined.

use serde_json::Value;

use super::Track;
use crate::app_server::durable::say;

impl Track {
    /// Whether the client knows any turn.
    #[must_use]
    pub fn has_turns(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Whether the client was told of a turn.
    #[must_use]
    pub fn knows(&self, turn: &str) -> bool {
        self.turns.iter().any(|t| t.id == turn)
    }

    /// Whether nothing of a turn can end any more.
    #[must_use]
    pub fn settled(&self, turn: &str) -> bool {
        self.turns.iter().any(|t| t.id == turn && t.settled())
    }

    /// The client asked for this turn.
    pub fn expect(&mut self, turn: &str) {
        if !self.knows(turn) && !self.expected.iter().any(|id| id == turn) {
            self.expected.push(turn.to_owned());
        }
    }

    /// Whether the client asked for a turn and was told nothing of it.
    #[must_use]
    pub fn awaits(&self, turn: &Value) -> bool {
        let id = say::text(turn, &["id"]);
        self.expected.iter().any(|expected| Some(expected.as_str()) == id && !self.knows(expected))
    }

    /// The items of a turn that would be taken for declined if it ended now.
    #[must_use]
    pub fn doubtful(&self, turn: &str) -> Vec<&str> {
        let open = self.turns.iter().filter(|t| t.id == turn && !t.over).flat_map(|t| t.items.iter());
        open.filter(|i| !i.done && i.may_be_declined()).map(|i| i.id.as_str()).collect()
    }

    /// Whether the client knows a turn, or has asked for it.
    #[must_use]
    pub fn tells_of(&self, turn: &Value) -> bool {
        say::text(turn, &["id"]).is_some_and(|id| self.knows(id)) || self.awaits(turn)
    }

    /// Whether a turn is the oldest that is the client's.
    #[must_use]
    pub fn begins_with(&self, turn: &Value) -> bool {
        let id = say::text(turn, &["id"]);
        match self.turns.first() {
            Some(oldest) => id == Some(&oldest.id),
            None => !self.history_known && id.is_some() && id == self.expected.first().map(String::as_str),
        }
    }

    /// The client asked for this turn, as is found out now; it may have been taken for the history that the client has. True when the
    /// client is still to be told of it.
    pub fn reclaim(&mut self, turn: &str) -> bool {
        let boundary = self.boundary.take();
        if boundary.is_some_and(|id| matches!(self.turns.as_slice(), [only] if only.id == id)) {
            self.turns.clear();
            self.history_known = false;
        }
        self.expect(turn);
        !self.knows(turn)
    }
}
