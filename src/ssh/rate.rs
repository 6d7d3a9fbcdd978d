//! How many may log in at one address at once, and how soon after a refusal: many hosts may hide behind one address, and sshd
//! turns away who knocks too often.
//!
//! A stock sshd drops connections at random once ten are logging in (MaxStartups 10:30:100). Since 9.8 it also adds up 5 s for
//! each refused login of a source and refuses the source altogether while 15 s or more stand (PerSourcePenalties, up to 10 min).

pub(crate) mod address;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::failure::{Code, Failure};
use address::Address;

/// How many log in at one address at the same time: below the ten at which a stock sshd begins to drop connections, with room
/// for a person's own `ssh`.
pub const AT_ONCE: usize = 8;

/// What a refused login costs (PerSourcePenalties `authfail`).
const REFUSED: Duration = Duration::from_secs(5);

/// What a connection that ended before anything was offered costs (`noauth`).
const NOTHING_OFFERED: Duration = Duration::from_secs(1);

/// What a login that never finished costs (`grace-exceeded`).
const UNFINISHED: Duration = Duration::from_secs(10);

/// Where sshd begins to refuse (`min`).
const THRESHOLD: Duration = Duration::from_secs(15);

/// Nobody waits longer than this for an old penalty to pass; the person is told instead.
const PATIENCE: Duration = Duration::from_secs(20);

/// The penalties that sshd has added up for us, as far as we can know, and the logins that may still add to them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Penalty {
    ends: Option<Instant>,
    at_risk: u32,
    proven: bool,
}

impl Penalty {
    /// How long to wait so that one more refusal does not reach the threshold, should every login that is under way be refused
    /// too. Once a login succeeded there, the others are expected to.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        let owed = self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(now));
        let others = if self.proven { 0 } else { self.at_risk };
        (owed + REFUSED * (others + 1) + Duration::from_secs(1)).saturating_sub(THRESHOLD)
    }

    /// A login begins.
    pub fn begin(&mut self) {
        self.at_risk += 1;
    }

    /// A login ended: well, or with this cost.
    pub fn end(&mut self, outcome: Outcome, now: Instant) {
        self.at_risk = self.at_risk.saturating_sub(1);
        match outcome {
            Outcome::Well => self.proven = true,
            Outcome::Free => {}
            Outcome::Cost(cost) => {
                let from = self.ends.filter(|ends| *ends > now).unwrap_or(now);
                self.ends = Some(from + cost);
            }
        }
    }
}

/// How a login ended, for the one who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// We are in.
    Well,
    /// Otherwise, but not so that sshd minds.
    Free,
    /// So that sshd adds this to what it holds against us.
    Cost(Duration),
}

/// What a failure of a login means at its address. Where it could be one of two, the dearer counts.
#[must_use]
pub fn cost(code: Code) -> Outcome {
    use Code as C;
    // A person may end it at any question, with a key already refused.
    if matches!(code, C::AuthRefused | C::AuthNeedsPerson | C::AuthCancelled | C::PasswordExpired | C::Interrupted) {
        return Outcome::Cost(REFUSED);
    }
    if code == C::AuthCut {
        return Outcome::Cost(UNFINISHED);
    }
    let keys = matches!(code, C::HostKeyUnknown | C::HostKeyChanged | C::HostKeyRevoked | C::HostCertificate);
    let left = keys || matches!(code, C::NoCommonAlgorithm | C::NotSsh | C::ConnectTimeout);
    if left { Outcome::Cost(NOTHING_OFFERED) } else { Outcome::Free }
}

#[derive(Debug)]
struct Door {
    places: Arc<Semaphore>,
    penalty: Mutex<Penalty>,
    left: Notify,
}

impl Default for Door {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), penalty: Mutex::default(), left: Notify::new() }
    }
}

impl Door {
    fn penalty(&self) -> MutexGuard<'_, Penalty> {
        self.penalty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a login, or says how long not to.
    fn enter(&self) -> Duration {
        let mut penalty = self.penalty();
        let wait = penalty.wait(Instant::now());
        if wait.is_zero() {
            penalty.begin();
        }
        wait
    }
}

/// The addresses that this process has knocked at.
static DOORS: Mutex<Option<HashMap<String, Arc<Door>>>> = Mutex::new(None);

/// The right to log in at an address; to be held until the login has ended.
#[derive(Debug)]
struct Turn {
    door: Arc<Door>,
    outcome: Outcome,
    _place: Option<OwnedSemaphorePermit>,
}

impl Turn {
    /// Waits for a turn at an address.
    async fn at(address: &str) -> Result<Self, Failure> {
        let door = {
            let mut doors = DOORS.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(doors.get_or_insert_default().entry(address.to_owned()).or_default())
        };
        let place = Arc::clone(&door.places).acquire_owned().await.ok();
        loop {
            let left = door.left.notified();
            match door.enter() {
                Duration::ZERO => return Ok(Self { door: Arc::clone(&door), outcome: Outcome::Free, _place: place }),
                wait if wait > PATIENCE => return Err(too_many(address, wait)),
                wait => drop(tokio::time::timeout(wait, left).await),
            }
        }
    }

