//! How long the network may take until we are logged in (ConnectTimeout); a person's thinking is not counted.

use std::future::Future;
use std::time::{Duration, Instant};

/// Our own limit where the person's files leave ConnectTimeout unset, for a host reached over TCP.
pub(crate) const UNSET_OVER_TCP: Duration = Duration::from_secs(30);

/// The same behind a ProxyCommand, which may wake a machine or send the person to a browser first.
pub(crate) const UNSET_OVER_PROXY: Duration = Duration::from_secs(180);

/// What is left of the time to bring a connection up.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: Duration,
    spent: Duration,
}

/// The time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    /// The whole limit.
    pub(crate) limit: Duration,
}

impl Budget {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, spent: Duration::ZERO }
    }

    /// Gives the whole time again.
    pub(crate) fn renew(&mut self) {
        self.spent = Duration::ZERO;
    }

    /// Runs something that waits for the network and nothing else.
    ///
    /// # Errors
    /// [`Spent`] when the time is up first.
    pub(crate) async fn within<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Spent> {
        let began = Instant::now();
        let result = tokio::time::timeout(self.limit.saturating_sub(self.spent), work).await;
        self.spent += began.elapsed();
        result.map_err(|_| Spent { limit: self.limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_spent_is_gone() {
        let mut budget = Budget::new(Duration::from_millis(20));
        assert_eq!(budget.within(std::future::ready(7)).await, Ok(7));
        assert!(budget.within(std::future::pending::<()>()).await.is_err());
        assert!(budget.within(std::future::pending::<()>()).await.is_err());
    }
}
