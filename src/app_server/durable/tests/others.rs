//! What other clients do to a thread meanwhile, and what of a thread is the client's at all.

use serde_json::{Value, json};

use super::{LONG, back, steps, story, working};
use crate::app_server::durable::event::Event;
use crate::app_server::durable::hold::Notes;
use crate::app_server::durable::sim::{Do, Release, World};
use crate::rpc::message::Message;

/// A command that waited for an approval at the cut was accepted by somebody else, and goes on behind its turn.
#[test]
fn a_command_that_somebody_else_accepted_is_not_told_as_declined() {
    for ends_away in [true, false] {
        let (mut world, thread) = working();
        world.act(&thread, Do::Ask);
        world.cut();
        world.act(&thread, Do::AcceptedElsewhere);
        if ends_away {
            world.act(&thread, Do::Leave);
        }
        back(&mut world);
        world.act(&thread, Do::Leave);
        assert_eq!(story(&world, &thread), ["command4(", "ask command4", "resolved", "}completed"], "{ends_away}");
        world.act(&thread, Do::Exits);
        assert_eq!(story(&world, &thread)[4..], [")command4 completed"]);
    }
}

/// Where the server does not list what goes on, it is taken for declined, until its real end comes.
#[test]
fn an_end_that_was_guessed_gives_way_to_the_real_one() {
    for cut_again in [true, false] {
        let (mut world, thread) = working();
        world.server.release = Release::Numbers;
        world.act(&thread, Do::Ask);
        world.cut();
        steps(&mut world, &thread, &[Do::AcceptedElsewhere, Do::Print("x"), Do::Leave]);
        back(&mut world);
        if cut_again {
            world.cut();
        }
        world.act(&thread, Do::Exits);
        back(&mut world);
        let told =
            ["command4(", "ask command4", "resolved", ")command4 declined", "}completed", "command4:x", ")command4 completed"];
        assert_eq!(story(&world, &thread), told, "{cut_again}");
        world.cut();
        back(&mut world);
        assert_eq!(story(&world, &thread), told, "once");
    }
}

/// A thread with two turns, resumed by a client that asks for no history, whose question where it ends is lost.
fn resumed() -> (World, String) {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    for id in ["a", "b"] {
        world.call("turn/start", World::prompt(&thread, id));
        steps(&mut world, &thread, &[Do::Say, Do::More(id), Do::Said, Do::End]);
    }
    let mut second = World::new(Notes::Quiet);
    std::mem::swap(&mut second.server.threads, &mut world.server.threads);
    second.server.made = 100;
    second.loses = Some("thread/turns/list");
    second.call("thread/resume", json!({"threadId": thread, "excludeTurns": true}));
    second.loses = None;
    (second, thread)
}

#[test]
fn a_turn_of_ours_is_told_though_it_is_not_known_where_the_history_ends() {
    for answered in [true, false] {
        let (mut world, thread) = resumed();
        let prompt = World::prompt(&thread, "c1");
        let id = if answered {
            let id = world.call_and_no_more(prompt);
            world.cut();
            id
        } else {
            world.call_into_cut("turn/start", prompt, true)
        };
        steps(&mut world, &thread, &[Do::Say, Do::More("x"), Do::Said, Do::End]);
        back(&mut world);
        assert_eq!(world.answers(id).len(), 1);
        let delivered = |e: &&Event| matches!(e, Event::Delivered { message, .. } if message == "c1");
        assert_eq!(world.events.iter().filter(delivered).count(), 1);
        let told = ["turn{", "user102(", ")user102", "message103(", "message103:x", ")message103", "}completed"];
        assert_eq!(world.story(&thread), told, "answered {answered}");
        world.cut();
        back(&mut world);
        assert_eq!(world.story(&thread), told, "and nothing older, then or later");
    }
}

#[test]
fn without_a_turn_of_ours_nothing_older_is_told_however_often_the_link_goes() {
    let (mut world, thread) = resumed();
    for _ in 0..3 {
        world.cut();
        back(&mut world);
        assert_eq!(world.story(&thread), [""; 0]);
    }
    world.call("turn/start", World::prompt(&thread, "c1"));
    world.cut();
    world.act(&thread, Do::End);
    back(&mut world);
    assert_eq!(world.story(&thread), ["turn{", "user102(", ")user102", "}completed"]);
}

/// Of a thread that was resumed in the middle of a turn the turns before it are not the client's.
#[test]
fn what_is_older_than_a_turn_that_ran_when_the_client_came_is_not_told() {
    let (mut world, thread) = resumed();
    let mut third = World::new(Notes::Quiet);
    world.call("turn/start", World::prompt(&thread, "c1"));
    std::mem::swap(&mut third.server, &mut world.server);
    third.server.connect();
    third.up = false;
    third.hold.down(third.now);
    third.link();
    third.call("thread/resume", json!({"threadId": thread, "excludeTurns": true}));
    third.cut();
    third.act(&thread, Do::End);
    back(&mut third);
    let story = third.story(&thread);
    assert_eq!(story.iter().filter(|w| *w == "turn{").count(), 0, "{story:?}");
    assert_eq!(story.last().map(String::as_str), Some("}completed"));
}

