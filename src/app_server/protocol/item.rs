//! The items of a turn.

use serde::Deserialize;
use serde_json::Value;

/// One item. What we do not know is [`Item::Other`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Item {
    /// What a person said.
    #[serde(rename_all = "camelCase")]
    UserMessage {
        /// The item.
        id: String,
        /// The `clientUserMessageId` of the `turn/start` or `turn/steer` that brought it.
        #[serde(default)]
        client_id: Option<String>,
        /// Its parts, `{type:"text", text}` and others.
        #[serde(default)]
        content: Vec<Value>,
    },
    /// What the agent said.
    AgentMessage {
        /// The item.
        id: String,
        /// The whole text; empty when the item has just started.
        #[serde(default)]
        text: String,
    },
    /// What the agent thought, as far as it is told.
    Reasoning {
        /// The item.
        id: String,
        /// Summaries, one a paragraph.
        #[serde(default)]
        summary: Vec<String>,
    },
    /// The agent's plan.
    Plan {
        /// The item.
        id: String,
        /// The plan as text.
        #[serde(default)]
        text: String,
    },
    /// A command.
    #[serde(rename_all = "camelCase")]
    CommandExecution {
        /// The item.
        id: String,
        /// The command line.
        #[serde(default)]
        command: String,
        /// Where it runs.
        #[serde(default)]
        cwd: String,
        /// "inProgress", "completed", "failed", "declined".
        #[serde(default)]
        status: String,
        /// All it printed, once it has ended.
        #[serde(default)]
        aggregated_output: Option<String>,
        /// Its exit code, once it has ended.
        #[serde(default)]
        exit_code: Option<i64>,
        /// How long it took, in milliseconds.
        #[serde(default)]
        duration_ms: Option<u64>,
    },
    /// Changes to files.
    FileChange {
        /// The item.
        id: String,
        /// One a file.
        #[serde(default)]
        changes: Vec<Change>,
        /// "inProgress", "completed", "failed", "declined".
        #[serde(default)]
        status: String,
    },
    /// A call of an MCP server's tool.
    McpToolCall {
        /// The item.
        id: String,
        /// The server.
        #[serde(default)]
        server: String,
        /// The tool.
        #[serde(default)]
        tool: String,
        /// "inProgress", "completed", "failed".
        #[serde(default)]
        status: String,
    },
    /// A search of the web.
    WebSearch {
        /// The item.
        id: String,
        /// What was searched for.
        #[serde(default)]
        query: String,
    },
    /// The result of a review.
    ExitedReviewMode {
        /// The item.
        id: String,
        /// The review as text.
        #[serde(default)]
        review: String,
    },
    /// Anything else.
    #[serde(other)]
    Other,
}

/// The change of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Change {
    /// The file, on the remote.
    pub path: String,
    /// How.
    pub kind: ChangeKind,
    /// The hunks of a unified diff for an update; the whole content for an added or deleted file.
    pub diff: String,
}

/// How a file changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ChangeKind {
    /// It is new.
    Add,
    /// It goes.
    Delete,
    /// Its content changes.
    Update {
        /// Its new path, if it is moved.
        #[serde(default)]
        move_path: Option<String>,
    },
    /// Something else.
    #[default]
    #[serde(other)]
    Other,
}

impl Item {
    /// The id; none for an item whose type we do not know.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::UserMessage { id, .. }
            | Self::AgentMessage { id, .. }
            | Self::Reasoning { id, .. }
            | Self::Plan { id, .. }
            | Self::CommandExecution { id, .. }
            | Self::FileChange { id, .. }
            | Self::McpToolCall { id, .. }
            | Self::WebSearch { id, .. }
            | Self::ExitedReviewMode { id, .. } => Some(id),
            Self::Other => None,
        }
    }

    /// Whether it is not over yet, as far as it says.
    #[must_use]
    pub fn runs(&self) -> bool {
        match self {
            Self::CommandExecution { status, .. } | Self::FileChange { status, .. } | Self::McpToolCall { status, .. } => {
                status == "inProgress"
            }
            Self::UserMessage { .. }
            | Self::AgentMessage { .. }
            | Self::Reasoning { .. }
            | Self::Plan { .. }
            | Self::WebSearch { .. }
            | Self::ExitedReviewMode { .. }
            | Self::Other => false,
        }
    }
}

impl Change {
    /// Its lines, without the one with which the server (0.169) says in words where the file was moved to.
    #[must_use]
    pub fn lines(&self) -> &str {
        match &self.kind {
            ChangeKind::Update { move_path: Some(to) } => {
                let moved = format!("\nMoved to: {to}");
                self.diff.trim_end().strip_suffix(moved.as_str()).unwrap_or(&self.diff)
            }
            ChangeKind::Update { move_path: None } | ChangeKind::Add | ChangeKind::Delete | ChangeKind::Other => &self.diff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_server::protocol::view;
    use serde_json::json;

    #[test]
    fn items_are_read_tolerantly() {
        let command = json!({"type":"commandExecution","id":"i1","command":"ls","source":"agent","exitCode":0,"new":{}});
        assert!(matches!(view(&command), Some(Item::CommandExecution { exit_code: Some(0), .. })));
        assert_eq!(view(&json!({"type":"teleport","id":"i2"})), Some(Item::Other));
        assert_eq!(view::<Item>(&json!({"id":"i3"})), None);
        let change: Change = view(&json!({"path":"/a","kind":{"type":"update","move_path":"/b"}})).expect("read");
        assert_eq!(change.kind, ChangeKind::Update { move_path: Some("/b".into()) });
        assert_eq!(view::<Change>(&json!({"kind":{"type":"melt"}})).expect("read").kind, ChangeKind::Other);
    }
}
