//! Our own process: `outpost endpoint`, killed and started again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::sync::watch;

use super::pause;
use crate::bed::Sandbox;
use crate::bed::front::text;

/// The process; there is always one, or the next one is being started.
pub(super) struct Us {
    /// The socket of the one that serves.
    pub(super) socket: watch::Sender<Option<PathBuf>>,
    child: Arc<Mutex<Option<Child>>>,
    /// The host as it is called.
    alias: &'static str,
    /// The descriptors that the one which serves held when it began to.
    at_first: Arc<AtomicUsize>,
}

/// What a process holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Open descriptors.
    pub(super) descriptors: usize,
    /// Those of them that are sockets.
    pub(super) sockets: usize,
    /// Resident memory, in KiB.
    pub(super) memory: usize,
}

impl Us {
    pub(super) fn new(alias: &'static str) -> Self {
        Self { socket: watch::Sender::new(None), child: Arc::default(), alias, at_first: Arc::default() }
    }

    /// Keeps one serving, for ever: whenever it ends the next is started, however often that takes.
    pub(super) async fn keep(&self, sandbox: &Sandbox) {
        loop {
            let mut command = Command::new(program());
            sandbox.clean(&mut command);
            command.args(["endpoint", self.alias, "--json", "--pace", "50"]);
            let log = std::fs::File::options().create(true).append(true).open(sandbox.path().join("us.log")).unwrap();
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
            let out = child.stdout.take().unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            *self.child.lock().unwrap() = Some(child);
            let (socket, at_first) = (self.socket.clone(), Arc::clone(&self.at_first));
            let served = tokio::task::spawn_blocking(move || follow((pid, BufReader::new(out)), &socket, &at_first));
            served.await.unwrap();
            self.socket.send_replace(None);
            if let Some(mut child) = self.child.lock().unwrap().take() {
                child.wait().unwrap();
            }
            // It may have ended because its host is refused just now.
            pause(20).await;
        }
    }

    /// Ends it as a person would.
    pub(super) fn end(&self) {
        if let Some(pid) = self.pid() {
            kill(Pid::from_raw(pid), Signal::SIGTERM).ok();
        }
    }

    /// The descriptors it held before any client came.
    pub(super) fn at_first(&self) -> usize {
        self.at_first.load(Ordering::Relaxed)
    }

    /// Ends it as the kernel would.
    pub(super) fn kill(&self) {
        if let Some(pid) = self.pid() {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
    }

    pub(super) fn pid(&self) -> Option<i32> {
        self.child.lock().unwrap().as_ref().map(|child| i32::try_from(child.id()).unwrap())
    }

    pub(super) fn held(&self) -> Held {
        self.pid().map(held).unwrap_or_default()
    }
}

impl Drop for Us {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.wait().ok();
        }
    }
}

/// The program under test; OUTPOST_CHAOS_PROGRAM takes another, so that a long run is not disturbed by the next build.
#[expect(clippy::disallowed_methods, reason = "a test is its own main")]
fn program() -> PathBuf {
    std::env::var_os("OUTPOST_CHAOS_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_outpost").into(), PathBuf::from)
}

/// Reads the address it prints, and its end.
fn follow((pid, out): (i32, impl BufRead), socket: &watch::Sender<Option<PathBuf>>, at_first: &AtomicUsize) {
    for line in out.lines().map_while(Result::ok) {
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(path) = text(&said, &["unix"]).strip_prefix("unix://") {
            at_first.store(held(pid).descriptors, Ordering::Relaxed);
            socket.send_replace(Some(Path::new(path).to_owned()));
        }
    }
}

/// What a process of this machine holds; nothing when it is gone.
pub(super) fn held(pid: i32) -> Held {
    let links = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links: Vec<PathBuf> = links.map(|link| std::fs::read_link(link.path()).unwrap_or_default()).collect();
    let (descriptors, sockets) = (links.len(), links.iter().filter(|to| to.to_string_lossy().starts_with("socket:")).count());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = resident.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0);
    Held { descriptors, sockets, memory }
}
