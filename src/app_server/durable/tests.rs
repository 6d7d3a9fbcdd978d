//! Every row of the table of cuts and every rule, two machines stepped through virtual time; then random cuts.

mod handed_back;
mod others;
mod random;
mod releases;
mod requests;
mod running;
mod servers;

use std::time::Duration;

use serde_json::json;

use super::event::Agent;
use super::hold::{Notes, Out};
use super::sim::{Do, World};
use crate::rpc::message::{Message, RequestId};

const LONG: Duration = Duration::from_secs(100);

/// A world with a thread and a running turn whose prompt is `c1`.
fn working() -> (World, String) {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    world.call("turn/start", World::prompt(&thread, "c1"));
    (world, thread)
}

fn back(world: &mut World) {
    world.link();
    world.wait(Duration::from_secs(5));
    assert!(world.hold.live(), "everything is settled");
}

fn steps(world: &mut World, thread: &str, all: &[Do]) {
    all.iter().for_each(|what| world.act(thread, what.clone()));
}

const PROMPT: [&str; 3] = ["turn{", "user3(", ")user3"];

fn story(world: &World, thread: &str) -> Vec<String> {
    let story = world.story(thread);
    assert_eq!(story.first_chunk(), Some(&PROMPT.map(str::to_owned)), "{story:?}");
    story[3..].to_vec()
}

#[test]
fn without_a_cut_nothing_is_changed() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Say, Do::More("a"), Do::More("b"), Do::Said, Do::Ask]);
    assert_eq!(world.hold.agent(), Agent::Waiting);
    world.answer(RequestId::Number(0), "accept");
    steps(&mut world, &thread, &[Do::Print("x"), Do::Ran, Do::End]);
    assert_eq!(
        story(&world, &thread),
        [
            "message4(",
            "message4:ab",
            ")message4",
            "command5(",
            "ask command5",
            "resolved",
            "command5:x",
            ")command5 completed",
            "}completed"
        ]
    );
    assert_eq!(world.hold.agent(), Agent::Idle);
}

#[test]
fn a_message_cut_while_it_streams_is_whole_in_the_end() {
    for cut in [Duration::from_secs(2), LONG] {
        let (mut world, thread) = working();
        steps(&mut world, &thread, &[Do::Say, Do::More("one "), Do::More("two ")]);
        world.cut();
        world.wait(cut);
        world.act(&thread, Do::More("three "));
        back(&mut world);
        steps(&mut world, &thread, &[Do::More("four"), Do::Said, Do::End]);
        let want = ["message4(", "message4:one two three four", ")message4", "}completed"];
        assert_eq!(story(&world, &thread), want);
    }
}

#[test]
fn what_ended_while_away_is_told_once_and_in_order() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
    world.cut();
    steps(
        &mut world,
        &thread,
        &[Do::More("b"), Do::Said, Do::Run, Do::Print("x"), Do::Ran, Do::Say, Do::More("c"), Do::Said, Do::End],
    );
    back(&mut world);
    assert_eq!(
        story(&world, &thread),
        [
            "message4(",
            "message4:ab",
            ")message4",
            "command5(",
            "command5:x",
            ")command5 completed",
            "message6(",
            "message6:c",
            ")message6",
            "}completed"
        ]
    );
    assert_eq!(world.hold.agent(), Agent::Idle);
}

#[test]
fn an_item_first_heard_of_by_a_piece_waits_for_its_end() {
    let (mut world, thread) = working();
    world.cut();
    steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
    back(&mut world);
    steps(&mut world, &thread, &[Do::More("b"), Do::Said]);
    assert_eq!(story(&world, &thread), ["message4(", "message4:ab", ")message4"]);
}

#[test]
fn a_command_that_runs_through_the_cut_keeps_its_output() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Run, Do::Print("1")]);
    world.cut();
    world.act(&thread, Do::Print("2"));
    back(&mut world);
    steps(&mut world, &thread, &[Do::Print("3"), Do::Ran]);
    assert_eq!(story(&world, &thread), ["command4(", "command4:123", ")command4 completed"]);
}

#[test]
fn an_interrupted_message_keeps_what_is_known_of_it_behind_a_gap() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
    world.cut();
    world.act(&thread, Do::More("b"));
    back(&mut world);
    world.act(&thread, Do::More("c"));
    let turn = world.server.threads[&thread].turn().unwrap_or_default().to_owned();
    world.call("turn/interrupt", json!({"threadId": thread, "turnId": turn}));
    assert_eq!(story(&world, &thread), ["message4(", "message4:a[…]c", "}interrupted"]);
}

