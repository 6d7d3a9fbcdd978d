//! Starting and joining the app-server on a host: the real codex where it matters, small programs for the faults.

mod codes;
mod commands;
mod ending;
mod finding;
mod installing;
mod others;
mod places;
mod preflight;
mod remedies;
mod serving;
mod signals;
mod trouble;
mod without_proc;

use std::path::PathBuf;

use outpost::config::hosts::HostSettings;
use outpost::demo::leftovers::processes;
use outpost::failure::Failure;
use outpost::remote::{self, How, Remote, Want};
use outpost::ssh::session::Session;
use outpost::step::{Nobody, Progress, Watch};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::bed::{Codex, Host, NewHost, Sandbox, alive, process, until};
use crate::shells::{program, session};

const NO_MODEL: &str = "http://127.0.0.1:9/v1";

/// A host with a codex, and a session with it.
struct Lab {
    host: Host,
    session: Session,
    settings: HostSettings,
    sandbox: Sandbox,
}

impl Lab {
    /// With the real codex and whatever else the host shall be.
    async fn real(more: impl FnOnce(NewHost<'_>) -> NewHost<'_>) -> Self {
        Self::build(|_, host| more(host.codex(&Codex::real(NO_MODEL)))).await
    }

    /// With this script as `codex`.
    async fn script(text: &str) -> Self {
        Self::build(|sandbox, host| {
            let codex = program(sandbox, "bin/codex", &format!("#!/bin/sh\n{text}\n"));
            host.codex(&Codex::in_folder(codex.parent().unwrap()))
        })
        .await
    }

    async fn build(more: impl for<'a> FnOnce(&'a Sandbox, NewHost<'a>) -> NewHost<'a>) -> Self {
        let sandbox = Sandbox::new();
        let host = more(&sandbox, sandbox.host("devbox")).build();
        let session = session(&sandbox, &host).await;
        Self { host, session, settings: HostSettings::default(), sandbox }
    }

    async fn up(&self, want: Want) -> Result<Remote, Failure> {
        remote::bring_up(&self.session, &self.settings, want, &Nobody).await
    }

    async fn refused(&self, want: Want) -> Failure {
        self.up(want).await.map(|remote| panic!("{:?}", remote.facts)).unwrap_err()
    }

    async fn how(&self) -> How {
        self.up(Want::server()).await.unwrap().server.how
    }

    fn codex_home(&self) -> PathBuf {
        self.host.home.join(".codex")
    }

    fn socket(&self) -> PathBuf {
        self.codex_home().join("app-server-control/app-server-control.sock")
    }

    /// The record of the server that was started.
    fn record(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.codex_home().join("outpost")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths
            .find(|path| path.extension().is_none() && path.file_name().unwrap().to_str().unwrap().starts_with("server@"))
            .unwrap()
    }

    fn pid(&self) -> i32 {
        let record = std::fs::read_to_string(self.record()).unwrap();
        record.lines().find_map(|line| line.strip_prefix("pid=")).unwrap().parse().unwrap()
    }

    fn kill_server(&self) {
        self.kill(self.pid());
    }

    #[expect(clippy::unused_self, reason = "it reads as what it is")]
    fn kill(&self, pid: i32) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        until("the end of the server", || process::gone(pid));
    }

    /// The app-servers of this sandbox.
    fn servers(&self) -> Vec<i32> {
        let is_server = |pid: &i32| {
            let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("app-server\0--listen") && alive(*pid)
        };
        processes(self.sandbox.path()).into_iter().filter(is_server).collect()
    }
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

#[derive(Default)]
struct Told(std::sync::Mutex<Vec<String>>);

impl Watch for Told {
    fn progress(&self, progress: Progress) {
        if let Progress::Warning { text, code, .. } = progress {
            let code = code.map(|code| format!("  [{}]\n", code.as_str())).unwrap_or_default();
            self.0.lock().unwrap().push(text + &code);
        }
    }
}
