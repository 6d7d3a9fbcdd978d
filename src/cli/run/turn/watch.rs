//! A turn that was joined half way: what was shown of it already, and its lines for a program that only looks on.

use serde_json::Value;

use super::{Part, Turn};
use crate::cli::run::events::Body;
use crate::failure::Failure;

impl Turn<'_, '_> {
    /// Whether a message only tells of an item that was shown before the turn was followed.
    pub(super) fn was_shown(&self, raw: &Value) -> bool {
        let params = raw.get("params");
        let id = params.and_then(|params| params.pointer("/item/id").or_else(|| params.get("itemId")));
        raw.get("id").is_none() && id.and_then(Value::as_str).is_some_and(|id| self.shown.contains(id))
    }

    /// Writes a message as JSON, if that is wanted: as it came, or, for one who looks on, in the form of `thread log --json`.
    pub(super) fn raw(&self, raw: &Value) -> Result<(), Failure> {
        let asked = raw.get("id").is_some();
        if self.part != Part::Watches || asked {
            return self.live.stage.line(Body::Codex { message: raw });
        }
        match (raw.get("method").and_then(Value::as_str), raw.pointer("/params/item")) {
            (Some("item/completed"), Some(item)) => {
                let turn = raw.pointer("/params/turnId").and_then(Value::as_str).unwrap_or(&self.id.0);
                self.live.stage.line(Body::Item { turn, item })
            }
            _ => Ok(()),
        }
    }
}
