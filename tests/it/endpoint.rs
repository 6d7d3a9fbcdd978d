//! `endpoint` and `open` with the real Codex TUI in tmux, a real sshd behind a faulty wire, and a scripted model.

use std::process::Command;
use std::time::{Duration, Instant};

use super::bed::Sandbox;
use super::bed::faulty::{Fault, Mood};
use super::durable::Bed;

/// A terminal of 120 by 40, with a tmux server of its own.
struct Tmux {
    socket: String,
    env: Vec<(std::ffi::OsString, std::ffi::OsString)>,
}

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

impl Tmux {
    fn open(sandbox: &Sandbox, args: &[&str]) -> Self {
        let socket = sandbox.path().join("tmux").display().to_string();
        let mut env = sandbox.vars();
        for (name, value) in &mut env {
            if name == "PATH" {
                let bin = super::bed::codex_folder();
                *value = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&*value))).unwrap();
            }
            if name == "TERM" {
                *value = "xterm-256color".into();
            }
        }
        let tmux = Self { socket, env };
        let outpost = env!("CARGO_BIN_EXE_outpost");
        let words: Vec<String> = std::iter::once(outpost).chain(args.iter().copied()).map(|w| format!("'{w}'")).collect();
        let line = format!("{}; echo outpost-ended-$?; trap '' INT; cat", words.join(" "));
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "/bin/sh", "-c", &line]);
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.env_clear().envs(self.env.iter().cloned()).args(["-S", &self.socket]).args(args);
        String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.run(&["capture-pane", "-p", "-S", "-200"])
    }

    /// Waits until the screen shows something.
    async fn until(&self, what: &str) -> String {
        self.until_it(what, |screen| screen.contains(what)).await
    }

    #[expect(clippy::disallowed_methods, reason = "a terminal has no event for what it shows")]
    async fn until_it(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_it(&screen) {
                return screen;
            }
            assert!(began.elapsed() < LIMIT, "never saw {what} in\n{screen}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Types a line. The TUI takes a burst of keys for a paste, in which Enter is a new line.
    async fn line(&self, text: &str) {
        self.run(&["send-keys", "-l", text]);
        self.until(text).await;
        self.key("Enter").await;
    }

    #[expect(clippy::disallowed_methods, reason = "the TUI tells typing from pasting by the clock")]
    async fn key(&self, key: &str) {
        tokio::time::sleep(Duration::from_millis(600)).await;
        self.run(&["send-keys", key]);
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_tui_works_and_lives_through_lost_links() {
    let bed = Bed::new().await;
    let tmux = Tmux::open(&bed.sandbox, &["open", "devbox:app"]);
    tmux.until("Trust and continue").await;
    tmux.key("Enter").await;
    // The model's name stands there once the thread is started; keys before that go nowhere.
    tmux.until("scripted default").await;
    tmux.line("please work").await;
    tmux.until_it("the approval", |s| s.contains("touch asked") && s.contains("Yes")).await;
    // The approval is open: the link goes, the answer is typed without one, and counts when it is back.
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    tmux.key("y").await;
    bed.wire.mood(Mood::Good);
    tmux.until("all is done").await;
    assert!(bed.host.home.join("app/asked").exists());
    // A message is cut while it streams.
    tmux.line("now slowly").await;
    tmux.until("two").await;
    bed.wire.fault(Fault::Reset);
    bed.model.open("a");
    bed.model.open("b");
    let screen = tmux.until("five").await;
    assert_eq!(screen.matches("one two three four five").count(), 1, "{screen}");
    // A prompt is typed while there is no link.
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    tmux.line("say typed without a link").await;
    bed.wire.mood(Mood::Good);
    tmux.until_it("the answer", |s| s.matches("typed without a link").count() >= 2).await;
    // A first Ctrl-C may only clear what is typed, and the second must come soon.
    for _ in 0..10 {
        tmux.key("C-c").await;
        if tmux.screen().contains("outpost-ended") {
            break;
        }
    }
    tmux.until("outpost-ended-0").await;
}
