//! Long answers on a terminal go through the pager, and patches are for `git apply`.

use std::process::Command;

use super::bed::{Terminal, process};
use super::run::{Bed, first, lines};

impl Bed {
    /// A thread that changed files; gives `devbox:ID`.
    async fn changed(&self, prompt: &str) -> String {
        let ran = self.run(&["run", "devbox:app", prompt, "--approve", "always", "--json"]).await.exits(0);
        format!("devbox:{}", first(&lines(&ran), "thread")["thread"].as_str().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn git_takes_the_patch_in_the_folder() {
    let bed = Bed::new().await;
    let thread = bed.changed("write new.txt hello\nwrite sub/deep.txt there\nsay done").await;
    let patch = bed.run(&["thread", "diff", &thread]).await.exits(0).stdout;
    let copy = bed.sandbox.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for words in [&["init", "-q"][..], &["apply", "-"]] {
        let mut git = Command::new("git");
        git.args(words).current_dir(&copy).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", &copy);
        process::run(&mut git, patch.as_bytes()).exits(0);
    }
    assert_eq!(std::fs::read_to_string(copy.join("new.txt")).unwrap(), "hello\n");
    assert_eq!(std::fs::read_to_string(copy.join("sub/deep.txt")).unwrap(), "there\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_long_answers_wait_in_the_pager() {
    let bed = Bed::new().await;
    let text: String = (0..100).map(|number| format!("say line {number}\n")).collect();
    let thread = bed.changed(&format!("{text}write new.txt hello")).await;
    let short = Terminal::outpost(&bed.sandbox, &["thread", "diff", &thread]);
    let screen = short.shows("[exit 0]");
    assert!(screen.contains("+hello"), "{screen}");
    let long = Terminal::outpost(&bed.sandbox, &["thread", "log", &thread]);
    let screen = long.shows("line 10");
    assert!(!screen.contains("[exit"), "{screen}");
    // Ctrl-C is the pager's.
    long.press(&["C-c"]);
    long.press(&["q"]);
    long.shows("[exit 0]");
    let plain = Terminal::outpost(&bed.sandbox, &["--no-pager", "thread", "log", &thread]);
    plain.shows("[exit 0]");
}
