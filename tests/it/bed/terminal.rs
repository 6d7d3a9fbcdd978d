//! A real terminal: a tmux of the sandbox's own, with one window of one program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::patience::Patience;
use super::sandbox::Sandbox;

/// A terminal in which a program runs. It ends when this is dropped.
pub(crate) struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Runs the program under test in a fresh terminal of 100 columns and 40 rows.
    pub(crate) fn outpost(sandbox: &Sandbox, args: &[&str]) -> Self {
        Self::of(sandbox, &line_of(args))
    }

    /// As [`Self::outpost`], with a folder before the others on its PATH.
    pub(crate) fn outpost_with(sandbox: &Sandbox, args: &[&str], folder: &Path) -> Self {
        let folder = outpost::ssh::quote::posix(&folder.to_string_lossy());
        Self::of(sandbox, &format!("PATH={folder}:$PATH; {}", line_of(args)))
    }

    /// As [`Self::outpost`], for a line of `sh`.
    pub(crate) fn of(sandbox: &Sandbox, line: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { socket: sandbox.path().join(format!("tmux{number}")) };
        let mut command = Command::new("tmux");
        sandbox.clean(&mut command);
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR").arg("-S").arg(&terminal.socket);
        command.args(["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "40", "sh", "-c", line]);
        assert!(command.status().unwrap().success());
        terminal
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux").arg("-S").arg(&self.socket).args(args).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What is on the screen, and what scrolled off it.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-S", "-"])
    }

    /// Waits until the screen holds some words; gives the screen.
    #[track_caller]
    pub(crate) fn shows(&self, words: &str) -> String {
        self.shows_times(words, 1)
    }

    /// Waits until the screen holds some words so many times.
    #[track_caller]
    pub(crate) fn shows_times(&self, words: &str, times: usize) -> String {
        self.shows_it(words, |screen| screen.matches(words).count() >= times)
    }

    /// Waits until the screen holds one of some words.
    #[track_caller]
    pub(crate) fn shows_one_of(&self, words: &[&str]) -> String {
        self.shows_it(&words.join(" or "), |screen| words.iter().any(|words| screen.contains(words)))
    }

    #[track_caller]
    pub(crate) fn shows_it(&self, what: &str, mut is_it: impl FnMut(&str) -> bool) -> String {
        let mut patience = Patience::new();
        loop {
            let screen = self.screen();
            if is_it(&screen) {
                return screen;
            }
            assert!(patience.waits(), "no {what:?} on the screen:\n{screen}");
        }
    }

    /// Presses a key again and again until the screen holds some words; what it ends has a moment to say so.
    #[track_caller]
    pub(crate) fn presses_until(&self, key: &str, words: &str) {
        let mut pressed: Option<Instant> = None;
        self.shows_it(words, |screen| {
            let there = screen.contains(words);
            if !there && pressed.is_none_or(|at| at.elapsed() > Duration::from_millis(500)) {
                self.press(&[key]);
                pressed = Some(Instant::now());
            }
            there
        });
    }

    /// Presses a key until some words are gone. A program that has just begun to draw may not read keys yet; it has a second
    /// for each before the next.
    #[track_caller]
    pub(crate) fn presses_away(&self, key: &str, words: &str) {
        let mut pressed: Option<Instant> = None;
        self.shows_it(&format!("the end of {words}"), |screen| {
            let there = screen.contains(words);
            if there && pressed.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
                self.press(&[key]);
                pressed = Some(Instant::now());
            }
            !there
        });
    }

    /// Pastes a line, and presses Enter when it is there. Programs tell typing from pasting by the clock, unless the terminal
    /// says that it is a paste.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) {
        self.tmux(&["set-buffer", "--", text]);
        self.tmux(&["paste-buffer", "-p"]);
        self.shows(text);
        self.press(&["Enter"]);
    }

    /// Presses keys, named as tmux names them (`y`, `Enter`, `C-c`).
    pub(crate) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a text.
    pub(crate) fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Makes the window another size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// Takes the terminal away, as a closed window does.
    pub(crate) fn close(&self) {
        self.tmux(&["kill-session"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// Runs the program under test and tells its exit code. The shell hears Ctrl-C too, and must outlive it.
fn line_of(args: &[&str]) -> String {
    let quoted: Vec<String> = args.iter().map(|arg| outpost::ssh::quote::posix(arg)).collect();
    format!(
        "trap : INT QUIT; {} {}; echo \"[exit $?]\"; trap '' INT QUIT; sleep 1000",
        env!("CARGO_BIN_EXE_outpost"),
        quoted.join(" ")
    )
}
