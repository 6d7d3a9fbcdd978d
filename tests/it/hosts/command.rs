//! `outpost hosts` as a person or a script runs it.

use serde_json::{Value, json};

use crate::bed::Sandbox;

const CONFIG: &str = "Host devbox\n  HostName 10.0.0.7\n  User me\n  Port 2222\n  ProxyJump gate\n  IdentityFile ~/.ssh/id\n\n\
    Host gate\n  HostName gate.example.com\n  User ops\n\nHost *.lan\n  User x\n";

fn sandbox(config: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add_ssh_config(config);
    sandbox
}

fn json(sandbox: &Sandbox, args: &[&str]) -> Vec<Value> {
    serde_json::from_str(&sandbox.run(args).exits(0).stdout).unwrap()
}

fn aliases(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["alias"].as_str().unwrap()).collect()
}

/// A program on PATH that leaves a mark when it is run.
fn tripwire(sandbox: &Sandbox, name: &str) -> std::path::PathBuf {
    let path = sandbox.write(&format!("trip/{name}"), "#!/bin/sh\ntouch \"$HOME/ran\"\n");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path.parent().unwrap().to_owned()
}

#[test]
fn the_list_for_people() {
    let sandbox = sandbox(CONFIG);
    insta::assert_snapshot!(sandbox.stable(&sandbox.run(&["hosts"]).exits(0).stdout), @r"
    devbox  [SANDBOX]/ssh_config:1
    gate    [SANDBOX]/ssh_config:8
    ");
    insta::assert_snapshot!(sandbox.stable(&sandbox.run(&["hosts", "--resolve"]).exits(0).stdout), @r"
    devbox  [SANDBOX]/ssh_config:1  me@10.0.0.7:2222 through gate
    gate    [SANDBOX]/ssh_config:8  ops@gate.example.com
    ");
}

#[test]
fn the_list_for_scripts() {
    let sandbox = sandbox(CONFIG);
    let file = sandbox.ssh_config().display().to_string();
    let rows = json(&sandbox, &["hosts", "--json"]);
    let row = |alias: &str, line: u32| json!({"alias": alias, "file": file, "line": line, "resolved": null, "error": null, "in_use": true});
    assert_eq!(rows, [row("devbox", 1), row("gate", 8)]);
    let rows = json(&sandbox, &["hosts", "--resolve", "--json"]);
    assert_eq!(
        rows[0]["resolved"],
        json!({"hostname": "10.0.0.7", "user": "me", "port": 2222, "proxyjump": "gate", "identityfile": ["~/.ssh/id"]})
    );
    assert_eq!(rows[1]["resolved"]["proxyjump"], Value::Null);
}

#[test]
fn a_bad_line_is_told_and_the_rest_listed() {
    let sandbox = sandbox("Host 'x\nHost a\nInclude ''\n");
    let ran = sandbox.run(&["hosts"]).exits(0);
    assert!(ran.stdout.starts_with("a  "));
    insta::assert_snapshot!(sandbox.stable(&ran.stderr), @r"
    warning: [SANDBOX]/ssh_config:1: invalid quotes
    warning: [SANDBOX]/ssh_config:3: keyword include empty argument
    ");
}

#[test]
fn what_drives_a_terminal_is_shown_not_sent() {
    let sandbox = sandbox("Host a\u{1b}]0;x\u{7}\nHost b\nInclude \u{9b}2J\u{202e}\n");
    for args in [&["hosts"][..], &["hosts", "--resolve"], &["hosts", "--resolve", "--json"]] {
        let ran = sandbox.run(args).exits(0);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!all.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{all:?}");
    }
}

#[test]
fn no_hosts_is_said() {
    let sandbox = sandbox("Host *\n  User x\n");
    let ran = sandbox.run(&["hosts"]).exits(0);
    assert_eq!(ran.stdout, "");
    insta::assert_snapshot!(sandbox.stable(&ran.stderr), @"no hosts: none in [SANDBOX]/ssh_config; a host is a line `Host NAME` in your ssh configuration");
    let ran = sandbox.run(&["-F", "none", "hosts"]).exits(0);
    assert_eq!(ran.stderr, "no hosts: no file was read; a host is a line `Host NAME` in your ssh configuration\n");
    assert_eq!(json(&sandbox, &["hosts", "--json"]), Vec::<Value>::new());
}

#[test]
fn minus_f_picks_another_file() {
    let sandbox = sandbox("Host a\n");
    let other = sandbox.write("other", "Host b\n");
    assert_eq!(aliases(&json(&sandbox, &["-F", other.to_str().unwrap(), "hosts", "--json"])), ["b"]);
    assert_eq!(aliases(&json(&sandbox, &["hosts", "--json", "-F", other.to_str().unwrap()])), ["b"]);
    let ran = sandbox.run(&["hosts", "-F", "/nowhere/config"]).exits(4);
    insta::assert_snapshot!(ran.stderr, @r"
    error[ssh-config-unreadable]: read /nowhere/config
      said: No such file or directory (os error 2)
      try:  name the ssh configuration with -F FILE, or mend what ~/.ssh/config leads to
    ");
}

#[test]
fn a_file_that_is_no_configuration_is_exit_4() {
    let sandbox = sandbox("");
    let huge = sandbox.path().join("huge");
    std::fs::File::create(&huge).unwrap().set_len(200 << 20).unwrap();
    for (path, said) in [(huge.to_str().unwrap(), "bytes; at most"), (sandbox.path().to_str().unwrap(), "it is a directory")] {
        let ran = sandbox.run(&["hosts", "-F", path]).exits(4);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}

/// OpenSSH does not ask for UTF-8; a host whose name is none is told, the others are listed.
#[test]
fn bytes_that_are_not_utf8_cost_their_line() {
    let sandbox = sandbox("");
    std::fs::write(sandbox.ssh_config(), b"# caf\xe9\nHost a\xff\nHost b\n  User \xff\n").unwrap();
    let ran = sandbox.run(&["hosts", "--json"]).exits(0);
    assert_eq!(aliases(&serde_json::from_str::<Vec<Value>>(&ran.stdout).unwrap()), ["b"]);
    assert!(ran.stderr.contains(":2: host 'a\u{fffd}' is not UTF-8"), "{}", ran.stderr);
}

#[test]
fn choosing_hosts() {
    let sandbox = sandbox("Host a\nHost b\nHost c\n");
    let said = |args: &[&str]| sandbox.run(args).exits(0).stdout;
    assert_eq!(said(&["hosts", "disable", "b"]), "in use: a, c\n");
    assert_eq!(said(&["hosts", "enable", "b"]), "in use: all hosts\n");
    assert_eq!(said(&["hosts", "enable", "a", "c"]), "in use: a, c\n");
    assert!(said(&["hosts"]).contains("(not in use)"));
    assert_eq!(said(&["hosts", "enable", "--all"]), "in use: all hosts\n");
    let ran = sandbox.run(&["hosts", "enable", "aa", "b"]).exits(4);
    insta::assert_snapshot!(ran.stderr, @r"
    error[host-unknown]: no Host line of the ssh configuration names 'aa'
      try:  did you mean a? `outpost hosts` lists all
    ");
    sandbox.run(&["hosts", "enable"]).exits(2);
}

#[test]
fn choices_are_told_in_json() {
    let sandbox = sandbox("Host a\nHost b\n");
    let said = |args: &[&str]| sandbox.stable(&sandbox.run(args).exits(0).stdout);
    assert_eq!(said(&["hosts", "disable", "b", "--json"]), "{\"in_use\":[\"a\"]}\n");
    assert_eq!(said(&["hosts", "enable", "--all", "--json"]), "{\"in_use\":[\"a\",\"b\"]}\n");
    let file = "[SANDBOX]/codex-home/outpost/hosts.toml";
    assert_eq!(said(&["hosts", "set", "a", "carrier=ssh", "--json"]), format!("{{\"host\":\"a\",\"file\":\"{file}\"}}\n"));
    assert_eq!(said(&["hosts", "remove", "a", "--json"]), "{\"forgotten\":[\"a\"]}\n");
}

/// A host that is not in use, or not there, is refused before anything is tried.
#[test]
fn hosts_that_cannot_be_used() {
    let sandbox = sandbox("Host devbox prod\n  ProxyCommand touch $HOME/ran\n");
    sandbox.run(&["hosts", "disable", "prod"]).exits(0);
    insta::assert_snapshot!(sandbox.run(&["run", "prod:/tmp", "hello"]).exits(4).stderr, @r"
    error[host-disabled]: prod: this host is not in use
      said: it is switched off
      try:  outpost hosts enable prod
    ");
    insta::assert_snapshot!(sandbox.run(&["run", "devbx:/tmp", "hello"]).exits(4).stderr, @r"
    error[host-unknown]: no Host line of the ssh configuration names 'devbx'
      try:  did you mean devbox? `outpost hosts` lists all
    ");
    assert!(!sandbox.home().join("ran").exists());
}

/// Whether our script runs on a real host whose block says `lines` too.
fn shell_answers(lines: &str) -> bool {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    sandbox.add_ssh_config(&format!("Host devbox\n{lines}"));
    let checked: Value = serde_json::from_str(&sandbox.run(&["check", "devbox", "--json"]).stdout).unwrap();
    let steps = checked[0]["steps"].as_array().unwrap();
    steps.iter().any(|step| step["step"] == "login shell" && step["ok"] == true)
}

#[test]
fn field_02_remote_command_is_passed_over() {
    assert!(shell_answers("  RemoteCommand sudo -iu nobody\n  RequestTTY force\n"));
}

/// Forwards of the configuration are not ours to open: a port that is taken does not matter.
#[test]
fn field_03_forwards_are_passed_over() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    assert!(shell_answers(&format!("  LocalForward {port} 127.0.0.1:9\n  ExitOnForwardFailure yes\n")));
}

#[test]
fn settings_of_a_host() {
    let sandbox = sandbox("Host devbox\n");
    sandbox.run(&["hosts", "set", "devbox", "codex=~/bin/codex", "env.HTTPS_PROXY=http://p:1", "carrier=ssh"]).exits(0);
    insta::assert_snapshot!(std::fs::read_to_string(sandbox.codex_home().join("outpost/hosts.toml")).unwrap(), @r#"
    [hosts.devbox]
    codex = "~/bin/codex"
    env = { HTTPS_PROXY = "http://p:1" }
    carrier = "ssh"
    "#);
    // What bash makes of an unquoted codex=~/bin/codex.
    let here = sandbox.home().join("bin/codex");
    let ran = sandbox.run(&["hosts", "set", "devbox", &format!("codex={}", here.display()), "codex_home=/srv/x"]).exits(0);
    let note = "begins with your home on this machine; if your shell made that of ~, quote it: 'codex=~/bin/codex'";
    assert!(ran.stderr.lines().count() == 1 && ran.stderr.contains(note), "{ran:?}");
    let ran = sandbox.run(&["hosts", "set", "devbox", "codx=/x"]).exits(2);
    insta::assert_snapshot!(ran.stderr, @r"
    error[usage]: setting 'codx=/x'
      said: unknown key `codx`
      try:  did you mean `codex` or `codex_home`?
    ");
    sandbox.write("codex-home/outpost/hosts.toml", "[hosts.devbox]\ncodex_hme = \"/x\"\n");
    let ran = sandbox.run(&["hosts"]).exits(4);
    insta::assert_snapshot!(sandbox.stable(&ran.stderr), @r"
    error[settings-broken]: [SANDBOX]/codex-home/outpost/hosts.toml:2:1
      said: unknown key `codex_hme`
      try:  did you mean `codex_home` or `codex`?
    ");
}

/// One option that ssh refuses: both hosts are listed, both with ssh's words; IgnoreUnknown heals.
#[test]
fn field_01_one_bad_option() {
    let sandbox = sandbox("UseKeychain yes\nHost a\n  HostName 10.0.0.1\nHost b\n");
    let rows = json(&sandbox, &["hosts", "--resolve", "--json"]);
    assert_eq!(aliases(&rows), ["a", "b"]);
    for row in &rows {
        let error = row["error"].as_str().unwrap();
        assert!(error.contains("line 1: Bad configuration option: usekeychain"), "{error}");
    }
    insta::assert_snapshot!(sandbox.stable(&sandbox.run(&["hosts", "--resolve"]).exits(0).stdout), @r"
    a  [SANDBOX]/ssh_config:2  ✗ ssh refuses:
       [SANDBOX]/ssh_config: line 1: Bad configuration option: usekeychain
       [SANDBOX]/ssh_config: terminating, 1 bad configuration options
    b  [SANDBOX]/ssh_config:4  ✗ ssh refuses:
       [SANDBOX]/ssh_config: line 1: Bad configuration option: usekeychain
       [SANDBOX]/ssh_config: terminating, 1 bad configuration options
    ");
    sandbox.write("ssh_config", "IgnoreUnknown UseKeychain\nUseKeychain yes\nHost a\n  HostName 10.0.0.1\nHost b\n");
    let rows = json(&sandbox, &["hosts", "--resolve", "--json"]);
    assert!(rows.iter().all(|row| row["error"].is_null() && row["resolved"].is_object()), "{rows:?}");
}

/// Listing many hosts, most of them out of reach: quick, no program, no socket.
#[test]
fn field_04_listing_probes_nothing() {
    let mut config = String::from("Match exec \"touch $HOME/ran\"\n  User x\n");
    for n in 0..10_000 {
        config.push_str(&format!("Host h{n}\n  HostName 192.0.2.{}\n  ProxyCommand touch $HOME/ran\n", n % 250));
    }
    let sandbox = sandbox(&config);
    let trip = tripwire(&sandbox, "ssh");
    let log = sandbox.path().join("calls");
    let mut command = std::process::Command::new("strace");
    sandbox.clean(&mut command);
    command.args(["-f", "-e", "trace=%network,execve", "-o"]).arg(&log).arg(env!("CARGO_BIN_EXE_outpost")).arg("hosts");
    command.env("PATH", format!("{}:/usr/bin:/bin", trip.display()));
    let listed = command.output().expect("strace is installed").stdout;
    assert_eq!(String::from_utf8_lossy(&listed).lines().count(), 10_000);
    let calls = std::fs::read_to_string(log).unwrap();
    // libc asks the password database through a socket of its own.
    // A thread that was in some call when the process ended is written as "???(".
    let news = |line: &&str| !["+++", "AF_UNIX", "???("].iter().any(|usual| line.contains(usual));
    let calls: Vec<_> = calls.lines().filter(news).collect();
    assert_eq!(calls.len(), 1, "its own start alone: {calls:?}");
    assert!(!sandbox.home().join("ran").exists());
}

/// A host that is gone from the configuration is shown as gone, can be removed, and does not disturb the others.
#[test]
fn field_05_alias_removed() {
    let sandbox = sandbox("Host a\nHost b\n");
    sandbox.run(&["hosts", "set", "b", "codex=/opt/codex"]).exits(0);
    sandbox.write("ssh_config", "Host a\n");
    insta::assert_snapshot!(sandbox.stable(&sandbox.run(&["hosts"]).exits(0).stdout), @r"
    a  [SANDBOX]/ssh_config:1
    b  gone from the ssh configuration      forget it: outpost hosts remove b
    ");
    let rows = json(&sandbox, &["hosts", "--resolve", "--json"]);
    assert_eq!(
        rows[1],
        json!({"alias": "b", "file": null, "line": null, "resolved": null, "error": "gone from the ssh configuration", "in_use": false})
    );
    assert!(rows[0]["resolved"].is_object());
    assert_eq!(sandbox.run(&["hosts", "remove", "b"]).exits(0).stdout, "b: forgotten\n");
    assert_eq!(aliases(&json(&sandbox, &["hosts", "--json"])), ["a"]);
    sandbox.run(&["hosts", "remove", "b"]).exits(4);
}

/// `Match exec` runs when a host is resolved, never while listing.
#[test]
fn field_07_match_exec_is_lazy() {
    let sandbox = sandbox("Match originalhost z exec \"touch $HOME/ran\"\n  Port 5\nHost z\n  User x\n");
    sandbox.run(&["hosts"]).exits(0);
    assert!(!sandbox.home().join("ran").exists());
    let rows = json(&sandbox, &["hosts", "--resolve", "--json"]);
    assert!(sandbox.home().join("ran").exists());
    assert_eq!(rows[0]["resolved"]["port"], 5);
}
