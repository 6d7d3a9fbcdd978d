//! One connection as two bounded queues of messages; what carries them stays behind it.
//!
//! **When a queue is full** nobody drops a message. A full `from` makes the task behind it stop reading its socket, so
//! that the sender's window closes; that is not taken for a dead link. A full `to` makes whoever sends wait. Whoever
//! holds both ends must therefore never stop reading `from` while it waits to send ([`super::peer`] keeps a backlog).

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::message::{INVALID_REQUEST, MAX_MESSAGE_BYTES, Message, RpcError};
use crate::failure::{Code, Failure};

/// How many messages a queue holds: a burst of deltas, not a history.
pub const DEPTH: usize = 256;
/// How many bytes of them the queue that is filled from a socket holds (and one message more, see [`super::inlet`]).
pub(crate) const BYTES: usize = 16 * 1024 * 1024;

/// Our own error number for a request that was not sent because it is larger than [`MAX_MESSAGE_BYTES`].
pub const NOT_SENT_TOO_LARGE: i64 = -32_099;

/// One end of a connection. It is over when `from` is; dropping `to` closes it from this side.
#[derive(Debug)]
pub struct Wire {
    /// Towards the other side.
    pub to: mpsc::Sender<Message>,
    /// From the other side, in order.
    pub from: mpsc::Receiver<Message>,
    /// Why it is over.
    pub ended: Ended,
}

/// Why a connection is over, once it is. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Ended(Arc<OnceLock<Failure>>);

impl Ended {
    /// Says why; the first to say it is right.
    pub fn because(&self, why: Failure) {
        drop(self.0.set(why));
    }

    /// Why the connection is over; [`Code::LinkLost`] when nobody said.
    #[must_use]
    pub fn why(&self) -> Failure {
        self.0
            .get()
            .cloned()
            .unwrap_or_else(|| Failure::new(Code::LinkLost, "talk to the app-server").said("the connection is closed"))
    }
}

impl Wire {
    /// Two ends of one connection within this process.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        let ((to_b, from_a), (to_a, from_b)) = (mpsc::channel(DEPTH), mpsc::channel(DEPTH));
        let ended = Ended::default();
        (Self { to: to_b, from: from_b, ended: ended.clone() }, Self { to: to_a, from: from_a, ended })
    }
}

/// What becomes of a message on its way out.
#[derive(Debug, PartialEq)]
pub(crate) enum Fitting {
    /// This text goes out.
    Send(String),
    /// The other side would not take it: its sender gets this answer.
    GiveBack(Message),
    /// The other side would not take it, and nobody waits for an answer.
    Drop,
}

/// Holds a message to the size that the other side takes.
pub(crate) fn fitting(message: &Message) -> Fitting {
    let text = message.to_text();
    if text.len() <= MAX_MESSAGE_BYTES {
        return Fitting::Send(text);
    }
    let said = format!("the message has {} bytes; the server takes at most {MAX_MESSAGE_BYTES}", text.len());
    match message {
        Message::Request { id, .. } => {
            Fitting::GiveBack(Message::response(id.clone(), Err(RpcError::new(NOT_SENT_TOO_LARGE, said))))
        }
        // The other side waits for this one: it gets the refusal.
        Message::Response { id, .. } => {
            Fitting::Send(Message::response(id.clone(), Err(RpcError::new(INVALID_REQUEST, said))).to_text())
        }
        Message::Notification { .. } => Fitting::Drop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::message::RequestId;
    use serde_json::{Value, json};

    #[test]
    fn field_57_what_is_too_large_goes_back_to_its_sender() {
        let big = Value::String("x".repeat(MAX_MESSAGE_BYTES));
        let request = Message::request(RequestId::Number(7), "turn/start", big.clone());
        let Fitting::GiveBack(Message::Response { id, result: Err(error) }) = fitting(&request) else {
            panic!("it would be sent")
        };
        assert_eq!((id, error.code), (RequestId::Number(7), NOT_SENT_TOO_LARGE));
        let answer = Message::Response { id: RequestId::Number(8), result: Ok(big.clone()) };
        assert!(matches!(fitting(&answer), Fitting::Send(t) if t.len() < 200 && t.contains("error")));
        assert_eq!(fitting(&Message::notification("x", big)), Fitting::Drop);
        assert!(matches!(fitting(&Message::notification("x", json!({}))), Fitting::Send(_)));
    }
}
