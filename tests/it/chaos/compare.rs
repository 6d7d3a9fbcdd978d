//! Holds what a front end heard against what the server has.

use std::collections::{HashMap, HashSet};

use outpost::rpc::peer::Incoming;
use serde_json::Value;

use super::client::{Client, Life};
use crate::bed::front::{method, params, text};

/// All that must hold of a front end's lives; panics with what does not.
pub(super) fn compare(client: &Client, stored: &[Value]) {
    let listed: Vec<&str> = stored.iter().map(item_id).collect();
    let (last, earlier) = client.lives.split_last().unwrap();
    for life in earlier {
        let told = told(life);
        assert_eq!(told.as_slice(), &listed[..told.len().min(listed.len())], "what a killed process had told is a beginning");
    }
    assert_eq!(told(last), listed, "each finished item once, in the server's order");
    for life in &client.lives {
        items_begin_once(life);
        texts_add_up(life, stored);
        finished_as_stored(life, stored);
        asked_once(life);
    }
    turns_begin_and_end_once(last);
}

fn item_id(entry: &Value) -> &str {
    text(entry, &["item", "id"])
}

fn of<'a>(life: &'a Life, wanted: &'static str) -> impl Iterator<Item = &'a Value> {
    life.heard.iter().filter(move |m| method(m) == wanted).map(params)
}

/// The finished items in the order in which they were shown and told. The server does not keep what was declined.
fn told(life: &Life) -> Vec<&str> {
    let completed = of(life, "item/completed").filter(|p| text(p, &["item", "status"]) != "declined");
    life.shown.iter().chain(completed).map(item_id).collect()
}

/// Whatever ends has begun, once; what ran when the thread was resumed began before.
fn items_begin_once(life: &Life) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    of(life, "item/started").for_each(|p| *times.entry(item_id(p)).or_default() += 1);
    for completed in of(life, "item/completed") {
        let known = life.running.iter().any(|turn| turn == text(completed, &["turnId"]));
        let begun = times.get(item_id(completed)).copied().unwrap_or(usize::from(known));
        assert_eq!(begun, 1, "it begins once: {completed}");
    }
    assert!(times.values().all(|n| *n == 1), "each item begins once: {times:?}");
}

/// The pieces of a message that was told from its beginning are its text; of one that never ended its turn says so.
fn texts_add_up(life: &Life, stored: &[Value]) {
    let begun: HashSet<&str> = of(life, "item/started").map(item_id).collect();
    let mut said: HashMap<&str, String> = HashMap::new();
    for delta in of(life, "item/agentMessage/delta") {
        said.entry(text(delta, &["itemId"])).or_default().push_str(text(delta, &["delta"]));
    }
    let finished: HashSet<&str> = of(life, "item/completed").map(item_id).collect();
    for entry in stored.iter().filter(|e| begun.contains(item_id(e)) && finished.contains(item_id(e))) {
        if text(entry, &["item", "type"]) == "agentMessage" {
            assert_eq!(said.get(item_id(entry)).map_or("", String::as_str), text(entry, &["item", "text"]), "the pieces add up");
        }
    }
    let ended: HashMap<&str, &str> =
        of(life, "turn/completed").map(|p| (text(p, &["turn", "id"]), text(p, &["turn", "status"]))).collect();
    for open in of(life, "item/started").filter(|p| !finished.contains(item_id(p))) {
        let status = ended.get(text(open, &["turnId"])).copied().unwrap_or("interrupted");
        assert_eq!(status, "interrupted", "an item that never ended belongs to a turn that was interrupted: {open}");
    }
}

/// A finished item was told as the server keeps it.
fn finished_as_stored(life: &Life, stored: &[Value]) {
    let kept: HashMap<&str, &Value> = stored.iter().map(|e| (item_id(e), &e["item"])).collect();
    for told in of(life, "item/completed") {
        let Some(kept) = kept.get(item_id(told)) else { continue };
        for field in ["type", "text", "status", "exitCode", "aggregatedOutput", "command"] {
            assert_eq!(told["item"].get(field), kept.get(field), "{field} of {told}");
        }
    }
}

/// A question is put once in the life of a connection.
fn asked_once(life: &Life) {
    let mut asked = HashSet::new();
    for question in life.heard.iter().filter(|m| matches!(m, Incoming::Request { .. })) {
        assert!(asked.insert(text(params(question), &["itemId"])), "it is asked twice: {question:?}");
    }
}

fn turns_begin_and_end_once(life: &Life) {
    let begun = life.running.iter().map(String::as_str).chain(of(life, "turn/started").map(|p| text(p, &["turn", "id"])));
    let begun: Vec<&str> = begun.collect();
    let ended: Vec<&str> = of(life, "turn/completed").map(|p| text(p, &["turn", "id"])).collect();
    assert_eq!(begun, ended, "each turn begins and ends once");
}

/// What was run on the host: each accepted command once, a declined one never.
pub(super) fn deeds(client: &Client, app: &std::path::Path) {
    // Codex's own sandbox leaves empty folders behind when it is killed.
    for file in std::fs::read_dir(app).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()) {
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n", "{}: each command runs once", file.display());
    }
    for (yes, question) in client.decided.values() {
        let words = question.to_string();
        let file = words.split_whitespace().find(|w| w.starts_with("did-")).map(|w| w.trim_matches(|c| "\"'\\,".contains(c)));
        if let Some(file) = file.filter(|_| !yes) {
            assert!(!app.join(file).exists(), "{file}: declined, and run all the same");
        }
    }
}
