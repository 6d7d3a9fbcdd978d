//! Prompts, requests whose answers were lost, servers that died, threads of every kind.

use std::time::Duration;

use serde_json::{Value, json};

use super::{LONG, back, steps, story, working};
use crate::app_server::durable::event::{Event, Server as Leads};
use crate::app_server::durable::hold::{Hold, Notes, Out};
use crate::app_server::durable::say;
use crate::app_server::durable::sim::{Do, Release, World};
use crate::rpc::message::{Message, RequestId};
use crate::rpc::pending::NOT_KNOWN;

#[test]
fn a_prompt_typed_while_away_is_sent_once() {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    world.call("turn/start", World::prompt(&thread, "c1"));
    world.act(&thread, Do::End);
    world.cut();
    let id = world.call("turn/start", World::prompt(&thread, "c2"));
    world.wait(LONG);
    assert_eq!(world.server.threads[&thread].prompts, 1);
    back(&mut world);
    assert_eq!((world.server.threads[&thread].prompts, world.answers(id).len()), (2, 1));
}

#[test]
fn a_prompt_whose_answer_was_lost_runs_once() {
    for arrives in [true, false] {
        for release in [Release::Newest, Release::Numbers, Release::Forgets] {
            let (mut world, thread) = working();
            world.server.release = release;
            world.act(&thread, Do::End);
            let id = world.call_into_cut("turn/start", World::prompt(&thread, "c2"), arrives);
            back(&mut world);
            assert_eq!(world.server.threads[&thread].prompts, 2, "arrived {arrives}, {release:?}");
            let answers = world.answers(id);
            assert!(matches!(answers[..], [Ok(v)] if say::turn_of(v).is_some()), "{answers:?}");
            let delivered = |e: &&Event| matches!(e, Event::Delivered { message, .. } if message == "c2");
            assert_eq!(world.events.iter().filter(delivered).count(), 1);
        }
    }
}

#[test]
fn a_prompt_without_an_id_is_not_repeated() {
    for arrives in [true, false] {
        let (mut world, thread) = working();
        world.act(&thread, Do::End);
        let id = world.call_into_cut("turn/start", json!({"threadId": thread, "input": []}), arrives);
        back(&mut world);
        assert_eq!(world.server.threads[&thread].prompts, if arrives { 2 } else { 1 });
        assert!(matches!(world.answers(id)[..], [Err(e)] if e.code == NOT_KNOWN));
    }
}

#[test]
fn reads_are_asked_again_and_deeds_are_not_known() {
    for (method, read) in [("model/list", true), ("command/exec", false), ("thread/start", false), ("thread/fork", false)] {
        let (mut world, _) = working();
        let id = world.call_into_cut(method, json!({}), true);
        back(&mut world);
        match (&world.answers(id)[..], read) {
            ([Ok(_)], true) => {}
            ([Err(e)], false) if e.code == NOT_KNOWN => {}
            other => panic!("{method}: {other:?}"),
        }
        let told = world.events.iter().any(|e| matches!(e, Event::NotKnown { method: m, .. } if m == method));
        assert_eq!(told, !read);
    }
}

#[test]
fn an_interrupt_that_arrived_counts_as_success() {
    let (mut world, thread) = working();
    let turn = world.server.threads[&thread].turn().unwrap_or_default().to_owned();
    let id = world.call_into_cut("turn/interrupt", json!({"threadId": thread, "turnId": turn}), true);
    back(&mut world);
    assert!(matches!(world.answers(id)[..], [Ok(_)]));
    assert_eq!(story(&world, &thread), ["}interrupted"]);
}

#[test]
fn an_initialize_whose_answer_was_lost_is_answered() {
    let mut world = World::new(Notes::Quiet);
    let mut fresh = World::new(Notes::Quiet);
    fresh.hold = Hold::new(Notes::Quiet);
    fresh.heard.clear();
    fresh.up = false;
    fresh.link();
    let id = fresh.call_into_cut("initialize", json!({}), true);
    back(&mut fresh);
    assert!(matches!(fresh.answers(id)[..], [Ok(_)]));
    world.cut();
    back(&mut world);
    assert_eq!(world.answers(0).len(), 1, "a repeated handshake is ours alone");
    let warnings = world.heard.iter().filter(|m| m.method() == Some("configWarning")).count();
    assert_eq!(warnings, 1, "and so is what the server says on arrival");
}

