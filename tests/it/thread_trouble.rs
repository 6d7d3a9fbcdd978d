//! What can be wrong with a thread that is named: none of this name, several, another client, another process, no folder.

use std::process::{Command, Stdio};

use outpost::demo::script::{Output, Piece, Reply, Scene, Script};

use super::bed::{codex_folder, process};
use super::run::{Bed, first, lines};

impl Bed {
    pub(crate) async fn thread(&self, prompt: &str) -> String {
        let ran = self.run(&["run", "devbox:app", prompt, "--json"]).await.exits(0);
        first(&lines(&ran), "thread")["thread"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_gives_what_is_near() {
    let bed = Bed::new().await;
    let one = bed.thread("say the first").await;
    let two = bed.thread("say the second").await;
    bed.run(&["projects", "add", "devbox:app", "--name", "shop"]).await.exits(0);
    let near = |id: &str| format!("devbox:{}", id.replace(&id[id.len() - 1..], "z"));
    for (args, hint) in [
        (&["thread", "show", "devbx:0199"][..], "did you mean devbox?"),
        (&["thread", "show", "shp:0199"], "did you mean shop?"),
        (&["threads", "shp"], "did you mean shop?"),
        (&["run", "shp", "x"], "did you mean shop?"),
        (&["run", "devbx", "x"], "did you mean devbox:PATH?"),
        (&["review", "shpo"], "did you mean shop?"),
        (&["projects", "remove", "shpo"], "did you mean shop?"),
        (&["run", "--last", "devbox:", "x"], "without --last a thread is started there"),
        (&["thread", "show", "devbox:zzzz"], "say the second"),
        (&["thread", "show", &near(&one)], &one),
    ] {
        let ran = bed.run(args).await.exits(4);
        assert!(ran.stderr.contains(hint), "{args:?}: {}", ran.stderr);
    }
    // A word that may have been meant for either kind, for neither, or for the other.
    bed.run(&["projects", "add", "devbox:app", "--name", "devbux"]).await.exits(0);
    for (args, hint) in [
        (&["run", "devbx", "x"][..], "did you mean devbux or devbox:PATH?"),
        (&["threads", "zzzzzz"], "`outpost hosts` and `outpost projects` list what there is"),
        (&["run", "shop:sub", "x"], "shop is a project, its host is devbox"),
        (&["stop", "shop"], "shop is a project, its host is devbox"),
        (&["check", "shop"], "shop is a project, its host is devbox"),
    ] {
        let ran = bed.run(args).await.exits(4);
        assert!([ran.stderr, ran.stdout].concat().contains(hint), "{args:?}: {hint}");
    }
    // Ids begin with the time, so two of one minute have a beginning in common.
    let common: String = one.chars().zip(two.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    assert!(!common.is_empty());
    let ran = bed.run(&["thread", "show", &format!("devbox:{common}")]).await.exits(4);
    assert!(ran.stderr.contains("several begin with it"), "{}", ran.stderr);
    assert!(ran.stderr.contains(&one) && ran.stderr.contains(&two) && ran.stderr.contains("say the first"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_of_another_client_is_joined() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay from the first"]).await.exits(0);
    let thread = ran.stdout.trim().to_owned();
    bed.model.reached("held").await;
    let mut command = bed.sandbox.outpost(&["thread", "resume", &thread, "say from the second", "--json"]);
    let resumed = tokio::task::spawn_blocking(move || process::run(&mut command, b""));
    // The gate opens when the second client is there: the thread has two listeners from then on.
    bed.run(&["thread", "show", &thread]).await.exits(0);
    bed.model.open("held");
    let ran = resumed.await.unwrap().exits(0);
    let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
    let (one, two) = (log.find("from the first").unwrap(), log.rfind("from the second").unwrap());
    assert!(one < two, "{log}");
    assert_eq!(first(&lines(&ran), "ended")["outcome"], "completed");
    let items = bed.items(thread.strip_prefix("devbox:").unwrap()).await;
    assert_eq!(items.iter().filter(|item| item["type"] == "userMessage").count(), 2, "{items:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_vanished_is_said_before_a_turn_starts() {
    let bed = Bed::new().await;
    let id = bed.thread("say hi").await;
    std::fs::remove_dir_all(bed.host.home.join("app")).unwrap();
    for args in [&["thread", "resume", &format!("devbox:{id}"), "say x"][..], &["run", "--resume", &id, "devbox:", "say x"]] {
        let ran = bed.run(args).await.exits(6);
        assert!(ran.stderr.contains("folder-missing") && ran.stderr.contains("home/app"), "{}", ran.stderr);
    }
    assert_eq!(bed.items(&id).await.iter().filter(|item| item["type"] == "userMessage").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn field_56_a_thread_that_another_process_writes_can_be_read() {
    let bed = Bed::new().await;
    let codex = codex_folder().join("codex");
    let home = &bed.host.home;
    let mut other = Command::new(codex);
    bed.sandbox.clean(&mut other);
    other.args(["exec", "--skip-git-repo-check", "wait held\nsay from the other"]).current_dir(home.join("app"));
    other
        .env("HOME", home)
        .env("CODEX_HOME", home.join(".codex"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut other = other.spawn().unwrap();
    bed.model.reached("held").await;
    let listed = lines(&bed.run(&["threads", "devbox", "--json"]).await.exits(0));
    let thread = format!("devbox:{}", listed[0][0]["threads"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed:#?}")));
    assert_eq!(listed[0][0]["threads"][0]["state"], "openElsewhere");
    let ran = bed.run(&["thread", "resume", &thread, "say mine"]).await.exits(6);
    assert!(
        ran.stderr.contains("active-writer") && ran.stderr.contains(&format!("outpost thread log {thread}")),
        "{}",
        ran.stderr
    );
    // Whoever has it is named, where the host has a /proc.
    let who = format!("process {} there (codex exec --skip-git-repo-check ", other.id());
    assert!(ran.stderr.contains(&who), "{}", ran.stderr);
    let shown = bed.run(&["thread", "show", &thread]).await.exits(0).stdout;
    assert!(
        shown.contains("open elsewhere") && shown.contains(&format!("open in  process {} there: codex exec", other.id())),
        "{shown}"
    );
    let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
    assert!(log.contains("› wait held"), "{log}");
    bed.model.open("held");
    other.wait().unwrap();
    assert_eq!(bed.state(&thread).await, "stored");
}

/// Copies the only thread of the host, with ids of their own.
fn copies(bed: &Bed, id: &str, count: usize) {
    let mut folders = vec![bed.host.home.join(".codex/sessions")];
    let mut rollout = None;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().contains(id) {
                rollout = Some(path);
            }
        }
    }
    let rollout = rollout.expect("a rollout");
    let text = std::fs::read_to_string(&rollout).unwrap();
    for number in 0..count {
        let other = format!("{}{number:04}", &id[..id.len() - 4]);
        let path = rollout.to_str().unwrap().replace(id, &other);
        std::fs::write(&path, text.replace(id, &other)).unwrap();
        // A list by time goes on behind a time: threads of one second would hide each other.
        let used = std::time::SystemTime::now() - std::time::Duration::from_secs(60 * (number as u64 + 1));
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(used).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn field_59_many_threads_come_in_pages() {
    let bed = Bed::new().await;
    let id = bed.thread("say hi").await;
    copies(&bed, &id, 500);
    let listed = lines(&bed.run(&["threads", "devbox", "--json", "--limit", "1000"]).await.exits(0));
    let count = listed[0][0]["threads"].as_array().unwrap().len();
    assert!((500..=501).contains(&count), "{count} threads");
    let listed = lines(&bed.run(&["threads", "devbox", "--json"]).await.exits(0));
    assert_eq!(listed[0][0]["threads"].as_array().unwrap().len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn field_57_a_thread_larger_than_a_message_is_read_and_taken_up() {
    let count = 34;
    let large = Output::Say(vec![Piece::Text("x".repeat(500_000))]);
    let scene = Scene::default().reply(Reply::Outputs(vec![large; count]));
    let bed = Bed::with(Script::default().on("tell me much", scene), "").await;
    let id = bed.thread("tell me much").await;
    let thread = format!("devbox:{id}");
    let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
    assert_eq!(log.matches('x').count(), 500_000 * count);
    let ran = bed.run(&["thread", "resume", &thread, "--json"]).await.exits(0);
    let longest = ran.stdout.lines().map(str::len).max().unwrap();
    assert!(longest < 100_000, "{longest} bytes came in one line");
    assert_eq!(first(&lines(&ran), "thread")["thread"], id.as_str());
}
