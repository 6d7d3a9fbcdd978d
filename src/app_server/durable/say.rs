//! The messages that we make ourselves where the server's own were missed, and the fields read from the server's.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::rpc::message::Message;

/// A text field, at any depth of keys.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |v, key| v.get(key))?.as_str()
}

/// The id of a turn as `turn/started` and `turn/completed` have it, or as items and deltas do.
pub fn turn_of(params: &Value) -> Option<&str> {
    text(params, &["turn", "id"]).or_else(|| text(params, &["turnId"]))
}

/// The id of an item as `item/started` and `item/completed` have it, or as deltas do.
pub fn item_of(params: &Value) -> Option<&str> {
    text(params, &["item", "id"]).or_else(|| text(params, &["itemId"]))
}

/// The `clientUserMessageId` that a user's message came with.
pub fn client_id(item: &Value) -> Option<&str> {
    (text(item, &["type"]) == Some("userMessage")).then(|| text(item, &["clientId"]))?
}

/// Whether a turn, as the server lists it, still runs.
pub fn runs(turn: &Value) -> bool {
    text(turn, &["status"]) == Some("inProgress")
}

/// Whether a turn was interrupted.
pub fn interrupted(turn: &Value) -> bool {
    text(turn, &["status"]) == Some("interrupted")
}

/// Of a thread's turns, oldest first, only the last can run. A server (0.169) lists one that died with its predecessor as in
/// progress while the next one runs.
pub fn end_the_dead(turns: &mut [Value]) {
    let Some((_, earlier)) = turns.split_last_mut() else { return };
    earlier.iter_mut().filter(|turn| runs(turn)).for_each(|turn| *turn = turn_lost(turn));
}

/// Where a message belongs.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The thread.
    pub thread: &'a str,
    /// The turn.
    pub turn: &'a str,
}

/// `item/started` for an item that is known finished: as it was when it began.
pub fn item_started(at: At<'_>, item: &Value, ms: &Value) -> Message {
    let params = json!({"threadId": at.thread, "turnId": at.turn, "item": emptied(item), "startedAtMs": number(ms)});
    Message::notification("item/started", params)
}

/// `item/completed`.
pub fn item_completed(at: At<'_>, item: Value, ms: &Value) -> Message {
    let params = json!({"threadId": at.thread, "turnId": at.turn, "item": item, "completedAtMs": number(ms)});
    Message::notification("item/completed", params)
}

/// The notification that carries a piece of this kind of item's text.
pub fn delta(at: At<'_>, item: (&str, &str), delta: &str) -> Option<Message> {
    let (kind, id) = item;
    let method = match kind {
        "agentMessage" => "item/agentMessage/delta",
        "plan" => "item/plan/delta",
        "commandExecution" => "item/commandExecution/outputDelta",
        _ => return None,
    };
    Some(Message::notification(method, json!({"threadId": at.thread, "turnId": at.turn, "itemId": id, "delta": delta})))
}

/// The text that the deltas of an item add up to, once it is finished.
pub fn whole_text(item: &Value) -> Option<&str> {
    match text(item, &["type"])? {
        "agentMessage" | "plan" => text(item, &["text"]),
        "commandExecution" => text(item, &["aggregatedOutput"]),
        _ => None,
    }
}

/// `turn/started` for a turn as the server lists it.
pub fn turn_started(thread: &str, turn: &Value) -> Message {
    let changes = [
        ("status", json!("inProgress")),
        ("items", json!([])),
        ("completedAt", Value::Null),
        ("durationMs", Value::Null),
        ("error", Value::Null),
    ];
    Message::notification("turn/started", json!({"threadId": thread, "turn": changed(turn, &changes)}))
}

/// `turn/completed` for a turn as the server lists it.
pub fn turn_completed(thread: &str, turn: &Value) -> Message {
    Message::notification("turn/completed", json!({"threadId": thread, "turn": changed(turn, &[("items", json!([]))])}))
}

/// A turn that its server took with it.
pub fn turn_lost(turn: &Value) -> Value {
    changed(turn, &[("status", json!("interrupted")), ("items", json!([]))])
}

/// A command or file change that somebody else declined while we were away: the server does not keep it.
pub fn declined(item: &Value) -> Value {
    changed(item, &[("status", json!("declined"))])
}

/// An item by another id.
pub fn named(item: &Value, id: &str) -> Value {
    changed(item, &[("id", json!(id))])
}

/// The note that a turn ended unseen on a server that gives a turn back without its commands.
pub fn commands_are_not_kept() -> Message {
    warning(
        "Outpost: a turn ended while the link was lost, and this release of Codex gives it back without its commands: \
         those that ended meanwhile are not shown.",
    )
}

/// How much of a prompt a note about it holds, in characters.
const SHOWN: usize = 4_000;

/// The words of a prompt, by the parameters of `turn/start` or `turn/steer`; what is not words by its type.
#[must_use]
pub fn prompt_words(params: &Value) -> String {
    let parts = params.get("input").and_then(Value::as_array).into_iter().flatten();
    let shown = |part| text(part, &["text"]).map(str::to_owned).or_else(|| Some(format!("[{}]", text(part, &["type"])?)));
    parts.filter_map(shown).collect::<Vec<_>>().join("\n")
}

