//! What of a server's environment the commands of a thread get.

use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::rpc::peer::Peer;
use crate::rpc::pending::CallError;

/// What Codex calls the variables that its commands do not get.
pub const EXCLUDE: &str = "shell_environment_policy.exclude";

/// The configuration of a thread whose commands do not get a variable, whatever else the host keeps from them.
///
/// # Errors
/// What ends the connection.
pub async fn kept_from_commands(peer: &Peer, variable: &str) -> Result<Map<String, Value>, Failure> {
    let answer = match peer.read("config/read", json!({})).await {
        Ok(answer) => answer,
        // A release that does not tell: the variable is kept from them all the same.
        Err(CallError::Refused(_)) => Value::Null,
        Err(error) => return Err(error.failure("ask the app-server for config/read")),
    };
    let mut exclude =
        answer.pointer("/config/shell_environment_policy/exclude").and_then(Value::as_array).cloned().unwrap_or_default();
    exclude.push(json!(variable));
    Ok([(EXCLUDE.to_owned(), Value::Array(exclude))].into_iter().collect())
}
