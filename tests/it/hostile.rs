//! An app-server that does not answer, or does not stop: nobody waits for ever, and the memory is no larger for it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::bed::process::Watchdog;
use super::bed::{Codex, Sandbox, until};

fn mute(methods: &[&str]) -> Value {
    json!({ "mute": methods })
}

/// The number in a line of `/proc/PID/status`, in bytes.
fn memory(pid: u32, line: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let found = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':'));
    found.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<usize>().ok()).unwrap_or(0) * 1024
}

#[test]
fn a_run_can_be_left_while_the_server_says_nothing() {
    let sandbox = Sandbox::new();
    for (number, (method, args)) in [
        ("thread/start", &["run", "devbox:", "say x"][..]),
        ("thread/list", &["run", "--last", "devbox:", "say x"]),
        ("thread/resume", &["run", "--last", "devbox:", "say x"]),
    ]
    .into_iter()
    .enumerate()
    {
        let alias = format!("mute{number}");
        let host = sandbox.host(&alias).codex(&Codex::stand_in(&sandbox, &json!({}))).build();
        let place = |args: &[&str]| args.iter().map(|arg| arg.replace("devbox", &alias)).collect::<Vec<String>>();
        let words = |args: &[String]| sandbox.outpost(&args.iter().map(String::as_str).collect::<Vec<_>>());
        if method == "thread/resume" {
            sandbox.run(&["run", &format!("{alias}:"), "say first"]).exits(0);
            sandbox.run(&["stop", &alias]).exits(0);
        }
        std::fs::write(host.home.join(".codex/stand-in.json"), mute(&[method]).to_string()).unwrap();
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let mut command = words(&place(args));
            let mut child = command.args(["--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
            let watchdog = Watchdog::over(&child);
            let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
            // The app-server has answered `initialize`; what comes next is never answered.
            assert!(lines.any(|line| line.unwrap().contains("\"type\":\"server\"")), "{method}");
            kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(130), "{method} {signal}");
            watchdog.off();
        }
    }
}

#[test]
fn a_mute_host_is_a_row_and_delays_no_other() {
    let sandbox = Sandbox::new();
    sandbox.host("evil").codex(&Codex::stand_in(&sandbox, &mute(&["thread/list"]))).build();
    sandbox.host("devbox").codex(&Codex::stand_in(&sandbox, &json!({}))).build();
    let began = Instant::now();
    let ran = sandbox.run(&["threads", "evil", "devbox", "--json"]).exits(6);
    assert!(began.elapsed() < Duration::from_secs(60));
    let rows: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&rows[0]["host"], &rows[0]["error"]), (&json!("devbox"), &Value::Null));
    assert_eq!(rows[1]["error"]["code"], "server-silent", "{rows}");
}

/// An endless stream of messages, each of them allowed, while an answer is waited for.
#[test]
fn a_flood_stays_below_a_bound() {
    const BOUND: usize = 320 * 1024 * 1024;
    let sandbox = Sandbox::new();
    sandbox.host("evil").codex(&Codex::stand_in(&sandbox, &json!({ "flood": true }))).build();
    let mut child = sandbox.outpost(&["threads", "evil"]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let watchdog = Watchdog::over(&child);
    // It takes what it is ready to hold, and then no more.
    let (mut held, mut since) = (0, Instant::now());
    until("nothing more is taken", || {
        let now = memory(child.id(), "VmHWM");
        if now > held {
            (held, since) = (now, Instant::now());
        }
        now > BOUND || (held > 0 && since.elapsed() > Duration::from_secs(3))
    });
    assert!(held < BOUND, "{} MiB", held / 1024 / 1024);
    child.kill().unwrap();
    child.wait().unwrap();
    watchdog.off();
}

/// What was kept of a host that is away is shown, or it is none, whatever has become of the file; and it drives no terminal.
#[test]
fn a_kept_list_may_be_damaged() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").codex(&Codex::stand_in(&sandbox, &json!({}))).build();
    sandbox.run(&["run", "devbox:", "say \u{1b}]0;evil\u{7}\u{9b}2J"]).exits(0);
    sandbox.run(&["threads", "devbox"]).exits(0);
    let kept = sandbox.codex_home().join("outpost/threads/devbox.json");
    let whole = std::fs::read(&kept).unwrap();
    std::fs::write(host.sshd_config(), "broken").unwrap();
    let damaged = (0..whole.len()).step_by(whole.len() / 12).flat_map(|at| {
        let (mut put, mut cut) = (whole.clone(), whole.clone());
        put.splice(at..at, *b"\x1b[2J\xff");
        cut.truncate(at);
        [put, cut]
    });
    for bytes in [whole.clone()].into_iter().chain(damaged) {
        std::fs::write(&kept, &bytes).unwrap();
        let ran = sandbox.run(&["threads", "devbox"]).exits(5);
        assert!(!ran.stdout.chars().any(|c| c.is_control() && c != '\n') && ran.stdout.starts_with("devbox"), "{:?}", ran.stdout);
        let ran = sandbox.run(&["threads", "devbox", "--json"]).exits(5);
        assert!(serde_json::from_str::<Value>(&ran.stdout).unwrap().is_array());
    }
}
