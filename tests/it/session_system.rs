//! The system's `ssh` as the carrier, against a real `sshd -i`.

use std::process::Stdio;

use outpost::failure::{Code, Failure};
use outpost::host::resolve::resolve;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::exec::ExitStatus;
use outpost::ssh::forward::Listen;
use outpost::ssh::session::{Context, Session};
use outpost::step::Nobody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::Sandbox;

async fn open(sandbox: &Sandbox, alias: &str) -> Result<Session, Failure> {
    let local = sandbox.local();
    let target = resolve(&local, &alias.parse().unwrap()).await?;
    Session::open_with_system_ssh(&target, &Context { local: &local, ask: &NobodyToAsk, watch: &Nobody }).await
}

async fn said(session: &Session, command: &str) -> (String, ExitStatus) {
    let mut exec = session.exec(command).await.unwrap();
    let mut out = String::new();
    exec.stdout.read_to_string(&mut out).await.unwrap();
    (out, exec.wait().await)
}

#[tokio::test]
async fn one_login_carries_everything() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("dev").ssh("RemoteCommand sudo -iu nobody").ssh("RequestTTY yes").build();
    let session = open(&sandbox, "dev").await.unwrap();
    assert_eq!(said(&session, "echo one; exit 3").await, ("one\n".into(), ExitStatus::Code(3)));
    assert_eq!(said(&session, "echo two").await, ("two\n".into(), ExitStatus::Code(0)));

    let path = sandbox.path().join("s");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let mut ours = session.unix_socket(path.to_str().unwrap()).await.unwrap();
    let mut theirs = listener.accept().await.unwrap().0;
    ours.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    theirs.read_exact(&mut four).await.unwrap();
    theirs.write_all(b"pong").await.unwrap();
    ours.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"pong");

    session.close().await;
    session.closed().await;
    assert_eq!(host.logins(), 1);
}

/// ssh would put what a variable of ours holds into the path, and the host, which names the path, would read it.
#[tokio::test]
async fn a_path_of_the_remote_is_taken_as_it_stands_or_not_at_all() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("dev").sshd("LogLevel DEBUG2").build();
    let mut local = sandbox.local();
    local.vars.insert("TOPSECRET".into(), "dolphin".into());
    let target = resolve(&local, &"dev".parse().unwrap()).await.unwrap();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    let session = Session::open_with_system_ssh(&target, &context).await.unwrap();
    let long = format!("/{}", "x".repeat(107));
    for path in ["/tmp/${TOPSECRET}", "/tmp/%u", "/tmp/a:b", "/tmp/a\\b", "/tmp/a\nb", "tmp/a", "", &long] {
        let failure = session.unix_socket(path).await.map(drop).unwrap_err();
        assert!(failure.code == Code::ChannelRefused && failure.said.starts_with("the path "), "{failure:?}");
        let listening = session.listen(Listen::Unix { path: path.to_owned() }).await.map(drop).unwrap_err();
        assert!(listening.said.starts_with("the path "), "{listening:?}");
    }
    session.unix_socket("/tmp/no-such-socket").await.map(drop).ok();
    session.close().await;
    let log = host.log();
    assert!(log.contains("/tmp/no-such-socket"), "it shows what is asked for: {log}");
    assert!(!log.contains("dolphin") && !log.contains("/tmp/a"), "{log}");
}

#[tokio::test]
async fn a_living_control_master_is_used() {
    let sandbox = Sandbox::new();
    let control = sandbox.path().join("cm");
    let host = sandbox.host("dev").ssh(&format!("ControlPath {}", control.display())).build();
    let mut master = tokio::process::Command::new("ssh");
    master.arg("-F").arg(sandbox.ssh_config()).args(["-oControlMaster=yes", "dev", "echo up; exec cat"]);
    master.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut master = master.spawn().unwrap();
    let mut up = [0; 3];
    master.stdout.take().unwrap().read_exact(&mut up).await.unwrap();

    let session = open(&sandbox, "dev").await.unwrap();
    assert_eq!(said(&session, "echo here").await.0, "here\n");
    session.close().await;
    assert_eq!((host.logins(), session.facts().auth.as_str()), (1, "your running ssh (ControlMaster)"));

    let session = open(&sandbox, "dev").await.unwrap();
    assert_eq!(said(&session, "echo again").await.0, "again\n", "closing our session must not end the person's master");
    let mut closed = std::pin::pin!(session.closed());
    assert!(futures_util::poll!(closed.as_mut()).is_pending());
    master.kill().await.unwrap();
    closed.await;
    assert_eq!(host.logins(), 1);
}

