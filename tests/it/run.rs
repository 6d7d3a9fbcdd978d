//! `outpost run`, `check`, `projects` and `threads` on real parts: real sshd, real codex, a scripted model.

use outpost::app_server::protocol::item::Item;
use outpost::demo::model::Model;
use outpost::demo::script::Script;
use outpost::project;
use outpost::remote::Want;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::Context;
use outpost::step::Nobody;
use outpost::thread::catalog;
use serde_json::Value;

use super::bed::{Codex, Host, Ran, Sandbox, process};

/// A sandbox with a host `devbox` that has the real codex, and its model.
pub(crate) struct Bed {
    pub(crate) sandbox: Sandbox,
    pub(crate) host: Host,
    pub(crate) model: Model,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::with(Script::default(), "").await
    }

    /// With a script of the model's own, and more lines for the host's `config.toml`.
    pub(crate) async fn with(script: Script, config: &str) -> Self {
        let model = Model::start(script).await.unwrap();
        let sandbox = Sandbox::new();
        let host = sandbox.host("devbox").codex(&Codex::real(&model.base_url())).rc(".codex/config.toml", config).build();
        std::fs::create_dir(host.home.join("app")).unwrap();
        Self { sandbox, host, model }
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.sandbox.outpost(args);
        tokio::task::spawn_blocking(move || process::run(&mut command, b"")).await.unwrap()
    }

    /// The items that the server has of a thread.
    pub(crate) async fn items(&self, thread: &str) -> Vec<Value> {
        let local = self.sandbox.local();
        let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
        let host = project::reach(&context, &"devbox".parse().unwrap(), Want::server()).await.unwrap();
        let items = catalog::items(&host.server.peer, &thread.parse().unwrap(), None).await.unwrap();
        host.session.close().await;
        items.into_iter().map(|entry| entry.item).collect()
    }
}

pub(crate) fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The fields of the first line of a type.
pub(crate) fn first<'a>(lines: &'a [Value], kind: &str) -> &'a Value {
    lines.iter().find(|line| line["type"] == kind).unwrap_or_else(|| panic!("no {kind} in {lines:#?}"))
}

