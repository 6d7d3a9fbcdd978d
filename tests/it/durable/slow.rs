//! A slow link is not a dead one.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outpost::app_server::durable::event::Event;
use outpost::app_server::durable::link::Link;
use outpost::demo::leftovers::processes;

use super::Bed;
use crate::bed::faulty::Mood;
use crate::bed::front::{Front, params, text};
use crate::bed::process;

/// Three seconds there and back: silence, the ping after 3 s of it and its answer after 6 s, more than once.
#[tokio::test(flavor = "multi_thread")]
async fn three_seconds_there_and_back_are_not_a_lost_link() {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    front.call("turn/start", Front::prompt(&thread, "c1", "say first")).await;
    front.until_method("turn/completed").await;
    bed.wire.mood(Mood::Slow(1_500));
    let passed = bed.wire.passed();
    // Each ping and each answer is a piece on its way: three of them each.
    bed.wire.until_passed(passed + 6).await;
    front.call("turn/start", Front::prompt(&thread, "c2", "say second")).await;
    front.until_method("turn/completed").await;
    stood(&bed, &mut front);
}

/// The link was never called dead.
fn stood(bed: &Bed, front: &mut Front) {
    assert_eq!(front.state.borrow().link, Link::Up);
    let events: Vec<_> = std::iter::from_fn(|| front.events.try_recv().ok()).collect();
    assert!(!events.iter().any(|e| matches!(e, Event::Back { .. })), "the link was called dead: {events:?}");
    assert_eq!(bed.host.logins(), 1);
}

/// A host without a moment to spare: its sshd and all that it started stand still for five seconds, in the middle of a turn.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_busy_for_seconds_is_not_a_dead_one() {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    front.call("turn/start", Front::prompt(&thread, "c1", "slowly")).await;
    front.until("two", |m| text(params(m), &["delta"]).contains("two")).await;
    let busy = [process::with_open(&bed.host.log_file(), "sshd"), processes(&bed.host.home)].concat();
    assert!(busy.len() > 2, "sshd, proxy and server: {busy:?}");
    let all = |signal| busy.iter().for_each(|pid| kill(Pid::from_raw(*pid), signal).unwrap());
    all(Signal::SIGSTOP);
    five_seconds().await;
    all(Signal::SIGCONT);
    bed.model.open("a");
    bed.model.open("b");
    front.until_method("turn/completed").await;
    let told = ["agentMessage(", "> one two three four five", ")agentMessage", "}completed"];
    assert_eq!(front.story()[5..], told);
    stood(&bed, &mut front);
}

#[expect(clippy::disallowed_methods, reason = "it is about the time")]
async fn five_seconds() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}
