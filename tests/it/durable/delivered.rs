//! `outpost run` whose link goes between the answer to its prompt and the prompt itself: Codex makes room in the thread first
//! (compaction), and the model takes its time over that.

use std::path::Path;

use outpost::demo::script::{Output, Piece, Scene, Script};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::Bed;
use crate::bed::faulty::{Fault, Mood};
use crate::bed::{Ran, Terminal, process};
use crate::run::{first, lines};

/// What the model is asked for when a thread is to be made shorter.
const SHORTER: &str = "sum up what was said";

/// The words of the prompt.
const WORDS: &str = "say two";

/// `run` with a prompt that is answered and not taken in, and its link, which is gone and does not come back.
struct Answered {
    bed: Bed,
    thread: String,
    running: JoinHandle<Ran>,
}

/// A thread that is too long for its next turn.
async fn too_long() -> (Bed, String) {
    let summing = Output::Say(vec![Piece::Wait("summing".to_owned()), Piece::Text("It was one.".to_owned())]);
    let bed = Bed::with(Script::default().on(SHORTER, Scene::default().then(summing)), &[(".codex/shorter.md", SHORTER)]).await;
    always_too_long(&bed.host.home.join(".codex"));
    let mut before = bed.sandbox.outpost(&["run", "devbox:app", "say one", "--json"]);
    let before = tokio::task::spawn_blocking(move || process::run(&mut before, b"")).await.unwrap().exits(0);
    let thread = first(&lines(&before), "thread")["thread"].as_str().unwrap().to_owned();
    (bed, thread)
}

impl Bed {
    /// The link goes, and does not come back.
    async fn is_cut_off(&self) {
        self.wire.mood(Mood::Refuse);
        self.wire.fault(Fault::Cut);
        self.wire.until_tried(1).await;
    }
}

impl Answered {
    async fn by(flags: &[&str]) -> Self {
        let (bed, thread) = too_long().await;
        let mut run = bed.sandbox.outpost(&[&["run", "--resume", &thread, "devbox:", WORDS], flags].concat());
        let mut running = tokio::task::spawn_blocking(move || process::run(&mut run, b""));
        tokio::select! {
            () = bed.model.reached("summing") => {}
            ran = &mut running => panic!("{ran:?}"),
        }
        bed.is_cut_off().await;
        assert!(!running.is_finished(), "an answer is no delivery");
        Self { bed, thread, running }
    }

    /// The link may come back; what the program said.
    async fn back(&mut self) -> Ran {
        self.bed.wire.mood(Mood::Good);
        (&mut self.running).await.unwrap()
    }

    /// How often the prompt is in the thread.
    async fn kept(&self) -> usize {
        let mut log = self.bed.sandbox.outpost(&["thread", "log", &format!("devbox:{}", self.thread), "--json"]);
        let log = tokio::task::spawn_blocking(move || process::run(&mut log, b"")).await.unwrap().exits(0);
        log.stdout.matches(&format!("{WORDS:?}")).count()
    }
}

/// Each turn but the first begins with a compaction.
fn always_too_long(codex_home: &Path) {
    let config = codex_home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let prompt = Value::from(codex_home.join("shorter.md").display().to_string());
    let first = format!("model_auto_compact_token_limit = 1\nexperimental_compact_prompt_file = {prompt}\n");
    std::fs::write(config, first + &text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_means_delivered_when_the_link_goes_after_the_answer() {
    let mut answered = Answered::by(&["--detach"]).await;
    answered.bed.model.open("summing");
    let ran = answered.back().await.exits(0);
    assert_eq!(ran.stdout.trim(), format!("devbox:{}", answered.thread));
    assert_eq!(answered.kept().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_means_delivered_when_the_server_dies_after_the_answer() {
    let mut answered = Answered::by(&["--detach"]).await;
    answered.bed.kill_server();
    answered.bed.model.open("summing");
    let ran = answered.back().await.exits(0);
    assert!(ran.stderr.contains("the prompt had not arrived; it was sent again"), "{}", ran.stderr);
    assert_eq!(answered.kept().await, 1);
}

/// The first prompt of a thread arrives, and nothing that the server says of it: it is found there.
#[tokio::test(flavor = "multi_thread")]
async fn detached_means_delivered_when_all_that_the_server_said_is_lost() {
    let bed = Bed::new().await;
    let mut run = bed.sandbox.outpost(&["run", "devbox:app", "wait held\nsay It is done.", "--detach", "--json"]);
    bed.wire.mood(Mood::Slow(500));
    let (shown, see) = oneshot::channel();
    let running = tokio::task::spawn_blocking(move || process::run_and_see(&mut run, &["\"type\":\"thread\""], shown));
    see.await.expect("it says which thread");
    bed.wire.fault(Fault::HalfClose);
    bed.model.reached("held").await;
    bed.wire.mood(Mood::Good);
    let ran = running.await.unwrap().exits(0);
    bed.model.open("held");
    assert_eq!(first(&lines(&ran), "ended")["outcome"], "left", "{}", ran.stdout);
    assert!(ran.stdout.contains("\"type\":\"delivered\""), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_for_the_delivery_may_leave() {
    let (bed, thread) = too_long().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "--detach", "--resume", &thread, "devbox:", WORDS]);
    bed.model.reached("summing").await;
    bed.is_cut_off().await;
    terminal.shows("link lost");
    terminal.press(&["C-c"]);
    let screen = terminal.shows("[exit");
    assert!(screen.contains("[exit 130]") && screen.contains("whether it arrived is not known"), "{screen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_may_not_have_arrived_is_given_back_on_the_terminal() {
    let mut answered = Answered::by(&[]).await;
    std::fs::create_dir(answered.bed.host.home.join("other-codex")).unwrap();
    answered.bed.sandbox.write("codex-home/outpost/hosts.toml", "[hosts.devbox]\ncodex_home = \"~/other-codex\"\n");
    let ran = answered.back().await;
    assert!(!answered.bed.model.requests().iter().any(|r| r["input"].to_string().contains(WORDS)), "it went elsewhere");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+ s", "[N] s");
    settings.add_filter(r"thread devbox:[0-9a-f-]{36}", "thread devbox:[ID]");
    settings.add_filter(r"\d+@\S+", "[WHO]");
    // The model may be asked before the client is told that the turn runs, and then the link is gone.
    settings.add_filter(r"; the turn was running", "");
    settings.bind(|| insta::assert_snapshot!(answered.bed.sandbox.stable(&format!("{}\n{}", ran.status, ran.stderr)), @r"
    5
    devbox:[SANDBOX]/hosts/devbox/home/app · codex 0.169.0, joined · thread devbox:[ID]
    link lost [N] s ago, trying again in [N] s
    the prompt was sent, and may not have arrived; it is yours to send again:
    say two
    error[other-machine]: devbox: go on where the lost link left off
      said: it was [WHO] with CODEX_HOME [SANDBOX]/hosts/devbox/home/.codex and is [WHO] with CODEX_HOME [SANDBOX]/hosts/devbox/home/other-codex
      try:  the thread belongs to the machine it was started on; start a new one here
    "));
}
