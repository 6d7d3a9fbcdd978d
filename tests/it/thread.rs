//! `outpost thread` on real parts: what is done to a thread from another terminal than the one that runs it.

use serde_json::Value;

use super::bed::process;
use super::run::{Bed, first, lines};

impl Bed {
    /// Runs a prompt in the background and waits until its thread waits for an approval; gives `devbox:ID` and the run.
    async fn asking(&self, prompt: &str) -> (String, tokio::task::JoinHandle<super::bed::Ran>) {
        let ran = self.run(&["run", "--detach", "devbox:app", prompt]).await.exits(0);
        let thread = format!("devbox:{}", ran.stdout.trim());
        let mut command = self.sandbox.outpost(&["thread", "log", &thread, "--follow", "--approve", "never"]);
        (thread, tokio::task::spawn_blocking(move || process::run(&mut command, b"")))
    }

    pub(crate) async fn state(&self, thread: &str) -> String {
        let ran = self.run(&["thread", "show", thread, "--json"]).await.exits(0);
        lines(&ran)[0]["state"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn becomes(&self, thread: &str, wanted: &str) {
        for _ in 0..100 {
            if self.state(thread).await == wanted {
                return;
            }
        }
        panic!("{thread} does not become {wanted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_answered_from_another_terminal() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "--detach", "devbox:app", "ask touch asked\nsay Done then."]).await.exits(0);
    let thread = format!("devbox:{}", ran.stdout.trim());
    bed.becomes(&thread, "waitsForApproval").await;
    let ran = bed.run(&["thread", "approve", &thread]).await.exits(0);
    assert!(ran.stderr.contains("touch asked") && ran.stderr.contains("accepted"), "{}", ran.stderr);
    bed.becomes(&thread, "idle").await;
    assert!(bed.host.home.join("app/asked").exists());
    let ran = bed.run(&["thread", "approve", &thread]).await.exits(4);
    assert!(ran.stderr.contains("nothing of this kind waits there"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_declined_from_another_terminal() {
    let bed = Bed::new().await;
    for (option, outcome) in [(&[][..], "Then not."), (&["--cancel"], "interrupted")] {
        let ran = bed.run(&["run", "--detach", "devbox:app", "ask touch asked\nsay Then not."]).await.exits(0);
        let thread = format!("devbox:{}", ran.stdout.trim());
        bed.becomes(&thread, "waitsForApproval").await;
        let ran = bed.run(&[&["thread", "decline", &thread], option].concat()).await.exits(0);
        assert!(ran.stderr.contains("touch asked"), "{}", ran.stderr);
        bed.becomes(&thread, "idle").await;
        assert!(!bed.host.home.join("app/asked").exists());
        let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
        assert!(log.contains(outcome) || outcome == "interrupted" && !log.contains("\nThen not."), "{option:?}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_may_decline() {
    let bed = Bed::new().await;
    let (thread, following) = bed.asking("ask touch asked\nsay Then not.").await;
    let ran = following.await.unwrap().exits(0);
    assert!(ran.stdout.contains("Then not."), "{}\n{}", ran.stdout, ran.stderr);
    bed.becomes(&thread, "idle").await;
    assert!(!bed.host.home.join("app/asked").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_turn_is_interrupted() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "--detach", "devbox:app", "wait never\nsay x"]).await.exits(0);
    let thread = format!("devbox:{}", ran.stdout.trim());
    bed.model.reached("never").await;
    bed.run(&["thread", "interrupt", &thread]).await.exits(0);
    bed.becomes(&thread, "idle").await;
    let ran = bed.run(&["thread", "interrupt", &thread]).await.exits(4);
    assert!(ran.stderr.contains("no turn runs there"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_added_to_a_running_turn_and_behind_it() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay x"]).await.exits(0);
    let thread = format!("devbox:{}", ran.stdout.trim());
    bed.model.reached("held").await;
    bed.run(&["thread", "queue", &thread, "say from the queue"]).await.exits(0);
    bed.run(&["thread", "steer", &thread, "and be quick"]).await.exits(0);
    bed.model.open("held");
    let ran = bed.run(&["thread", "log", &thread, "--follow"]).await.exits(0);
    assert!(ran.stdout.contains("› and be quick"), "{}", ran.stdout);
    bed.becomes(&thread, "idle").await;
    let ran = bed.run(&["thread", "log", &thread]).await.exits(0);
    assert!(ran.stdout.contains("from the queue"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_read_back_and_its_changes_apply() {
    let bed = Bed::new().await;
    let prompt = "say I begin.\nrun echo seen\nwrite new.txt hello\nsay Done.";
    let ran = bed.run(&["run", "devbox:app", prompt, "--json"]).await.exits(0);
    let thread = format!("devbox:{}", first(&lines(&ran), "thread")["thread"].as_str().unwrap());
    let log = bed.run(&["thread", "log", &thread]).await.exits(0);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d s", "[TIME]");
    settings.bind(|| {
        insta::assert_snapshot!(bed.sandbox.stable(&log.stdout), @r"
        › say I begin.
          run echo seen
          write new.txt hello
          say Done.

        I begin.

        $ echo seen
          seen
          exit 0 · [TIME]

        added [SANDBOX]/hosts/devbox/home/app/new.txt (+1 -0)
          +hello

        Done.
        ");
    });
    let diff = bed.run(&["thread", "diff", &thread]).await.exits(0);
    let copy = bed.sandbox.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let git = |args: &[&str], stdin: &str| {
        process::run(std::process::Command::new("git").args(args).current_dir(&copy), stdin.as_bytes()).exits(0)
    };
    git(&["init", "-q"], "");
    git(&["apply", "-"], &diff.stdout);
    assert_eq!(std::fs::read_to_string(copy.join("new.txt")).unwrap(), "hello\n");
    // Another turn changes what is there: the thread's patch has both, the turn's the last.
    bed.run(&["thread", "resume", &thread, "write more.txt again"]).await.exits(0);
    let stat = |options: &'static [&str]| {
        let (bed, thread) = (&bed, thread.as_str());
        async move {
            let ran = bed.run(&[&["thread", "diff", "--stat", thread], options].concat()).await.exits(0);
            ran.stdout.lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(stat(&[]).await, ["new.txt (+1 -0)", "more.txt (+1 -0)"]);
    assert_eq!(stat(&["--last-turn"]).await, ["more.txt (+1 -0)"]);
    let diff = bed.run(&["thread", "diff", "--last-turn", &thread]).await.exits(0);
    git(&["apply", "-"], &diff.stdout);
    assert_eq!(std::fs::read_to_string(copy.join("more.txt")).unwrap(), "again\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_are_named_copied_and_put_away() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "devbox:app", "say hi", "--json"]).await.exits(0);
    let id = first(&lines(&ran), "thread")["thread"].as_str().unwrap().to_owned();
    let thread = format!("devbox:{id}");
    bed.run(&["thread", "rename", &thread, "greeting"]).await.exits(0);
    for way in [&id[..id.len() - 1], "greeting"] {
        let shown = bed.run(&["thread", "show", &format!("devbox:{way}")]).await.exits(0);
        assert!(shown.stdout.contains("greeting") && shown.stdout.contains(&id), "{}", shown.stdout);
    }
    let fork = bed.run(&["thread", "fork", &thread]).await.exits(0);
    assert!(fork.stdout.starts_with("devbox:") && fork.stdout.trim() != thread);
    let log = bed.run(&["thread", "log", fork.stdout.trim()]).await.exits(0).stdout;
    assert!(log.contains("› say hi") && log.ends_with("hi\n"), "{log}");
    let ran = bed.run(&["thread", "archive", &thread]).await.exits(0);
    assert_eq!(ran.stderr, format!("{thread} is put away: greeting\n"));
    let ran = bed.run(&["thread", "archive", &thread]).await.exits(0);
    assert_eq!(ran.stderr, format!("{thread} is put away already: greeting\n"));
    let ran = bed.run(&["thread", "resume", &thread, "say more"]).await.exits(6);
    assert!(ran.stderr.contains(&format!("take it out again first: outpost thread unarchive {thread}\n")), "{}", ran.stderr);
    let ids = |ran: &super::bed::Ran| -> Vec<Value> {
        lines(ran)[0][0]["threads"].as_array().unwrap().iter().map(|thread| thread["id"].clone()).collect()
    };
    assert!(!ids(&bed.run(&["threads", "devbox", "--json"]).await).contains(&Value::from(id.clone())));
    assert_eq!(ids(&bed.run(&["threads", "devbox", "--archived", "--json"]).await), [Value::from(id.clone())]);
    let ran = bed.run(&["thread", "unarchive", "--json", &thread]).await.exits(0);
    assert_eq!(lines(&ran)[0], serde_json::json!({"host": "devbox", "id": id}));
    assert!(ids(&bed.run(&["threads", "devbox", "--json"]).await).contains(&Value::from(id)));
    let ran = bed.run(&["thread", "unarchive", &thread]).await.exits(0);
    assert_eq!(ran.stderr, format!("{thread} is not put away: greeting\n"));
    let fork = fork.stdout.trim();
    bed.run(&["thread", "delete", fork]).await.exits(2);
    bed.run(&["thread", "delete", "--yes", fork]).await.exits(0);
    bed.run(&["thread", "show", fork]).await.exits(4);
}
