//! What is left of a command that is ended from outside while the system's `ssh` carries it: nothing.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bed::process::{Watchdog, on_host};
use super::bed::{Codex, Host, Sandbox, until};

/// Our logins that stand.
fn masters(sandbox: &Sandbox) -> Vec<i32> {
    on_host(sandbox, "ControlMaster=yes")
}

/// Starts a command, ends it by a signal to it alone, and gives its exit code; -1 for a kill.
fn ended_by(signal: Signal, (sandbox, host): (&Sandbox, &Host), args: &[&str]) -> i32 {
    let before = host.sessions();
    let mut command = sandbox.outpost(&[&["--carrier", "ssh"], args].concat());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let watchdog = Watchdog::over(&child);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    if args[0] != "forward" {
        until("a command runs on the host", || host.sessions() > before);
    }
    if args[0] != "logs" {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "{args:?} said nothing");
    }
    assert_eq!(masters(sandbox).len(), 1, "{args:?}");
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
    let status = child.wait().unwrap();
    watchdog.off();
    status.code().unwrap_or_else(|| -i32::from(status.signal() == Some(9)))
}

#[test]
fn no_login_and_no_socket_stay_behind_whatever_ends_us() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").codex(&Codex::stand_in(&sandbox, &serde_json::json!({}))).build();
    // Its server has a log from now on.
    sandbox.run(&["threads", "devbox"]).exits(0);
    let runtime = sandbox.path().join("run/outpost");
    let ours = || std::fs::read_dir(&runtime).unwrap().flatten().filter(|e| e.file_name().to_string_lossy().starts_with('m'));
    for (args, code) in [(&["endpoint", "devbox"][..], 0), (&["forward", "devbox", "0:9"], 0), (&["logs", "-f", "devbox"], 130)] {
        for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGKILL] {
            let exit = ended_by(signal, (&sandbox, &host), args);
            assert_eq!(exit, if signal == Signal::SIGKILL { -1 } else { code }, "{args:?} {signal}");
            until("the login has ended", || masters(&sandbox).is_empty() && host.sshds() == 0);
            until("its sockets are gone", || ours().next().is_none());
        }
    }
}