const PROMPT: &str = "say I look around.\nrun echo seen\nask touch asked\nwrite new.txt hello\nsay All done.";

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_reads_as_it_happened() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "devbox:app", PROMPT, "--approve", "always"]).await.exits(0);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d s", "[TIME]");
    settings.add_filter(r"(?m)^warning: .*\n\n", "");
    settings.add_filter(r"thread devbox:[0-9a-f-]{36}", "thread devbox:[ID]");
    settings.bind(|| {
        insta::assert_snapshot!(bed.sandbox.stable(&format!("{}--- stderr\n{}", ran.stdout, ran.stderr)), @r"
        I look around.

        $ echo seen
          seen
          exit 0 · [TIME]

        $ touch asked
          exit 0 · [TIME]

        added [SANDBOX]/hosts/devbox/home/app/new.txt (+1 -0)
          +hello

        All done.
        --- stderr
        devbox:[SANDBOX]/hosts/devbox/home/app · codex 0.169.0, started · thread devbox:[ID]
        ? The agent asks to run a command
          $ touch asked
          in [SANDBOX]/hosts/devbox/home/app
          because: the script says so
          accepted (--approve always)
        ");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_item_is_told_once_and_as_the_server_keeps_it() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "devbox:~/app", PROMPT, "--approve", "always", "--json"]).await.exits(0);
    let lines = lines(&ran);
    let thread = first(&lines, "thread")["thread"].as_str().unwrap();
    let told: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "codex" && line["message"]["method"] == "item/completed")
        .map(|line| &line["message"]["params"]["item"])
        .collect();
    let kept = bed.items(thread).await;
    let key = |item: &Value| (item["id"].clone(), item["type"].clone(), item["text"].clone(), item["aggregatedOutput"].clone());
    assert_eq!(told.iter().map(|item| key(item)).collect::<Vec<_>>(), kept.iter().map(key).collect::<Vec<_>>());
    let views: Vec<Item> = kept.iter().filter_map(outpost::app_server::protocol::view).collect();
    assert!(matches!(&views[2], Item::CommandExecution { exit_code: Some(0), .. }), "{views:#?}");
    assert!(views.iter().any(|item| matches!(item, Item::FileChange { changes, .. } if changes[0].diff == "hello\n")));
    assert!(bed.host.home.join("app/asked").exists());
    assert_eq!(std::fs::read_to_string(bed.host.home.join("app/new.txt")).unwrap(), "hello\n");
    assert_eq!(first(&lines, "approval")["decision"], "accept");
    assert_eq!(first(&lines, "delivered")["message_id"], first(&lines, "turn")["message_id"]);
    assert_eq!(first(&lines, "ended")["outcome"], "completed");
    assert_eq!(lines.iter().map(|line| &line["v"]).filter(|v| **v != 1).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_login_and_the_running_server_is_joined() {
    let bed = Bed::new().await;
    let states: Vec<Value> = [
        bed.run(&["run", "devbox:app", "say one", "--json"]).await.exits(0),
        bed.run(&["run", "devbox:app", "say two", "--json"]).await.exits(0),
    ]
    .iter()
    .map(|ran| first(&lines(ran), "server")["state"].clone())
    .collect();
    assert_eq!(states, ["started", "joined"]);
    assert_eq!((bed.host.logins(), bed.host.sessions()), (2, 2), "{}", bed.host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_an_approval_is_declined_and_said_so() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "devbox:app", "ask touch asked\nsay Then not."]).await.exits(0);
    assert!(ran.stderr.contains("declined (nobody is there to ask; --approve always would accept)"), "{}", ran.stderr);
    assert!(ran.stdout.ends_with("Then not.\n"), "{}", ran.stdout);
    assert!(!bed.host.home.join("app/asked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_turn_exits_1() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "devbox:app", "fail no such thing"]).await.exits(1);
    assert!(ran.stdout.contains("the turn failed: "), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_link_is_told_and_survived() {
    let bed = Bed::new().await;
    let mut command = bed.sandbox.outpost(&["run", "devbox:app", "say before \nrun echo seen\nwait held\nsay after", "--json"]);
    let running = tokio::task::spawn_blocking(move || process::run(&mut command, b""));
    bed.model.reached("held").await;
    bed.host.cut();
    bed.model.open("held");
    let ran = running.await.unwrap().exits(0);
    let lines = lines(&ran);
    assert_eq!(first(&lines, "back")["server"], "same", "{}", ran.stdout);
    let done: Vec<&Value> = lines.iter().filter(|l| l["message"]["method"] == "item/completed").collect();
    let kept = bed.items(first(&lines, "thread")["thread"].as_str().unwrap()).await;
    assert_eq!(done.len(), kept.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_lists_the_steps_and_leaves_nothing() {
    let bed = Bed::new().await;
    let ran = bed.run(&["check", "devbox"]).await.exits(0);
    assert!(ran.stdout.starts_with("devbox: ready\n"), "{}", ran.stdout);
    let ran = bed.run(&["check", "devbox", "--json"]).await.exits(0);
    let json = lines(&ran);
    let steps: Vec<&str> = json[0][0]["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    let names = ["resolved", "connected", "host key", "logged in", "login shell", "codex", "app-server", "signed in"];
    assert_eq!(steps, names);
    assert_eq!((bed.host.logins(), bed.host.sessions()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_looked_at_before_a_thread_is_started() {
    let bed = Bed::new().await;
    std::fs::write(bed.host.home.join("file"), "").unwrap();
    for (place, code) in [("devbox:nowhere", "folder-missing"), ("devbox:~/file", "folder-not-a-directory")] {
        let ran = bed.run(&["run", place, "say hi"]).await.exits(6);
        assert!(
            ran.stderr.contains(code)
                && ran.stderr.contains(place.split('/').next_back().unwrap().split(':').next_back().unwrap()),
            "{}",
            ran.stderr
        );
    }
    assert!(!bed.host.home.join(".codex/app-server-control").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_and_the_names_come_first() {
    let sandbox = Sandbox::without_gate();
    sandbox.host("devbox").build();
    for args in [&["run", "devbox:app", "x"][..], &["check", "devbox"], &["threads", "devbox"], &["projects", "add", "devbox:x"]]
    {
        let ran = sandbox.run(args).exits(3);
        assert!(ran.stderr.contains("outpost enable"), "{}", ran.stderr);
    }
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    for args in [&["run", "devbx:app", "x"][..], &["check", "devbx"], &["threads", "devbx"], &["projects", "add", "devbx:x"]] {
        let ran = sandbox.run(args).exits(4);
        assert!(
            [&ran.stdout, &ran.stderr].iter().any(|text| text.contains("did you mean devbox")),
            "{}{}",
            ran.stdout,
            ran.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_threads_and_several_at_once() {
    let bed = Bed::new().await;
    std::fs::create_dir(bed.host.home.join("other")).unwrap();
    bed.run(&["projects", "add", "devbox:~/app"]).await.exits(0);
    bed.run(&["projects", "add", "devbox:other", "--name", "second"]).await.exits(0);
    bed.run(&["projects", "add", "devbox:nowhere"]).await.exits(6);
    // A script can say it again; another folder does not get the name.
    for again in [&["devbox:app"][..], &["devbox:app", "--name", "app"], &["devbox:other"]] {
        let ran = bed.run(&[&["projects", "add"], again].concat()).await.exits(0);
        assert!(ran.stderr.contains(" already") && ran.stdout.contains("  devbox:/"), "{again:?}: {}", ran.stderr);
    }
    bed.run(&["projects", "add", "devbox:other", "--name", "app"]).await.exits(2);
    let ran = bed.run(&["run", "-p", "app", "-p", "second", "say from both"]).await.exits(0);
    assert_eq!(ran.stdout.matches("from both").count(), 2, "{}\n{}", ran.stdout, ran.stderr);
    for place in ["app", "other"] {
        // By the words that were typed.
        let line = format!("[{}] from both", if place == "app" { "app" } else { "second" });
        assert!(ran.stdout.lines().any(|printed| printed == line), "{}", ran.stdout);
    }
    // As JSON it is one stream, and each line says whose it is.
    let stream = lines(&bed.run(&["run", "-p", "app", "-p", "second", "say from both", "--json"]).await.exits(0));
    let mut places: Vec<&str> = stream.iter().map(|line| line["place"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    let ended: Vec<&Value> = stream.iter().filter(|line| line["type"] == "ended").collect();
    assert_eq!(ended.len(), 2, "{stream:#?}");
    places.sort_unstable();
    places.dedup();
    assert_eq!(places, ["app", "other"]);
    let listed = bed.run(&["threads", "--json"]).await.exits(0);
    let threads: Vec<Value> =
        lines(&listed)[0].as_array().unwrap().iter().flat_map(|h| h["threads"].as_array().unwrap().clone()).collect();
    assert_eq!(threads.len(), 4, "{}", listed.stdout);
    let again = bed.run(&["run", "--last", "app", "say again", "--json"]).await.exits(0);
    let id = first(&lines(&again), "thread")["thread"].clone();
    assert!(threads.iter().any(|thread| thread["id"] == id), "{threads:#?}");
    let ran = bed.run(&["run", "--resume", "zzz", "app", "say x"]).await.exits(4);
    assert!(ran.stderr.contains("name-unknown"), "{}", ran.stderr);
}

#[test]
fn json_readers_are_told_what_came_before_the_host() {
    let sandbox = Sandbox::without_gate();
    let told = lines(&sandbox.run(&["run", "--json", "devbox:app", "x"]).exits(3));
    assert_eq!((&told[0]["type"], &told[0]["code"]), (&Value::from("failure"), &Value::from("gate-off")));
    let told = lines(&sandbox.run(&["check", "--json", "devbox", "other"]).exits(3));
    assert_eq!(told[0].as_array().unwrap().len(), 2);
    assert_eq!(told[0][1]["steps"][0]["code"], "gate-off");
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_means_delivered() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0);
    let id = ran.stdout.trim().strip_prefix("devbox:").expect("as the commands of a thread want it").to_owned();
    let items = bed.items(&id).await;
    assert_eq!(items[0]["type"], "userMessage", "{items:#?}");
    bed.model.open("held");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_ssh_carries_the_same_turn() {
    let bed = Bed::new().await;
    let prompt = "run echo seen\nsay All done.";
    let ran = bed.run(&["--carrier", "ssh", "run", "devbox:app", prompt, "--json"]).await.exits(0);
    assert_eq!(first(&lines(&ran), "ended")["outcome"], "completed");
    bed.run(&["hosts", "set", "devbox", "carrier=ssh"]).await.exits(0);
    let ran = bed.run(&["check", "devbox"]).await.exits(0);
    assert!(ran.stdout.starts_with("devbox: ready\n"), "{}", ran.stdout);
    bed.run(&["--carrier", "tcp", "check", "devbox"]).await.exits(2);
}
