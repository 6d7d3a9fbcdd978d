//! The real Codex TUI in a terminal, attached to a bed's project.

use std::path::Path;

use crate::bed::{Terminal, codex_folder};
use crate::durable::Bed;

/// The TUI; it ends when this is dropped.
pub(crate) struct Tui(Terminal);

impl std::ops::Deref for Tui {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.0
    }
}

impl Tui {
    /// Through `outpost open`, up to where it takes a prompt.
    pub(crate) fn open(bed: &Bed, args: &[&str]) -> Self {
        knows_its_provider(bed);
        let args = [&["open", "devbox:app"], args].concat();
        Self(Terminal::outpost_with(&bed.sandbox, &args, &codex_folder())).begun()
    }

    /// As a client of an endpoint: `codex WORDS --remote …`.
    pub(crate) fn attached(bed: &Bed, socket: &Path, words: &str) -> Self {
        knows_its_provider(bed);
        let (codex, app) = (codex_folder().join("codex"), bed.host.home.join("app"));
        let (codex, app, socket) = (codex.display(), app.display(), socket.display());
        let line = format!("{codex} {words} --remote unix://{socket} -C {app}; echo \"[exit $?]\"; sleep 1000");
        Self(Terminal::of(&bed.sandbox, &line)).begun()
    }

    /// Trusts the folder when it is asked about it. Programs that have just begun to draw may not read keys yet.
    fn begun(self) -> Self {
        let screen = self.shows_one_of(&["Trust and continue", "Yes, continue", BEGUN]);
        match () {
            // More keys than it takes to make the question go are lost, or do harm.
            () if screen.contains("Trust and continue") => self.presses_away("Enter", "continue"),
            // This one stays above what comes.
            () if screen.contains("Yes, continue") => self.presses_until("Enter", ">_ OpenAI Codex"),
            () => {}
        }
        self.shows(BEGUN);
        self
    }

    /// How many warnings 0.169 counts at its foot; it shows them on F2, one at a time.
    pub(crate) fn warnings(&self) -> usize {
        counted(&self.screen())
    }

    /// Waits until it counts so many, or more: Codex has some of its own.
    #[track_caller]
    pub(crate) fn counts(&self, warnings: usize) {
        self.shows_it(&format!("{warnings} warnings at the foot"), |screen| counted(screen) >= warnings);
    }
}

/// In the line below the prompt, or in the box above it: the model's name stands there once a thread is there.
const BEGUN: &str = "scripted ";

fn counted(screen: &str) -> usize {
    let foot = screen.lines().rev().find_map(|line| line.split_once('⚠')?.1.strip_suffix(" · f2 to view"));
    foot.and_then(|words| words.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Older releases want to know a model provider of their own before they start.
fn knows_its_provider(bed: &Bed) {
    let config = bed.sandbox.codex_home().join("config.toml");
    let provider = outpost::demo::model::codex_config(&bed.model.base_url());
    let said = std::fs::read_to_string(&config).unwrap();
    if !said.contains(&provider) {
        std::fs::write(&config, format!("{provider}\n{said}")).unwrap();
    }
}
