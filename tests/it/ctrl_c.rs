//! Ctrl-C has one rule: what a command does ends in order, and its exit code is 130.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
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
    let local = sandbox.write("local/codex", "#!/bin/sh\necho unix://PATH\n");
    std::fs::set_permissions(&local, std::fs::Permissions::from_mode(0o755)).unwrap();
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
        &["login", "slow"],
        &["login", "slow", "status"],
        &["open", "slow:"],
        &["endpoint", "slow"],
    ];
    for (number, args) in commands.into_iter().enumerate() {
        // A pipe of its own: what the command before left on the host may still read.
        let pipe = sandbox.path().join(format!("pipe{number}"));
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::write(&profile, format!("cat '{}'\n{usual}", pipe.display())).unwrap();
        let terminal = Terminal::outpost_with(&sandbox, args, local.parent().unwrap());
        let waiting = reader_of(&pipe, &terminal);
        terminal.press(&["C-c"]);
        let screen = terminal.shows("[exit");
        assert!(screen.contains("[exit 130]"), "{args:?}:\n{screen}");
        drop(waiting);
    }
}

/// A server that says nothing: nobody is logged in yet.
#[test]
fn what_needs_no_codex_ends_with_130_while_it_connects() {
    let sandbox = Sandbox::new();
    // The spinner leaves the terminal to a program that may ask there: its own words are what can be waited for.
    sandbox.add_ssh_config("Host mute\n  HostName 192.0.2.1\n  ProxyCommand sh -c 'echo on the way >&2; exec sleep 1000'\n");
    for args in [&["shell", "mute"][..], &["shell", "mute", "true"], &["forward", "mute", "0:80"], &["endpoint", "mute"]] {
        let terminal = Terminal::outpost(&sandbox, args);
        terminal.shows("on the way");
        terminal.press(&["C-c"]);
        let screen = terminal.shows("[exit");
        assert!(screen.contains("[exit 130]"), "{args:?}:\n{screen}");
    }
}

#[test]
fn a_question_for_a_key_ends_with_130() {
    let sandbox = Sandbox::new();
    sandbox.add_ssh_config("Host mute\n  HostName 192.0.2.1\n");
    for way in ["--with-api-key", "--with-access-token"] {
        let terminal = Terminal::outpost(&sandbox, &["login", "mute", way]);
        terminal.shows("for mute:");
        terminal.press(&["C-c"]);
        let screen = terminal.shows("[exit");
        assert!(screen.contains("[exit 130]"), "{way}:\n{screen}");
    }
}

/// What serves until it is ended has done its work by then.
#[test]
fn what_serves_ends_with_0() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").codex(&Codex::stand_in(&sandbox, &serde_json::json!({}))).build();
    for args in [&["forward", "devbox", "0:80"][..], &["endpoint", "devbox"]] {
        let terminal = Terminal::outpost(&sandbox, args);
        terminal.shows("Ctrl-C ends it");
        terminal.press(&["C-c"]);
        // On a line of its own.
        terminal.shows("\n[exit 0]");
    }
}