/// The note that a prompt came to nothing, or may have; `nth` counts them, as [`link_is_lost`] does.
pub fn given_back(params: &Value, sent: bool, nth: u32) -> Message {
    let what = if sent { "this was sent, and may not have arrived" } else { "this was not delivered" };
    let nth = if nth > 1 { format!(" ({nth})") } else { String::new() };
    warning(&format!("Outpost: {what}{nth}; it is yours to send again: {}", clean(&prompt_words(params), SHOWN)))
}

/// The note that a thread was closed, and what the server said.
pub fn thread_is_gone(thread: &str, said: &str) -> Message {
    let (thread, said) = (clean(thread, 64), clean(said, 300));
    warning(&format!("Outpost: the thread {thread} cannot be gone on with: {said}"))
}

/// A text for a note: nothing in it moves a cursor, and what is longer than so many characters is cut.
fn clean(text: &str, most: usize) -> String {
    let plain = |c: char| match c {
        '\n' => '\n',
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let cut = if text.chars().nth(most).is_some() { " […]" } else { "" };
    format!("{}{cut}", text.chars().take(most).map(plain).collect::<String>())
}

/// A note for the people behind a client of somebody else's.
pub fn warning(message: &str) -> Message {
    Message::notification("warning", json!({"threadId": null, "message": message}))
}

/// The note that a link is gone; `nth` counts the outages that the client was told of. A stock client (0.169) shows a text
/// that it was told before no second time, so no two notes are the same.
pub fn link_is_lost(host: &str, nth: u32) -> Message {
    let again = if nth > 1 { format!(" again ({nth})") } else { String::new() };
    warning(&format!(
        "Outpost: the link to {host} is lost{again}. The work there goes on; what you type now is sent when the link is back."
    ))
}

/// The note that it is back.
pub fn link_is_back(host: &str, nth: u32, away: Duration) -> Message {
    let again = if nth > 1 { format!(" again ({nth})") } else { String::new() };
    warning(&format!("Outpost: the link to {host} is back{again} after {} s.", away.as_secs()))
}

/// The note that the server is another one, or that a turn came to its end with the link; `nth` as for [`link_is_lost`].
pub fn server_was_lost(host: &str, nth: u32, (restarted, interrupted): (bool, bool)) -> Message {
    let again = if nth > 1 { format!(" again ({nth})") } else { String::new() };
    let lost = "what it had not finished is lost";
    warning(&match (restarted, interrupted) {
        (true, true) => {
            format!("Outpost: the Codex server on {host} was restarted{again}. The turn that ran was interrupted; {lost}.")
        }
        (true, false) => format!("Outpost: the Codex server on {host} was restarted{again}."),
        (false, _) => {
            format!("Outpost: the Codex server on {host} was out of reach{again}, and a turn was interrupted meanwhile; {lost}.")
        }
    })
}

/// The item as it was when it began, as the live server would have told it.
fn emptied(item: &Value) -> Value {
    let changes: &[(&str, Value)] = match text(item, &["type"]).unwrap_or_default() {
        "agentMessage" | "plan" => &[("text", json!(""))],
        "commandExecution" => &[
            ("status", json!("inProgress")),
            ("aggregatedOutput", Value::Null),
            ("exitCode", Value::Null),
            ("durationMs", Value::Null),
        ],
        "mcpToolCall" => {
            &[("status", json!("inProgress")), ("result", Value::Null), ("error", Value::Null), ("durationMs", Value::Null)]
        }
        "fileChange" => &[("status", json!("inProgress"))],
        "reasoning" => &[("summary", json!([])), ("content", json!([]))],
        _ => &[],
    };
    changed(item, changes)
}

/// A copy with other values; fields that are not there are not added, save the status.
fn changed(value: &Value, changes: &[(&str, Value)]) -> Value {
    let mut object: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
    for (key, new) in changes {
        if object.contains_key(*key) || matches!(*key, "status" | "items") {
            object.insert((*key).to_owned(), new.clone());
        }
    }
    Value::Object(object)
}

fn number(ms: &Value) -> Value {
    if ms.is_number() { ms.clone() } else { json!(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_turn_runs() {
        let turn = |id: &str, status: &str| json!({"id": id, "status": status, "items": []});
        let mut turns = vec![turn("a", "inProgress"), turn("b", "completed"), turn("c", "inProgress")];
        end_the_dead(&mut turns);
        assert_eq!(turns, [turn("a", "interrupted"), turn("b", "completed"), turn("c", "inProgress")]);
    }

    #[test]
    fn a_finished_item_is_told_as_it_began() {
        let at = At { thread: "t", turn: "u" };
        let command =
            json!({"type":"commandExecution","id":"i","command":"ls","status":"completed","aggregatedOutput":"a\n","exitCode":0});
        let Message::Notification { params, .. } = item_started(at, &command, &Value::Null) else { panic!() };
        let want = json!({"type":"commandExecution","id":"i","command":"ls","status":"inProgress","aggregatedOutput":null,"exitCode":null});
        assert_eq!(params, json!({"threadId":"t","turnId":"u","item":want,"startedAtMs":0}));
        let user = json!({"type":"userMessage","id":"i","clientId":"c","content":[{"type":"text","text":"hi"}]});
        assert_eq!((emptied(&user), client_id(&user)), (user.clone(), Some("c")));
    }
}
