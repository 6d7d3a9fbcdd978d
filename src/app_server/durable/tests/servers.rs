//! Servers that are busy, silent or new, clients that say too much, and many threads at once.

use std::time::Duration;

use serde_json::json;

use super::{LONG, back, steps, story, working};
use crate::app_server::durable::event::{Event, Server as Leads};
use crate::app_server::durable::hold::{Notes, Out};
use crate::app_server::durable::sim::{Do, World};
use crate::rpc::message::{Message, RequestId};

#[test]
fn a_second_hello_that_is_refused_does_not_replace_the_first() {
    let (mut world, _) = working();
    let id = world.call("initialize", json!({"clientInfo": "broken"}));
    assert!(matches!(world.answers(id)[..], [Err(_)]));
    world.cut();
    back(&mut world);
    assert_eq!(world.server.hellos.len(), 2);
    assert_eq!(world.server.hellos[0], world.server.hellos[1]);
}

/// Whichever question of a recovery it is too busy for, a prompt whose answer was lost runs once.
#[test]
fn a_server_that_is_busy_is_asked_again() {
    for (busy, arrives) in (0..14).flat_map(|n| [(n, true), (n, false)]) {
        let (mut world, thread) = working();
        world.act(&thread, Do::End);
        let id = world.call_into_cut("turn/start", World::prompt(&thread, "c2"), arrives);
        world.server.busy = busy;
        world.link();
        world.wait(LONG);
        assert!(world.hold.live(), "{busy}");
        assert_eq!(world.server.threads[&thread].prompts, 2, "{busy} {arrives}");
        assert!(matches!(world.answers(id)[..], [Ok(_)]), "{busy} {arrives}: {:?}", world.answers(id));
    }
}

/// Only the search is refused: nobody takes that for an answer.
#[test]
fn a_search_that_is_refused_is_no_sign_that_the_prompt_is_not_there() {
    let (mut world, thread) = working();
    world.act(&thread, Do::End);
    let id = world.call_into_cut("turn/start", World::prompt(&thread, "c2"), true);
    // The items as the recovery lists them do not have it.
    let kept = world.server.threads.get_mut(&thread).and_then(|t| t.items.pop()).unwrap_or_else(|| panic!());
    world.link();
    world.server.half_stored = 9;
    world.wait(Duration::from_secs(2));
    world.server.threads.get_mut(&thread).unwrap_or_else(|| panic!()).items.push(kept);
    world.wait(LONG);
    assert_eq!(world.server.threads[&thread].prompts, 2);
    assert!(matches!(world.answers(id)[..], [Ok(_)]), "{:?}", world.answers(id));
}

/// Found by chaos seed 14000: looking for the first prompt makes a thread that says otherwise that it has none.
#[test]
fn a_first_prompt_that_never_arrived_is_sent_again_however_often_it_is_looked_for() {
    for cuts in 0..4 {
        let mut world = World::new(Notes::Quiet);
        let thread = world.start_thread();
        let id = world.call_into_cut("turn/start", World::prompt(&thread, "c1"), false);
        for _ in 0..cuts {
            world.link();
            world.wait(Duration::from_secs(2));
            world.cut();
        }
        world.link();
        world.wait(LONG);
        assert_eq!(world.server.threads[&thread].prompts, 1, "{cuts}");
        assert!(matches!(world.answers(id)[..], [Ok(_)]), "{cuts}: {:?}", world.answers(id));
        assert!(world.heard.iter().all(|m| m.method() != Some("thread/closed")), "{cuts}");
    }
}

/// The clock of a question begins when it is asked, however long ago the server last answered one.
#[test]
fn a_quiet_hour_before_a_question_is_no_silence() {
    let (mut world, thread) = working();
    world.act(&thread, Do::Ask);
    world.wait(Duration::from_secs(3_600));
    world.act(&thread, Do::AcceptedElsewhere);
    world.server.act(&thread, &Do::Leave);
    for _ in 0..20 {
        world.pump_few(1);
        assert!(world.hold.wake_at().is_none_or(|at| at > world.now), "a link that stands is not given up");
    }
    assert_eq!(story(&world, &thread).last().map(String::as_str), Some("}completed"));
}

