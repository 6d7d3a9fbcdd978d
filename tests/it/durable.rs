//! The durable connection on real parts: real sshd behind a faulty wire, real codex, a scripted model.

mod answers;
mod delivered;
#[cfg(target_os = "linux")]
mod laptop;
#[cfg(target_os = "linux")]
mod late;
mod left;
mod moved;
mod prompts;
mod questions;
mod slow;
mod told;

use std::sync::Arc;
use std::time::Duration;

use outpost::app_server::durable::event::Event;
use outpost::app_server::durable::link::Link;
use outpost::app_server::durable::settings::Settings;
use outpost::demo::model::Model;
use outpost::demo::script::{Output, Piece, Reply, Scene, Script};
use serde_json::json;

use super::bed::faulty::{Fault, Faulty, Mood};
use super::bed::front::{Front, text};
use super::bed::{Codex, Host, Sandbox};

pub(crate) struct Bed {
    pub(crate) sandbox: Sandbox,
    pub(crate) host: Arc<Host>,
    pub(crate) wire: Faulty,
    pub(crate) model: Model,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::of(Self::script(), &[], Codex::real).await
    }

    /// With the newest codex on the host, whichever a client is.
    pub(crate) async fn newest() -> Self {
        Self::of(Self::script(), &[], Codex::real_and_newest).await
    }

    fn script() -> Script {
        let words = |text: &str| Piece::Text(text.to_owned());
        let wait = |gate: &str| Piece::Wait(gate.to_owned());
        let slowly = [words("one "), words("two "), wait("a"), words("three "), words("four "), wait("b"), words("five")];
        let scene = Scene::default().then(Output::run("echo before")).then(Output::Say(slowly.to_vec()));
        let both = vec![Output::say("hello there"), Output::ask("touch asked", "because")];
        let work = Scene(vec![Reply::Outputs(both)]).then(Output::say("all is done"));
        Script::default().on("slowly", scene).on("please work", work)
    }

    /// With another script, and with these files below the home of the host; what is said of a file that is there is added.
    pub(crate) async fn with(script: Script, files: &[(&str, &str)]) -> Self {
        Self::of(script, files, Codex::real).await
    }

    async fn of(script: Script, files: &[(&str, &str)], codex: fn(&str) -> Codex) -> Self {
        let model = Model::start(script).await.unwrap();
        let (sandbox, mut wire) = (Sandbox::new(), Faulty::new().await);
        let lines = wire.ssh_lines();
        let new = lines.iter().fold(sandbox.host("devbox"), |new, line| new.ssh(line));
        let codex = codex(&model.base_url());
        let new = files.iter().fold(new.codex(&codex), |new, (path, text)| new.rc(path, text));
        let host = Arc::new(new.build());
        std::fs::create_dir(host.home.join("app")).unwrap();
        wire.lead_to(Arc::clone(&host), &sandbox);
        Self { sandbox, host, wire, model }
    }

    async fn front(&self) -> (Front, String) {
        let front = Front::reach(&self.sandbox, "devbox", Settings::own()).await;
        let thread = front.thread(&self.host.home.join("app")).await;
        (front, thread)
    }

    /// Ends the app-server as the kernel would.
    pub(crate) fn kill_server(&self) {
        assert_eq!(super::bed::kill_servers(&self.sandbox), 1);
    }
}

const PROMPT: [&str; 3] = ["turn{", "userMessage(", ")userMessage"];

