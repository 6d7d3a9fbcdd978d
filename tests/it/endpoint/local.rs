//! What of this machine stands in the way of `endpoint` and `open`, said before a host is asked.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use super::clients::Client;
use super::served::Served;
use crate::bed::{Codex, Sandbox, process};

/// A sandbox whose host nobody needs to reach.
fn bed() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add_ssh_config("Host devbox\n  HostName 192.0.2.1\n");
    sandbox
}

#[test]
fn a_folder_that_others_may_use_is_a_matter_of_this_machine() {
    let sandbox = bed();
    let folder = sandbox.path().join("run/outpost");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = sandbox.run(&["endpoint", "devbox"]).exits(1);
    insta::assert_snapshot!(sandbox.stable(&ran.stderr), @r"
    error[local-folder-foreign]: use the folder [SANDBOX]/run/outpost
      said: others may use it: mode 755
      try:  remove it, or make it yours: chmod 700 [SANDBOX]/run/outpost
    ");
}

#[test]
fn a_port_that_is_taken_is_told_with_the_way_out() {
    let sandbox = bed();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = sandbox.run(&["endpoint", "devbox", "--ws", "--port", &port]).exits(1);
    insta::assert_snapshot!(ran.stderr.replace(&port, "PORT"), @r"
    error[port-taken]: listen on 127.0.0.1 port PORT
      said: Address already in use (os error 98)
      try:  choose another --port; 0 lets the system choose
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_path_outlives_a_kill_and_has_one_endpoint() {
    let sandbox = Sandbox::new();
    let _host = sandbox.host("devbox").codex(&Codex::stand_in(&sandbox, &json!({}))).build();
    let path = sandbox.path().join("mine/codex.sock").display().to_string();
    let served = Served::begin(&sandbox, &["--socket", &path]).await;
    assert_eq!(served.said["unix"], format!("unix://{path}"));
    let ran = tokio::task::block_in_place(|| sandbox.run(&["endpoint", "devbox", "--socket", &path])).exits(1);
    insta::assert_snapshot!(sandbox.stable(&ran.stderr), @r"
    error[local-socket-taken]: serve at [SANDBOX]/mine/codex.sock
      said: somebody serves there already
      try:  end the other one, or choose another path
    ");
    served.kill();
    drop(served);
    assert!(std::path::Path::new(&path).exists());
    let served = Served::begin(&sandbox, &["--socket", &path]).await;
    Client::join(&served, "again").await;
}

/// A program that plays the codex of this machine; its folder is the only one on PATH besides ssh's.
fn open(sandbox: &Sandbox, script: &str) -> Command {
    let codex = sandbox.write("local/codex", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&codex, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = sandbox.outpost(&["open", "devbox:"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", codex.parent().unwrap().display()));
    command
}

#[test]
fn a_local_codex_that_knows_no_socket_is_told_before_the_host_is_asked() {
    let sandbox = bed();
    let ran = process::run(&mut open(&sandbox, "echo 'Usage: codex --remote ws://host:port'"), b"").exits(1);
    insta::assert_snapshot!(sandbox.stable(&ran.stderr), @r"
    error[local-codex-too-old]: look whether [SANDBOX]/local/codex can use a host
      said: its --remote takes no unix:// address
      try:  npm install -g @openai/codex@latest; or work without it: outpost run HOST:PATH
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_the_local_codex_is_passed_on() {
    let sandbox = Sandbox::new();
    let _host = sandbox.host("devbox").codex(&Codex::stand_in(&sandbox, &json!({}))).build();
    for (script, status) in [("exit 7", 7), ("kill -TERM $$", 143), ("exit 0", 0)] {
        let mut command = open(&sandbox, &format!("[ \"$1\" = --help ] && echo unix://PATH && exit\n{script}"));
        let ran = tokio::task::block_in_place(|| process::run(&mut command, b"")).exits(status);
        // Nobody used the address.
        assert!(!ran.stderr.contains("that address"), "{}", ran.stderr);
    }
}
