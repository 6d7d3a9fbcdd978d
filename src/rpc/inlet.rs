//! The sending end of a bounded queue that is bounded in bytes too: its two counts are both the policy of who fills it.
//!
//! A message is counted as long as its reader has not taken it. The one that goes over the budget is still let in, so that a
//! message as large as [`super::websocket::MAX_RECEIVED`] can pass: what a queue holds is its budget and one message more.

use std::collections::VecDeque;

use tokio::sync::mpsc;

/// The sending end; nobody else fills the queue with anything large.
#[derive(Debug)]
pub(crate) struct Inlet<T> {
    to: mpsc::Sender<T>,
    budget: usize,
    /// What each of the messages that are in the queue weighs.
    weights: VecDeque<usize>,
    held: usize,
}

impl<T> Inlet<T> {
    pub(crate) fn new(to: mpsc::Sender<T>, budget: usize) -> Self {
        Self { to, budget, weights: VecDeque::new(), held: 0 }
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.to.is_closed()
    }

    /// Whether a message can be put in now.
    pub(crate) fn has_room(&mut self) -> bool {
        let waiting = self.to.max_capacity() - self.to.capacity();
        while self.weights.len() > waiting
            && let Some(weight) = self.weights.pop_front()
        {
            self.held -= weight;
        }
        self.held < self.budget && self.to.capacity() > 0
    }

    /// Waits for room; false when nobody reads any more.
    pub(crate) async fn room(&mut self) -> bool {
        while !self.has_room() {
            let (mut held, mut gone) = (self.held, 0);
            while held >= self.budget
                && let Some(weight) = self.weights.get(gone)
            {
                held -= weight;
                gone += 1;
            }
            // So many places are free once the reader has taken what is too much.
            let free = self.to.max_capacity().saturating_sub(self.weights.len()) + gone;
            if self.to.reserve_many(free.clamp(1, self.to.max_capacity())).await.is_err() {
                return false;
            }
        }
        !self.is_closed()
    }

    /// Puts a message in that weighs this much.
    ///
    /// # Errors
    /// The message, when there is no place for it.
    pub(crate) fn put(&mut self, message: T, weight: usize) -> Result<(), T> {
        self.to.try_send(message).map_err(|e| match e {
            mpsc::error::TrySendError::Full(message) | mpsc::error::TrySendError::Closed(message) => message,
        })?;
        self.weights.push_back(weight);
        self.held += weight;
        Ok(())
    }

    /// As [`Self::put`], once there is room; false when nobody reads any more.
    pub(crate) async fn send(&mut self, mut message: T, weight: usize) -> bool {
        while self.room().await {
            match self.put(message, weight) {
                Ok(()) => return true,
                Err(back) => message = back,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_queue_is_full_of_bytes_or_of_messages() {
        let (to, mut from) = mpsc::channel(3);
        let mut inlet = Inlet::new(to, 100);
        assert!(inlet.send("large", 150).await, "one message always passes");
        assert!(poll!(std::pin::pin!(inlet.room())).is_pending());
        assert_eq!(from.recv().await, Some("large"));
        for small in ["a", "b", "c"] {
            assert!(inlet.send(small, 10).await);
        }
        assert!(poll!(std::pin::pin!(inlet.send("d", 1))).is_pending(), "three messages are enough, too");
        assert_eq!(from.recv().await, Some("a"));
        assert!(inlet.send("d", 200).await);
        {
            let mut room = std::pin::pin!(inlet.room());
            for next in ["b", "c"] {
                assert!(poll!(room.as_mut()).is_pending());
                assert_eq!(from.recv().await, Some(next));
            }
            assert!(poll!(room.as_mut()).is_pending());
            assert_eq!(from.recv().await, Some("d"));
            assert!(room.await);
        }
        drop(from);
        assert!(!inlet.send("nobody", 1).await);
    }
}
