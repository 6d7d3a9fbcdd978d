//! What happens in a thread, in the words of a person.

use std::time::Duration;

use crate::app_server::protocol::approval::Asked;
pub use crate::app_server::protocol::approval::Decision;
pub use crate::app_server::protocol::item::{Change, ChangeKind};
use crate::name::TurnId;
use crate::rpc::message::RequestId;

/// One thing that happened. Texts are the remote's: a front end neutralises them.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A turn began.
    TurnStarted(TurnId),
    /// A person's prompt was taken in: from here on it is kept.
    Prompted {
        /// The id it was sent with; none from clients that give none.
        message_id: Option<String>,
        /// What the person wrote.
        text: String,
    },
    /// A piece of what the agent says.
    Said {
        /// The message it belongs to.
        item: String,
        /// The piece.
        piece: String,
    },
    /// The agent's message is complete; its pieces were all told.
    SaidAll {
        /// The message.
        item: String,
        /// All of it.
        text: String,
    },
    /// A piece of what the agent thinks.
    Thought {
        /// The item.
        item: String,
        /// The piece.
        piece: String,
    },
    /// A command began.
    Command {
        /// The item.
        item: String,
        /// The command line.
        command: String,
        /// Where it runs.
        cwd: String,
    },
    /// A piece of what a command prints.
    Output {
        /// The item of the command.
        item: String,
        /// The piece.
        piece: String,
    },
    /// A command ended; its output was all told.
    Ran {
        /// The item.
        item: String,
        /// How.
        end: End,
        /// Its exit code.
        exit_code: Option<i64>,
        /// How long it took.
        took: Option<Duration>,
    },
    /// Files changed, or did not.
    Changed {
        /// The item.
        item: String,
        /// How.
        end: End,
        /// The files.
        changes: Vec<Change>,
    },
    /// The diff of the whole turn so far, unified.
    Diff(String),
    /// The agent's plan: for each step its state ("pending", "inProgress", "completed") and its words.
    Plan(Vec<(String, String)>),
    /// The agent used a tool, searched, reviewed: in a line.
    Did(String),
    /// A long text that is not part of the conversation: the result of a review.
    Told(String),
    /// The server asks a person.
    Asked(Approval),
    /// A question of the server needs no answer any more.
    Resolved(RequestId),
    /// Something a person should know.
    Warning(String),
    /// Something failed; the server may try again by itself.
    Error {
        /// What.
        text: String,
        /// Whether the server tries again.
        will_retry: bool,
    },
    /// A turn ended.
    TurnEnded(TurnId, TurnEnd),
    /// The server unloaded the thread.
    Closed,
}

/// How a command or a file change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It was done.
    Done,
    /// It failed.
    Failed,
    /// A person said no.
    Declined,
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnEnd {
    /// It came to its end.
    Completed,
    /// Somebody stopped it, or its server died.
    Interrupted,
    /// It failed, with the server's words.
    Failed(String),
}

/// A question of the server to a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// What to answer to.
    pub id: RequestId,
    /// What is asked.
    pub asked: Asked,
    /// The file changes it is about, when it is about some.
    pub changes: Vec<Change>,
}
