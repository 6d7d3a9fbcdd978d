//! JSON-RPC as the app-server speaks it: messages, requests waiting for an answer, and the task that owns a connection.

pub mod message;
