//! Every row of the table of cuts and every rule, two machines stepped through virtual time; then random cuts.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::event::{Agent, Event, Server as Leads};
use super::hold::Notes;
use super::say;
use super::sim::{Do, World};
use crate::rpc::message::{Message, RequestId};
use crate::rpc::pending::NOT_KNOWN;

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
    for answered_while_away in [true, false] {
        let (mut world, thread) = working();
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
    let (mut world, thread) = working();
    world.act(&thread, Do::Ask);
    let mut out = super::hold::Out::default();
    world.hold.client(Message::response(RequestId::Number(0), Ok(json!({"decision": "accept"}))), &mut out);
    assert_eq!(out.to_server.len(), 1, "it goes out, and is lost");
    world.cut();
    back(&mut world);
    assert_eq!(world.server.answers.len(), 1);
    assert_eq!(world.asked().len(), 1);
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
                "message5(",
                "message5:no",
                ")message5",
                if later > Duration::ZERO { ")command4 declined" } else { "resolved" },
                if later > Duration::ZERO { "}completed" } else { ")command4 declined" },
                if later > Duration::ZERO { "resolved" } else { "}completed" },
            ]
        );
    }
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
        for old in [true, false] {
            let (mut world, thread) = working();
            world.server.old = old;
            world.act(&thread, Do::End);
            let id = world.call_into_cut("turn/start", World::prompt(&thread, "c2"), arrives);
            back(&mut world);
            assert_eq!(world.server.threads[&thread].prompts, 2, "arrived {arrives}, old {old}");
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
    fresh.hold = super::hold::Hold::new(Notes::Quiet);
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
    assert_eq!(story(&world, &thread)[2..], [")command4 declined", "}interrupted", "resolved"]);
    assert_eq!(world.server.answers, []);
    world.call("turn/start", World::prompt(&thread, "c2"));
    world.act(&thread, Do::Ask);
    assert_eq!(world.asked(), [&RequestId::Number(0), &RequestId::Number(1)], "its numbers begin again, ours do not");
}

#[test]
fn a_prompt_that_was_answered_and_not_kept_is_sent_again() {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    world.call("turn/start", World::prompt(&thread, "c1"));
    world.act(&thread, Do::End);
    // The answer arrives, the server dies before it keeps anything.
    let mut out = super::hold::Out::default();
    world.hold.client(Message::request(RequestId::Number(90), "turn/start", World::prompt(&thread, "c2")), &mut out);
    out.to_server.into_iter().for_each(|m| world.server.receive(m));
    let answer = world.server.say.iter().position(|m| matches!(m, Message::Response { .. })).unwrap_or(0);
    let answer = world.server.say.remove(answer).unwrap_or(Message::notification("x", Value::Null));
    world.server.say.clear();
    world.server.say.push_back(answer);
    world.pump();
    let kept = world.server.threads.get_mut(&thread).unwrap_or_else(|| panic!());
    drop((kept.turns.pop(), kept.items.pop()));
    kept.prompts -= 1;
    world.kill();
    back(&mut world);
    assert_eq!(world.answers(90).len(), 1);
    assert_eq!(world.server.threads[&thread].prompts, 2);
    assert!(world.events.iter().any(|e| matches!(e, Event::SentAgain { message, .. } if message == "c2")), "{:?}", world.events);
    assert!(world.events.iter().any(|e| matches!(e, Event::Delivered { message, .. } if message == "c2")));
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
        let mut out = super::hold::Out::default();
        world.hold.up(Some("0".into()), world.now, &mut out);
        out.to_server.into_iter().for_each(|m| world.server.receive(m));
        world.pump_some(after);
        back(&mut world);
        assert_eq!(story(&world, &thread), ["message4(", "message4:ab", ")message4", "ask command5"], "after {after}");
    }
}

#[test]
fn a_release_that_cannot_list_is_read_whole() {
    let (mut world, thread) = working();
    world.server.old = true;
    steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
    world.cut();
    steps(&mut world, &thread, &[Do::More("b"), Do::Said, Do::End]);
    back(&mut world);
    assert_eq!(story(&world, &thread), ["message4(", "message4:ab", ")message4", "}completed"]);
}

#[test]
fn a_stock_client_is_warned_once_and_told_of_the_return() {
    let mut world = World::new(Notes::Warn("devbox".into()));
    let warnings = |world: &World| world.heard.iter().filter(|m| m.method() == Some("warning")).count();
    world.cut();
    world.wait(Duration::from_secs(2));
    back(&mut world);
    assert_eq!(warnings(&world), 0, "a short cut is nobody's concern");
    world.cut();
    world.wait(LONG);
    assert_eq!(warnings(&world), 1);
    back(&mut world);
    assert_eq!(warnings(&world), 2);
}

#[test]
fn another_codex_home_ends_it() {
    let (mut world, _) = working();
    world.cut();
    let mut out = super::hold::Out::default();
    world.hold.up(None, world.now, &mut out);
    let Some(Message::Request { id, .. }) = out.to_server.first().cloned() else { panic!("no handshake") };
    let mut out = super::hold::Out::default();
    world.hold.server(Message::response(id, Ok(json!({"codexHome": "/other"}))), world.now, &mut out);
    assert_eq!(out.stop.map(|why| why.code), Some(crate::failure::Code::OtherMachine));
}

/// One thing that happens in a random life.
#[derive(Debug, Clone)]
enum Life {
    Act(Do),
    Prompt,
    PromptIntoCut(bool),
    Answer,
    Cut,
    CutAfter(usize),
    Back,
    Kill,
    Wait(u64),
}

