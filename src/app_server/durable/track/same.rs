//! Which of the items that a server gives back are items that the client was told by other ids.
//!
//! Older releases number the messages of a turn anew whenever it is read (`item-1`, `item-2` …): 0.153 in the answer of
//! `thread/resume` while the turn runs, 0.149 and before always. Commands and changes of files keep their ids. Such a message
//! is the next one of its kind that has the same words.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Item, Track, Turn};
use crate::app_server::durable::say;

/// Whether an id was made up when the item was read.
fn made_up(id: &str) -> bool {
    id.starts_with("item-")
}

impl Track {
    /// The ids by which the client knows, or is to know, items of a turn that are given back in their order; none for an item
    /// that keeps its own.
    pub fn names(&self, turn: &str, given: &[&Value]) -> Vec<Option<String>> {
        match self.turns.iter().rev().find(|t| t.id == turn) {
            Some(turn) => names(turn, given),
            None => vec![None; given.len()],
        }
    }
}

fn names(turn: &Turn, given: &[&Value]) -> Vec<Option<String>> {
    let id = |item: &&Value| say::text(item, &["id"]).map(str::to_owned).unwrap_or_default();
    let own: HashSet<String> = given.iter().map(id).filter(|id| !made_up(id)).collect();
    let (mut next, mut made) = (HashMap::new(), turn.items.len());
    let name = |item: &&Value| {
        let (id, kind) = (id(item), say::text(item, &["type"]).unwrap_or_default());
        let from = next.entry(kind.to_owned()).or_insert(0);
        let same = if own.contains(&id) { turn.items.iter().position(|i| i.id == id) } else { None };
        let may_be = |i: &Item| i.kind == kind && !own.contains(&i.id) && (made_up(&id) || made_up(&i.id));
        let like = |done| {
            let later = turn.items.iter().enumerate().skip(*from);
            later.filter(|(_, i)| i.done == done && may_be(i)).find(|(_, i)| i.reads_like(item)).map(|(at, _)| at)
        };
        // What is open cannot come before what is finished, unless it will never be.
        let known = same.or_else(|| like(true)).or_else(|| like(false));
        if let Some((at, item)) = known.and_then(|at| Some((at, turn.items.get(at)?))) {
            *from = (*from).max(at + 1);
            return Some(item.id.clone());
        }
        made += 1;
        // The server makes the same ids up in each turn, and others the next time.
        made_up(&id).then(|| format!("item-{}-{made}", turn.id))
    };
    given.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// `id:kind:text`, as the client was told; `id:kind:text…` is open.
    fn told(item: &str) -> Item {
        let value = given(item.trim_end_matches('…'));
        let mut told = Item::new(say::text(&value, &["id"]).unwrap_or_default(), &value, true);
        if item.ends_with('…') {
            told.see(say::text(&value, &["text"]).unwrap_or_default());
        } else {
            told.end(&value);
        }
        told
    }

    fn given(item: &str) -> Value {
        let [id, kind, text] = item.split(':').collect::<Vec<_>>()[..] else { panic!("{item}") };
        match kind {
            "u" => json!({"type": "userMessage", "id": id, "content": [{"type": "text", "text": text}]}),
            "c" => json!({"type": "commandExecution", "id": id, "command": text}),
            _ => json!({"type": "agentMessage", "id": id, "text": text}),
        }
    }

    #[test]
    fn what_is_given_back_is_known_by_kind_place_and_words() {
        for (what, client, server, want) in [
            ("the same ids", "u1:u:hi m1:a:one", "u1:u:hi m1:a:one m2:a:two", "u1 m1 m2"),
            ("numbered anew", "u1:u:hi m1:a:one c1:c:ls", "item-1:u:hi item-2:a:one c1:c:ls item-3:a:two", "u1 m1 c1 item-T-4"),
            ("its command is not kept", "u1:u:hi c1:c:ls m1:a:one", "item-7:u:hi item-8:a:one", "u1 m1"),
            ("the same words again", "m1:a:ok m2:a:ok", "item-1:a:ok item-2:a:ok item-3:a:ok", "m1 m2 item-T-3"),
            ("it was open", "m1:a:one m2:a:tw…", "item-1:a:one item-2:a:two", "m1 m2"),
            ("it was open and began again", "m1:a:tw… m2:a:two", "item-1:a:two", "m2"),
            ("it was open and never ended", "m1:a:xyz…", "item-1:a:two", "item-T-2"),
            ("shown by numbers, then listed", "item-1:u:hi item-2:a:one", "u1:u:hi m1:a:one m2:a:two", "item-1 item-2 m2"),
            ("shown by numbers, then live", "item-1:u:hi m1:a:ok", "u1:u:hi m1:a:ok m2:a:ok", "item-1 m1 m2"),
            ("told by a number, numbered anew", "item-T-1:a:one item-2:a:two", "item-2:a:one item-3:a:two", "item-T-1 item-2"),
        ] {
            let items = client.split(' ').map(told).collect();
            let turn = Turn { items, ..Turn::new("T", &Value::Null) };
            let server: Vec<Value> = server.split(' ').map(given).collect();
            let names = names(&turn, &server.iter().collect::<Vec<_>>());
            let ids = server.iter().zip(names).map(|(i, name)| name.unwrap_or_else(|| i["id"].as_str().unwrap().to_owned()));
            assert_eq!(ids.collect::<Vec<_>>().join(" "), want, "{what}");
        }
    }
}
