//! Releases that give items back under other ids, or not at all.

use serde_json::json;

use super::{back, steps, story, working};
use crate::app_server::durable::hold::{Notes, Out};
use crate::app_server::durable::say;
use crate::app_server::durable::sim::{Do, Release, World};
use crate::rpc::message::{Message, RequestId};

const OLD: [Release; 2] = [Release::Numbers, Release::Forgets];

fn warnings(world: &World) -> usize {
    world.heard.iter().filter(|m| m.method() == Some("warning")).count()
}

#[test]
fn what_is_given_back_under_another_id_is_told_once_and_by_the_first() {
    for release in OLD {
        let (mut world, thread) = working();
        world.server.release = release;
        let before = [Do::Say, Do::More("one"), Do::Said, Do::Run, Do::Print("x"), Do::Ran, Do::Say, Do::More("tw")];
        steps(&mut world, &thread, &before);
        world.cut();
        steps(&mut world, &thread, &[Do::More("o"), Do::Said, Do::Run, Do::Ran, Do::Say, Do::More("three"), Do::Said, Do::Say]);
        back(&mut world);
        world.cut();
        back(&mut world);
        steps(&mut world, &thread, &[Do::More("four"), Do::Said, Do::End]);
        let three = if release == Release::Forgets { "item-turn2-6" } else { "message8" };
        let begins = ["message4(", "message4:one", ")message4", "command5(", "command5:x", ")command5 completed"];
        assert_eq!(story(&world, &thread)[..6], begins);
        assert_eq!(
            story(&world, &thread)[6..],
            [
                "message6(",
                "message6:two",
                ")message6",
                "command7(",
                ")command7 completed",
                &format!("{three}("),
                &format!("{three}:three"),
                &format!("){three}"),
                "message9(",
                "message9:four",
                ")message9",
                "}completed"
            ],
            "{release:?}"
        );
        assert_eq!(warnings(&world), 0, "nothing is missing");
    }
}

/// What is finished between the two answers of a recovery is in the second, and told live too.
#[test]
fn what_ends_in_the_middle_of_catching_up_is_told_once() {
    for release in OLD {
        for after in 0..8 {
            let (mut world, thread) = working();
            world.server.release = release;
            steps(&mut world, &thread, &[Do::Say, Do::More("a")]);
            world.cut();
            steps(&mut world, &thread, &[Do::More("b"), Do::Said, Do::Say, Do::More("c")]);
            world.up = true;
            world.server.connect();
            let mut out = Out::default();
            world.hold.up(Some("0".into()), world.now, &mut out);
            world.take(out);
            world.pump_few(after);
            world.server.act(&thread, &Do::More("d"));
            world.server.act(&thread, &Do::Said);
            world.pump();
            steps(&mut world, &thread, &[Do::Say, Do::More("e"), Do::Said, Do::End]);
            let texts = |m: &&Message| m.method() == Some("item/completed");
            let told = world.heard.iter().filter(texts).filter_map(|m| say::text(m.params()?, &["item", "text"]));
            assert_eq!(told.collect::<Vec<_>>(), ["ab", "cd", "e"], "{release:?}, after {after}");
        }
    }
}

#[test]
fn a_release_that_keeps_no_commands_of_a_turn_that_is_over_is_said_to() {
    for over in [true, false] {
        let (mut world, thread) = working();
        world.server.release = Release::Forgets;
        world.act(&thread, Do::Run);
        world.cut();
        steps(&mut world, &thread, &[Do::Ran, Do::Say, Do::More("a"), Do::Said]);
        if over {
            world.act(&thread, Do::End);
        }
        back(&mut world);
        assert_eq!(warnings(&world), usize::from(over));
        world.act(&thread, Do::End);
        world.cut();
        back(&mut world);
        assert_eq!(warnings(&world), usize::from(over), "and it is said once");
        let story = story(&world, &thread);
        assert_eq!(story.contains(&")command4 completed".to_owned()), !over, "{story:?}");
        assert_eq!(story.last().map(String::as_str), Some("}completed"));
    }
}

#[test]
fn a_server_that_died_gives_back_its_messages() {
    let (mut world, thread) = working();
    world.server.release = Release::Forgets;
    steps(&mut world, &thread, &[Do::Say, Do::More("one"), Do::Said]);
    world.cut();
    steps(&mut world, &thread, &[Do::Run, Do::Ran, Do::Say, Do::More("two"), Do::Said]);
    world.kill();
    back(&mut world);
    let two = ["item-turn2-3(", "item-turn2-3:two", ")item-turn2-3", "}interrupted"];
    assert_eq!(story(&world, &thread)[3..], two);
    assert_eq!(warnings(&world), 1);
}

/// 0.153 shows a client that comes in the middle of a turn the items by numbers, and lists them by their own ids.
#[test]
fn what_a_client_was_shown_by_numbers_is_not_told_again() {
    for release in OLD {
        let (mut first, thread) = working();
        steps(&mut first, &thread, &[Do::Say, Do::More("a"), Do::Said, Do::Run, Do::Ran]);
        let mut world = World::new(Notes::Quiet);
        world.server.release = release;
        std::mem::swap(&mut world.server.threads, &mut first.server.threads);
        world.server.made = 100;
        world.call("thread/resume", json!({"threadId": thread}));
        world.call("thread/items/list", json!({"threadId": thread, "sortDirection": "desc"}));
        world.cut();
        back(&mut world);
        assert_eq!(world.story(&thread), [""; 0], "{release:?}");
        steps(&mut world, &thread, &[Do::Say, Do::More("b"), Do::Said, Do::End]);
        assert_eq!(world.story(&thread), ["message101(", "message101:b", ")message101", "}completed"]);
    }
}

#[test]
fn an_approval_is_put_once_though_the_thread_is_resumed_twice() {
    for answered in [true, false] {
        let (mut world, thread) = working();
        world.server.release = Release::Forgets;
        world.act(&thread, Do::Ask);
        world.cut();
        if answered {
            world.answer(RequestId::Number(0), "accept");
        }
        back(&mut world);
        assert_eq!((world.asked().len(), world.server.answers.len()), (1, usize::from(answered)));
    }
}
