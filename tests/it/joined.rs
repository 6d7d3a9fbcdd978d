//! A turn that another client began: joined and looked on at, never fought over. Real sshd, real codex, terminals.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::bed::{Terminal, codex_folder};
use super::run::{Bed, first, lines};

impl Bed {
    /// Begins a turn that goes on without us; gives `devbox:ID`.
    async fn detached(&self, prompt: &str) -> String {
        self.run(&["run", "--detach", "devbox:app", prompt]).await.exits(0).stdout.trim().to_owned()
    }

    async fn prompts(&self, thread: &str) -> usize {
        let items = self.items(thread.strip_prefix("devbox:").unwrap()).await;
        items.iter().filter(|item| item["type"] == "userMessage").count()
    }
}

/// The id on a screen, as `devbox:ID`.
fn thread_on(screen: &str) -> String {
    screen.split_whitespace().find(|word| word.starts_with("devbox:0")).unwrap_or_else(|| panic!("no id:\n{screen}")).to_owned()
}

/// Terminal 1 has an approval on the screen; whoever comes to its turn without a terminal answers nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_bystander_declines_nothing() {
    let bed = Bed::new().await;
    let one = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "ask touch asked\nsay Done then."]);
    let thread = thread_on(&one.shows("[y] yes, once"));
    let beside = |name: &str, words: &str, cue: &str| {
        let file = bed.sandbox.path().join(name);
        let (program, to) = (env!("CARGO_BIN_EXE_outpost"), file.display());
        let line = format!("{program} {words} </dev/null >{to} 2>&1; echo \"[exit $?]\"; sleep 1000");
        let terminal = Terminal::of(&bed.sandbox, &line);
        terminal.shows_it(cue, |_| std::fs::read_to_string(&file).is_ok_and(|text| text.contains(cue)));
        (terminal, file)
    };
    let waits = format!("waits for another terminal: outpost thread approve {thread}");
    let following = beside("following", &format!("thread log {thread} --follow"), &waits);
    let resuming = beside("resuming", &format!("thread resume {thread} 'say from the second'"), &waits);
    let joined = beside("joined", "run --last devbox:app --json", "requestApproval");
    let looking = Terminal::outpost(&bed.sandbox, &["thread", "log", &thread, "--follow"]);
    looking.shows("waits for another terminal");
    bed.becomes(&thread, "waitsForApproval").await;
    one.press(&["y"]);
    one.shows("[exit 0]");
    for ((terminal, file), words) in [(following, "Done then."), (resuming, "from the second"), (joined, "completed")] {
        terminal.shows("[exit 0]");
        let told = std::fs::read_to_string(&file).unwrap();
        assert!(told.contains(words) && !told.contains("\"type\":\"approval\"") && !told.contains("declined"), "{told}");
    }
    looking.shows("[exit 0]");
    assert!(bed.host.home.join("app/asked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_left_there_waits_for_the_turn_that_runs() {
    let bed = Bed::new().await;
    let thread = bed.detached("wait held\nsay from the first").await;
    bed.model.reached("held").await;
    let ran = bed.run(&["thread", "resume", &thread, "say from the second", "--detach"]).await.exits(0);
    assert!(ran.stderr.contains("waits in the thread's queue") && ran.stdout.trim() == thread, "{ran:?}");
    let told = lines(&bed.run(&["run", "--last", "devbox:app", "say from the third", "--detach", "--json"]).await.exits(0));
    assert!(first(&told, "queued")["message_id"].is_string() && !told.iter().any(|line| line["type"] == "turn"), "{told:#?}");
    for options in [&["resume", &thread, "say x", "--effort", "high"][..], &["review", &thread, "say x"]] {
        let ran = bed.run(&[&["thread"], options, &["--detach"]].concat()).await.exits(1);
        assert!(ran.stderr.contains("error[turn-runs]"), "{}", ran.stderr);
    }
    bed.model.open("held");
    while bed.prompts(&thread).await < 3 || bed.state(&thread).await != "idle" {}
    let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
    let at = |words: &str| log.rfind(words).unwrap_or_else(|| panic!("{words}: {log}"));
    assert!(at("from the first") < at("from the second") && at("from the second") < at("from the third"), "{log}");
}

/// What another terminal began while this one was at its prompt, and what is queued behind a turn, goes first.
#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_typed_waits_for_the_turn_of_another() {
    let bed = Bed::new().await;
    let one = Terminal::outpost(&bed.sandbox, &["run", "devbox:app"]);
    let thread = thread_on(&one.shows("›"));
    one.type_text("say good day");
    one.press(&["Enter"]);
    bed.becomes(&thread, "idle").await;
    let held = bed.run(&["thread", "resume", &thread, "wait held\nsay from the other", "--detach"]).await.exits(0);
    assert_eq!(held.stdout.trim(), thread);
    bed.model.reached("held").await;
    bed.run(&["thread", "queue", &thread, "say from the queue"]).await.exits(0);
    let ran = bed.run(&["thread", "archive", &thread]).await.exits(1);
    assert!(ran.stderr.contains("error[turn-runs]") && ran.stderr.contains("outpost thread interrupt"), "{}", ran.stderr);
    one.type_text("say mine");
    one.press(&["Enter"]);
    bed.model.open("held");
    while bed.prompts(&thread).await < 4 || bed.state(&thread).await != "idle" {}
    let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
    let at = |words: &str| log.rfind(words).unwrap_or_else(|| panic!("{words}: {log}"));
    assert!(at("from the other") < at("from the queue") && at("from the queue") < at("mine"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_a_turn_is_followed_only_leaves() {
    let bed = Bed::new().await;
    let thread = bed.detached("run echo seen\nwait held\nsay later").await;
    bed.model.reached("held").await;
    let before = bed.host.logins();
    for (keys, code) in [("C-c", "[exit 130]"), ("C-\\", "[exit 1]")] {
        let follow = Terminal::outpost(&bed.sandbox, &["thread", "log", &thread, "--follow"]);
        follow.shows("seen");
        // What was read back is on the screen before the turn is followed.
        follow.presses_until(keys, code);
    }
    assert_eq!(bed.host.logins(), before + 2, "one login each");
    assert_eq!(bed.state(&thread).await, "working");
    bed.model.open("held");
    bed.becomes(&thread, "idle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_how_it_ended() {
    let bed = Bed::new().await;
    for (prompt, code, outcome) in [("say fine", 0, "completed"), ("run true\nfail no such thing", 1, "failed")] {
        let thread = bed.detached(&format!("run echo first\nwait {outcome}\n{prompt}")).await;
        bed.model.reached(outcome).await;
        // Who has printed what there was is subscribed.
        let file = bed.sandbox.path().join(outcome);
        let (program, to) = (env!("CARGO_BIN_EXE_outpost"), file.display());
        let line = format!("{program} thread log {thread} --follow --json >{to}; echo \"[exit $?]\"; sleep 1000");
        let json = Terminal::of(&bed.sandbox, &line);
        json.shows_it("the first items", |_| std::fs::read_to_string(&file).is_ok_and(|text| text.contains("commandExecution")));
        let looking = Terminal::outpost(&bed.sandbox, &["thread", "log", &thread, "--follow"]);
        looking.shows("first");
        looking.shows("exit 0 ·");
        bed.model.open(outcome);
        let screen = looking.shows(&format!("[exit {code}]"));
        assert_eq!(screen.matches("$ echo first").count(), 1, "{screen}");
        json.shows(&format!("[exit {code}]"));
        let told: Vec<Value> =
            std::fs::read_to_string(&file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(told.last().unwrap()["outcome"], outcome, "{told:#?}");
        // One line for each item, whether it was there before or came then, all of one form.
        let items: Vec<&Value> = told.iter().filter(|line| line["type"] == "item").map(|line| &line["item"]["id"]).collect();
        let kept = bed.items(thread.strip_prefix("devbox:").unwrap()).await;
        assert_eq!(items, kept.iter().map(|item| &item["id"]).collect::<Vec<_>>(), "{told:#?}");
        assert!(!told.iter().any(|line| line["type"] == "codex"), "{told:#?}");
        // Read back later it says the same.
        let log = lines(&bed.run(&["thread", "log", &thread, "--json"]).await.exits(0));
        assert_eq!(log.last().unwrap()["outcome"], outcome, "{log:#?}");
        let text = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
        assert_eq!(text.contains("the turn failed: "), code == 1, "{text}");
    }
}

impl Bed {
    /// Makes the programs that carry the link such as hear Ctrl-C: the sshd of the tests would set its signals anew.
    fn carried_by_programs_of_the_terminal(&self) {
        let config = self.sandbox.ssh_config();
        let text = std::fs::read_to_string(&config).unwrap();
        let (before, rest) = text.split_once("ProxyCommand ").unwrap();
        let (command, after) = rest.split_once('\n').unwrap();
        let script = self.sandbox.write("carry", &format!("cat | setsid {command} | cat\n"));
        std::fs::write(config, format!("{before}ProxyCommand sh {}\n{after}", script.display())).unwrap();
    }
}

/// Ctrl-C at the turn before is no permission to begin the next.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_turn_before_keeps_the_prompt_back() {
    let bed = Bed::new().await;
    bed.carried_by_programs_of_the_terminal();
    let thread = bed.detached("run echo seen\nwait held\nsay later").await;
    bed.model.reached("held").await;
    let resume = Terminal::outpost(&bed.sandbox, &["thread", "resume", &thread, "say mine"]);
    resume.shows("exit 0 ·");
    resume.presses_until("C-c", "[exit 1]");
    let screen = resume.screen();
    assert!(screen.contains("what you asked for was not begun"), "{screen}");
    bed.becomes(&thread, "idle").await;
    assert_eq!(bed.prompts(&thread).await, 1);
}

/// The conversation that one comes back to is on the screen, and the keys that end it have their own codes.
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_is_taken_up_shows_its_last_turn() {
    let bed = Bed::new().await;
    let id = bed.thread("say the first").await;
    let thread = format!("devbox:{id}");
    bed.run(&["thread", "resume", &thread, "say the second"]).await.exits(0);
    for (key, code) in [("C-c", "[exit 130]"), ("C-d", "[exit 0]")] {
        let resume = Terminal::outpost(&bed.sandbox, &["thread", "resume", &thread]);
        let screen = resume.shows_times("›", 2);
        assert!(screen.contains("› say the second") && !screen.contains("say the first"), "{screen}");
        resume.press(&[key]);
        resume.shows(code);
    }
}

/// Half a message is shown from where it was joined, and not its end twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_joined_half_way_is_not_told_twice() {
    use outpost::demo::script::{Output, Piece, Scene, Script};
    let text = |words: &str| Piece::Text(words.to_owned());
    let message = Output::Say(vec![text("one two "), Piece::Wait("half".into()), text("three "), text("four")]);
    let bed = Bed::with(Script::default().on("please", Scene::default().then(message)), "").await;
    let thread = bed.detached("please").await;
    bed.model.reached("half").await;
    let looking = Terminal::outpost(&bed.sandbox, &["thread", "log", &thread, "--follow", "--approve", "never"]);
    looking.shows("› please");
    let joined = Terminal::outpost(&bed.sandbox, &["thread", "resume", &thread]);
    joined.shows("› please");
    bed.model.open("half");
    let screen = looking.shows("[exit 0]");
    assert!(screen.contains("… three four") && screen.matches("four").count() == 1, "{screen}");
    let screen = joined.shows_times("›", 2);
    assert!(screen.contains("… three four") && screen.matches("four").count() == 1, "{screen}");
}

/// Row 56: what another process writes is read, and that it cannot be followed is said.
#[tokio::test(flavor = "multi_thread")]
async fn field_56_a_thread_of_another_process_cannot_be_followed() {
    let bed = Bed::new().await;
    let home = &bed.host.home;
    let mut other = Command::new(codex_folder().join("codex"));
    bed.sandbox.clean(&mut other);
    other.args(["exec", "--skip-git-repo-check", "wait held\nsay from the other"]).current_dir(home.join("app"));
    other.env("HOME", home).env("CODEX_HOME", home.join(".codex"));
    let mut other = other.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    bed.model.reached("held").await;
    let listed = lines(&bed.run(&["threads", "devbox", "--json"]).await.exits(0));
    let thread = format!("devbox:{}", listed[0][0]["threads"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed:#?}")));
    let ran = bed.run(&["thread", "log", &thread, "--follow"]).await.exits(6);
    assert!(ran.stdout.contains("› wait held"), "{}", ran.stdout);
    assert!(ran.stderr.contains("error[active-writer]") && ran.stderr.contains("without --follow"), "{}", ran.stderr);
    let ran = bed.run(&["thread", "resume", &thread, "say x"]).await.exits(6);
    assert!(ran.stderr.contains(&format!("`outpost thread log {thread}`")), "{}", ran.stderr);
    bed.model.open("held");
    other.wait().unwrap();
}

/// Ctrl-C goes to every program of the terminal: the one that carries the link does not hear it.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_in_a_turn_does_not_cut_the_link() {
    let bed = Bed::new().await;
    bed.carried_by_programs_of_the_terminal();
    for carrier in ["builtin", "ssh"] {
        let run =
            Terminal::outpost(&bed.sandbox, &["--carrier", carrier, "run", "devbox:app", "run echo seen\nwait never\nsay x"]);
        run.shows("exit 0 ·");
        run.press(&["C-c"]);
        let screen = run.shows("[exit");
        assert!(screen.contains("[exit 1]") && screen.contains("the turn was interrupted"), "{carrier}: {screen}");
        assert!(!screen.contains("link"), "{carrier}: {screen}");
        let thread = bed.detached("run echo seen\nwait never\nsay x").await;
        bed.becomes(&thread, "working").await;
        let follow = Terminal::outpost(&bed.sandbox, &["--carrier", carrier, "thread", "log", &thread, "--follow"]);
        follow.shows("› run echo seen");
        follow.presses_until("C-c", "[exit 130]");
        let screen = follow.screen();
        assert!(!screen.contains("link") && screen.matches("› run echo").count() == 1, "{carrier}: {screen}");
        bed.run(&["thread", "interrupt", &thread]).await.exits(0);
    }
}
