//! Ctrl-C has one rule: what a command does ends in order, and its exit code is 130.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::bed::{Codex, Sandbox, Terminal};

/// How long a command may take to reach the host; builds may share the cores.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits until somebody reads the pipe; it waits in turn until the file is dropped.
fn reader_of(pipe: &Path, terminal: &Terminal) -> File {
    let began = Instant::now();
    loop {
        match OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(pipe) {
            Ok(file) => return file,
            Err(e) => assert!(began.elapsed() < LIMIT, "nobody reads ({e}):\n{}", terminal.screen()),
        }
        std::thread::yield_now();
    }
}

#[test]
fn every_command_that_waits_for_a_host_ends_with_130() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let codex = Codex::stand_in(&sandbox, &serde_json::json!({}));
    sandbox.host("slow").rc(".profile", &format!("cat '{}'", pipe.display())).codex(&codex).build();
    for args in [
        &["check", "slow"][..],
        &["threads", "slow"],
        &["thread", "show", "slow:0199"],
        &["thread", "log", "slow:0199"],
        &["thread", "archive", "slow:0199"],
        &["thread", "approve", "slow:0199"],
        &["projects", "add", "slow:~"],
        &["projects", "pick", "slow"],
        &["run", "slow:", "say x"],
        &["review", "slow:"],
        &["stop", "slow"],
        &["logs", "slow"],
    ] {
        let terminal = Terminal::outpost(&sandbox, args);
        let waiting = reader_of(&pipe, &terminal);
        terminal.press(&["C-c"]);
        let screen = terminal.shows("[exit");
        assert!(screen.contains("[exit 130]"), "{args:?}:\n{screen}");
        drop(waiting);
    }
}
