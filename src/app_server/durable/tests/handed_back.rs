//! What a stock client's people are told of prompts that come back to them.

use serde_json::{Value, json};

use super::back;
use crate::app_server::durable::event::Event;
use crate::app_server::durable::hold::{Notes, Out};
use crate::app_server::durable::say;
use crate::app_server::durable::sim::{Do, World};
use crate::rpc::message::Message;
use crate::rpc::pending::NOT_KNOWN;

/// A world with a stock client, which was told that its link is lost and back.
fn stock() -> (World, String) {
    let mut world = World::new(Notes::Warn("devbox".into()));
    let thread = world.start_thread();
    world.call("turn/start", World::prompt(&thread, "c0"));
    world.act(&thread, Do::End);
    (world, thread)
}

fn saying(thread: &str, id: Option<&str>, text: &str) -> Value {
    let input = json!([{"type": "text", "text": text}, {"type": "localImage", "path": "/p.png"}]);
    match id {
        Some(id) => json!({"threadId": thread, "clientUserMessageId": id, "input": input}),
        None => json!({"threadId": thread, "input": input}),
    }
}

/// The warnings about words.
fn warnings(messages: &[Message]) -> Vec<String> {
    let told = messages.iter().filter(|m| m.method() == Some("warning")).filter_map(Message::params);
    told.filter_map(|p| say::text(p, &["message"])).filter(|w| w.contains("yours to send")).map(str::to_owned).collect()
}

#[test]
fn words_that_come_back_are_in_a_warning() {
    let (mut world, thread) = stock();
    // Words for a running turn were answered, and the turn ended without them.
    world.call("turn/start", World::prompt(&thread, "c1"));
    let long = format!("a\u{1b}[2J\n{}", "x".repeat(4_000));
    world.act(&thread, Do::Run);
    let running = world.call("turn/steer", saying(&thread, Some("c2"), &long));
    assert!(matches!(world.answers(running)[..], [Ok(_)]), "{:?}", world.answers(running));
    world.kill();
    back(&mut world);
    // The connection is given up: one prompt was sent, the other is typed.
    world.call_into_cut("turn/start", saying(&thread, Some("c3"), "sent"), false);
    world.call("turn/start", saying(&thread, Some("c4"), "typed"));
    world.call("turn/start", saying(&thread, None, "typed too"));
    let mut out = Out::default();
    world.hold.give_up(&mut out);
    let mut told = warnings(&world.heard);
    told.extend(warnings(&out.to_client));
    let short = told.join("\n").replace(&"x".repeat(3_990), "x*3990");
    insta::assert_snapshot!(short, @r"
    Outpost: this was not delivered; it is yours to send again: a�[2J
    x*3990xxxx […]
    Outpost: this was sent, and may not have arrived (2); it is yours to send again: sent
    [localImage]
    Outpost: this was not delivered (3); it is yours to send again: typed
    [localImage]
    Outpost: this was not delivered (4); it is yours to send again: typed too
    [localImage]
    ");
    let given = |e: &Event| if let Event::GivenBack { message, .. } = e { Some(message.clone()) } else { None };
    let given: Vec<String> = world.events.iter().chain(&out.events).filter_map(given).collect();
    assert_eq!(given, ["c2", "c3", "c4", ""]);
}

/// A prompt that was answered and not yet seen is not known to have arrived.
#[test]
fn a_prompt_that_was_only_answered_is_given_back_at_the_end() {
    let (mut world, thread) = stock();
    let id = world.call_and_no_more(saying(&thread, Some("c1"), "promised"));
    assert!(matches!(world.answers(id)[..], [Ok(_)]));
    world.cut();
    let mut out = Out::default();
    world.hold.give_up(&mut out);
    assert!(matches!(&out.events[..], [Event::GivenBack { message, .. }] if message == "c1"), "{:?}", out.events);
    assert_eq!(warnings(&out.to_client).len(), 1);
}

/// The thread of a title is the client's own: nobody wrote what goes there.
#[test]
fn a_title_that_is_lost_is_nobodys_words() {
    let (mut world, _) = stock();
    world.call("thread/start", json!({"ephemeral": true}));
    for id in [None, Some("c1")] {
        let started = |m: &Message| {
            let Message::Response { result: Ok(value), .. } = m else { return None };
            say::text(value, &["thread", "id"]).map(str::to_owned)
        };
        let thread = world.heard.iter().rev().find_map(started);
        let thread = thread.expect("a thread");
        let (before, asked) = (warnings(&world.heard).len(), world.server.threads[&thread].prompts);
        let call = world.call_into_cut("turn/start", saying(&thread, id, "a title"), true);
        back(&mut world);
        assert!(matches!(world.answers(call)[..], [Err(e)] if e.code == NOT_KNOWN), "{:?}", world.answers(call));
        assert_eq!(warnings(&world.heard).len(), before, "its error says it");
        assert_eq!(world.server.threads[&thread].prompts, asked + 1, "it is not sent again");
        world.call("thread/start", json!({"ephemeral": true}));
    }
}
