//! When to dial again: a pure policy in virtual time.
//!
//! For ever, from 1 s to 30 s with jitter, at once after waking. A link that had stood for a while is dialled again at
//! once. Never after a refusal that only a person can mend. What fails on the remote behind a good login (a codex that is
//! just being upgraded) is tried a few times slowly before a person is asked.
//!
//! A stock sshd counts a connection that ends before its login as one second of penalty and refuses an address at
//! fifteen; at this pace the count never grows. A cut in the middle of a login may be such a refusal: it waits longer.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::failure::{Code, Exit, Failure, Remedy};

/// How fast to dial. The default is for people; tests of many cuts use a quicker one.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The first pause.
    pub first: Duration,
    /// The longest.
    pub most: Duration,
    /// How long a link must have stood to count as good: then the next dial is at once.
    pub good: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(30), good: Duration::from_secs(20) }
    }
}

/// How often a failure of the remote, behind a good login, is tried before a person is asked: at 30 s, five minutes.
const REMOTE_TRIES: u32 = 10;
/// After a login that was cut: a stock sshd forgets such penalties within this time.
const CUT_PAUSE: Duration = Duration::from_secs(15);

/// Between two dials that waking or another network caused: a network that comes and goes each second must not make a stock
/// sshd refuse us.
const BETWEEN_NUDGES: Duration = Duration::from_secs(3);

/// What to do after a loss or a dial that failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Dial at this time.
    At(Duration),
    /// Do not dial again: a person must act.
    Stop(Failure),
}

/// The policy's state.
#[derive(Debug)]
pub struct Policy {
    pace: Pace,
    rng: SmallRng,
    fails: u32,
    remote_fails: u32,
    up_since: Option<Duration>,
    nudged: Option<Duration>,
}

impl Policy {
    /// A policy; `seed` drives the jitter.
    #[must_use]
    pub fn new(pace: Pace, seed: u64) -> Self {
        Self { pace, rng: SmallRng::seed_from_u64(seed), fails: 0, remote_fails: 0, up_since: None, nudged: None }
    }

    /// The link stands.
    pub fn up(&mut self, now: Duration) {
        self.up_since = Some(now);
        self.remote_fails = 0;
    }

    /// The link was lost.
    pub fn lost(&mut self, now: Duration) -> Next {
        let good = self.up_since.take().is_some_and(|since| now.saturating_sub(since) >= self.pace.good);
        if good {
            self.fails = 0;
            // Not all clients of a host in the same instant.
            return Next::At(now + self.jitter(self.pace.first / 8));
        }
        Next::At(now + self.pause())
    }

    /// A dial failed.
    pub fn failed(&mut self, now: Duration, why: &Failure) -> Next {
        self.up_since = None;
        if why.code.remedy() == Remedy::Person {
            self.remote_fails += 1;
            if why.code.exit() != Exit::Remote || self.remote_fails >= REMOTE_TRIES {
                return Next::Stop(why.clone());
            }
            self.fails = self.fails.max(SLOWEST_AT);
        }
        let pause = self.pause();
        Next::At(now + if why.code == Code::AuthCut { pause.max(CUT_PAUSE.min(self.pace.most)) } else { pause })
    }

    /// The machine woke, the network changed, or a person asked: the pauses begin anew.
    pub fn woke(&mut self, now: Duration) -> Duration {
        self.fails = 0;
        let at = match self.nudged {
            Some(planned) if planned > now => planned,
            last => last.map_or(now, |last| now.max(last + BETWEEN_NUDGES)),
        };
        self.nudged = Some(at);
        at
    }

    fn pause(&mut self) -> Duration {
        let grown = self.pace.first.saturating_mul(1 << self.fails.min(SLOWEST_AT));
        self.fails = self.fails.saturating_add(1);
        self.jitter(grown.min(self.pace.most))
    }

    fn jitter(&mut self, pause: Duration) -> Duration {
        pause.mul_f64(self.rng.random_range(0.8..1.2))
    }
}