#[test]
fn what_a_rollback_left_is_not_told_as_new() {
    let (mut world, thread) = working();
    world.act(&thread, Do::End);
    let mut second = World::new(Notes::Quiet);
    std::mem::swap(&mut second.server.threads, &mut world.server.threads);
    second.server.made = 100;
    second.loses = Some("thread/turns/list");
    second.call("thread/resume", json!({"threadId": thread, "excludeTurns": true}));
    second.loses = None;
    second.call("turn/start", World::prompt(&thread, "c2"));
    second.act(&thread, Do::End);
    let before = second.story(&thread);
    second.cut();
    let t = second.server.threads.get_mut(&thread).unwrap_or_else(|| panic!());
    drop((t.turns.pop(), t.items.pop()));
    back(&mut second);
    assert_eq!(second.story(&thread), before);
}

#[test]
fn a_command_of_an_older_turn_that_ended_meanwhile_is_told() {
    let (mut world, thread) = working();
    steps(&mut world, &thread, &[Do::Run, Do::Leave]);
    world.call("turn/start", World::prompt(&thread, "c2"));
    world.act(&thread, Do::End);
    world.cut();
    world.act(&thread, Do::Exits);
    back(&mut world);
    assert_eq!(world.story(&thread).last().map(String::as_str), Some(")command4 completed"));
}

/// It began and its turn ended while there was no link, and it ends while there is none again.
#[test]
fn a_command_that_the_client_never_heard_of_is_told_when_it_ends() {
    for live in [true, false] {
        let (mut world, thread) = working();
        world.cut();
        steps(&mut world, &thread, &[Do::Run, Do::Leave]);
        back(&mut world);
        assert_eq!(story(&world, &thread), ["}completed"]);
        if !live {
            world.cut();
        }
        world.act(&thread, Do::Exits);
        back(&mut world);
        assert_eq!(story(&world, &thread), ["}completed", "command4(", ")command4 completed"], "{live}");
    }
}

/// The same, and the turn ends while there is a link.
#[test]
fn a_command_that_began_unheard_in_a_turn_that_goes_on_is_told_when_it_ends() {
    let (mut world, thread) = working();
    world.cut();
    world.act(&thread, Do::Run);
    back(&mut world);
    world.act(&thread, Do::Leave);
    world.cut();
    world.act(&thread, Do::Exits);
    back(&mut world);
    assert_eq!(story(&world, &thread), ["}completed", "command4(", ")command4 completed"]);
}

#[test]
fn a_thread_that_somebody_else_archived_is_closed_and_said() {
    let (mut world, thread) = working();
    world.act(&thread, Do::End);
    world.cut();
    world.server.archived = true;
    let id = world.call("turn/start", World::prompt(&thread, "c2"));
    back(&mut world);
    assert_eq!(world.story(&thread).last().map(String::as_str), Some("thread/closed"));
    assert!(world.events.iter().any(|e| matches!(e, Event::ThreadGone { .. })));
    assert_eq!(world.answers(id).len(), 1, "what was typed meanwhile is the server's to answer");
}

/// The resume of a new thread is refused, for its first prompt is still on its way; then the prompt is there.
#[test]
fn the_turn_of_a_first_prompt_that_came_late_is_told() {
    let mut world = World::new(Notes::Quiet);
    world.fenced = false;
    let thread = world.start_thread();
    let id = world.call_into_late("turn/start", World::prompt(&thread, "c1"));
    back(&mut world);
    assert_eq!(world.server.threads[&thread].prompts, 1);
    assert_eq!(world.answers(id).len(), 1);
    steps(&mut world, &thread, &[Do::Say, Do::More("a"), Do::Said, Do::End]);
    assert_eq!(story(&world, &thread), ["message4(", "message4:a", ")message4", "}completed"]);
}

#[test]
fn what_is_late_runs_once() {
    for fenced in [true, false] {
        for arrives_away in [true, false] {
            let (mut world, thread) = working();
            world.fenced = fenced;
            world.act(&thread, Do::End);
            let id = world.call_into_late("turn/start", World::prompt(&thread, "c2"));
            world.wait(LONG);
            if arrives_away {
                world.late_arrives();
            }
            back(&mut world);
            assert_eq!(world.server.threads[&thread].prompts, 2, "{fenced} {arrives_away}");
            assert!(matches!(world.answers(id)[..], [Ok(_)]));
        }
    }
}

/// A client that has left a thread while it was caught up with is not kept from what is said of it.
#[test]
fn a_thread_that_was_left_holds_nothing_back() {
    let mut world = World::new(Notes::Quiet);
    let thread = world.start_thread();
    world.cut();
    back(&mut world);
    world.server.half_stored = 4;
    world.call("turn/start", World::prompt(&thread, "c1"));
    world.call("thread/unsubscribe", json!({"threadId": thread}));
    let note = Message::notification("thread/name/updated", json!({"threadId": thread, "name": Value::Null}));
    world.server.say.push_back(note.clone());
    world.pump();
    assert!(world.heard.contains(&note));
    world.wait(LONG);
}
