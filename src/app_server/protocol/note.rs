//! Notifications.

use serde::Deserialize;
use serde_json::Value;

use super::item::{Change, Item};
use super::thread::{Turn, TurnError};
use super::view;
use crate::rpc::message::RequestId;

/// A notification that we interpret.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// `turn/started`.
    TurnStarted(Turn),
    /// `turn/completed`.
    TurnCompleted(Turn),
    /// `item/started`.
    ItemStarted(Item),
    /// `item/completed`.
    ItemCompleted(Item),
    /// `item/agentMessage/delta`.
    Text(Delta),
    /// `item/reasoning/summaryTextDelta`.
    Reasoning(Delta),
    /// `item/commandExecution/outputDelta`.
    Output(Delta),
    /// `item/fileChange/patchUpdated`.
    Patch(Patch),
    /// `turn/diff/updated`: the whole diff of the turn.
    Diff(String),
    /// `turn/plan/updated`.
    Plan(Plan),
    /// `error`.
    Error(ErrorNote),
    /// `warning`, `configWarning`, `deprecationNotice`, `guardianWarning`.
    Warning(String),
    /// `serverRequest/resolved`: somebody answered, or nobody needs to any more.
    Resolved(RequestId),
    /// `thread/closed`.
    Closed,
    /// Anything else.
    Other,
}

/// A piece of an item's text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Delta {
    /// The item.
    pub item_id: String,
    /// The piece.
    pub delta: String,
}

/// The changes of a file change that is still being written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Patch {
    /// The item.
    pub item_id: String,
    /// All of its changes so far.
    pub changes: Vec<Change>,
}

/// The agent's plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Why it changed.
    pub explanation: Option<String>,
    /// Its steps.
    pub plan: Vec<PlanStep>,
}

/// One step of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PlanStep {
    /// What.
    pub step: String,
    /// "pending", "inProgress", "completed".
    pub status: String,
}

/// An error of a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ErrorNote {
    /// What.
    pub error: TurnError,
    /// Whether the server tries again by itself.
    pub will_retry: bool,
}

#[derive(Deserialize)]
struct OfTurn {
    turn: Turn,
}

#[derive(Deserialize)]
struct OfItem {
    item: Item,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Words {
    message: Option<String>,
    summary: Option<String>,
    details: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfRequest {
    request_id: RequestId,
}

impl Note {
    /// Reads a notification; one that does not have the shape we know is [`Note::Other`].
    #[must_use]
    pub fn read(method: &str, params: &Value) -> Self {
        Self::known(method, params).unwrap_or(Self::Other)
    }

    fn known(method: &str, params: &Value) -> Option<Self> {
        Some(match method {
            "turn/started" => Self::TurnStarted(view::<OfTurn>(params)?.turn),
            "turn/completed" => Self::TurnCompleted(view::<OfTurn>(params)?.turn),
            "item/started" => Self::ItemStarted(view::<OfItem>(params)?.item),
            "item/completed" => Self::ItemCompleted(view::<OfItem>(params)?.item),
            "item/agentMessage/delta" => Self::Text(view(params)?),
            "item/reasoning/summaryTextDelta" => Self::Reasoning(view(params)?),
            "item/commandExecution/outputDelta" => Self::Output(view(params)?),
            "item/fileChange/patchUpdated" => Self::Patch(view(params)?),
            "turn/diff/updated" => Self::Diff(params.get("diff")?.as_str()?.to_owned()),
            "turn/plan/updated" => Self::Plan(view(params)?),
            "error" => Self::Error(view(params)?),
            "warning" | "configWarning" | "deprecationNotice" | "guardianWarning" => Self::Warning(words(&view(params)?)?),
            "serverRequest/resolved" => Self::Resolved(view::<OfRequest>(params)?.request_id),
            "thread/closed" => Self::Closed,
            _ => return None,
        })
    }
}

fn words(words: &Words) -> Option<String> {
    let said = words.message.as_ref().or(words.summary.as_ref())?;
    Some(words.details.as_ref().map_or_else(|| said.clone(), |details| format!("{said}: {details}")))
}

/// The thread that a notification or request belongs to; none for those of the whole server.
#[must_use]
pub fn thread_of(params: &Value) -> Option<&str> {
    let direct = params.get("threadId").and_then(Value::as_str);
    direct.or_else(|| params.get("thread")?.get("id")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn notes_are_read_or_left() {
        let text = Note::read("item/agentMessage/delta", &json!({"threadId":"t","itemId":"i","delta":"hi"}));
        assert_eq!(text, Note::Text(Delta { item_id: "i".into(), delta: "hi".into() }));
        assert_eq!(Note::read("configWarning", &json!({"summary":"a","details":"b"})), Note::Warning("a: b".into()));
        assert_eq!(Note::read("serverRequest/resolved", &json!({"requestId":7})), Note::Resolved(RequestId::Number(7)));
        assert_eq!(Note::read("turn/completed", &json!({"turn":7})), Note::Other);
        assert_eq!(Note::read("thread/teleported", &json!(null)), Note::Other);
    }
}
