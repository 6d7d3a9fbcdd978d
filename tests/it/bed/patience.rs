//! Waiting for what gives no sign of itself (a screen, the end of a stranger's process): it is looked at again and again, and
//! the cores are left to others in between.

use std::time::{Duration, Instant};

/// How long something may take; generous, because builds may share the cores.
const LIMIT: Duration = Duration::from_secs(60);
/// The pause between two looks, after a few short ones.
const PAUSE: Duration = Duration::from_millis(25);

/// How much longer somebody waits.
pub(crate) struct Patience {
    began: Instant,
    pause: Duration,
}

impl Patience {
    /// All of it.
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), pause: Duration::from_millis(1) }
    }

    /// Waits a little; false when there is no patience left.
    #[expect(clippy::disallowed_methods, reason = "nothing tells of what is waited for here")]
    pub(crate) fn waits(&mut self) -> bool {
        std::thread::sleep(self.pause);
        self.pause = PAUSE.min(self.pause * 2);
        self.began.elapsed() < LIMIT
    }
}

/// Looks until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut it_is_so: impl FnMut() -> bool) {
    let mut patience = Patience::new();
    while !it_is_so() {
        assert!(patience.waits(), "it never was: {what}");
    }
}
