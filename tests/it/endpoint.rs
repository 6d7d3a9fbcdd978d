//! `endpoint` and `open` with the real Codex TUI in tmux, a real sshd behind a faulty wire, and a scripted model.

mod clients;
mod crowd;
mod local;
mod served;
mod threads;
mod tui;

use super::bed::faulty::{Fault, Mood};
use super::bed::front::{params, text};
use super::bed::{native, newest};
use super::compat::tell;
use super::durable::Bed;
use clients::Client;
use served::Served;
use tui::Tui;

/// How many seconds the link is gone when a prompt is typed: OUTPOST_TEST_AWAY_S, for trials of minutes.
#[expect(clippy::disallowed_methods, reason = "a trial lasts as long as a person says")]
async fn stay_away() {
    let seconds = std::env::var("OUTPOST_TEST_AWAY_S").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
}

/// The TUI of the release that is tried, on a host with the newest one: `tests/compat` tries older ones.
#[tokio::test(flavor = "multi_thread")]
async fn the_stock_tui_works_and_lives_through_lost_links() {
    let (bed, old) = (Bed::newest().await, native() != newest());
    let help = std::process::Command::new(native()).arg("--help").env("HOME", bed.sandbox.path()).output().unwrap();
    if !String::from_utf8_lossy(&help.stdout).contains("unix://PATH") {
        return tell("its TUI over lost links", "knows no Unix socket");
    }
    let tui = Tui::open(&bed, &[]);
    tui.line("please work");
    tui.shows("Would you like to run");
    // The approval is open: the link goes, the answer is typed without one, and counts when it is back.
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    tui.presses_away("y", "Would you like to run");
    bed.wire.mood(Mood::Good);
    tui.shows("all is done");
    assert!(bed.host.home.join("app/asked").exists());
    // A message is cut while it streams.
    tui.line("now slowly");
    bed.model.reached("a").await;
    // They show whole lines.
    if !old {
        tui.shows("one two");
    }
    bed.wire.fault(Fault::Reset);
    bed.model.open("a");
    bed.model.open("b");
    let screen = tui.shows("five");
    assert_eq!(screen.matches("one two three four five").count(), 1, "{screen}");
    // A prompt is typed while there is no link.
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    tui.line("say typed without a link");
    stay_away().await;
    bed.wire.mood(Mood::Good);
    tui.shows_times("typed without a link", 2);
    // A first Ctrl-C may only clear what is typed, and the second must come soon.
    tui.presses_until("C-c", "[exit 0]");
    tell("its TUI over lost links", "yes");
}

/// A link that swallows all and says nothing: what is typed before anybody knows is on its way into it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_stock_tui_sends_into_a_half_open_link_arrives_once() {
    let bed = Bed::new().await;
    let tui = Tui::open(&bed, &[]);
    tui.line("please work");
    tui.shows("Would you like to run");
    bed.wire.mood(Mood::Swallow);
    tui.presses_away("y", "Would you like to run");
    bed.wire.until_swallowed().await;
    bed.wire.mood(Mood::Good);
    tui.shows("all is done");
    assert!(bed.host.home.join("app/asked").exists());
    bed.wire.mood(Mood::Swallow);
    tui.line("say typed into a hole");
    bed.wire.until_swallowed().await;
    bed.wire.mood(Mood::Good);
    let screen = tui.shows_times("typed into a hole", 2);
    assert_eq!(screen.matches("say typed into a hole").count(), 1, "{screen}");
    let asked = bed.model.requests();
    let said = asked.last().unwrap().to_string();
    assert_eq!(said.matches("say typed into a hole").count(), 1, "{said}");
}

/// With a limit the TUI is given up some day: what was typed until then is on the screen once it has gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_stock_tui_could_not_send_is_given_back() {
    let bed = Bed::new().await;
    let tui = Tui::open(&bed, &["--limit", "5"]);
    tui.line("say good day");
    tui.shows_times("good day", 2);
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    tui.line("say typed and never sent");
    tui.presses_until("C-c", "[exit");
    let screen = tui.screen();
    let told = screen.find("the prompt could not").map(|at| &screen[at..]);
    insta::assert_snapshot!(told.unwrap_or(&screen), @r"
    the prompt could not be delivered; it is yours to send again:
    say typed and never sent
    that address has ended; to come back to a thread: outpost open devbox:app -- resume ID
    error[link-lost]: devbox: wait for the link to come back
      said: there was no link for 5 s
    [exit 5]
    ");
}

