//! What is kept, as the server gives it back.

use serde_json::{Value, json};

use super::{Release, Server, Thread};
use crate::rpc::message::{INVALID_REQUEST, METHOD_NOT_FOUND, RpcError};

impl Server {
    pub(super) fn resume(&mut self, thread: &str, params: &Value) -> (Result<Value, RpcError>, Option<String>) {
        let no = |text: &str| (Err(RpcError::new(INVALID_REQUEST, text)), None);
        match self.threads.get(thread) {
            _ if self.archived => no("the session is archived"),
            Some(t) if t.prompts > 0 && !t.ephemeral => {
                let status = t.status();
                self.put_again(thread);
                self.subscribed.insert(thread.to_owned());
                let whole = params["excludeTurns"] != json!(true);
                let turns = if whole { self.given_back(thread, "thread/resume") } else { Vec::new() };
                (Ok(json!({"thread": {"id": thread, "status": status, "turns": turns}})), Some(thread.to_owned()))
            }
            Some(t) if t.read && !t.ephemeral => (Err(empty()), None),
            _ => no("no rollout found for thread id"),
        }
    }

    /// What there is of a thread without a prompt (0.169). That it is read makes an empty file of it, which is told otherwise.
    fn unprompted(&mut self, method: &str, thread: &str) -> Option<RpcError> {
        let t = self.threads.get_mut(thread).filter(|t| t.prompts == 0 && !t.ephemeral)?;
        Some(match method {
            "thread/items/list" => RpcError::new(METHOD_NOT_FOUND, "thread/items/list is not supported yet"),
            "thread/turns/list" if !t.read => RpcError::new(INVALID_REQUEST, "thread t is not materialized yet"),
            _ => {
                t.read |= method == "thread/read";
                empty()
            }
        })
    }

    pub(super) fn listed(&mut self, method: &str, thread: &str, params: &Value) -> Result<Value, RpcError> {
        if let (Release::Newest, Some(refused)) = (self.release, self.unprompted(method, thread)) {
            return Err(refused);
        }
        let none = Thread::default();
        let t = self.threads.get(thread).unwrap_or(&none);
        match method {
            "thread/turns/list" => Ok(page(t.turns.iter().rev().cloned().collect(), params, 2)),
            "thread/items/list" => {
                let turn = params.get("turnId").and_then(Value::as_str);
                let mut of = t.items.iter().filter(|(t, _)| turn.is_none_or(|w| w == t)).collect::<Vec<_>>();
                if params["sortDirection"] == json!("desc") {
                    of.reverse();
                }
                let data = of.into_iter().map(|(t, item)| json!({"turnId": t, "item": item, "startedAtMs": 1})).collect();
                Ok(page(data, params, 2))
            }
            _ if t.prompts == 0 => Err(RpcError::new(INVALID_REQUEST, "no rollout found")),
            _ => Ok(json!({"thread": {"id": thread, "status": t.status(), "turns": self.given_back(thread, method)}})),
        }
    }

    /// The turns with their items.
    pub(super) fn given_back(&self, thread: &str, method: &str) -> Vec<Value> {
        let none = Thread::default();
        let t = self.threads.get(thread).unwrap_or(&none);
        let (mut turns, mut number) = (t.turns.clone(), 0);
        for turn in &mut turns {
            let id = turn["id"].as_str().unwrap_or_default().to_owned();
            let running = turn["status"] == json!("inProgress") && method == "thread/resume";
            let anew = self.release == Release::Forgets || self.release == Release::Numbers && running;
            if running {
                number = 0;
            }
            let of_it = t.items.iter().filter(|(of, _)| *of == id).map(|(_, i)| i.clone());
            let kept = of_it.filter(|i| self.release != Release::Forgets || running || i["type"] != json!("commandExecution"));
            let mut numbered = |mut item: Value| {
                if anew && item.get("status").is_none() {
                    number += 1;
                    item["id"] = json!(format!("item-{number}"));
                }
                item
            };
            turn["items"] = kept.map(&mut numbered).collect();
        }
        turns
    }
}

fn page(data: Vec<Value>, params: &Value, most: usize) -> Value {
    let from = params["cursor"].as_str().and_then(|c| c.parse().ok()).unwrap_or(0_usize);
    let limit = usize::try_from(params["limit"].as_u64().unwrap_or(100)).unwrap_or(most).min(most);
    let next = (from + limit < data.len()).then(|| (from + limit).to_string());
    json!({"data": data.into_iter().skip(from).take(limit).collect::<Vec<_>>(), "nextCursor": next})
}

/// As the newest release says it.
fn empty() -> RpcError {
    RpcError::new(METHOD_NOT_FOUND, "list_turns is not supported yet")
}
