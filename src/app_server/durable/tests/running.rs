//! Words for a turn that runs, and threads that a server died over.

use serde_json::json;

use super::{LONG, back, steps, working};
use crate::app_server::durable::event::{Event, Server as Leads};
use crate::app_server::durable::hold::Notes;
use crate::app_server::durable::say;
use crate::app_server::durable::sim::{Do, FOR_EVER, World};
use crate::rpc::message::Message;
use crate::rpc::pending::NOT_KNOWN;

const WAYS: [&str; 2] = ["turn/steer", "turn/start"];

/// A turn whose command runs, so that the words for it wait, and the link that goes with them.
fn told_while_it_runs(method: &str, arrives: bool) -> (World, String, i64) {
    let (mut world, thread) = working();
    world.act(&thread, Do::Run);
    let id = world.call_into_cut(method, World::prompt(&thread, "c2"), arrives);
    back(&mut world);
    world.wait(LONG);
    assert_eq!(world.server.threads[&thread].prompts, 1 + usize::from(arrives), "{method} is not repeated while they may wait");
    assert_eq!(world.answers(id).len(), 0);
    (world, thread, id)
}

#[test]
fn words_that_wait_for_a_command_are_taken_in_once() {
    for method in WAYS {
        let (mut world, thread, id) = told_while_it_runs(method, true);
        steps(&mut world, &thread, &[Do::Ran, Do::Say]);
        assert!(matches!(world.answers(id)[..], [Ok(_)]), "{method}: answered when they are seen");
        steps(&mut world, &thread, &[Do::Said, Do::End]);
        world.wait(LONG);
        assert_eq!(world.server.threads[&thread].prompts, 2, "{method}");
        assert_eq!(world.answers(id).len(), 1);
        let delivered = |e: &&Event| matches!(e, Event::Delivered { message, .. } if message == "c2");
        assert_eq!(world.events.iter().filter(delivered).count(), 1);
    }
}

#[test]
fn words_that_never_arrived_are_sent_again_when_the_turn_is_over() {
    for method in WAYS {
        let (mut world, thread, id) = told_while_it_runs(method, false);
        steps(&mut world, &thread, &[Do::Ran, Do::End]);
        world.wait(LONG);
        match (method, &world.answers(id)[..]) {
            ("turn/steer", [Err(e)]) if e.message.contains("no active turn") => {}
            ("turn/start", [Ok(_)]) => assert_eq!(world.server.threads[&thread].prompts, 2),
            (_, other) => panic!("{method}: {other:?}"),
        }
    }
}

#[test]
fn words_that_an_interrupt_took_along_are_not_lost() {
    for method in WAYS {
        let (mut world, thread, id) = told_while_it_runs(method, true);
        world.call("turn/interrupt", json!({"threadId": thread, "turnId": "turn2"}));
        world.wait(LONG);
        assert_eq!(world.answers(id).len(), 1, "{method}");
        assert_eq!(world.answers(id)[0].is_ok(), world.server.threads[&thread].prompts == 2, "{method}: sent again, or refused");
    }
}

#[test]
fn words_that_wait_outlive_more_cuts_and_a_server() {
    for (method, arrives, kill) in [("turn/steer", true, false), ("turn/start", true, false), ("turn/start", false, true)] {
        let (mut world, thread, id) = told_while_it_runs(method, arrives);
        if kill {
            world.kill()
        } else {
            world.cut()
        }
        back(&mut world);
        world.wait(LONG);
        steps(&mut world, &thread, &[Do::Ran, Do::Say, Do::Said, Do::End]);
        world.wait(LONG);
        assert_eq!((world.server.threads[&thread].prompts, world.answers(id).len()), (2, 1), "{method} {arrives}");
    }
}

#[test]
fn words_for_a_thread_that_is_closed_are_answered() {
    let (mut world, thread, id) = told_while_it_runs("turn/start", false);
    world.server.say.push_back(Message::notification("thread/closed", json!({"threadId": thread})));
    world.pump();
    world.wait(LONG);
    assert_eq!(world.answers(id).len(), 1);
}

#[test]
fn words_without_an_id_are_not_known() {
    for arrives in [true, false] {
        let (mut world, thread) = working();
        let id = world.call_into_cut("turn/steer", json!({"threadId": thread, "input": []}), arrives);
        back(&mut world);
        assert_eq!(world.server.threads[&thread].prompts, 1 + usize::from(arrives));
        assert!(matches!(world.answers(id)[..], [Err(e)] if e.code == NOT_KNOWN));
    }
}

/// What the client hears of its thread when the server refuses it for ever.
fn refused_for_ever(notes: Notes) -> World {
    let mut world = World::new(notes);
    let thread = world.start_thread();
    world.call("turn/start", World::prompt(&thread, "c1"));
    world.kill();
    world.server.half_stored = FOR_EVER;
    let id = world.call("turn/start", World::prompt(&thread, "c2"));
    back(&mut world);
    assert!(matches!(world.answers(id)[..], [Err(_)]), "what was typed meanwhile is refused, and not kept waiting");
    assert_eq!(world.story(&thread).last().map(String::as_str), Some("thread/closed"));
    assert!(world.events.iter().any(|e| matches!(e, Event::ThreadGone { .. })));
    assert!(world.events.iter().any(|e| matches!(e, Event::Back { server: Leads::Restarted, .. })));
    let next = world.call("thread/start", json!({"cwd": "/"}));
    assert!(matches!(world.answers(next)[..], [Ok(_)]), "the connection goes on");
    world
}

#[test]
fn a_thread_that_can_never_be_resumed_is_closed_and_said() {
    let world = refused_for_ever(Notes::Warn("devbox".into()));
    let warnings = world.heard.iter().filter(|m| m.method() == Some("warning")).filter_map(Message::params);
    let told: Vec<&str> = warnings.filter_map(|p| say::text(p, &["message"])).collect();
    assert!(told.iter().any(|w| w.contains("cannot be gone on with")), "{told:?}");
    refused_for_ever(Notes::Quiet);
}

/// The server answered a prompt, died over its thread, and has nothing of either.
#[test]
fn a_prompt_whose_thread_can_never_be_resumed_is_given_back() {
    for (notes, told) in [(Notes::Quiet, 0), (Notes::Warn("devbox".into()), 1)] {
        let mut world = World::new(notes);
        let thread = world.start_thread();
        let id = world.call_and_no_more(World::prompt(&thread, "c1"));
        assert!(matches!(world.answers(id)[..], [Ok(_)]));
        world.kill();
        world.server.half_stored = FOR_EVER;
        back(&mut world);
        let given = |e: &Event| matches!(e, Event::GivenBack { message, .. } if message == "c1");
        assert!(world.events.iter().any(given), "{:?}", world.events);
        assert_eq!(world.answers(id).len(), 1);
        assert_eq!(world.story(&thread).last().map(String::as_str), Some("thread/closed"));
        let words = "Outpost: this was not delivered; it is yours to send again: hi";
        let warned = world.heard.iter().filter_map(Message::params).filter(|p| say::text(p, &["message"]) == Some(words));
        assert_eq!(warned.count(), told);
    }
}