fn is_lost(state: &outpost::app_server::durable::link::State) -> bool {
    matches!(state.link, Link::Lost { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn field_54_a_message_cut_while_it_streams_is_whole_in_the_end() {
    for fault in [Fault::Cut, Fault::Reset, Fault::HalfClose] {
        let bed = Bed::new().await;
        let (mut front, thread) = bed.front().await;
        front.call("turn/start", Front::prompt(&thread, "c1", "slowly")).await;
        front.until("one two", |m| text(super::bed::front::params(m), &["delta"]).contains("two")).await;
        bed.wire.mood(Mood::Refuse);
        bed.wire.fault(fault);
        front.until_state("lost", is_lost).await;
        bed.model.open("a");
        bed.wire.mood(Mood::Good);
        front.until_state("up", |s| s.link == Link::Up).await;
        bed.model.open("b");
        front.until_method("turn/completed").await;
        let story = front.story();
        let told = [
            "commandExecution(",
            ")commandExecution completed",
            "agentMessage(",
            "> one two three four five",
            ")agentMessage",
            "}completed",
        ];
        assert_eq!(story[..3], PROMPT);
        assert_eq!(story[3..], told, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_link_is_known_within_ten_seconds_and_an_approval_outlives_it() {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    front.call("turn/start", Front::prompt(&thread, "c1", "ask touch asked\nsay done")).await;
    let asked = front.until_method("item/commandExecution/requestApproval").await;
    bed.wire.mood(Mood::Swallow);
    let began = std::time::Instant::now();
    front.until_state("lost", is_lost).await;
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    front.answer(&asked, "accept").await;
    bed.wire.mood(Mood::Good);
    front.until_method("turn/completed").await;
    assert!(bed.host.home.join("app/asked").exists());
    assert_eq!(front.story().iter().filter(|w| *w == "?").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_typed_without_a_link_is_sent_when_it_is_back() {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    front.call("turn/start", Front::prompt(&thread, "c1", "say first")).await;
    front.until_method("turn/completed").await;
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    front.until_state("lost", is_lost).await;
    let peer = front.peer.clone();
    let prompt = Front::prompt(&thread, "c2", "say second");
    let sending = tokio::spawn(async move { peer.call("turn/start", prompt).await });
    bed.wire.mood(Mood::Good);
    sending.await.unwrap().unwrap();
    front.until_method("turn/completed").await;
    let items = front.call("thread/items/list", json!({"threadId": thread, "limit": 100})).await;
    let prompts = items["data"].as_array().unwrap().iter().filter(|e| text(e, &["item", "type"]) == "userMessage").count();
    assert_eq!(prompts, 2);
}

/// A turn that dies with its server is shown with what it had done, and the thread goes on.
async fn dies_in_a_turn(blow: impl AsyncFnOnce(&Bed, &mut Front)) -> Front {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    front.call("turn/start", Front::prompt(&thread, "c1", "slowly")).await;
    front.until("two", |m| text(super::bed::front::params(m), &["delta"]).contains("two")).await;
    blow(&bed, &mut front).await;
    front.until_method("turn/completed").await;
    let told = ["commandExecution(", ")commandExecution completed", "agentMessage(", "> one two ", "}interrupted"];
    assert_eq!(front.story()[3..], told);
    front.call("turn/start", Front::prompt(&thread, "c2", "say again")).await;
    front.until_method("turn/completed").await;
    assert_eq!(front.story().last().unwrap(), "}completed");
    front
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_leaves_an_interrupted_turn_and_the_thread_goes_on() {
    let mut front = dies_in_a_turn(async |bed, _| bed.kill_server()).await;
    let mut delivered = Vec::new();
    while let Ok(event) = front.events.try_recv() {
        if let Event::Delivered { message, .. } = event {
            delivered.push(message);
        }
    }
    assert_eq!(delivered, ["c1", "c2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_goes_down_in_a_turn_loses_nothing_that_was_finished() {
    dies_in_a_turn(async |bed, front| {
        bed.wire.mood(Mood::Refuse);
        bed.host.goes_down();
        front.until_state("lost", is_lost).await;
        bed.wire.mood(Mood::Good);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sshd_that_is_restarted_is_a_pause() {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    front.call("turn/start", Front::prompt(&thread, "c1", "slowly")).await;
    front.until("two", |m| text(super::bed::front::params(m), &["delta"]).contains("two")).await;
    bed.host.cut();
    front.until_state("lost", is_lost).await;
    bed.model.open("a");
    bed.model.open("b");
    front.until_method("turn/completed").await;
    assert_eq!(front.story()[5..], ["agentMessage(", "> one two three four five", ")agentMessage", "}completed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unprompted_thread_lives_through_a_cut() {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    bed.wire.fault(Fault::Cut);
    front.until_state("lost", is_lost).await;
    front.call("turn/start", Front::prompt(&thread, "c1", "say hello\nrun echo hi\nsay bye")).await;
    front.until_method("turn/completed").await;
    assert_eq!(front.story()[..3], PROMPT);
    assert_eq!(front.story().iter().filter(|w| w.starts_with(')')).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn field_68_the_approval_of_a_file_change_outlives_a_cut() {
    for answered_without_a_link in [true, false] {
        let bed = Bed::new().await;
        let (mut front, _) = bed.front().await;
        let cwd = bed.host.home.join("app");
        let started = front.call("thread/start", json!({"cwd": cwd, "sandbox": "read-only"})).await;
        let thread = text(&started, &["thread", "id"]).to_owned();
        front.call("turn/start", Front::prompt(&thread, "c1", "write new.txt hello")).await;
        let asked = front.until_method("item/fileChange/requestApproval").await;
        bed.wire.mood(Mood::Refuse);
        bed.wire.fault(Fault::Cut);
        front.until_state("lost", is_lost).await;
        if answered_without_a_link {
            front.answer(&asked, "accept").await;
        }
        bed.wire.mood(Mood::Good);
        front.until_state("up", |s| s.link == Link::Up).await;
        if !answered_without_a_link {
            front.answer(&asked, "accept").await;
        }
        front.until_method("turn/completed").await;
        assert_eq!(std::fs::read_to_string(cwd.join("new.txt")).unwrap(), "hello\n");
        assert_eq!(front.story().iter().filter(|w| *w == "?").count(), 1, "asked once");
        assert_eq!(front.story().iter().filter(|w| w.starts_with(")fileChange")).count(), 1, "told once");
    }
}
