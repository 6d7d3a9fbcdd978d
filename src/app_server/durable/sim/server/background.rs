//! Commands that go on behind their turns.

use serde_json::{Value, json};

use super::Server;
use crate::rpc::message::RpcError;

impl Server {
    /// The turn ends, and its command does not.
    pub(super) fn leave(&mut self, thread: &str, turn: &str) {
        if let Some(t) = self.threads.get_mut(thread)
            && let Some(item) = t.running.take()
        {
            t.terminals.push((turn.to_owned(), item));
        }
        self.end(thread, "completed");
    }

    pub(super) fn terminals(&self, thread: &str) -> Result<Value, RpcError> {
        let of = self.threads.get(thread).map(|t| t.terminals.as_slice()).unwrap_or_default();
        let data: Vec<Value> = of.iter().map(|(_, item)| json!({"itemId": item["id"]})).collect();
        Ok(json!({"data": data, "nextCursor": null}))
    }

    /// The oldest of them ends.
    pub(super) fn exits(&mut self, thread: &str) {
        let Some(t) = self.threads.get_mut(thread).filter(|t| !t.terminals.is_empty()) else { return };
        let (turn, mut item) = t.terminals.remove(0);
        item["status"] = json!("completed");
        t.items.push((turn.clone(), item.clone()));
        self.tell(thread, "item/completed", json!({"turnId": turn, "item": item, "completedAtMs": 3}));
    }
}
