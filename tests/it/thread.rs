//! `outpost thread` on real parts: what is done to a thread from another terminal than the one that runs it.

use outpost::demo::script::{Output, Reply, Scene, Script};
use serde_json::Value;

use super::bed::{Terminal, process};
use super::run::{Bed, first, lines};

impl Bed {
    /// Runs a prompt in the background and waits until its thread waits for an approval; gives `devbox:ID` and the run.
    async fn asking(&self, prompt: &str) -> (String, tokio::task::JoinHandle<super::bed::Ran>) {
        let ran = self.run(&["run", "--detach", "devbox:app", prompt]).await.exits(0);
        let thread = ran.stdout.trim().to_owned();
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
    let thread = ran.stdout.trim().to_owned();
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
    for (option, outcome, other) in
        [(&[][..], "\nThen not.", "interrupted"), (&["--cancel"], "the turn was interrupted\n", "\nThen not.")]
    {
        let ran = bed.run(&["run", "--detach", "devbox:app", "ask touch asked\nsay Then not."]).await.exits(0);
        let thread = ran.stdout.trim().to_owned();
        bed.becomes(&thread, "waitsForApproval").await;
        let ran = bed.run(&[&["thread", "decline", &thread], option].concat()).await.exits(0);
        assert!(ran.stderr.contains("touch asked"), "{}", ran.stderr);
        bed.becomes(&thread, "idle").await;
        assert!(!bed.host.home.join("app/asked").exists());
        let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
        assert!(log.contains(outcome) && !log.contains(other), "{option:?}: {log}");
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
    let thread = ran.stdout.trim().to_owned();
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
    let thread = ran.stdout.trim().to_owned();
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
            ran.stdout
        }
    };
    assert_eq!(stat(&[]).await, " more.txt | 1 +\n new.txt  | 1 +\n 2 files changed, 2 insertions(+)\n");
    assert_eq!(stat(&["--last-turn"]).await, " more.txt | 1 +\n 1 file changed, 1 insertion(+)\n");
    let diff = bed.run(&["thread", "diff", "--last-turn", &thread]).await.exits(0);
    git(&["apply", "-"], &diff.stdout);
    assert_eq!(std::fs::read_to_string(copy.join("more.txt")).unwrap(), "again\n");
}

/// A thread that was listed once is known by its id alone.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_can_be_pasted_without_its_host() {
    let bed = Bed::new().await;
    let (one, two) = (bed.thread("say the first").await, bed.thread("say the second").await);
    let ran = bed.run(&["thread", "show", &one]).await.exits(2);
    assert!(ran.stderr.contains("a thread is written HOST:ID"), "{}", ran.stderr);
    bed.run(&["threads", "devbox"]).await.exits(0);
    let shown = bed.run(&["thread", "show", &one]).await.exits(0).stdout;
    assert!(shown.contains("say the first"), "{shown}");
    let common: String = one.chars().zip(two.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let ran = bed.run(&["thread", "show", &common]).await.exits(2);
    assert!([&one, &two].iter().all(|id| ran.stderr.contains(&format!("devbox:{id}"))), "{}", ran.stderr);
    // `run` wants to know where: HOST:ID will do for the id, and a folder that is another than the thread's is said.
    let ran = bed.run(&["run", "--resume", &one, "say x"]).await.exits(4);
    assert!(ran.stderr.contains("say on which host the thread is: outpost run --resume"), "{}", ran.stderr);
    let ran = bed.run(&["run", "--resume", &format!("devbox:{one}"), "devbox:~", "say more"]).await.exits(0);
    assert!(ran.stderr.contains("note: the thread works in its own folder") && ran.stdout.contains("more"), "{}", ran.stderr);
    let ran = bed.run(&["run", "--resume", &one, "devbox:app", "say more"]).await.exits(0);
    assert!(!ran.stderr.contains("note: the thread"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_for_a_running_turn_are_looked_at_first() {
    let bed = Bed::new().await;
    let id = bed.thread("say hi").await;
    let thread = format!("devbox:{id}");
    let before = bed.host.logins();
    for args in [&["thread", "queue", &thread, " "][..], &["thread", "steer", &thread, "-"], &["review", "devbox:app", ""]] {
        let ran = bed.run(args).await.exits(2);
        assert!(ran.stderr.contains("there are none"), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(bed.host.logins(), before, "no host was touched");
    let mut queue = bed.sandbox.outpost(&["thread", "queue", &thread, "-"]);
    tokio::task::spawn_blocking(move || process::run(&mut queue, b"say It came in.")).await.unwrap().exits(0);
    bed.run(&["thread", "log", &thread, "--follow"]).await.exits(0);
    let log = bed.run(&["thread", "log", &thread]).await.exits(0).stdout;
    assert!(log.contains("› say It came in."), "{log}");
    std::fs::remove_dir_all(bed.host.home.join("app")).unwrap();
    for act in ["queue", "steer"] {
        let ran = bed.run(&["thread", act, &thread, "say x"]).await.exits(6);
        assert!(ran.stderr.contains("folder-missing") && ran.stderr.contains(&format!("log {thread}")), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_that_wait_is_chosen() {
    let two = vec![Output::ask("touch one", "it must"), Output::ask("touch two", "it must")];
    let scene = Scene::default().reply(Reply::Outputs(two)).then(Output::say("Done."));
    let bed = Bed::with(Script::default().on("please", scene), "").await;
    let thread = bed.run(&["run", "--detach", "devbox:app", "please"]).await.exits(0).stdout.trim().to_owned();
    let mut shown = String::new();
    while !shown.contains("2. ") {
        shown = bed.run(&["thread", "show", &thread]).await.exits(0).stdout;
    }
    let ran = bed.run(&["thread", "approve", &thread]).await.exits(2);
    assert!(ran.stderr.contains("2 wait there") && ran.stderr.contains("give the number of one"), "{}", ran.stderr);
    bed.run(&["thread", "approve", &thread, "3"]).await.exits(2);
    let second = if ran.stderr.find("touch one") < ran.stderr.find("touch two") { "two" } else { "one" };
    bed.run(&["thread", "approve", &thread, "2"]).await.exits(0);
    let decline = Terminal::outpost(&bed.sandbox, &["thread", "decline", &thread]);
    decline.shows("[exit 0]");
    bed.becomes(&thread, "idle").await;
    let made = |name: &str| bed.host.home.join("app").join(name).exists();
    assert!(made(second) && !(made("one") && made("two")));
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
    for (key, code) in [("C-c", "[exit 130]"), ("C-d", "[exit 2]")] {
        let asked = Terminal::outpost(&bed.sandbox, &["thread", "delete", fork]);
        asked.shows("for good? [y/N]");
        asked.press(&[key]);
        asked.shows(code);
    }
    bed.run(&["thread", "delete", "--yes", fork]).await.exits(0);
    bed.run(&["thread", "show", fork]).await.exits(4);
}