/// Each outage is told twice, whatever was told before: 0.169 counts its warnings at the foot and shows them on F2, one at a
/// time, and a text that it had before it does not count again.
#[tokio::test(flavor = "multi_thread")]
async fn the_stock_tui_is_told_of_each_outage_and_of_its_end() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &["--pace", "200"]).await;
    // It is told the same at the same time.
    let mut other = Client::join(&served, "other").await;
    let tui = Tui::attached(&bed, &served.socket(), "");
    tui.line("say begun");
    tui.shows("Worked for");
    let mut told = Vec::new();
    for _ in 0..2 {
        let before = tui.warnings();
        bed.wire.mood(Mood::Refuse);
        bed.wire.fault(Fault::Cut);
        told.push(other.until("warning").await);
        tui.counts(before + 1);
        bed.wire.mood(Mood::Good);
        told.push(other.until("warning").await);
        tui.counts(before + 2);
    }
    let told: Vec<&str> = told.iter().map(|m| text(params(m), &["message"])).collect();
    tui.presses_until("F2", "Warnings · 1 of");
    for text in told {
        let words = text.split([',', '.']).next().unwrap();
        assert!(words.starts_with("Outpost: the link to devbox is "), "{words}");
        tui.presses_until("Right", words.split(" after").next().unwrap());
    }
}

/// A server that dies takes the unfinished text of its turn along: that is said at once, however soon the next one stands.
#[tokio::test(flavor = "multi_thread")]
async fn the_stock_tui_is_told_of_a_server_that_died() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &[]).await;
    let tui = Tui::attached(&bed, &served.socket(), "");
    tui.line("now slowly");
    bed.model.reached("a").await;
    tui.shows("one two");
    let before = tui.warnings();
    bed.kill_server();
    tui.counts(before + 1);
    tui.presses_until("F2", "Warnings · 1 of");
    tui.presses_until("Right", "the Codex server on devbox was restarted");
    tui.presses_away("Escape", "Warnings ·");
    let screen = tui.screen();
    assert!(screen.contains("one two") && !screen.contains("Outpost: the link"), "what was seen stays: {screen}");
    tui.line("say good day");
    tui.shows_times("good day", 2);
    let states: Vec<_> = served.lines.try_iter().collect();
    assert!(states.iter().all(|line| line["type"] == "link" && line["host"] == "devbox"), "{states:#?}");
    let has = |state: &str, server: &str, agent: &str| {
        states.iter().any(|line| line["state"] == state && line["server"] == server && line["agent"] == agent)
    };
    assert!(has("lost", "unknown", "working") && has("up", "restarted", "idle"), "{states:#?}");
}

/// Nobody answered its question, and nobody is told that somebody did.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_whose_server_died_is_withdrawn_and_not_declined() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &[]).await;
    let tui = Tui::attached(&bed, &served.socket(), "");
    tui.line("please work");
    tui.shows("Would you like to run");
    bed.kill_server();
    let screen = tui.shows("interrupted");
    assert!(!screen.contains("Would you like to run") && !screen.contains("declined"), "{screen}");
    tui.line("say good day");
    tui.shows_times("good day", 2);
    assert!(!bed.host.home.join("app/asked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tuis_on_one_thread_see_the_same_over_a_cut() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &[]).await;
    let first = Tui::attached(&bed, &served.socket(), "");
    first.line("say good day");
    first.shows_times("good day", 2);
    let second = Tui::attached(&bed, &served.socket(), "resume --last");
    second.shows_times("good day", 2);
    first.line("please work");
    let both = [&first, &second];
    both.iter().for_each(|tui| drop(tui.shows("Would you like to run")));
    // One of them answers without a link; the other's question goes when it is settled.
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    first.presses_away("y", "Would you like to run");
    bed.wire.mood(Mood::Good);
    for tui in both {
        let screen = tui.shows("all is done");
        assert!(!screen.contains("Would you like to run"), "{screen}");
    }
    // A turn of the other streams, and ends while there is no link.
    second.line("now slowly");
    both.iter().for_each(|tui| drop(tui.shows("one two")));
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    bed.model.open("a");
    bed.model.open("b");
    bed.wire.mood(Mood::Good);
    for tui in both {
        let screen = tui.shows("one two three four five");
        for once in ["one two three four five", "• all is done", "• good day"] {
            assert_eq!(screen.matches(once).count(), 1, "{once}: {screen}");
        }
    }
}
