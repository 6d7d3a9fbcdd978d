//! Sessions against a real `sshd -i`.

use std::time::Duration;

use outpost::failure::{Code, Failure};
use outpost::host::resolve::resolve;
use outpost::paths::Local;
use outpost::ssh::ask::{Ask, NobodyToAsk};
use outpost::ssh::exec::{Exec, ExitStatus};
use outpost::ssh::session::{Context, Session};
use outpost::step::Nobody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::Sandbox;

pub(crate) async fn open_asking(local: &Local, alias: &str, ask: &dyn Ask) -> Result<Session, Failure> {
    let target = resolve(local, &alias.parse().unwrap()).await?;
    Session::open(&target, &Context { local, ask, watch: &Nobody }).await
}

pub(crate) async fn open(sandbox: &Sandbox, alias: &str) -> Result<Session, Failure> {
    open_asking(&sandbox.local(), alias, &NobodyToAsk).await
}

pub(crate) async fn said(session: &Session, command: &str) -> (String, ExitStatus) {
    let mut exec = session.exec(command).await.unwrap();
    let mut out = String::new();
    exec.stdout.read_to_string(&mut out).await.unwrap();
    (out, exec.wait().await)
}

#[tokio::test]
async fn a_command_runs_and_ends() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").ssh("SetEnv LAB_X=here").build();
    let session = open(&sandbox, "dev").await.unwrap();
    assert_eq!(said(&session, "echo $LAB_X; exit 7").await, ("here\n".into(), ExitStatus::Code(7)));

    let mut cat = session.exec("cat; echo done >&2").await.unwrap();
    cat.stdin.write_all(b"to and fro").await.unwrap();
    cat.stdin.shutdown().await.unwrap();
    let mut out = String::new();
    cat.stdout.read_to_string(&mut out).await.unwrap();
    assert_eq!(out, "to and fro");
    let stderr = cat.stderr.clone();
    assert_eq!(cat.wait().await, ExitStatus::Code(0));
    assert_eq!(stderr.text(), "done\n");

    session.ping(Duration::from_secs(5)).await.unwrap();
    assert!(session.facts().host_key.starts_with("ED25519 SHA256:"), "{:?}", session.facts());
    session.close().await;
    session.closed().await;
    assert_eq!(session.exec("true").await.err().unwrap().code, Code::LinkLost);
}

#[tokio::test]
async fn a_unix_socket_is_a_stream() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").build();
    let path = sandbox.path().join("s");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let session = open(&sandbox, "dev").await.unwrap();
    let (stream, accepted) = tokio::join!(session.unix_socket(path.to_str().unwrap()), listener.accept());
    let (mut ours, mut theirs) = (stream.unwrap(), accepted.unwrap().0);
    ours.write_all(b"ping").await.unwrap();
    let mut four = [0; 4];
    theirs.read_exact(&mut four).await.unwrap();
    theirs.write_all(b"pong").await.unwrap();
    ours.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"pong");
    drop(ours);
    assert_eq!(theirs.read(&mut four).await.unwrap(), 0);
}

/// A slot is free again when sshd has collected the process that held it: each ping gives it a turn.
async fn patiently(session: &Session, command: &str) -> Exec {
    for _ in 0..1000 {
        match session.exec(command).await {
            Ok(exec) => return exec,
            Err(failure) => assert_eq!(failure.code, Code::ChannelRefused, "{failure}"),
        }
        session.ping(Duration::from_secs(5)).await.unwrap();
    }
    panic!("no slot came free");
}

#[tokio::test]
async fn a_dropped_command_gives_its_slot_back() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").sshd("MaxSessions 2").build();
    let session = open(&sandbox, "dev").await.unwrap();
    for _ in 0..8 {
        let mut exec = patiently(&session, "echo x; exec cat").await;
        assert_eq!(exec.stdout.read_u8().await.unwrap(), b'x');
    }
}