    /// Tells how the login ended.
    fn ends(mut self, failure: Option<Code>) {
        self.outcome = failure.map_or(Outcome::Well, cost);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.door.penalty().end(self.outcome, Instant::now());
        self.door.left.notify_waiters();
    }
}

/// The turns at all that one login knocks at.
#[derive(Debug)]
pub(crate) struct Turns(Vec<Turn>);

impl Turns {
    /// Waits for the turns, one after the other. Everybody who waits for several goes from the first jump host on, and what is
    /// behind a jump host counts apart from all else, so nobody waits for one who waits for them.
    ///
    /// # Errors
    /// [`Code::AuthCut`] when so many logins were refused there that waiting would take too long.
    pub(crate) async fn at(way: &[Address]) -> Result<Self, Failure> {
        let (mut turns, mut names) = (Vec::new(), Vec::new());
        for name in way.iter().flat_map(Address::names) {
            if !names.contains(&name) {
                turns.push(Turn::at(name).await?);
                names.push(name);
            }
        }
        Ok(Self(turns))
    }

    /// Tells how the login at the last of them ended.
    pub(crate) fn end(mut self, failure: Option<Code>) {
        let last = self.0.pop();
        let reached = failure.is_none_or(|code| cost(code) != Outcome::Free);
        self.0.into_iter().filter(|_| reached).for_each(|turn| turn.ends(None));
        last.into_iter().for_each(|turn| turn.ends(failure));
    }

    /// Tells that the login at one before the last failed.
    pub(crate) fn end_on_the_way(mut self, failure: Code) {
        if self.0.len() > 1 {
            drop(self.0.pop());
        }
        self.0.into_iter().for_each(|turn| turn.ends(Some(failure)));
    }
}

fn too_many(address: &str, wait: Duration) -> Failure {
    Failure::new(Code::AuthCut, format!("connect to {address}"))
        .said("not tried: several logins there were just refused, and sshd locks out who goes on")
        .hint(format!("mend what was refused, then try again in {} s", wait.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_is_never_reached() {
        let start = Instant::now();
        for at_once in 1..=3_u32 {
            let (mut penalty, mut now, mut running) = (Penalty::default(), start, 0);
            // sshd's own account of us.
            let mut theirs = start;
            for _ in 0..100 {
                if running < at_once && penalty.wait(now).is_zero() {
                    penalty.begin();
                    running += 1;
                } else if running > 0 {
                    penalty.end(Outcome::Cost(REFUSED), now);
                    theirs = theirs.max(now) + REFUSED;
                    running -= 1;
                } else {
                    now += penalty.wait(now);
                }
                assert!(theirs.saturating_duration_since(now) < THRESHOLD, "locked out after {:?}", now - start);
            }
        }
    }

    #[test]
    fn a_login_that_succeeded_speaks_for_the_others() {
        let now = Instant::now();
        let mut penalty = Penalty::default();
        penalty.begin();
        penalty.begin();
        assert_eq!(penalty.wait(now), Duration::from_secs(1), "a third must wait for the first two");
        penalty.end(Outcome::Well, now);
        assert_eq!(penalty.wait(now), Duration::ZERO);
    }

    #[test]
    fn old_refusals_are_forgotten() {
        let now = Instant::now();
        let mut penalty = Penalty::default();
        for _ in 0..2 {
            penalty.begin();
            penalty.end(Outcome::Cost(REFUSED), now);
        }
        assert_eq!(penalty.wait(now), Duration::from_secs(1));
        assert_eq!(penalty.wait(now + Duration::from_secs(60)), Duration::ZERO);
    }

    #[test]
    fn whoever_must_wait_too_long_is_told() {
        let failure = too_many("10.0.0.7 port 22", Duration::from_secs(25));
        insta::assert_snapshot!(format!("{failure} [{}]\n{}", failure.code.as_str(), failure.hint), @r"
        connect to 10.0.0.7 port 22: not tried: several logins there were just refused, and sshd locks out who goes on [auth-cut]
        mend what was refused, then try again in 25 s
        ");
    }

    #[test]
    fn only_what_sshd_counts_is_counted() {
        for (code, expected) in [
            (Code::AuthRefused, Outcome::Cost(REFUSED)),
            (Code::AuthCut, Outcome::Cost(UNFINISHED)),
            (Code::Unreachable, Outcome::Free),
            (Code::Interrupted, Outcome::Cost(REFUSED)),
            (Code::HostKeyUnknown, Outcome::Cost(NOTHING_OFFERED)),
            (Code::HostKeyFiles, Outcome::Free),
        ] {
            assert_eq!(cost(code), expected, "{code:?}");
        }
    }
}
