//! Requests that wait for an answer. Dropping a waiter removes its entry; when the connection ends every waiter is told.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use serde_json::Value;
use tokio::sync::oneshot;

use super::message::{RequestId, RpcError};
use super::wire::NOT_SENT_TOO_LARGE;
use crate::failure::{Code, Failure};

/// Our own error number for a request whose answer was lost with a link and that is never repeated.
pub const NOT_KNOWN: i64 = -32_098;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq)]
pub enum CallError {
    /// The other side answered with an error.
    Refused(RpcError),
    /// The connection ended first: whether the request was carried out is not known.
    Ended(Failure),
}

impl CallError {
    /// As a failure that says what was tried.
    #[must_use]
    pub fn failure(self, tried: impl Into<String>) -> Failure {
        match self {
            Self::Ended(why) => why,
            Self::Refused(e) if e.code == NOT_SENT_TOO_LARGE => Failure::new(Code::MessageTooLarge, tried)
                .said(e.message)
                .hint("send less at once; put images and other large data into files on the remote and name them"),
            Self::Refused(e) if e.code == NOT_KNOWN => Failure::new(Code::NotKnown, tried)
                .said(e.message)
                .hint("look at the thread before you try again: outpost threads"),
            Self::Refused(e) if e.message.contains("is draining") => Failure::new(Code::ServerDraining, tried)
                .said(e.message)
                .hint("wait until its turns have ended, the next server takes new ones\nor end it in the middle of them: outpost stop HOST --now"),
            Self::Refused(e) => Failure::new(Code::ServerRefused, tried).said(format!("{} ({})", e.message, e.code)),
        }
    }
}

type Answer = Result<Value, CallError>;

#[derive(Debug, Default)]
struct State {
    next: i64,
    waiting: HashMap<i64, oneshot::Sender<Answer>>,
    over: Option<Failure>,
}

/// The requests of one connection that wait; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Pending(Arc<Mutex<State>>);

/// Waits for one answer.
#[derive(Debug)]
pub struct Waiter {
    number: i64,
    pending: Pending,
    answer: oneshot::Receiver<Answer>,
}

impl Pending {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a place for an answer and the id to ask with.
    ///
    /// # Errors
    /// When the connection is over.
    pub fn enter(&self) -> Result<(RequestId, Waiter), CallError> {
        let mut state = self.state();
        if let Some(why) = &state.over {
            return Err(CallError::Ended(why.clone()));
        }
        let number = state.next;
        state.next += 1;
        let (sender, answer) = oneshot::channel();
        state.waiting.insert(number, sender);
        Ok((RequestId::Number(number), Waiter { number, pending: self.clone(), answer }))
    }

    /// Hands an answer to whoever waits for it; an answer that nobody waits for any more is dropped.
    pub fn answer(&self, id: &RequestId, result: Result<Value, RpcError>) {
        let RequestId::Number(number) = id else { return };
        if let Some(sender) = self.state().waiting.remove(number) {
            drop(sender.send(result.map_err(CallError::Refused)));
        }
    }

    /// The connection is over: tells everybody, and whoever comes later.
    pub fn end(&self, why: &Failure) {
        let waiting = {
            let mut state = self.state();
            state.over.get_or_insert_with(|| why.clone());
            std::mem::take(&mut state.waiting)
        };
        for sender in waiting.into_values() {
            drop(sender.send(Err(CallError::Ended(why.clone()))));
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Future for Waiter {
    type Output = Answer;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        Pin::new(&mut self.answer).poll(cx).map(|got| {
            got.unwrap_or_else(|_| Err(CallError::Ended(Failure::new(Code::LinkLost, "wait for an answer of the app-server"))))
        })
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let number = self.number;
        self.pending.state().waiting.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn an_answer_finds_its_waiter_and_a_late_one_nobody() {
        let pending = Pending::default();
        let (first, waits) = pending.enter().expect("open");
        let (second, gone) = pending.enter().expect("open");
        drop(gone);
        assert_eq!(pending.len(), 1, "a dropped waiter leaves no entry");
        pending.answer(&second, Ok(json!(2)));
        pending.answer(&RequestId::Text("0".into()), Ok(json!(0)));
        pending.answer(&first, Ok(json!(1)));
        assert_eq!(waits.await, Ok(json!(1)));
        assert!(pending.is_empty());
    }

    #[tokio::test]
    async fn every_waiter_is_told_of_the_end() {
        let pending = Pending::default();
        let (_, a) = pending.enter().expect("open");
        let (_, b) = pending.enter().expect("open");
        let why = Failure::new(Code::LinkLost, "x");
        pending.end(&why);
        assert_eq!((a.await, b.await), (Err(CallError::Ended(why.clone())), Err(CallError::Ended(why.clone()))));
        assert_eq!(pending.enter().map(|_| ()), Err(CallError::Ended(why)));
    }
}