fn life() -> impl Strategy<Value = Life> {
    let act = prop_oneof![
        3 => Just(Do::Say), 6 => Just(Do::More("word ")), 3 => Just(Do::Said), 2 => Just(Do::Ask), 2 => Just(Do::Run),
        4 => Just(Do::Print("out\n")), 3 => Just(Do::Ran), 1 => Just(Do::DeclinedElsewhere), 2 => Just(Do::End),
    ];
    prop_oneof![
        20 => act.prop_map(Life::Act), 3 => Just(Life::Prompt), 1 => any::<bool>().prop_map(Life::PromptIntoCut),
        4 => Just(Life::Answer), 3 => Just(Life::Cut), 2 => (0..12_usize).prop_map(Life::CutAfter), 5 => Just(Life::Back),
        1 => Just(Life::Kill), 1 => (0..4_000_u64).prop_map(Life::Wait),
    ]
}

struct Person {
    prompts: usize,
    calls: Vec<i64>,
    answered: usize,
}

impl Person {
    fn lives(&mut self, world: &mut World, thread: &str, what: Life) {
        match what {
            Life::Act(what) => world.act(thread, what),
            Life::Prompt | Life::PromptIntoCut(_) if world.hold.agent() != Agent::Idle => {}
            Life::Prompt => {
                self.prompts += 1;
                self.calls.push(world.call("turn/start", World::prompt(thread, &format!("p{}", self.prompts))));
            }
            Life::PromptIntoCut(arrives) if world.up => {
                self.prompts += 1;
                let prompt = World::prompt(thread, &format!("p{}", self.prompts));
                self.calls.push(world.call_into_cut("turn/start", prompt, arrives));
            }
            Life::PromptIntoCut(_) => {}
            Life::Answer => {
                if let Some(id) = world.asked().get(self.answered).map(|id| (*id).clone()) {
                    self.answered += 1;
                    world.answer(id, "accept");
                }
            }
            Life::Cut => world.cut(),
            Life::CutAfter(messages) => {
                if !world.up {
                    world.up = true;
                    world.server.connect();
                    let mut out = super::hold::Out::default();
                    world.hold.up(Some(world.server.epoch.to_string()), world.now, &mut out);
                    out.to_server.into_iter().for_each(|m| world.server.receive(m));
                    world.pump_some(messages);
                }
            }
            Life::Back => world.link(),
            Life::Kill => world.kill(),
            Life::Wait(ms) => world.wait(Duration::from_millis(ms)),
        }
    }
}

/// Holds what the client heard against what the server has.
fn compare(world: &World, thread: &str, person: &Person) {
    let heard: Vec<&Message> =
        world.heard.iter().filter(|m| m.params().and_then(|p| say::text(p, &["threadId"])) == Some(thread)).collect();
    let of = |method: &str| -> Vec<&Value> {
        heard.iter().filter(|m| m.method() == Some(method)).filter_map(|m| m.params()).collect()
    };
    let ids = |method: &str| -> Vec<&str> { of(method).into_iter().filter_map(say::item_of).collect() };
    let stored: Vec<&str> = world.server.threads[thread].items.iter().filter_map(|(_, i)| say::text(i, &["id"])).collect();
    let declined: Vec<&str> = of("item/completed")
        .into_iter()
        .filter(|p| say::text(p, &["item", "status"]) == Some("declined"))
        .filter_map(say::item_of)
        .collect();
    let completed: Vec<&str> = ids("item/completed").into_iter().filter(|id| !declined.contains(id)).collect();
    assert_eq!(completed, stored, "each finished item once, in the server's order");
    let mut started = ids("item/started");
    let all = started.len();
    started.sort_unstable();
    started.dedup();
    assert_eq!(started.len(), all, "each item begins once");
    assert!(stored.iter().all(|id| started.contains(id)), "and before it ends");
    for (_, item) in &world.server.threads[thread].items {
        let id = say::text(item, &["id"]).unwrap_or_default();
        let deltas: String = heard
            .iter()
            .filter(|m| m.method().is_some_and(|m| m.ends_with("elta")))
            .filter_map(|m| m.params())
            .filter(|p| say::item_of(p) == Some(id))
            .filter_map(|p| say::text(p, &["delta"]))
            .collect();
        if let Some(whole) = say::whole_text(item) {
            assert_eq!(deltas, whole, "{id}: the pieces add up");
        }
    }
    let turns = |method: &str| -> Vec<&str> { of(method).into_iter().filter_map(say::turn_of).collect() };
    let listed: Vec<&str> = world.server.threads[thread].turns.iter().filter_map(|t| say::text(t, &["id"])).collect();
    assert_eq!(turns("turn/completed"), listed, "each turn ends once");
    assert_eq!(turns("turn/started"), listed, "each turn begins once");
    assert_eq!(world.server.threads[thread].prompts, person.prompts, "each prompt runs once");
    for id in &person.calls {
        assert_eq!(world.answers(*id).len(), 1, "each request is answered once");
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_or_told_twice_in_a_random_life(lives in prop::collection::vec(life(), 1..60)) {
        let (mut world, thread) = working();
        let mut person = Person { prompts: 1, calls: vec![], answered: 0 };
        for what in lives {
            person.lives(&mut world, &thread, what);
        }
        back(&mut world);
        for _ in 0..3 {
            while person.answered < world.asked().len() {
                person.lives(&mut world, &thread, Life::Answer);
            }
            steps(&mut world, &thread, &[Do::Said, Do::Ran, Do::End]);
        }
        compare(&world, &thread, &person);
    }
}