#[test]
fn an_approval_stays_open_and_its_answer_is_delivered() {
    for (answered_while_away, late) in [(true, false), (false, false), (true, true), (false, true)] {
        let (mut world, thread) = working();
        world.server.late = late;
        world.act(&thread, Do::Ask);
        world.cut();
        if answered_while_away {
            world.answer(RequestId::Number(0), "accept");
        }
        back(&mut world);
        if !answered_while_away {
            world.answer(RequestId::Number(0), "accept");
        }
        steps(&mut world, &thread, &[Do::Print("x"), Do::Ran, Do::End]);
        assert_eq!(world.asked().len(), 1, "asked once");
        assert_eq!(world.server.answers.len(), 1, "answered once");
        let want = ["command4(", "ask command4", "resolved", "command4:x", ")command4 completed", "}completed"];
        assert_eq!(story(&world, &thread), want);
    }
}

#[test]
fn an_answer_that_was_on_its_way_is_sent_again() {
    for late in [false, true] {
        let (mut world, thread) = working();
        world.server.late = late;
        world.act(&thread, Do::Ask);
        let mut out = Out::default();
        world.hold.client(Message::response(RequestId::Number(0), Ok(json!({"decision": "accept"}))), &mut out);
        assert_eq!(out.to_server.len(), 1, "it goes out, and is lost");
        world.cut();
        back(&mut world);
        assert_eq!(world.server.answers.len(), 1);
        assert_eq!(world.asked().len(), 1);
    }
}

#[test]
fn an_approval_that_somebody_else_settled_is_closed() {
    for later in [Duration::ZERO, LONG] {
        let (mut world, thread) = working();
        world.act(&thread, Do::Ask);
        world.cut();
        world.answer(RequestId::Number(0), "accept");
        steps(&mut world, &thread, &[Do::DeclinedElsewhere, Do::Say, Do::More("no"), Do::Said]);
        if later > Duration::ZERO {
            world.act(&thread, Do::End);
        }
        back(&mut world);
        world.act(&thread, Do::End);
        assert_eq!(world.server.answers, [], "the answer came too late");
        assert_eq!(
            story(&world, &thread),
            [
                "command4(",
                "ask command4",
                "resolved",
                "message5(",
                "message5:no",
                ")message5",
                ")command4 declined",
                "}completed",
            ]
        );
    }
}

#[test]
fn a_no_that_the_server_heard_is_told_though_the_link_went_before_it_said_so() {
    let (mut world, thread) = working();
    world.act(&thread, Do::Ask);
    let mut out = Out::default();
    world.hold.client(Message::response(RequestId::Number(0), Ok(json!({"decision": "decline"}))), &mut out);
    out.to_server.into_iter().for_each(|m| world.server.receive(m));
    // "resolved" arrives, "declined" does not.
    world.pump_some(1);
    steps(&mut world, &thread, &[Do::Say, Do::More("no"), Do::Said, Do::End]);
    back(&mut world);
    let story = story(&world, &thread);
    assert_eq!(story[..3], ["command4(", "ask command4", "resolved"]);
    assert_eq!(story[story.len() - 2..], [")command4 declined", "}completed"]);
}

#[test]
fn a_no_of_somebody_else_is_told_though_the_link_went_before_it_was_said() {
    let (mut world, thread) = working();
    world.act(&thread, Do::Ask);
    world.server.act(&thread, &Do::DeclinedElsewhere);
    // "resolved" arrives, "declined" does not.
    world.pump_some(1);
    steps(&mut world, &thread, &[Do::Say, Do::More("no"), Do::Said, Do::End]);
    back(&mut world);
    let story = story(&world, &thread);
    assert_eq!(story[..3], ["command4(", "ask command4", "resolved"]);
    assert_eq!(story[story.len() - 2..], [")command4 declined", "}completed"]);
}

#[test]
fn an_approval_that_came_while_away_is_put_after_what_led_to_it() {
    let (mut world, thread) = working();
    world.cut();
    steps(&mut world, &thread, &[Do::Say, Do::More("a"), Do::Said, Do::Ask]);
    back(&mut world);
    assert_eq!(story(&world, &thread), ["message4(", "message4:a", ")message4", "ask command5"]);
    world.answer(RequestId::Number(0), "accept");
    steps(&mut world, &thread, &[Do::Print("x"), Do::Ran]);
    assert_eq!(story(&world, &thread)[4..], ["resolved", "command5(", "command5:x", ")command5 completed"]);
}
