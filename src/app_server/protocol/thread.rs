//! Threads and turns.

use serde::Deserialize;
use serde_json::Value;

use crate::name::{ThreadId, TurnId};

/// A thread, as `thread/start`, `thread/list` and others give it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thread {
    /// Its id.
    pub id: ThreadId,
    /// Its folder on the remote.
    #[serde(default)]
    pub cwd: String,
    /// What it does now.
    #[serde(default)]
    pub status: Status,
    /// Its first prompt, mostly.
    #[serde(default)]
    pub preview: String,
    /// The name a person gave it.
    #[serde(default)]
    pub name: Option<String>,
    /// Unix time in seconds.
    #[serde(default)]
    pub created_at: i64,
    /// Unix time in seconds.
    #[serde(default)]
    pub updated_at: i64,
    /// The state of its repository when it began.
    #[serde(default)]
    pub git_info: Option<GitInfo>,
    /// Its turns, where the server sends them.
    #[serde(default)]
    pub turns: Vec<Turn>,
}

/// The repository a thread began in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GitInfo {
    /// The branch.
    pub branch: Option<String>,
    /// The commit.
    pub sha: Option<String>,
}

/// What a thread does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Status {
    /// It is on disk only.
    NotLoaded,
    /// It waits for a prompt.
    Idle,
    /// It works.
    #[serde(rename_all = "camelCase")]
    Active {
        /// "waitingOnApproval", "waitingOnUserInput".
        #[serde(default)]
        active_flags: Vec<String>,
    },
    /// It is broken.
    SystemError,
    /// Something else.
    #[default]
    #[serde(other)]
    Other,
}

/// A turn. Its items are kept as they came: [`super::item::Item`] is their view.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// Its id.
    pub id: TurnId,
    /// How it stands.
    #[serde(default)]
    pub status: TurnStatus,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<TurnError>,
    /// Its items, where the server sends them.
    #[serde(default)]
    pub items: Vec<Value>,
}

/// How a turn stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TurnStatus {
    /// It runs.
    InProgress,
    /// It came to its end.
    Completed,
    /// Somebody stopped it, or its server died.
    Interrupted,
    /// It failed.
    Failed,
    /// Something else.
    #[default]
    #[serde(other)]
    Other,
}

/// Why a turn failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TurnError {
    /// In the server's words.
    pub message: String,
    /// More of them.
    pub additional_details: Option<String>,
}

/// The answer of `thread/start`, `thread/resume`, `thread/fork`, `thread/read`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ThreadAnswer {
    /// The thread.
    pub thread: Thread,
    /// The model it uses.
    #[serde(default)]
    pub model: String,
}

/// The answer of `turn/start` and `review/start`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TurnAnswer {
    /// The turn.
    pub turn: Turn,
}
