//! The demonstration and its parts: the host in this process, the stand-in for codex.

use std::path::Path;
use std::process::{Command, Stdio};

use outpost::demo::script::PROMPT;
use outpost::demo::stage::Stage;
use outpost::rpc::lines;
use outpost::rpc::peer::{Incoming, Peer};
use serde_json::{Value, json};

use crate::bed::{Codex, Sandbox, on_a_terminal};

/// A machine whose PATH holds no codex.
fn person(sandbox: &Sandbox) -> outpost::paths::Local {
    let mut local = sandbox.local();
    local.vars.insert("PATH".into(), "/usr/bin:/bin".into());
    local
}

#[tokio::test]
async fn the_real_ssh_logs_in_to_the_stage() {
    let sandbox = Sandbox::new();
    let stage = Stage::set(&person(&sandbox), Path::new(env!("CARGO_BIN_EXE_outpost"))).await.unwrap();
    assert_eq!(stage.codex, None);
    let config = stage.local.ssh_config.clone().unwrap();
    let ssh = |command: &'static str| {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&config).args(["devbox", command]).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || ssh.output().unwrap())
    };
    let ran = ssh("sh -lc 'codex --version; cat; exit 7'").await.unwrap();
    assert_eq!((ran.status.code(), String::from_utf8_lossy(&ran.stdout).as_ref()), (Some(7), "codex-cli 0.169.0\n"), "{ran:?}");
    let ran = ssh("echo gone >&2; setsid sleep 1000 >/dev/null 2>&1 </dev/null & echo $!").await.unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "gone\n");
    let pid: i32 = String::from_utf8_lossy(&ran.stdout).trim().parse().unwrap();
    let folder = stage.path().to_owned();
    drop(stage);
    assert!(!folder.exists() && !crate::bed::alive(pid));
}

/// Plays the demonstration's turn with a stand-in on standard input and output; the methods seen, and the last diff.
async fn turn(sandbox: &Sandbox, decision: &str) -> (Vec<String>, String, Vec<Value>) {
    let mut command = tokio::process::Command::from(sandbox.outpost(&["stand-in", "app-server", "--listen", "stdio://"]));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let stream = tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let (peer, mut incoming) = Peer::start(lines::client(Box::new(stream)));
    let call = async |method: &str, params: Value| peer.call(method, params).await.unwrap();
    call("initialize", json!({"clientInfo": {"name": "it", "version": "1"}})).await;
    let folder = sandbox.path().join("work");
    let started = call("thread/start", json!({ "cwd": folder })).await;
    let thread = started["thread"]["id"].as_str().unwrap().to_owned();
    call("turn/start", json!({"threadId": thread, "input": [{"type": "text", "text": PROMPT}]})).await;
    let (mut methods, mut diff) = (Vec::new(), String::new());
    while let Some(message) = incoming.recv().await {
        let (method, params) = match message {
            Incoming::Request { id, method, .. } => {
                peer.respond(id, Ok(json!({"decision": decision}))).await.unwrap();
                (method, Value::Null)
            }
            Incoming::Notification { method, params } => (method, params),
        };
        if method == "turn/diff/updated" {
            params["diff"].as_str().unwrap().clone_into(&mut diff);
        }
        methods.push(method.clone());
        if method == "turn/completed" {
            break;
        }
    }
    let items = call("thread/items/list", json!({"threadId": thread})).await;
    let items = items["data"].as_array().unwrap().iter().map(|entry| entry["item"].clone()).collect();
    (methods, diff, items)
}

#[tokio::test]
async fn the_stand_in_plays_the_demonstration() {
    let sandbox = Sandbox::new();
    sandbox.write("work/greeting.txt", outpost::demo::script::GREETING);
    let (methods, diff, items) = turn(&sandbox, "decline").await;
    assert!(methods.contains(&"item/commandExecution/requestApproval".to_owned()), "{methods:?}");
    assert!(diff.contains("-Hello, nobody!\n+Hello from devbox!\n"), "{diff}");
    let states = items.iter().filter_map(|item| Some(format!("{} {}", item["type"].as_str()?, item["status"].as_str()?)));
    let states: Vec<String> = states.collect();
    assert_eq!(states, ["commandExecution completed", "fileChange completed", "commandExecution declined"]);
}

