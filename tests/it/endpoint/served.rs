//! A running `outpost endpoint`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::bed::Sandbox;

/// It ends, as by Ctrl-C, when this is dropped.
pub(super) struct Served {
    /// What it printed.
    pub(super) said: Value,
    child: Child,
}

impl Served {
    pub(super) async fn begin(sandbox: &Sandbox, args: &[&str]) -> Self {
        let mut command = sandbox.outpost(&[&["endpoint", "devbox", "--json"], args].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let begin = move || {
            let mut child = command.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            Self { said: serde_json::from_str(&line).unwrap(), child }
        };
        tokio::task::spawn_blocking(begin).await.unwrap()
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.said["unix"].as_str().unwrap().strip_prefix("unix://").unwrap().into()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).ok();
        self.child.wait().ok();
    }
}
