//! The system's `ssh` as the carrier, against a real `sshd -i`.

use std::process::Stdio;

use outpost::failure::{Code, Failure};
use outpost::host::resolve::resolve;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::exec::ExitStatus;
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
    drop(master.stdin.take());
    assert!(master.wait().await.unwrap().success(), "closing our session must not end the person's master");
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
