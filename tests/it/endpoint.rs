//! `endpoint` and `open` with the real Codex TUI in tmux, a real sshd behind a faulty wire, and a scripted model.

mod clients;
mod served;
mod threads;

use super::bed::faulty::{Fault, Mood};
use super::bed::{Terminal, codex_folder};
use super::durable::Bed;

/// The folder of the codex whose TUI is tried: OUTPOST_TEST_TUI takes another release.
#[expect(clippy::disallowed_methods, reason = "a test is its own main")]
fn tui_folder() -> std::path::PathBuf {
    std::env::var_os("OUTPOST_TEST_TUI").map_or_else(codex_folder, Into::into)
}

/// How many seconds the link is gone when a prompt is typed: OUTPOST_TEST_AWAY_S, for trials of minutes.
#[expect(clippy::disallowed_methods, reason = "a trial lasts as long as a person says")]
async fn stay_away() {
    let seconds = std::env::var("OUTPOST_TEST_AWAY_S").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
}

impl Bed {
    /// The stock TUI, ready for its first prompt.
    fn tui(&self, args: &[&str]) -> Terminal {
        // Older releases want to know a model provider of their own before they start.
        let config = self.sandbox.codex_home().join("config.toml");
        let provider = outpost::demo::model::codex_config(&self.model.base_url());
        let gate = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{provider}\n{gate}")).unwrap();
        let tui = Terminal::outpost_with(&self.sandbox, args, &tui_folder());
        tui.shows_one_of(&["Trust and continue", "Yes, continue"]);
        // The model's name stands there once the thread is started; more keys before that are lost, or do harm.
        tui.presses_away("Enter", "continue");
        tui.shows("scripted default");
        tui
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_tui_works_and_lives_through_lost_links() {
    let bed = Bed::new().await;
    let tui = bed.tui(&["open", "devbox:app"]);
    tui.line("please work");
    tui.shows("touch asked");
    tui.shows("Yes");
    // The approval is open: the link goes, the answer is typed without one, and counts when it is back.
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    tui.presses_away("y", "Would you like to run");
    bed.wire.mood(Mood::Good);
    tui.shows("all is done");
    assert!(bed.host.home.join("app/asked").exists());
    // A message is cut while it streams.
    tui.line("now slowly");
    tui.shows("one two");
    bed.wire.fault(Fault::Reset);
    bed.model.open("a");
    bed.model.open("b");
    let screen = tui.shows("five");
    assert_eq!(screen.matches("one two three four five").count(), 1, "{screen}");
    // A prompt is typed while there is no link.
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    tui.line("say typed without a link");
    stay_away().await;
    bed.wire.mood(Mood::Good);
    tui.shows_times("typed without a link", 2);
    // A first Ctrl-C may only clear what is typed, and the second must come soon.
    tui.presses_until("C-c", "[exit 0]");
}