/// What russh cannot do is named together with the way out, and that way leads to a codex.
#[tokio::test]
async fn a_server_for_the_system_ssh_only() {
    let sandbox = Sandbox::new();
    let only = sandbox.host("dev").sshd("KexAlgorithms sntrup761x25519-sha512@openssh.com");
    let host = only.codex(&crate::bed::Codex::real("http://127.0.0.1:9/v1")).build();
    let ran = sandbox.run(&["check", "dev"]).exits(5);
    assert!(ran.stdout.contains("[ssh-no-common-algorithm]") && ran.stdout.contains("--carrier ssh"), "{}", ran.stdout);
    assert_eq!(host.logins(), 0);
    let ran = sandbox.run(&["check", "dev", "--carrier", "ssh"]);
    assert!(ran.stdout.contains("✓ app-server"), "{}", ran.stdout);
    assert_eq!(host.logins(), 1);
}

/// FIELD-FAILURES.md row 14: ssh takes the first of two values, so one that is given twice may do nothing. We give each once, and
/// never BatchMode, which is the person's to say.
#[tokio::test]
async fn field_14_no_option_is_given_twice() {
    let sandbox = Sandbox::new();
    let log = sandbox.path().join("argv");
    let script =
        format!("#!/bin/sh\nfor word; do echo \"$word\"; done >>{0}\necho END >>{0}\nexec /usr/bin/ssh \"$@\"\n", log.display());
    let program = sandbox.write("bin/ssh", &script);
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.host("dev").ssh("BatchMode no").build();
    let mut local = sandbox.local();
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    local.vars.insert("PATH".into(), path.into());
    let target = resolve(&local, &"dev".parse().unwrap()).await.unwrap();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    let session = Session::open_with_system_ssh(&target, &context).await.unwrap();
    assert_eq!(said(&session, "echo x").await.0, "x\n");
    session.close().await;
    let calls = std::fs::read_to_string(&log).unwrap();
    for call in calls.split("END\n") {
        let words: Vec<&str> = call.lines().collect();
        let mut options: Vec<String> =
            words.iter().filter_map(|w| w.split_once('=')).map(|(name, _)| name.to_ascii_lowercase()).collect();
        let all = options.len();
        options.sort();
        options.dedup();
        assert_eq!(options.len(), all, "{call}");
        assert!(!options.iter().any(|o| o == "batchmode"), "{call}");
    }
    assert!(calls.matches("END\n").count() >= 4, "{calls}");
}

#[tokio::test]
async fn no_further_session_is_no_second_login() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("dev").sshd("MaxSessions 1").build();
    let session = open(&sandbox, "dev").await.unwrap();
    let mut first = session.exec("echo x; exec cat").await.unwrap();
    first.stdout.read_u8().await.unwrap();
    let (out, status) = said(&session, "echo y").await;
    assert_eq!((out.as_str(), status), ("", ExitStatus::Code(255)));
    drop(first);
    assert_eq!(host.logins(), 1);
}

#[tokio::test]
async fn sshs_refusals_have_our_codes() {
    let sandbox = Sandbox::new();
    sandbox.host("unknown").ssh("StrictHostKeyChecking yes").unknown().build();
    sandbox.host("locked").sshd("PubkeyAuthentication no").build();
    sandbox.host("gone").ssh("ProxyCommand exit 1").build();
    for (alias, code) in [("unknown", Code::HostKeyUnknown), ("locked", Code::AuthRefused), ("gone", Code::AuthCut)] {
        let failure = open(&sandbox, alias).await.map(drop).unwrap_err();
        assert_eq!(failure.code, code, "{alias}: {failure:?}");
    }
}
