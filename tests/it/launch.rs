//! Starting and joining the app-server on a host: the real codex where it matters, small programs for the faults.

use outpost::config::hosts::HostSettings;
use outpost::failure::{Code, Failure};
use outpost::remote::{self, How, Remote, Want};
use outpost::step::Nobody;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::bed::{Codex, Host, Sandbox};
use crate::shells::session;

const NO_MODEL: &str = "http://127.0.0.1:9/v1";

async fn brought_up(sandbox: &Sandbox, host: &Host, want: Want) -> Result<Remote, Failure> {
    remote::bring_up(&session(sandbox, host).await, &HostSettings::default(), want, &Nobody).await
}

/// Asserts that a WebSocket server answers the HTTP upgrade.
async fn upgrades(remote: Remote) {
    let mut stream = BufReader::new(remote.server.stream);
    let ask = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "HTTP/1.1 101 Switching Protocols\r\n", "{}", remote.server.stderr.text());
}

#[tokio::test]
async fn a_server_is_started_then_joined() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").codex(&Codex::real(NO_MODEL)).build();
    let first = brought_up(&sandbox, &host, Want::server()).await.unwrap();
    assert_eq!(first.server.how, How::Started);
    upgrades(first).await;
    let second = brought_up(&sandbox, &host, Want::server().in_folder("~")).await.unwrap();
    assert_eq!(second.server.how, How::Joined);
    assert_eq!(second.facts.folder.as_deref(), host.home.to_str());
    upgrades(second).await;
    assert_eq!((host.logins(), host.sessions()), (2, 2));
}

#[tokio::test]
async fn a_check_leaves_no_server() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").codex(&Codex::real(NO_MODEL)).build();
    let remote = brought_up(&sandbox, &host, Want::check()).await.unwrap();
    assert_eq!(remote.server.how, How::Attached);
    let codex = remote.facts.codex.clone().unwrap();
    assert_eq!(codex.version.as_deref(), Some("0.169.0"));
    drop(remote);
    assert!(!host.home.join(".codex/app-server-control/app-server-control.sock").exists());
}

#[tokio::test]
async fn folders_are_looked_at_first() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").codex(&Codex::real(NO_MODEL)).rc("file", "").build();
    for (folder, code) in [("none", Code::FolderMissing), ("~/file", Code::FolderNotDirectory)] {
        let failure = brought_up(&sandbox, &host, Want::server().in_folder(folder)).await.map(drop).unwrap_err();
        assert_eq!(failure.code, code, "{failure:?}");
    }
    let odd = host.home.join("it's a\n\"$folder\" ");
    std::fs::create_dir(&odd).unwrap();
    let remote = brought_up(&sandbox, &host, Want::check().in_folder("it's a\n\"$folder\" ")).await.unwrap();
    assert_eq!(remote.facts.folder.as_deref(), odd.to_str());
}
