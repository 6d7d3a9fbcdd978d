//! What the server has of a thread, as a front end that comes back reads it.

use serde_json::{Value, json};

use super::client::Life;
use crate::bed::front::text;

/// What became of a prompt.
pub(super) enum Fate {
    /// The server does not have it.
    Unknown,
    /// It is in this turn.
    Running(String),
    /// It was in a turn that ended so.
    Over(String),
}

pub(super) fn fate(thread: &Value, id: &str) -> Option<Fate> {
    let has = |turn: &&Value| turn["items"].as_array().is_some_and(|items| items.iter().any(|i| text(i, &["clientId"]) == id));
    let turn = thread["turns"].as_array()?.iter().find(has)?;
    Some(match text(turn, &["status"]) {
        "inProgress" => Fate::Running(text(turn, &["id"]).to_owned()),
        other => Fate::Over(other.to_owned()),
    })
}

pub(super) fn items(thread: &Value) -> Vec<Value> {
    let turns = thread["turns"].as_array().cloned().unwrap_or_default();
    let of_turn = |turn: Value| {
        let items = turn["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().map(move |item| json!({"turnId": turn["id"], "item": item}))
    };
    turns.into_iter().flat_map(of_turn).collect()
}

pub(super) fn shown(thread: &Value) -> Life {
    let turns = thread["turns"].as_array().cloned().unwrap_or_default();
    // Only the last can run: one that died with its server is listed as in progress while the next one runs.
    let running = turns.last().filter(|t| text(t, &["status"]) == "inProgress").map(|t| text(t, &["id"]).to_owned());
    let finished = items(thread).into_iter().filter(|e| text(e, &["item", "status"]) != "inProgress");
    Life { running: running.into_iter().collect(), shown: finished.collect(), heard: Vec::new() }
}
