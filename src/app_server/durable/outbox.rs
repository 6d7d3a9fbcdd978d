//! A queue in front of a bounded channel, so that whoever fills it need not wait.

use std::collections::VecDeque;

use tokio::sync::mpsc;

/// Messages on their way into a queue that may be full.
pub(super) struct Outbox<T> {
    pub to: mpsc::Sender<T>,
    pub waiting: VecDeque<T>,
}

impl<T> Outbox<T> {
    pub fn new(to: mpsc::Sender<T>) -> Self {
        Self { to, waiting: VecDeque::new() }
    }

    /// Hands on as many as there is room for, without waiting.
    pub fn hand_on_now(&mut self) {
        while !self.waiting.is_empty()
            && let Ok(permit) = self.to.try_reserve()
            && let Some(next) = self.waiting.pop_front()
        {
            permit.send(next);
        }
    }

    /// Hands on as many as there is room for; waits for room, or for ever when there is nothing to hand on. False when
    /// nobody takes them any more. Nothing is lost when this is dropped half way.
    pub async fn hand_on(&mut self) -> bool {
        if self.waiting.is_empty() {
            std::future::pending::<()>().await;
        }
        let Ok(permit) = self.to.reserve().await else { return false };
        if let Some(next) = self.waiting.pop_front() {
            permit.send(next);
        }
        true
    }
}
