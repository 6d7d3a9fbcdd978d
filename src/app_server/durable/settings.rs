//! How a durable connection behaves, and what it asks its machine.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::hold::Notes;
use super::policy::Pace;
use crate::rpc::network::Network;

/// What a machine says of itself; tests say something else.
#[derive(Clone)]
pub struct Surroundings {
    /// The wall clock: it runs on while the machine sleeps.
    pub wall: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Its addresses, when it can tell.
    pub network: Arc<dyn Fn() -> Option<Network> + Send + Sync>,
}

impl Default for Surroundings {
    fn default() -> Self {
        let wall = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: Arc::new(wall), network: Arc::new(Network::here) }
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surroundings")
    }
}

/// How a durable connection behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the client learns of a lost link.
    pub notes: Notes,
    /// How fast to dial.
    pub pace: Pace,
    /// After how long without a link the client is given up; none for never.
    pub limit: Option<Duration>,
    /// What wakes a lost link.
    pub around: Surroundings,
}

impl Settings {
    /// For a front end of ours.
    #[must_use]
    pub fn own() -> Self {
        Self { notes: Notes::Quiet, pace: Pace::default(), limit: None, around: Surroundings::default() }
    }

    /// For a stock client, which is told by warnings that name the host.
    #[must_use]
    pub fn stock(host: impl Into<String>) -> Self {
        Self { notes: Notes::Warn(host.into()), ..Self::own() }
    }
}
