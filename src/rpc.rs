//! JSON-RPC as the app-server speaks it: messages, requests waiting for an answer, and the task that owns a connection.

pub(crate) mod inlet;
pub mod lines;
pub mod message;
pub mod network;
pub mod peer;
pub mod pending;
pub mod pulse;
pub mod websocket;
pub mod wire;

/// What to do about a server that says nothing.
pub const SILENT: &str = "see what it wrote: outpost logs HOST\nend it, if Outpost started it: outpost stop HOST --now\n\
                          if somebody else did, they can end it";
