//! Who lives on the host while a life goes on, and what is left when it is over.

use std::collections::HashMap;
use std::sync::Mutex;

use super::pause;
use super::us::{Held, held};
use crate::bed::{Sandbox, on_host};

/// Between two looks, in milliseconds.
const EVERY: u64 = 500;
/// For so many looks there may be two servers: one that was started, and has not seen yet that another one serves.
const CROWDED: usize = 10;

/// What was seen.
#[derive(Default)]
pub(super) struct Census {
    /// What each app-server held when it was seen first.
    first: Mutex<HashMap<i32, Held>>,
}

impl Census {
    /// Looks, for ever.
    pub(super) async fn take(&self, sandbox: &Sandbox) {
        let mut crowded = 0;
        loop {
            let servers = on_host(sandbox, "--listen");
            for pid in &servers {
                self.first.lock().unwrap().entry(*pid).or_insert_with(|| held(*pid));
            }
            crowded = if servers.len() > 1 { crowded + 1 } else { 0 };
            assert!(crowded < CROWDED, "more than one app-server on the host for long: {servers:?}");
            pause(EVERY).await;
        }
    }

    /// What a server held when it was young.
    pub(super) fn first(&self, pid: i32) -> Held {
        self.first.lock().unwrap().get(&pid).copied().unwrap_or_default()
    }
}

/// What runs for the host beside its server, which may have an MCP server of its own: nothing should.
pub(super) fn strays(sandbox: &Sandbox) -> Vec<String> {
    let line = |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let lines = outpost::demo::leftovers::processes(sandbox.path()).into_iter().map(line);
    let words = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    words.filter(|line| !line.is_empty() && !line.contains("--listen") && !line.contains("asker.sh")).collect()
}

/// Sockets of ours that are left.
pub(super) fn sockets(sandbox: &Sandbox) -> usize {
    let files = std::fs::read_dir(sandbox.path().join("run/outpost")).into_iter().flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|end| end == "sock")).count()
}
