//! One JSON-RPC message, read tolerantly: what is not interpreted passes through untouched.
//!
//! The app-server leaves the `"jsonrpc"` field out; one that is there is dropped, as is whatever else stands beside `id`,
//! `method`, `params`, `result` and `error`. What stands within those is kept, in its order. Ids are integers or strings.

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

impl RpcError {
    /// An error of our own.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }
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

    /// The answer that a request got.
    #[must_use]
    pub fn response(id: RequestId, result: Result<Value, RpcError>) -> Self {
        Self::Response { id, result }
    }

    /// The parameters of a request or notification.
    #[must_use]
    pub fn params(&self) -> Option<&Value> {
        match self {
            Self::Request { params, .. } | Self::Notification { params, .. } => Some(params),
            Self::Response { .. } => None,
        }
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
            (None, Some(id)) => Self::read_response(id, object),
            (Some(_), _) | (None, None) => Err(BadMessage::Shape),
        }
    }

    fn read_response(id: RequestId, mut object: Map<String, Value>) -> Result<Self, BadMessage> {
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

    /// About how many bytes of memory it takes here. JSON of small pieces takes many times what it took on the wire.
    #[must_use]
    pub fn weight(&self) -> usize {
        let name = |text: &str| size_of::<Self>() + text.len();
        match self {
            Self::Request { method, params, .. } | Self::Notification { method, params } => name(method) + weight(params),
            Self::Response { result: Ok(value), .. } => name("") + weight(value),
            Self::Response { result: Err(error), .. } => name(&error.message) + error.data.as_ref().map_or(0, weight),
        }
    }

    /// The message as one line of JSON without the line's end.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_value().to_string()
    }
}

/// About how many bytes of memory a value takes here.
#[must_use]
pub fn weight(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight).sum(),
            // A key, its hash and its place.
            Value::Object(object) => object.iter().map(|(key, value)| 40 + key.len() + weight(value)).sum(),
        }
}

fn id_value(id: &RequestId) -> Value {
    match id {
        RequestId::Number(n) => Value::from(*n),
        RequestId::Text(t) => Value::String(t.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_four_kinds_are_told_apart() {
        for (text, want) in [
            (r#"{"id":1,"method":"a","params":{"x":[]}}"#, Some(Message::request(RequestId::Number(1), "a", json!({"x": []})))),
            (r#"{"method":"a"}"#, Some(Message::notification("a", Value::Null))),
            (r#"{"id":null,"method":"a"}"#, Some(Message::notification("a", Value::Null))),
            (r#"{"id":"x","result":null}"#, Some(Message::response(RequestId::Text("x".into()), Ok(Value::Null)))),
            (
                r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"no"}}"#,
                Some(Message::response(RequestId::Number(2), Err(RpcError::new(METHOD_NOT_FOUND, "no")))),
            ),
            (r#"{"id":1.5,"result":1}"#, None),
            (r#"{"id":1}"#, None),
            (r#"{"method":1}"#, None),
            (r#"{"id":1,"error":"no"}"#, None),
            (r#"[{"method":"a"}]"#, None),
            ("", None),
            ("{", None),
        ] {
            assert_eq!(Message::parse(text).ok(), want, "{text}");
        }
    }

    #[test]
    fn a_deep_message_is_refused_and_does_not_end_the_program() {
        let deep = format!(r#"{{"method":"a","params":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(Message::parse(&deep), Err(BadMessage::Json(_))));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300_f64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn id() -> impl Strategy<Value = RequestId> {
        prop_oneof![any::<i64>().prop_map(RequestId::Number), any::<String>().prop_map(RequestId::Text)]
    }

    fn message() -> impl Strategy<Value = Message> {
        let error = (any::<i64>(), any::<String>(), prop::option::of(value()));
        prop_oneof![
            (id(), any::<String>(), value()).prop_map(|(id, m, p)| Message::request(id, m, p)),
            (any::<String>(), value()).prop_map(|(m, p)| Message::notification(m, p)),
            (id(), value()).prop_map(|(id, v)| Message::response(id, Ok(v))),
            (id(), error).prop_map(|(id, (code, message, data))| {
                let data = data.filter(|d| !d.is_null());
                Message::response(id, Err(RpcError { code, message, data }))
            }),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            drop(Message::parse(&text));
        }

        #[test]
        fn nearly_a_message_is_read_or_refused(text in r#"\{("(id|method|params|result|error)":("[a-z]{0,3}"|[0-9.-]{1,4}|null|\{\}|\[\]),?){0,4}\}"#) {
            drop(Message::parse(&text));
        }

        #[test]
        fn what_is_written_is_read_again(message in message()) {
            let text = message.to_text();
            prop_assert!(!text.contains('\n'), "one line");
            let read = Message::parse(&text).expect("it was written by us");
            prop_assert_eq!(read.to_text(), text);
            prop_assert_eq!(read, message);
        }
    }
}