#[test]
fn the_stand_in_fails_as_it_is_told() {
    let sandbox = Sandbox::new();
    let stand_in = Codex::stand_in(&sandbox, &json!({"version": "0.1.0", "die": "no disk"}));
    let host = sandbox.host("devbox").codex(&stand_in).build();
    assert_eq!(host.ssh("bash -lc 'codex --version'").exits(0).stdout, "codex-cli 0.1.0\n");
    let ran = host.ssh("bash -lc 'codex app-server --listen unix://'");
    assert!(ran.status != 0 && ran.stderr.contains("no disk"), "{ran:?}");
}

/// The sandbox's own temporary folder, so that what is left can be seen.
fn demo(sandbox: &Sandbox, args: &[&str], path: &Path) -> Command {
    let folder = sandbox.path().join("tmp");
    std::fs::create_dir_all(&folder).unwrap();
    let mut command = sandbox.outpost(&[&["demo"], args].concat());
    command.env("TMPDIR", folder).env("PATH", format!("{}:/usr/bin:/bin", path.display()));
    command
}

fn nothing_is_left(sandbox: &Sandbox) {
    let left: Vec<_> = std::fs::read_dir(sandbox.path().join("tmp")).unwrap().flatten().map(|e| e.path()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(outpost::demo::leftovers::processes(sandbox.path()), [0; 0]);
}

#[test]
fn the_demonstration_runs_through_without_a_terminal() {
    let sandbox = Sandbox::without_gate();
    let ran = crate::bed::run(&mut demo(&sandbox, &[], Path::new("/nonexistent")), b"").exits(0);
    nothing_is_left(&sandbox);
    let mut settings = insta::Settings::clone_current();
    let differ = [
        (r"port \d+", "port PORT"),
        (r"SHA256:\S+", "SHA256:…"),
        (r" +\d+ ms", " N ms"),
        (r"outpost-demo-\w+", "DEMO"),
        (r"\d+\.\d s", "N s"),
        (r"To \S+:", "To USER:"),
    ];
    differ.iter().for_each(|(pattern, word)| settings.add_filter(pattern, *word));
    settings.bind(|| insta::assert_snapshot!(sandbox.stable(&ran.stdout)));
}

#[test]
fn the_demonstration_uses_the_codex_of_the_path() {
    let sandbox = Sandbox::without_gate();
    let ran = crate::bed::run(&mut demo(&sandbox, &["--yes"], &crate::bed::codex_folder()), b"").exits(0);
    nothing_is_left(&sandbox);
    for part in ["the codex of your PATH", "+Hello from devbox!", "  Hello from devbox!", "nothing is left"] {
        assert!(ran.stdout.contains(part), "{part}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn the_demonstration_needs_no_ssh() {
    let sandbox = Sandbox::without_gate();
    let folder = sandbox.path().join("without-ssh");
    std::fs::create_dir(&folder).unwrap();
    let programs = std::fs::read_dir("/usr/bin").unwrap().flatten();
    for program in programs.filter(|entry| !entry.file_name().to_string_lossy().starts_with("ssh")) {
        std::os::unix::fs::symlink(program.path(), folder.join(program.file_name())).unwrap();
    }
    let ran = crate::bed::run(demo(&sandbox, &[], Path::new("/nonexistent")).env("PATH", folder), b"").exits(0);
    assert!(ran.stdout.contains("nothing is left"), "{}", ran.stdout);
    nothing_is_left(&sandbox);
}

/// Runs the demonstration on a terminal of its own and answers its question with these keys.
fn answered(sandbox: &Sandbox, keys: &str) -> (Option<i32>, String) {
    on_a_terminal(&demo(sandbox, &[], Path::new("/nonexistent")), "[m]", &[keys])
}

#[test]
fn a_person_answers_the_approval() {
    let sandbox = Sandbox::without_gate();
    let (code, text) = answered(&sandbox, "n");
    assert!(code == Some(0) && text.contains("declined, not run") && text.contains("nothing is left"), "{code:?} {text}");
    nothing_is_left(&sandbox);
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let sandbox = Sandbox::without_gate();
    let (code, text) = answered(&sandbox, "\u{3}");
    assert!(code == Some(1) && text.contains("interrupted"), "{code:?} {text}");
    nothing_is_left(&sandbox);
}
