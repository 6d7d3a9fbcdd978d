//! A real terminal: a tmux of the sandbox's own, with one window of one program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::sandbox::Sandbox;

/// How long something may take to appear; generous, because builds may share the cores.
const LIMIT: Duration = Duration::from_secs(60);

/// A terminal in which a program runs. It ends when this is dropped.
pub(crate) struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Runs the program under test in a fresh terminal of 100 columns and 40 rows.
    pub(crate) fn outpost(sandbox: &Sandbox, args: &[&str]) -> Self {
        let quoted: Vec<String> = args.iter().map(|arg| outpost::ssh::quote::posix(arg)).collect();
        // The shell hears Ctrl-C too, and must outlive it to tell the exit code.
        let program = env!("CARGO_BIN_EXE_outpost");
        Self::of(sandbox, &format!("trap : INT QUIT; {program} {}; echo \"[exit $?]\"; sleep 1000", quoted.join(" ")))
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
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(words) {
                return screen;
            }
            assert!(began.elapsed() < LIMIT, "no {words:?} on the screen:\n{screen}");
            std::thread::yield_now();
        }
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