/// After this many failures the pause has surely reached its longest.
const SLOWEST_AT: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wait() -> Failure {
        Failure::new(Code::Unreachable, "connect")
    }

    fn at(next: Next) -> Duration {
        match next {
            Next::At(at) => at,
            Next::Stop(why) => panic!("{why}"),
        }
    }

    fn about(pause: Duration, secs: f64) -> bool {
        (0.79 * secs..1.21 * secs).contains(&pause.as_secs_f64())
    }

    #[test]
    fn pauses_grow_from_one_second_to_thirty_and_stay() {
        let mut policy = Policy::new(Pace::default(), 7);
        let mut now = Duration::ZERO;
        for want in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] {
            let next = at(policy.failed(now, &wait()));
            assert!(about(next - now, want), "{want}: {:?}", next - now);
            now = next;
        }
        for _ in 0..10_000 {
            now = at(policy.failed(now, &wait()));
        }
        assert!(about(at(policy.failed(now, &wait())) - now, 30.0), "for ever");
    }

    #[test]
    fn a_good_link_is_dialled_at_once_and_a_flapping_one_is_not() {
        let mut policy = Policy::new(Pace::default(), 7);
        policy.up(Duration::ZERO);
        let day = Duration::from_secs(86_400);
        assert!(at(policy.lost(day)) - day < Duration::from_millis(200));
        let mut now = day;
        for want in [1.0, 2.0, 4.0, 8.0] {
            policy.up(now);
            now += Duration::from_secs(5);
            let next = at(policy.lost(now));
            assert!(about(next - now, want), "{want}: {:?}", next - now);
            now = next;
        }
    }

    #[test]
    fn field_54_waking_dials_at_once() {
        let mut policy = Policy::new(Pace::default(), 7);
        for _ in 0..9 {
            policy.failed(Duration::ZERO, &wait());
        }
        let now = Duration::from_secs(1_000);
        assert_eq!(policy.woke(now), now);
        assert!(about(at(policy.failed(now, &wait())) - now, 1.0));
    }

    #[test]
    fn a_network_that_comes_and_goes_is_not_followed_each_time() {
        let mut policy = Policy::new(Pace::default(), 7);
        let secs = Duration::from_secs;
        let at = [1, 2, 3, 4, 5, 20].map(|s| policy.woke(secs(s)).as_secs());
        assert_eq!(at, [1, 4, 4, 7, 7, 20]);
    }

    #[test]
    fn what_only_a_person_can_mend_stops_at_once() {
        for code in Code::ALL.iter().filter(|c| c.remedy() == Remedy::Person && c.exit() != Exit::Remote) {
            let mut policy = Policy::new(Pace::default(), 7);
            let why = Failure::new(*code, "x");
            assert_eq!(policy.failed(Duration::ZERO, &why), Next::Stop(why.clone()), "{}", code.as_str());
        }
    }

    #[test]
    fn a_codex_that_is_being_upgraded_gets_five_minutes() {
        let mut policy = Policy::new(Pace::default(), 7);
        let (why, mut now) = (Failure::new(Code::CodexMissing, "x"), Duration::ZERO);
        while let Next::At(next) = policy.failed(now, &why) {
            assert!(next - now > Duration::from_secs(20), "slowly");
            now = next;
        }
        assert!((200..400).contains(&now.as_secs()), "{now:?}");
    }

    #[test]
    fn a_login_that_was_cut_waits_out_a_penalty() {
        let mut policy = Policy::new(Pace::default(), 7);
        assert!(at(policy.failed(Duration::ZERO, &Failure::new(Code::AuthCut, "x"))) >= CUT_PAUSE);
    }

    proptest! {
        /// The penalty that OpenSSH 9.8 and later count for connections without a login (1 s each, refused from 15 s)
        /// never comes near its limit.
        #[test]
        fn a_stock_sshd_never_penalises_us(seed: u64, what in prop::collection::vec(0..3, 200)) {
            let mut policy = Policy::new(Pace::default(), seed);
            let (mut now, mut penalty) = (Duration::ZERO, 0.0_f64);
            for what in what {
                let next = match what {
                    0 => { policy.up(now); at(policy.lost(now)) }
                    1 => at(policy.failed(now, &wait())),
                    _ => policy.woke(now),
                };
                penalty = (penalty - (next - now).as_secs_f64()).max(0.0) + 1.0;
                prop_assert!(penalty < 5.0);
                now = next;
            }
        }
    }
}
