//! What is told of an item's text when pieces of it were missed.

use serde_json::{Value, json};

use super::{GAP, Item};
use crate::app_server::durable::say::{self, At};
use crate::rpc::message::Message;

/// What the client misses of the text of an item that is finished now.
pub(super) fn missing(at: At<'_>, item: &Item, value: &Value) -> Option<Message> {
    let whole = say::whole_text(value)?;
    // Not a prefix: the finished item alone tells the truth.
    let rest = if item.seen_all { whole.strip_prefix(item.seen.as_str())? } else { return None };
    if rest.is_empty() { None } else { say::delta(at, (say::text(value, &["type"])?, &item.id), rest) }
}

/// The turn ends without the finished item: what was held is all there will ever be, behind a gap.
pub(super) fn flush(at: At<'_>, item: &mut Item, out: &mut Vec<Message>) {
    let Some(first) = item.held.first() else { return };
    let gap = gap_like(first);
    if !item.started {
        // Only a message can be begun without knowing what it is.
        if first.method() != Some("item/agentMessage/delta") {
            return item.held.clear();
        }
        out.push(say::item_started(at, &json!({"type": "agentMessage", "id": item.id, "text": ""}), &Value::Null));
        item.started = true;
    }
    out.extend(gap);
    out.append(&mut item.held);
}

/// A piece of the same kind that says that something is missing here.
pub(super) fn gap_like(piece: &Message) -> Option<Message> {
    let Message::Notification { method, params } = piece else { return None };
    let mut params = params.clone();
    *params.get_mut("delta")? = json!(GAP);
    Some(Message::notification(method.clone(), params))
}
