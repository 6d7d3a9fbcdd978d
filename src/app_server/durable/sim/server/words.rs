//! Words for a turn: shown at once, or when the model is asked next.

use serde_json::{Value, json};

use super::{FOR_EVER, Server, Thread};
use crate::rpc::message::{INVALID_REQUEST, RpcError};

impl Server {
    pub(super) fn turn_start(&mut self, thread: &str, params: &Value) -> (Result<Value, RpcError>, Option<String>) {
        if !self.threads.contains_key(thread) || self.half_stored == FOR_EVER {
            return (Err(RpcError::new(INVALID_REQUEST, "thread not found")), None);
        }
        let running = self.threads.get(thread).and_then(|t| t.turn.clone());
        let joins = running.is_some();
        let turn = running.unwrap_or_else(|| self.id("turn"));
        let value = json!({"id": turn, "status": "inProgress", "items": []});
        if let Some(t) = self.threads.get_mut(thread) {
            t.prompts += 1;
            t.pending.push(params.clone());
            if !joins {
                t.turns.push(value.clone());
            }
            t.turn = Some(turn.clone());
        }
        self.status(thread);
        if !joins {
            self.tell(thread, "turn/started", json!({"turn": value}));
        }
        // A message that streams gives way to them; a command does not.
        let gives_way = |t: &Thread| t.running.as_ref().is_none_or(|r| r["type"] == json!("agentMessage"));
        if (joins || !self.slow) && self.threads.get(thread).is_none_or(gives_way) {
            self.take_in(thread);
        }
        (Ok(json!({"turn": value})), None)
    }

    /// The words for a turn become items of it; true when there were any.
    pub(super) fn take_in(&mut self, thread: &str) -> bool {
        let Some(t) = self.threads.get_mut(thread) else { return false };
        let (pending, turn) = (std::mem::take(&mut t.pending), t.turn.clone().unwrap_or_default());
        for params in &pending {
            let item = self.id("user");
            let said =
                json!({"type": "userMessage", "id": item, "clientId": params["clientUserMessageId"], "content": params["input"]});
            if let Some(t) = self.threads.get_mut(thread) {
                t.items.push((turn.clone(), said.clone()));
            }
            self.tell(thread, "item/started", json!({"turnId": turn, "item": said, "startedAtMs": 1}));
            self.tell(thread, "item/completed", json!({"turnId": turn, "item": said, "completedAtMs": 1}));
        }
        !pending.is_empty()
    }
}
