//! Many hosts at once: each has its thread, and one that is dead and one that is slow hold nobody up.
//!
//! `OUTPOST_TEST_HOSTS=50 cargo test --test it many::` is the size that the project promises; here there are fewer.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::bed::{Codex, Sandbox};

#[expect(clippy::disallowed_methods, reason = "a test is its own main")]
fn hosts() -> usize {
    std::env::var("OUTPOST_TEST_HOSTS").ok().and_then(|count| count.parse().ok()).unwrap_or(5)
}

/// So many hosts `h0`, `h1` …, one `dead` that says nothing, and one `slow` whose shell waits for a gate.
struct Fleet {
    sandbox: Sandbox,
    names: Vec<String>,
    gate: PathBuf,
}

impl Fleet {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let codex = Codex::stand_in(&sandbox, &serde_json::json!({}));
        let names: Vec<String> = (0..hosts()).map(|number| format!("h{number}")).collect();
        for name in &names {
            sandbox.host(name).codex(&codex).build();
        }
        let gate = sandbox.path().join("gate");
        std::fs::write(&gate, "").unwrap();
        sandbox.host("slow").rc(".profile", &format!("cat '{}'", gate.display())).codex(&codex).build();
        sandbox.add_ssh_config("Host dead\n  ProxyCommand sleep 1000\n  ConnectTimeout 2\n");
        Self { sandbox, names, gate }
    }

    /// Shuts the gate: whoever reads it waits.
    fn shut(&self) {
        std::fs::remove_file(&self.gate).unwrap();
        nix::unistd::mkfifo(&self.gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }

    /// Opens it for those who wait and for those who come.
    fn open(&self) {
        let waiting = std::fs::OpenOptions::new().write(true).open(&self.gate).unwrap();
        std::fs::remove_file(&self.gate).unwrap();
        std::fs::write(&self.gate, "").unwrap();
        drop(waiting);
    }

    /// Runs a command with the gate shut until so many lines hold some words, then opens it; gives the exit code and all it said.
    fn until(&self, mut command: Command, words: &str, count: usize) -> (Option<i32>, String) {
        self.shut();
        let errors = std::fs::File::create(self.sandbox.path().join("errors")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (mut text, mut seen) = (String::new(), 0);
        while seen < count {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "it ended early: {text}\n{}", self.errors());
            seen += usize::from(line.contains(words));
            text.push_str(&line);
        }
        self.open();
        out.read_to_string(&mut text).unwrap();
        (child.wait().unwrap().code(), text)
    }

    fn errors(&self) -> String {
        std::fs::read_to_string(self.sandbox.path().join("errors")).unwrap()
    }
}

#[test]
fn field_59_a_dead_and_a_slow_host_hold_nobody_up() {
    let fleet = Fleet::new();
    let count = fleet.names.len();
    let places = |names: &[&str]| names.iter().flat_map(|name| ["-p".to_owned(), format!("{name}:")]).collect::<Vec<_>>();
    let all: Vec<&str> = fleet.names.iter().map(String::as_str).chain(["slow", "dead"]).collect();
    let places = places(&all);
    let words: Vec<&str> = ["run"].into_iter().chain(places.iter().map(String::as_str)).chain(["say I am here"]).collect();
    let began = Instant::now();
    let (code, text) = fleet.until(fleet.sandbox.outpost(&words), "I am here", count);
    println!("run in {count} places and two: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(text.matches("I am here").count(), count + 1, "{text}\n{}", fleet.errors());
    assert_eq!(code, Some(5), "the worst outcome decides: {}", fleet.errors());
    assert!(fleet.errors().contains("[dead:] error[ssh-"), "{}", fleet.errors());

    let words: Vec<&str> = ["threads"].into_iter().chain(all.iter().copied()).collect();
    let began = Instant::now();
    let (code, text) = fleet.until(fleet.sandbox.outpost(&words), "I am here", count);
    println!("threads of {count} hosts and two: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(text.matches("I am here").count(), count + 1, "{text}");
    assert!(text.contains("dead\n  ✗ "), "{text}");
    assert_eq!(code, Some(5), "{}", fleet.errors());

    // What was listed once is shown, with its age, when the host is away.
    let config = fleet.sandbox.ssh_config();
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("Host h0\n  ProxyCommand false\n{text}")).unwrap();
    let ran = fleet.sandbox.run(&["threads", "h0"]).exits(5);
    assert!(ran.stdout.contains("  as it was ") && ran.stdout.contains("I am here"), "{}", ran.stdout);
    let ran = fleet.sandbox.run(&["threads", "h0", "--json"]).exits(5);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(told[0]["as_of"].is_i64() && told[0]["error"]["code"].is_string(), "{told}");
}
