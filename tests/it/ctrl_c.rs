//! Ctrl-C has one rule: what a command does ends in order, and its exit code is 130.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use super::bed::{Codex, Patience, Sandbox, Terminal};

/// Waits until somebody reads the pipe; it waits in turn until the file is dropped.
fn reader_of(pipe: &Path, terminal: &Terminal) -> File {
    let mut patience = Patience::new();
    loop {
        match OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(pipe) {
            Ok(file) => return file,
            Err(e) => assert!(patience.waits(), "nobody reads ({e}):\n{}", terminal.screen()),
        }
    }
}

#[test]
fn every_command_that_waits_for_a_host_ends_with_130() {
    let sandbox = Sandbox::new();
    let codex = Codex::stand_in(&sandbox, &serde_json::json!({}));
    let host = sandbox.host("slow").codex(&codex).build();
    let profile = host.home.join(".profile");
    let usual = std::fs::read_to_string(&profile).unwrap();
    let commands = [
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
    ];
    for (number, args) in commands.into_iter().enumerate() {
        // A pipe of its own: what the command before left on the host may still read.
        let pipe = sandbox.path().join(format!("pipe{number}"));
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(&profile, format!("cat '{}'\n{usual}", pipe.display())).unwrap();
        let terminal = Terminal::outpost(&sandbox, args);
        let waiting = reader_of(&pipe, &terminal);
        terminal.press(&["C-c"]);
        let screen = terminal.shows("[exit");
        assert!(screen.contains("[exit 130]"), "{args:?}:\n{screen}");
        drop(waiting);
    }
}
