//! The task in virtual time: what wakes it, and what a person's limit ends.

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::super::hold::Notes;
use super::super::policy::Pace;
use super::super::settings::Surroundings;
use super::*;

/// A machine whose clock, network and host are what a test says.
#[derive(Clone, Default)]
struct Machine {
    slept: Arc<AtomicU64>,
    network: Arc<Mutex<Network>>,
    dials: Arc<AtomicUsize>,
    answers: Arc<AtomicBool>,
    /// The far ends of the links, so that they stand.
    links: Arc<Mutex<Vec<Wire>>>,
}

impl Machine {
    fn sleeps(&self, seconds: u64) {
        self.slept.fetch_add(seconds, Ordering::Relaxed);
    }

    fn moves(&self, address: &str) {
        let address: IpAddr = address.parse().expect("an address");
        *self.network.lock().expect("whole") = Network::of(&[address]);
    }

    fn around(&self) -> Surroundings {
        let (slept, network, began) = (Arc::clone(&self.slept), Arc::clone(&self.network), Instant::now());
        let wall = move || Duration::from_secs(1_000_000 + slept.load(Ordering::Relaxed)) + began.elapsed();
        Surroundings { wall: Arc::new(wall), network: Arc::new(move || Some(network.lock().expect("whole").clone())) }
    }

    fn dial(&self) -> Dial {
        let machine = self.clone();
        Box::new(move || {
            machine.dials.fetch_add(1, Ordering::Relaxed);
            let machine = machine.clone();
            Box::pin(async move {
                if !machine.answers.load(Ordering::Relaxed) {
                    return Err(Failure::new(Code::Unreachable, "connect"));
                }
                let (ours, theirs) = Wire::pair();
                machine.links.lock().expect("whole").push(theirs);
                Ok((ours, Identity::default()))
            })
        })
    }

    #[expect(clippy::disallowed_methods, reason = "time is virtual")]
    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// A connection that has been without a link for a day.
    async fn away_for_a_day(&self, limit: Option<Duration>) -> Durable {
        let around = self.around();
        let settings = Settings { notes: Notes::Quiet, pace: Pace::default(), limit, around };
        let durable = Durable::join(Identity::default(), self.dial(), settings);
        self.pass(Duration::from_secs(86_400)).await;
        durable
    }

    /// How many dials there are in so many milliseconds.
    async fn dials_in(&self, ms: u64) -> usize {
        let before = self.dials.load(Ordering::Relaxed);
        self.pass(Duration::from_millis(ms)).await;
        self.dials.load(Ordering::Relaxed) - before
    }
}

#[tokio::test(start_paused = true)]
async fn field_54_waking_dials_at_once_and_brings_the_link_back() {
    let machine = Machine::default();
    let mut durable = machine.away_for_a_day(None).await;
    assert!(machine.dials_in(60_000).await <= 3, "every half minute");
    machine.answers.store(true, Ordering::Relaxed);
    machine.sleeps(3_600);
    let up = durable.state.wait_for(|state| state.link == Link::Up);
    let up = tokio::time::timeout(Duration::from_millis(1_100), up).await;
    assert!(up.is_ok_and(|state| state.is_ok()), "within the second in which the clock is looked at");
}

#[tokio::test(start_paused = true)]
async fn another_network_dials_at_once_and_one_that_comes_and_goes_not_each_time() {
    let machine = Machine::default();
    let _durable = machine.away_for_a_day(None).await;
    machine.moves("192.168.1.7");
    assert!(machine.dials_in(1_100).await >= 1);
    let mut dials = 0;
    for n in 0..60 {
        machine.moves(if n % 2 == 0 { "10.0.0.1" } else { "192.168.1.7" });
        dials += machine.dials_in(1_000).await;
    }
    assert!((10..=40).contains(&dials), "{dials} in a minute");
}

#[tokio::test(start_paused = true)]
async fn a_person_may_ask_for_a_dial() {
    let machine = Machine::default();
    let durable = machine.away_for_a_day(None).await;
    durable.nudge().notify_one();
    assert!(machine.dials_in(100).await >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_limit_ends_the_connection_and_says_why() {
    let machine = Machine::default();
    let durable = machine.away_for_a_day(Some(Duration::from_secs(600))).await;
    let ended = durable.state.borrow().link.clone();
    let Link::Ended(why) = ended else { panic!("{ended:?}") };
    assert_eq!((why.code, why.said.as_str()), (Code::LinkLost, "there was no link for 600 s"));
    assert_eq!(durable.wire.ended.why(), why);
}
