//! A slow link is not a dead one.

use outpost::app_server::durable::link::Link;

use super::Bed;
use crate::bed::faulty::Mood;
use crate::bed::front::Front;

/// Three seconds there and back: silence, the ping after 4 s of it and its answer after 7 s, more than once.
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
    assert!(!front.state.has_changed().unwrap() || front.state.borrow().link == Link::Up);
    let events: Vec<_> = std::iter::from_fn(|| front.events.try_recv().ok()).collect();
    let back = events.iter().any(|e| matches!(e, outpost::app_server::durable::event::Event::Back { .. }));
    assert!(!back, "the link was called dead: {events:?}");
    assert_eq!(bed.host.logins(), 1);
}
