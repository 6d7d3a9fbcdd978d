//! Prompts on their way: one counts as delivered when the server shows its `userMessage`, not when it was answered.

use std::time::Duration;

use serde_json::Value;

use crate::app_server::durable::say;

/// Prompts remembered at most; beyond it the oldest are taken for delivered.
const KEPT: usize = 256;

/// A prompt that was not yet seen on the server.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Its `clientUserMessageId`.
    pub id: String,
    pub thread: String,
    pub method: String,
    pub params: Value,
    /// The server process that was asked, when that is known.
    pub server: Option<String>,
    /// The turn that the answer named.
    pub turn: Option<String>,
    /// When the first link stood since the one went on which it was sent.
    pub stood: Option<Duration>,
    /// How often the server would not say whether it is there.
    pub tries: u32,
    /// When it was last looked for.
    pub looked: Duration,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Prompts(Vec<Prompt>);

impl Prompts {
    /// One goes out, to this server process. Those without an id (releases before 0.138, titles) cannot be followed.
    pub fn sent(&mut self, method: &str, params: &Value, server: Option<&str>) {
        let Some((id, thread)) = say::text(params, &["clientUserMessageId"]).zip(say::text(params, &["threadId"])) else {
            return;
        };
        self.0.retain(|p| p.id != id);
        if self.0.len() >= KEPT {
            self.0.remove(0);
        }
        let (id, thread, method) = (id.to_owned(), thread.to_owned(), method.to_owned());
        self.0.push(Prompt {
            id,
            thread,
            method,
            params: params.clone(),
            server: server.map(str::to_owned),
            turn: None,
            stood: None,
            tries: 0,
            looked: Duration::ZERO,
        });
    }

    pub fn get(&mut self, id: &str) -> Option<&mut Prompt> {
        self.0.iter_mut().find(|p| p.id == id)
    }

    /// One is on the server, or will never be.
    pub fn done(&mut self, id: &str) -> Option<Prompt> {
        let at = self.0.iter().position(|p| p.id == id)?;
        Some(self.0.remove(at))
    }

    /// All of them; none is left.
    pub fn take(&mut self) -> Vec<Prompt> {
        std::mem::take(&mut self.0)
    }

    /// Those of a thread that were answered with a turn and then not seen.
    pub fn promised(&self, thread: &str) -> Vec<Prompt> {
        self.0.iter().filter(|p| p.thread == thread && p.turn.is_some()).cloned().collect()
    }

    /// Those that were answered with this turn and then not seen.
    pub fn of_turn(&self, turn: &str) -> Vec<String> {
        self.0.iter().filter(|p| p.turn.as_deref() == Some(turn)).map(|p| p.id.clone()).collect()
    }

    /// The link went on which one was sent.
    pub fn lost(&mut self, id: &str) {
        if let Some(prompt) = self.get(id) {
            prompt.stood = None;
        }
    }

    /// A link stands after that.
    pub fn stands(&mut self, id: &str, now: Duration) {
        if let Some(prompt) = self.get(id) {
            prompt.stood.get_or_insert(now);
        }
    }
}

/// Whether a server shows the `clientUserMessageId` of a prompt again: releases before 0.138 do not, and a prompt whose
/// answer was lost cannot be looked for there.
pub fn shows_ids(initialize: &Value) -> bool {
    let version = say::text(initialize, &["userAgent"]).and_then(|agent| agent.split_once('/')).map(|(_, rest)| rest);
    let mut numbers = version.unwrap_or_default().split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    !matches!((numbers.next(), numbers.next()), (Some(Ok(0)), Some(Ok(..138))))
}

/// The turn of a prompt in an answer to `thread/items/list` or `thread/read`.
pub fn find<'a>(answer: &'a Value, id: &str) -> Option<&'a str> {
    let list = |value: Option<&'a Value>| value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let entries = list(answer.get("data")).iter().filter_map(|e| Some((say::text(e, &["turnId"])?, e.get("item")?)));
    let turns = list(answer.get("thread").and_then(|t| t.get("turns"))).iter();
    let whole = turns.flat_map(|t| list(t.get("items")).iter().filter_map(move |item| Some((say::text(t, &["id"])?, item))));
    entries.chain(whole).find(|(_, item)| say::client_id(item) == Some(id)).map(|(turn, _)| turn)
}

/// The `clientUserMessageId` of a request.
pub fn prompt_id(params: &Value) -> Option<&str> {
    say::text(params, &["clientUserMessageId"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn releases_that_do_not_show_ids_are_known() {
        for (agent, want) in
            [("codex/0.137.9 (x)", false), ("codex/0.138.0", true), ("codex/0.169.0", true), ("codex/1.2", true), ("x", true)]
        {
            assert_eq!(shows_ids(&json!({"userAgent": agent})), want, "{agent}");
        }
    }

    #[test]
    fn a_prompt_is_found_in_either_list() {
        let item = json!({"type":"userMessage","clientId":"c"});
        assert_eq!(find(&json!({"data":[{"turnId":"u","item":item}]}), "c"), Some("u"));
        assert_eq!(find(&json!({"thread":{"turns":[{"id":"u","items":[item]}]}}), "c"), Some("u"));
        assert_eq!(find(&json!({"thread":{"turns":[{"id":"u","items":[item]}]}}), "d"), None);
    }
}