#[test]
fn many_threads_are_caught_up_with_a_few_at_a_time() {
    let mut world = World::new(Notes::Quiet);
    let threads: Vec<String> = (0..30).map(|_| world.start_thread()).collect();
    for thread in &threads {
        world.call("turn/start", World::prompt(thread, thread));
    }
    world.cut();
    for thread in &threads {
        steps(&mut world, thread, &[Do::Say, Do::More("x"), Do::Said, Do::End]);
    }
    world.up = true;
    world.server.connect();
    let mut out = Out::default();
    world.hold.up(Some("0".into()), world.now, &mut out);
    let (mut open, mut most) = (0_usize, 0_usize);
    let mut to_server = out.to_server;
    loop {
        for message in std::mem::take(&mut to_server) {
            open += usize::from(matches!(message, Message::Request { .. }));
            world.server.receive(message);
        }
        most = most.max(open);
        let Some(message) = world.server.next() else { break };
        open -= usize::from(matches!(message, Message::Response { .. }));
        let mut out = Out::default();
        world.hold.server(message, world.now, &mut out);
        world.heard.append(&mut out.to_client);
        to_server = out.to_server;
    }
    assert!(most <= 8, "{most}");
    assert!(world.hold.live());
    for thread in &threads {
        assert_eq!(world.story(thread).last().map(String::as_str), Some("}completed"));
    }
}

#[test]
fn a_link_on_which_nothing_is_answered_counts_as_lost() {
    let mut world = World::new(Notes::Warn("devbox".into()));
    world.cut();
    world.server.silent = true;
    world.link();
    world.wait(Duration::from_secs(59));
    assert!(world.up);
    let warned = |world: &World| world.heard.iter().filter(|m| m.method() == Some("warning")).count();
    assert_eq!(warned(&world), 1, "the client is told that it waits");
    world.wait(Duration::from_secs(2));
    assert!(!world.up);
    // The next one is given longer.
    world.link();
    world.wait(Duration::from_secs(100));
    assert!(world.up);
    world.server.silent = false;
    world.cut();
    back(&mut world);
    assert_eq!(warned(&world), 2, "and that it is back");
}

#[test]
fn another_server_is_told_after_the_shortest_outage() {
    // The first link of an endpoint's client does not say which server it leads to.
    for sure in [true, false] {
        let mut world = World::new(Notes::Warn("devbox".into()));
        if !sure {
            world.hold = crate::app_server::durable::hold::Hold::new(Notes::Warn("devbox".into()));
            world.up = false;
            world.server.connect();
            world.hold.is_about(Some("0".into()));
            world.hold.up(None, world.now, &mut Out::default());
            world.up = true;
            world.call("initialize", json!({"clientInfo": {"name": "test"}}));
        }
        world.kill();
        back(&mut world);
        assert!(world.events.iter().any(|e| matches!(e, Event::Back { server: Leads::Restarted, .. })), "{sure}");
    }
}

#[test]
fn a_client_that_says_too_much_without_a_link_is_not_read_any_more() {
    let mut world = World::new(Notes::Quiet);
    world.cut();
    let words = "x".repeat(9 * 1024 * 1024);
    for n in 0..4 {
        assert!(world.hold.takes(), "{n}");
        let mut out = Out::default();
        let prompt = json!({"threadId": "t", "input": [{"type": "text", "text": words}]});
        world.hold.client(Message::request(RequestId::Number(100 + n), "turn/start", prompt), &mut out);
    }
    assert!(!world.hold.takes());
    back(&mut world);
    assert!(world.hold.takes());
    let answered = |m: &&Message| matches!(m, Message::Response { id: RequestId::Number(100..), .. });
    assert_eq!(world.heard.iter().filter(answered).count(), 4);
}
