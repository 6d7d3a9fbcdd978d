//! Long answers on a terminal go through the pager.

use super::bed::Terminal;
use super::run::{Bed, first, lines};

impl Bed {
    /// A thread that changed files; gives `devbox:ID`.
    async fn changed(&self, prompt: &str) -> String {
        let ran = self.run(&["run", "devbox:app", prompt, "--approve", "always", "--json"]).await.exits(0);
        format!("devbox:{}", first(&lines(&ran), "thread")["thread"].as_str().unwrap())
    }
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
    // While less answers that, it does not hear keys.
    long.presses_until("q", "[exit 0]");
    let plain = Terminal::outpost(&bed.sandbox, &["--no-pager", "thread", "log", &thread]);
    plain.shows("[exit 0]");
    // SIGTERM is for us, and the pager ends with us.
    let ended = Terminal::outpost(&bed.sandbox, &["thread", "log", &thread]);
    ended.shows("line 10");
    let ours = super::bed::process::on_host(&bed.sandbox, &thread);
    assert_eq!(ours.len(), 1);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(ours[0]), nix::sys::signal::Signal::SIGTERM).unwrap();
    ended.shows("[exit 0]");
}