#[test]
fn a_server_that_died_leaves_an_interrupted_turn() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Say, Do::More("a"), Do::Said, Do::Say, Do::More("b")]);
    world.kill();
    back(&mut world);
    assert_eq!(story(&world, &thread), ["message4(", "message4:a", ")message4", "message5(", "message5:b", "}interrupted"]);
    assert!(world.events.iter().any(|e| matches!(e, Event::Back { server: Leads::Restarted, .. })));
    world.call("turn/start", World::prompt(&thread, "c2"));
    assert_eq!(world.server.threads[&thread].prompts, 2, "and the thread goes on");
}

#[test]
fn a_server_that_died_takes_its_questions_along() {
    let (mut world, thread) = working();
    world.act(&thread, Do::Ask);
    world.kill();
    world.answer(RequestId::Number(0), "accept");
    back(&mut world);
    assert_eq!(story(&world, &thread)[2..], ["resolved", "}interrupted"], "nobody declined it");
    assert_eq!(world.server.answers, []);
    world.call("turn/start", World::prompt(&thread, "c2"));
    world.act(&thread, Do::Ask);
    assert_eq!(world.asked(), [&RequestId::Number(0), &RequestId::Number(1)], "its numbers begin again, ours do not");
}

/// The answer to the prompt `c2` arrives, then the server dies before it keeps anything.
fn dies_with_an_answered_prompt(world: &mut World, thread: &str) {
    let mut out = Out::default();
    world.hold.client(Message::request(RequestId::Number(90), "turn/start", World::prompt(thread, "c2")), &mut out);
    out.to_server.into_iter().for_each(|m| world.server.receive(m));
    let answer = world.server.say.iter().position(|m| matches!(m, Message::Response { .. })).unwrap_or(0);
    let answer = world.server.say.remove(answer).unwrap_or(Message::notification("x", Value::Null));
    world.server.say.clear();
    world.server.say.push_back(answer);
    world.pump();
    let kept = world.server.threads.get_mut(thread).unwrap_or_else(|| panic!());
    drop((kept.turns.pop(), kept.items.pop()));
    kept.prompts -= 1;
    world.kill();
}

#[test]
fn a_prompt_that_was_answered_and_not_kept_is_sent_again() {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    world.call("turn/start", World::prompt(&thread, "c1"));
    world.act(&thread, Do::End);
    dies_with_an_answered_prompt(&mut world, &thread);
    back(&mut world);
    assert_eq!(world.answers(90).len(), 1);
    assert_eq!(world.server.threads[&thread].prompts, 2);
    assert!(world.events.iter().any(|e| matches!(e, Event::SentAgain { message, .. } if message == "c2")), "{:?}", world.events);
    assert!(world.events.iter().any(|e| matches!(e, Event::Delivered { message, .. } if message == "c2")));
}

/// Its turn is stored, and it is not; and then the link goes once more, before or after it is sent again.
#[test]
fn a_prompt_whose_turn_died_before_it_was_in_it_is_sent_again_and_once() {
    for (messages, loses) in (0..16).flat_map(|n| [(n, None), (n, Some("turn/start"))]) {
        let mut world = World::new(Notes::Quiet);
        let thread = world.start_thread();
        world.call("turn/start", World::prompt(&thread, "c1"));
        world.act(&thread, Do::End);
        world.server.slow = true;
        let id = world.call("turn/start", World::prompt(&thread, "c2"));
        world.kill();
        world.loses = loses;
        world.link_for(messages);
        world.wait(LONG);
        world.loses = None;
        back(&mut world);
        world.act(&thread, Do::End);
        back(&mut world);
        assert_eq!(world.answers(id).len(), 1);
        assert_eq!(world.server.threads[&thread].prompts, 2, "{messages} {loses:?} {:?}", world.events);
        let told = |of: fn(&Event) -> bool| world.events.iter().filter(|e| of(e)).count();
        assert_eq!(told(|e| matches!(e, Event::SentAgain { message, .. } if message == "c2")), 1, "{:?}", world.events);
        assert_eq!(told(|e| matches!(e, Event::Delivered { message, .. } if message == "c2")), 1, "{:?}", world.events);
    }
}

