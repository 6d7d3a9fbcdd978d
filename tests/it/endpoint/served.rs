//! A running `outpost endpoint`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::bed::{Sandbox, until};

/// It ends, as by Ctrl-C, when this is dropped.
pub(super) struct Served {
    /// What it printed.
    pub(super) said: Value,
    /// The lines that came after.
    pub(super) lines: mpsc::Receiver<Value>,
    child: Child,
    errors: PathBuf,
}

impl Served {
    pub(super) async fn begin(sandbox: &Sandbox, args: &[&str]) -> Self {
        Self::begin_by(sandbox, sandbox.outpost(&[&["endpoint", "devbox", "--json"], args].concat())).await
    }

    /// With a command that becomes it.
    pub(super) async fn begin_by(sandbox: &Sandbox, mut command: Command) -> Self {
        let errors = sandbox.path().join(format!("told-{:08x}", rand::random::<u32>()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&errors).unwrap());
        let begin = move || {
            let mut child = command.spawn().unwrap();
            let (sender, lines) = mpsc::channel();
            let out = BufReader::new(child.stdout.take().unwrap());
            std::thread::spawn(move || {
                let lines = out.lines().map_while(Result::ok).map(|line| serde_json::from_str(&line).unwrap());
                lines.for_each(|line| drop(sender.send(line)));
            });
            Self { said: lines.recv().unwrap(), lines, child, errors }
        };
        tokio::task::spawn_blocking(begin).await.unwrap()
    }

    /// What its owner was told.
    pub(super) fn told(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap()
    }

    /// Waits until its owner was told some words; gives all that was told.
    pub(super) fn tells(&self, words: &str) -> String {
        tokio::task::block_in_place(|| until(words, || self.told().contains(words)));
        self.told()
    }

    /// Ends it without a chance to tidy up.
    pub(super) fn kill(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL).unwrap();
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
