//! What the durable connection tells its own front ends beside the server's messages.

use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// News that no message of the server carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A prompt has arrived: the server has its `userMessage`.
    Delivered {
        /// The thread.
        thread: String,
        /// Its `clientUserMessageId`.
        message: String,
        /// The turn it is part of.
        turn: String,
    },
    /// A prompt was sent again because the server had not kept it.
    SentAgain {
        /// The thread.
        thread: String,
        /// Its `clientUserMessageId`.
        message: String,
        /// The turn that was promised for it and died with its server.
        instead_of: Option<String>,
    },
    /// A prompt is not known to have been delivered: the person gets it back.
    GivenBack {
        /// The thread.
        thread: String,
        /// Its `clientUserMessageId`; empty where the client gave none.
        message: String,
        /// The parameters of the request, the words among them.
        params: Value,
        /// Whether it was on its way when the connection was given up: it may have arrived all the same.
        sent: bool,
    },
    /// The answer of a request was lost, and it is not known whether it happened.
    NotKnown {
        /// The method.
        method: String,
        /// Its thread, when it has one.
        thread: Option<String>,
    },
    /// The link is back, and everything that was missed has been told.
    Back {
        /// How long it was gone.
        away: Duration,
        /// Which server it leads to.
        server: Server,
    },
    /// A thread cannot be gone on with over this connection.
    ThreadGone {
        /// The thread.
        thread: String,
        /// Why.
        why: Failure,
    },
}

/// Which server a new link leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// The same process as before.
    Same,
    /// Another one: what ran in the old one was interrupted.
    Restarted,
    /// It cannot be told.
    Unknown,
}

/// What the agent does, as far as the client has been told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agent {
    /// Nothing.
    #[default]
    Idle,
    /// A turn runs.
    Working,
    /// A turn waits for a person.
    Waiting,
}