#[test]
fn a_thread_without_a_prompt_lives_through_a_cut() {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    world.cut();
    back(&mut world);
    world.call("turn/start", World::prompt(&thread, "c1"));
    steps(&mut world, &thread, &[Do::Say, Do::More("a"), Do::Said, Do::End]);
    assert_eq!(story(&world, &thread), ["message4(", "message4:a", ")message4", "}completed"]);
}

#[test]
fn an_ephemeral_thread_is_closed() {
    let mut world = World::new(Notes::Quiet);
    world.call("thread/start", json!({"ephemeral": true}));
    world.cut();
    back(&mut world);
    assert_eq!(world.story("thread1"), ["thread/closed"]);
}

#[test]
fn only_threads_that_the_client_was_given_are_followed() {
    let (mut world, thread) = working();
    world.server.say.push_back(Message::notification("thread/started", json!({"thread": {"id": "other"}})));
    world.pump();
    world.cut();
    back(&mut world);
    let other = |m: &&Message| m.params().and_then(|p| say::text(p, &["threadId"])).is_some_and(|t| t != thread);
    assert_eq!(world.heard.iter().filter(other).count(), 0);
}

#[test]
fn a_client_that_resumed_is_told_nothing_older() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Say, Do::More("a"), Do::Said, Do::End]);
    for listed in [false, true] {
        let mut second = World::new(Notes::Quiet);
        std::mem::swap(&mut second.server.threads, &mut world.server.threads);
        second.server.made = if listed { 200 } else { 100 };
        second.call("thread/resume", json!({"threadId": thread, "excludeTurns": true}));
        if listed {
            second.call("thread/turns/list", json!({"threadId": thread, "sortDirection": "desc"}));
        }
        second.cut();
        back(&mut second);
        assert_eq!(second.story(&thread), [""; 0]);
        second.call("turn/start", World::prompt(&thread, "c3"));
        assert_eq!(second.story(&thread).len(), 3);
        second.cut();
        second.act(&thread, Do::End);
        back(&mut second);
        assert_eq!(second.story(&thread).last().map(String::as_str), Some("}completed"));
        std::mem::swap(&mut second.server.threads, &mut world.server.threads);
    }
}

#[test]
fn a_cut_in_the_middle_of_catching_up_changes_nothing() {
    for after in 0..8 {
        let (mut world, thread) = working();
        steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
        world.cut();
        steps(&mut world, &thread, &[Do::More("b"), Do::Said, Do::Ask]);
        world.up = true;
        world.server.connect();
        let mut out = Out::default();
        world.hold.up(Some("0".into()), world.now, &mut out);
        out.to_server.into_iter().for_each(|m| world.server.receive(m));
        world.pump_some(after);
        back(&mut world);
        assert_eq!(story(&world, &thread), ["message4(", "message4:ab", ")message4", "ask command5"], "after {after}");
    }
}

#[test]
fn a_thread_that_is_being_stored_is_asked_for_again() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
    world.cut();
    steps(&mut world, &thread, &[Do::More("b"), Do::Said, Do::End]);
    world.server.half_stored = 3;
    back(&mut world);
    world.wait(LONG);
    assert_eq!(story(&world, &thread), ["message4(", "message4:ab", ")message4", "}completed"]);
}

/// Found by chaos seed 57: two clients came back to a host whose server was killed.
#[test]
fn a_thread_that_another_process_still_has_is_asked_for_again() {
    for (times, closed) in [(9, 0), (10, 1)] {
        let (mut world, thread) = working();
        steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
        world.cut();
        steps(&mut world, &thread, &[Do::More("b"), Do::Said, Do::End]);
        world.server.held = times;
        world.link();
        world.wait(LONG);
        assert_eq!(world.heard.iter().filter(|m| m.method() == Some("thread/closed")).count(), closed, "{times}");
        let last = if closed == 0 { "}completed" } else { "thread/closed" };
        assert_eq!(story(&world, &thread).last().map(String::as_str), Some(last), "{times}");
    }
}

