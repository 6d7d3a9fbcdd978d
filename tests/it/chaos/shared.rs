//! What the front ends of one thread know of each other, and what is answered to its questions.

use std::collections::HashMap;
use std::sync::Mutex;

use outpost::rpc::peer::Incoming;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::bed::front::{method, params, text};

/// An answer to a question of the server.
#[derive(Clone)]
pub(super) struct Decision {
    pub(super) yes: bool,
    /// Whether the second front end gives it.
    pub(super) by_second: bool,
    /// The request, and its method.
    pub(super) asked: Value,
    pub(super) method: String,
}

/// What the front ends of one thread know of each other.
pub(super) struct Shared {
    /// The thread, once it has a prompt.
    pub(super) thread: watch::Sender<Option<String>>,
    /// What was decided about each question, by [`question`].
    pub(super) decided: Mutex<HashMap<String, Decision>>,
    /// Whether there is a second one.
    pub(super) second: bool,
}

impl Shared {
    /// Whether there is a second one, or it is on its way.
    pub(super) fn has_second(&self) -> bool {
        self.second && self.thread.borrow().is_some()
    }
}

/// What tells a question from every other one.
pub(super) fn question(asked: &Incoming) -> String {
    let of = params(asked);
    let ids = [text(of, &["itemId"]), text(of, &["callId"])].concat();
    format!("{} {} {ids}", method(asked), text(of, &["turnId"]))
}

impl Decision {
    pub(super) fn answer(&self) -> Value {
        match self.method.as_str() {
            "item/tool/requestUserInput" => json!({"answers": {"q": {"answers": ["Blue"]}}}),
            "item/permissions/requestApproval" => json!({"permissions": {"network": {"enabled": true}}, "scope": "turn"}),
            "mcpServer/elicitation/request" if self.yes => json!({"action": "accept", "content": {"it": "this"}}),
            "mcpServer/elicitation/request" => json!({"action": "decline"}),
            "item/tool/call" => json!({"contentItems": [{"type": "inputText", "text": "seen"}], "success": true}),
            _ => json!({"decision": if self.yes { "accept" } else { "decline" }}),
        }
    }
}
