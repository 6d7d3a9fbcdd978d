//! One JSON-RPC message, read tolerantly: what is not interpreted passes through untouched.
//!
//! The app-server leaves the `"jsonrpc"` field out (APP-SERVER.md); one that is there is kept. Ids are integers or strings.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The id of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// An integer.
    Number(i64),
    /// A string.
    Text(String),
}

/// The error of a response; `code` is JSON-RPC's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RpcError {
    /// JSON-RPC's number, for example -32601 for an unknown method.
    pub code: i64,
    /// The peer's words.
    #[serde(default)]
    pub message: String,
    /// Whatever else came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// JSON-RPC: the method does not exist.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC: the request cannot be carried out as it is.
pub const INVALID_REQUEST: i64 = -32600;
/// The app-server is overloaded: back off and try again.
pub const OVERLOADED: i64 = -32001;
/// One WebSocket message may have at most this many bytes (16 MiB, the server's limit).
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// A message in either direction.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Wants an answer.
    Request {
        /// Chosen by the sender.
        id: RequestId,
        /// The method.
        method: String,
        /// `null` when absent.
        params: Value,
    },
    /// Wants none.
    Notification {
        /// The method.
        method: String,
        /// `null` when absent.
        params: Value,
    },
    /// An answer.
    Response {
        /// The id of the request.
        id: RequestId,
        /// The result, or why there is none.
        result: Result<Value, RpcError>,
    },
}

/// Why bytes are not a message.
#[derive(Debug, thiserror::Error)]
pub enum BadMessage {
    /// Not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but neither request, notification nor response.
    #[error("neither a request, a notification nor a response")]
    Shape,
}

impl Message {
    /// A notification.
    pub fn notification(method: impl Into<String>, params: Value) -> Self {
        Self::Notification { method: method.into(), params }
    }

    /// A request.
    pub fn request(id: RequestId, method: impl Into<String>, params: Value) -> Self {
        Self::Request { id, method: method.into(), params }
    }

    /// The method of a request or notification.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request { method, .. } | Self::Notification { method, .. } => Some(method),
            Self::Response { .. } => None,
        }
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`BadMessage`] when the text is not a message; it is never partly taken.
    pub fn parse(text: &str) -> Result<Self, BadMessage> {
        let Value::Object(mut object) = serde_json::from_str(text)? else {
            return Err(BadMessage::Shape);
        };
        let id = match object.remove("id") {
            None | Some(Value::Null) => None,
            Some(id) => Some(serde_json::from_value::<RequestId>(id).map_err(|_| BadMessage::Shape)?),
        };
        let params = object.remove("params").unwrap_or(Value::Null);
        match (object.remove("method"), id) {
            (Some(Value::String(method)), Some(id)) => Ok(Self::Request { id, method, params }),
            (Some(Value::String(method)), None) => Ok(Self::Notification { method, params }),
            (None, Some(id)) => Self::response(id, object),
            (Some(_), _) | (None, None) => Err(BadMessage::Shape),
        }
    }

    fn response(id: RequestId, mut object: Map<String, Value>) -> Result<Self, BadMessage> {
        let result = match (object.remove("result"), object.remove("error")) {
            (_, Some(error)) if !error.is_null() => Err(serde_json::from_value(error).map_err(|_| BadMessage::Shape)?),
            (Some(result), _) => Ok(result),
            (None, _) => return Err(BadMessage::Shape),
        };
        Ok(Self::Response { id, result })
    }

    /// The message as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        match self {
            Self::Request { id, method, params } => {
                put("id", id_value(id));
                put("method", Value::String(method.clone()));
                if !params.is_null() {
                    put("params", params.clone());
                }
            }
            Self::Notification { method, params } => {
                put("method", Value::String(method.clone()));
                if !params.is_null() {
                    put("params", params.clone());
                }
            }
            Self::Response { id, result: Ok(result) } => {
                put("id", id_value(id));
                put("result", result.clone());
            }
            Self::Response { id, result: Err(error) } => {
                put("id", id_value(id));
                put("error", serde_json::to_value(error).unwrap_or(Value::Null));
            }
        }
        Value::Object(object)
    }

    /// The message as one line of JSON without the line's end.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }
}

fn id_value(id: &RequestId) -> Value {
    match id {
        RequestId::Number(n) => Value::from(*n),
        RequestId::Text(t) => Value::String(t.clone()),
    }
}
