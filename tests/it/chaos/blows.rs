//! What is done to the link, to both its ends and to ourselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::SmallRng;

use super::census::Census;
use super::us::Us;
use super::{Setting, pause};
use crate::bed::faulty::{Fault, Faulty, Mood};
use crate::bed::{Host, Sandbox, kill_servers};

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Cut,
    Reset,
    HalfClosed,
    Refused,
    Stalled,
    Delayed,
    Blackhole,
    Late,
    Sshd,
    Server,
    Host,
    Us,
}

/// Each with its weight for a link that suffers, and for a life in which everything does.
const BLOWS: [(Blow, u32, u32); 12] = [
    (Blow::Cut, 25, 25),
    (Blow::Reset, 13, 13),
    (Blow::HalfClosed, 12, 12),
    (Blow::Refused, 10, 10),
    (Blow::Stalled, 8, 8),
    (Blow::Delayed, 8, 8),
    (Blow::Blackhole, 5, 5),
    (Blow::Late, 8, 8),
    (Blow::Sshd, 7, 7),
    (Blow::Server, 0, 5),
    (Blow::Host, 0, 2),
    (Blow::Us, 0, 5),
];

/// Which weights count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suffers {
    /// The link alone.
    Link,
    /// The link, the server, the host, and our own process.
    All,
}

/// Where it happens.
pub(super) struct World {
    pub(super) host: Arc<Host>,
    pub(super) wire: Faulty,
    pub(super) us: Us,
    /// The endpoint of the second front end, on a way to the host that has no faults; nobody kills it.
    pub(super) beside: Us,
    pub(super) census: Census,
    /// Threads that still have no prompt: such a thread lives in the server's memory alone; that a server that dies takes it
    /// along is promised.
    pub(super) unprompted: AtomicUsize,
    pub(super) suffers: Suffers,
    done: [AtomicUsize; BLOWS.len()],
}

impl World {
    pub(super) fn new((host, wire): (Arc<Host>, Faulty), setting: &Setting) -> Self {
        let unprompted = AtomicUsize::new(setting.fronts);
        let (us, beside, census) = (Us::new("devbox"), Us::new("beside"), Census::default());
        Self { host, wire, us, beside, census, unprompted, suffers: setting.suffers, done: Default::default() }
    }

    /// One fault after another, for ever; `mean` milliseconds between them.
    pub(super) async fn torment(&self, sandbox: &Sandbox, mut rng: SmallRng, mean: u64) {
        loop {
            pause(rng.random_range(mean / 4..mean * 2)).await;
            let blow = self.choose(&mut rng);
            if let Some(count) = self.done.get(blow as usize) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            self.strike(blow, sandbox, &mut rng).await;
        }
    }

    fn choose(&self, rng: &mut SmallRng) -> Blow {
        let spared = self.unprompted.load(Ordering::Relaxed) > 0;
        let weight = |(_, link, all): &(Blow, u32, u32)| match self.suffers {
            Suffers::All if !spared => *all,
            Suffers::All | Suffers::Link => *link,
        };
        let mut at = rng.random_range(0..BLOWS.iter().map(weight).sum());
        for each in &BLOWS {
            if at < weight(each) {
                return each.0;
            }
            at -= weight(each);
        }
        Blow::Cut
    }

    async fn strike(&self, blow: Blow, sandbox: &Sandbox, rng: &mut SmallRng) {
        match blow {
            Blow::Cut => self.wire.fault(Fault::Cut),
            Blow::Reset => self.wire.fault(Fault::Reset),
            Blow::HalfClosed => self.wire.fault(if rng.random_bool(0.5) { Fault::HalfClose } else { Fault::HalfCloseUp }),
            Blow::Refused => {
                self.wire.mood(Mood::Refuse);
                self.wire.fault(Fault::Cut);
                self.for_a_while(rng.random_range(0..1_500)).await;
            }
            Blow::Stalled => {
                self.wire.mood(Mood::Stall);
                self.for_a_while(rng.random_range(100..5_000)).await;
            }
            Blow::Delayed => {
                self.wire.mood(Mood::Slow(rng.random_range(20..500)));
                self.for_a_while(rng.random_range(500..4_000)).await;
            }
            Blow::Blackhole => {
                self.wire.mood(Mood::Swallow);
                self.for_a_while(rng.random_range(100..3_000)).await;
            }
            Blow::Late => self.wire.fault(Fault::Late(rng.random_range(0..400), rng.random_range(100..3_000))),
            Blow::Sshd => self.host.cut(),
            Blow::Server => drop(kill_servers(sandbox)),
            Blow::Host => self.reboot(),
            Blow::Us => self.us.kill(),
        }
    }

    async fn for_a_while(&self, ms: u64) {
        pause(ms).await;
        self.wire.mood(Mood::Good);
    }

    /// Nobody may come while it goes down.
    fn reboot(&self) {
        self.wire.mood(Mood::Refuse);
        self.host.goes_down();
        self.wire.mood(Mood::Good);
    }

    /// How often our process was killed.
    pub(super) fn killed(&self) -> usize {
        self.done[Blow::Us as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count(&self) -> usize {
        self.done.iter().map(|n| n.load(Ordering::Relaxed)).sum()
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = BLOWS.iter().zip(&self.done).map(|((blow, ..), n)| format!("{blow:?} {}", n.load(Ordering::Relaxed)));
        write!(f, "{} faults: {}", self.count(), each.collect::<Vec<_>>().join(" "))
    }
}

/// How long a thing that ends may take to be gone.
const GONE: Duration = Duration::from_secs(20);

/// Waits until something is so; false when it is not within [`GONE`].
pub(super) async fn comes_true(is_it: impl Fn() -> bool) -> bool {
    let began = std::time::Instant::now();
    while began.elapsed() < GONE {
        if is_it() {
            return true;
        }
        pause(50).await;
    }
    is_it()
}
