//! Random lives: whatever happens in whatever order, nothing is lost and nothing is told twice.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{back, steps, working};
use crate::app_server::durable::event::{Agent, Event};
use crate::app_server::durable::say;
use crate::app_server::durable::sim::{Do, Release, World};
use crate::rpc::message::Message;

/// One thing that happens in a random life.
#[derive(Debug, Clone)]
enum Life {
    Act(Do),
    Prompt,
    PromptIntoCut(bool),
    PromptIntoLate,
    LateArrives,
    Busy(u32),
    Answer,
    Cut,
    CutAfter(usize),
    Back,
    Kill,
    Slow(bool),
    Wait(u64),
}

fn life() -> impl Strategy<Value = Life> {
    let act = prop_oneof![
        3 => Just(Do::Say), 6 => Just(Do::More("word ")), 3 => Just(Do::Said), 2 => Just(Do::Ask), 2 => Just(Do::Run),
        4 => Just(Do::Print("out\n")), 3 => Just(Do::Ran), 1 => Just(Do::DeclinedElsewhere), 1 => Just(Do::AcceptedElsewhere), 1 => Just(Do::Leave), 1 => Just(Do::Exits), 2 => Just(Do::End),
    ];
    prop_oneof![
        20 => act.prop_map(Life::Act), 3 => Just(Life::Prompt), 1 => any::<bool>().prop_map(Life::PromptIntoCut),
        1 => Just(Life::PromptIntoLate), 1 => Just(Life::LateArrives), 1 => (0..4_u32).prop_map(Life::Busy),
        4 => Just(Life::Answer), 3 => Just(Life::Cut), 2 => (0..12_usize).prop_map(Life::CutAfter), 5 => Just(Life::Back),
        1 => Just(Life::Kill), 1 => any::<bool>().prop_map(Life::Slow), 1 => (0..4_000_u64).prop_map(Life::Wait),
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
            // What goes on behind a turn is known only where the server lists it.
            Life::Act(Do::Leave) if world.server.release != Release::Newest => {}
            Life::Act(what) => world.act(thread, what),
            Life::Prompt | Life::PromptIntoCut(_) | Life::PromptIntoLate if world.hold.agent() != Agent::Idle => {}
            Life::Prompt => {
                self.prompts += 1;
                self.calls.push(world.call("turn/start", World::prompt(thread, &format!("p{}", self.prompts))));
            }
            Life::PromptIntoCut(arrives) if world.up => {
                self.prompts += 1;
                let prompt = World::prompt(thread, &format!("p{}", self.prompts));
                self.calls.push(world.call_into_cut("turn/start", prompt, arrives));
            }
            Life::PromptIntoLate if world.up => {
                self.prompts += 1;
                let prompt = World::prompt(thread, &format!("p{}", self.prompts));
                self.calls.push(world.call_into_late("turn/start", prompt));
            }
            Life::PromptIntoCut(_) | Life::PromptIntoLate => {}
            Life::LateArrives => world.late_arrives(),
            Life::Busy(questions) if !world.up => world.server.busy = questions,
            Life::Busy(_) => {}
            Life::Answer => {
                if let Some(id) = world.asked().get(self.answered).map(|id| (*id).clone()) {
                    self.answered += 1;
                    world.answer(id, "accept");
                }
            }
            Life::Cut => world.cut(),
            Life::CutAfter(messages) => {
                if !world.up {
                    world.link_for(messages);
                }
            }
            Life::Back => world.link(),
            Life::Kill => world.kill(),
            Life::Slow(slow) => world.server.slow = slow,
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
    // A command that goes on behind its turn ends among the items of another; told later it is told with its own.
    let listed: Vec<&str> = world.server.threads[thread].turns.iter().filter_map(|t| say::text(t, &["id"])).collect();
    let place = |turn: &str| listed.iter().position(|id| *id == turn);
    let mut stored: Vec<&(String, Value)> = world.server.threads[thread].items.iter().collect();
    stored.sort_by_key(|(turn, _)| place(turn));
    let stored: Vec<&Value> = stored.into_iter().map(|(_, item)| item).collect();
    let mut done = of("item/completed");
    done.sort_by_key(|p| say::turn_of(p).and_then(place));
    let done: Vec<&Value> = done.into_iter().map(|p| &p["item"]).collect();
    let finished: Vec<&Value> = done.iter().copied().filter(|i| i["status"] != json!("declined")).collect();
    same_items(world, &finished, &stored);
    let begun: Vec<&str> = of("item/started").into_iter().filter_map(say::item_of).collect();
    let once: HashSet<&str> = begun.iter().copied().collect();
    assert_eq!(once.len(), begun.len(), "each item begins once");
    for item in done {
        let id = say::text(item, &["id"]).unwrap_or_default();
        assert!(once.contains(id), "it begins before it ends: {id}");
        let pieces = heard.iter().filter(|m| m.method().is_some_and(|m| m.ends_with("elta"))).filter_map(|m| m.params());
        let text: String = pieces.filter(|p| say::item_of(p) == Some(id)).filter_map(|p| say::text(p, &["delta"])).collect();
        // One that was taken for declined and was not has its output when it ends.
        if let Some(whole) = say::whole_text(item).filter(|_| item["status"] != json!("declined")) {
            assert_eq!(text, whole, "{id}: the pieces add up");
        }
    }
    let turns = |method: &str| -> Vec<&str> { of(method).into_iter().filter_map(say::turn_of).collect() };
    assert_eq!(turns("turn/completed"), listed, "each turn ends once");
    assert_eq!(turns("turn/started"), listed, "each turn begins once");
    let given_back = world.events.iter().filter(|e| matches!(e, Event::GivenBack { .. })).count();
    assert_eq!(world.server.threads[thread].prompts + given_back, person.prompts, "each prompt runs once, or is given back");
    for id in &person.calls {
        assert_eq!(world.answers(*id).len(), 1, "each request is answered once");
    }
    let asks = heard.iter().filter(|m| matches!(m, Message::Request { .. })).filter_map(|m| say::item_of(m.params()?));
    let asks: Vec<&str> = asks.collect();
    assert_eq!(asks.iter().collect::<HashSet<_>>().len(), asks.len(), "each question is put once");
}

/// The same finished items in the same order; of a release that does not keep them commands may be missing, and that is said.
fn same_items(world: &World, told: &[&Value], stored: &[&Value]) {
    if world.server.release != Release::Forgets {
        return assert_eq!(told, stored, "each finished item once, in the server's order");
    }
    let is_command = |item: &&&Value| item["type"] == json!("commandExecution");
    let messages =
        |items: &[&Value]| -> Vec<Value> { items.iter().filter(|i| !is_command(i)).map(|i| say::named(i, "")).collect() };
    assert_eq!(messages(told), messages(stored), "each finished message once, in the server's order");
    let commands = |items: &[&Value]| -> Vec<Value> { items.iter().filter(is_command).map(|i| (*i).clone()).collect() };
    let (told, mut missing) = (commands(told), commands(stored));
    let kept = missing.len();
    missing.retain(|command| !told.contains(command));
    assert_eq!(told.len() + missing.len(), kept, "each command once at most");
    let said = world.heard.iter().any(|m| m.method() == Some("warning"));
    assert!(said || missing.is_empty(), "that commands are missing is said: {missing:?}");
}

proptest! {
    #[test]
    fn nothing_is_lost_or_told_twice_in_a_random_life(
        lives in prop::collection::vec(life(), 1..60),
        release in prop_oneof![2 => Just(Release::Newest), 1 => Just(Release::Numbers), 1 => Just(Release::Forgets)],
        (late, fenced) in any::<(bool, bool)>(),
    ) {
        let (mut world, thread) = working();
        (world.server.release, world.server.late) = (release, late);
        world.fenced = fenced;
        let mut person = Person { prompts: 1, calls: vec![], answered: 0 };
        for what in lives {
            person.lives(&mut world, &thread, what);
        }
        back(&mut world);
        for _ in 0..3 {
            while person.answered < world.asked().len() {
                person.lives(&mut world, &thread, Life::Answer);
            }
            steps(&mut world, &thread, &[Do::Said, Do::Ran, Do::End, Do::Exits]);
        }
        compare(&world, &thread, &person);
    }
}
