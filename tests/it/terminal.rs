//! `outpost run` as a person sees it: in a real terminal, on real parts.

use super::bed::Terminal;
use super::run::Bed;

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_answered_with_a_key() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "ask touch asked\nsay All done."]);
    let screen = terminal.shows("[m] show more");
    assert!(screen.contains("? The agent asks to run a command") && screen.contains("$ touch asked"), "{screen}");
    terminal.press(&["m"]);
    terminal.shows("/bin/bash -lc 'touch asked'");
    terminal.press(&["x", "y"]);
    let screen = terminal.shows("[exit 0]");
    assert!(screen.contains("accepted") && screen.contains("All done."), "{screen}");
    assert!(bed.host.home.join("app/asked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_approval_lets_the_turn_go_on() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "ask touch asked\nsay Then not."]);
    terminal.shows("[m] show more");
    terminal.press(&["n"]);
    let screen = terminal.shows("[exit 0]");
    assert!(screen.contains("declined") && screen.contains("Then not."), "{screen}");
    assert!(!bed.host.home.join("app/asked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_interrupts_the_turn() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "wait never\nsay x"]);
    terminal.shows("\nthread ");
    bed.model.reached("never").await;
    terminal.press(&["C-c"]);
    let screen = terminal.shows("[exit 1]");
    assert!(screen.contains("the turn was interrupted"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_backslash_leaves_the_turn_running() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "wait held\nsay went on"]);
    bed.model.reached("held").await;
    terminal.press(&["C-\\"]);
    let screen = terminal.shows("[exit 1]");
    assert!(screen.contains("the turn goes on at devbox; come back with"), "{screen}");
    bed.model.open("held");
    let ran = bed.run(&["run", "--last", "devbox:app", "say and on"]).await.exits(0);
    assert!(ran.stdout.contains("and on"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_terminal_leaves_the_turn_running() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "wait held\nrun touch went-on"]);
    bed.model.reached("held").await;
    terminal.close();
    bed.model.open("held");
    let threads = bed.run(&["threads", "devbox", "--json"]).await.exits(0);
    let listed = super::run::lines(&threads);
    let id = listed[0][0]["threads"][0]["id"].as_str().unwrap().to_owned();
    bed.run(&["thread", "log", &format!("devbox:{id}"), "--follow"]).await.exits(0);
    assert!(bed.host.home.join("app/went-on").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_prompt_it_is_a_conversation() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app"]);
    terminal.shows("\n›");
    terminal.type_text("say the first answer");
    terminal.press(&["Enter"]);
    terminal.shows("\nthe first answer");
    terminal.type_text("say the second answer");
    terminal.press(&["Enter"]);
    terminal.shows("\nthe second answer\n\n›");
    // What was typed before is a key away.
    terminal.press(&["Up", "Up", "Enter"]);
    let again = |screen: &str| screen.matches("the first answer").count() == 4 && screen.trim_end().ends_with('›');
    terminal.shows_it("the first answer again, and a prompt", again);
    terminal.press(&["C-d"]);
    terminal.shows("[exit 0]");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_conversation_leaves_its_turn_and_coming_back_shows_what_waits() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app"]);
    terminal.shows("\n›");
    terminal.type_text("ask touch asked");
    terminal.press(&["Enter"]);
    terminal.shows("[m] show more");
    terminal.press(&["C-\\"]);
    terminal.shows("come back with");
    terminal.shows("[exit 1]");
    drop(terminal);
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "--last", "devbox:app"]);
    terminal.shows("[m] show more");
    terminal.press(&["y"]);
    terminal.shows("Done.\n\n›");
    terminal.press(&["C-d"]);
    terminal.shows("[exit 0]");
    assert!(bed.host.home.join("app/asked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_stays_on_the_screen() {
    let bed = Bed::new().await;
    std::fs::write(bed.sandbox.known_hosts(), "").unwrap();
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "say hi"]);
    terminal.shows("(yes/no/[fingerprint])?");
    // Longer than a spinner takes to draw itself again.
    let began = std::time::Instant::now();
    while began.elapsed().as_millis() < 400 {
        assert!(terminal.screen().contains("(yes/no/[fingerprint])?"), "{}", terminal.screen());
    }
    terminal.type_text("yes");
    terminal.press(&["Enter"]);
    let screen = terminal.shows("[exit 0]");
    assert!(screen.contains("\nhi"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_asks_and_no_colour_means_none() {
    let bed = Bed::new().await;
    let mut command = bed.sandbox.outpost(&["run", "devbox:app", "run echo seen\nwrite new.txt hello\nsay Done."]);
    for (plain, coloured) in [("1", false), ("", true)] {
        command.env("NO_COLOR", plain);
        let again = super::bed::on_a_terminal(&command, "[never]", &[]);
        assert_eq!(again.0, Some(0), "{}", again.1);
        assert_eq!(again.1.contains("\u{1b}[32m+hello"), coloured, "{:?}", again.1);
    }
    let listed = super::run::lines(&bed.run(&["threads", "devbox", "--json"]).await.exits(0));
    let thread = format!("devbox:{}", listed[0][0]["threads"][0]["id"].as_str().unwrap());
    let terminal = Terminal::outpost(&bed.sandbox, &["thread", "delete", &thread]);
    terminal.shows("for good? [y/N]");
    terminal.press(&["n", "Enter"]);
    terminal.shows("nobody agreed");
    bed.run(&["thread", "show", &thread]).await.exits(0);
    let terminal = Terminal::outpost(&bed.sandbox, &["thread", "delete", &thread]);
    terminal.shows("for good? [y/N]");
    terminal.press(&["y", "Enter"]);
    terminal.shows("[exit 0]");
    bed.run(&["thread", "show", &thread]).await.exits(4);
}

#[test]
fn what_went_wrong_is_coloured_on_a_terminal_alone() {
    let sandbox = super::bed::Sandbox::new();
    sandbox.add_ssh_config("Host mute\n  HostName 192.0.2.1\n  ProxyCommand false\n");
    for (args, plain, painted) in [
        (&["check", "nowhere"][..], "  ✗ resolved", "  \u{1b}[1m\u{1b}[31m✗\u{1b}[0m resolved"),
        (&["logs", "nowhere"], "error[host-unknown]:", "\u{1b}[1m\u{1b}[31merror[host-unknown]\u{1b}[0m:"),
    ] {
        let mut command = sandbox.outpost(args);
        for (no_colour, wanted) in [("1", plain), ("", painted)] {
            command.env("NO_COLOR", no_colour);
            let shown = super::bed::on_a_terminal(&command, "[never]", &[]).1;
            assert!(shown.contains(wanted), "{shown:?}");
        }
        let ran = sandbox.run(args);
        assert!(!(ran.stdout + &ran.stderr).contains('\u{1b}'));
    }
}