#[test]
fn a_thread_that_is_never_stored_ends_under_short_links_too() {
    let (mut world, thread) = working();
    world.act(&thread, Do::End);
    dies_with_an_answered_prompt(&mut world, &thread);
    world.server.half_stored = u32::MAX;
    for _ in 0..10 {
        world.link();
        world.wait(Duration::from_secs(1));
        world.cut();
    }
    let closed = world.heard.iter().filter(|m| m.method() == Some("thread/closed")).count();
    let given = world.events.iter().filter(|e| matches!(e, Event::GivenBack { message, .. } if message == "c2")).count();
    assert_eq!((closed, given), (1, 1), "it ends, and its prompt is given back");
    back(&mut world);
}

/// However short the outage: what nobody can give back is said.
#[test]
fn a_stock_client_is_told_of_a_server_that_died() {
    let mut world = World::new(Notes::Warn("devbox".into()));
    let thread = world.start_thread();
    for (prompt, runs) in [("c1", true), ("c2", false), ("c3", true)] {
        world.call("turn/start", World::prompt(&thread, prompt));
        steps(&mut world, &thread, &[Do::Say, Do::More("a"), Do::Said]);
        if !runs {
            world.act(&thread, Do::End);
        }
        world.kill();
        back(&mut world);
    }
    let unprompted = world.start_thread();
    world.kill();
    back(&mut world);
    world.cut();
    back(&mut world);
    let told = world.heard.iter().filter(|m| m.method() == Some("warning")).filter_map(Message::params);
    let told: Vec<&str> = told.filter_map(|p| say::text(p, &["message"])).collect();
    insta::assert_snapshot!(told.join("\n").replace(&unprompted, "[THREAD]"), @r"
    Outpost: the Codex server on devbox was restarted. The turn that ran was interrupted; what it had not finished is lost.
    Outpost: the Codex server on devbox was restarted again (2).
    Outpost: the Codex server on devbox was restarted again (3). The turn that ran was interrupted; what it had not finished is lost.
    Outpost: the thread [THREAD] cannot be gone on with: it had no prompt yet, and its server was restarted
    Outpost: the Codex server on devbox was restarted again (4).
    ");
}

#[test]
fn a_stock_client_is_warned_once_and_told_of_the_return() {
    let mut world = World::new(Notes::Warn("devbox".into()));
    let warnings = |world: &World| {
        let told = world.heard.iter().filter(|m| m.method() == Some("warning")).filter_map(Message::params);
        told.filter_map(|p| say::text(p, &["message"]).map(str::to_owned)).collect::<Vec<_>>()
    };
    world.cut();
    world.wait(Duration::from_secs(2));
    back(&mut world);
    assert_eq!(warnings(&world), [""; 0], "a short cut is nobody's concern");
    for told in [1, 3] {
        world.cut();
        world.wait(LONG);
        assert_eq!(warnings(&world).len(), told);
        back(&mut world);
        assert_eq!(warnings(&world).len(), told + 1);
    }
    // A stock client shows a text once, so each is another.
    insta::assert_snapshot!(warnings(&world).join("\n"), @r"
    Outpost: the link to devbox is lost. The work there goes on; what you type now is sent when the link is back.
    Outpost: the link to devbox is back after 100 s.
    Outpost: the link to devbox is lost again (2). The work there goes on; what you type now is sent when the link is back.
    Outpost: the link to devbox is back again (2) after 100 s.
    ");
}

#[test]
fn another_codex_home_ends_it() {
    let (mut world, _) = working();
    world.cut();
    let mut out = Out::default();
    world.hold.up(None, world.now, &mut out);
    let Some(Message::Request { id, .. }) = out.to_server.first().cloned() else { panic!("no handshake") };
    let mut out = Out::default();
    world.hold.server(Message::response(id, Ok(json!({"codexHome": "/other"}))), world.now, &mut out);
    assert_eq!(out.stop.map(|why| why.code), Some(crate::failure::Code::OtherMachine));
}

#[test]
fn what_was_not_delivered_is_given_back_at_the_end() {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    world.call_into_cut("turn/start", World::prompt(&thread, "c1"), false);
    world.call("turn/start", World::prompt(&thread, "c2"));
    world.call("thread/list", json!({}));
    let mut out = Out::default();
    world.hold.give_up(&mut out);
    let given = |e: &Event| if let Event::GivenBack { message, .. } = e { Some(message.clone()) } else { None };
    assert_eq!(out.events.iter().filter_map(given).collect::<Vec<_>>(), ["c1", "c2"]);
}
