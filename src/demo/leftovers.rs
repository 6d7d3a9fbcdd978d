//! What a bed's programs leave behind: processes that know its folder, and Codex's socket outside of it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the end waits for processes that were killed.
const LIMIT: Duration = Duration::from_secs(5);

/// The processes, other than this one, whose environment holds the folder's name: with a random name only what was started
/// with it can know it. Empty where there is no `/proc`.
#[must_use]
pub fn processes(folder: &Path) -> Vec<i32> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let holds = |pid: &i32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.windows(needle.len()).any(|window| window == needle)
    };
    pids.filter(|pid| u32::try_from(*pid) != Ok(std::process::id())).filter(holds).collect()
}

/// Ends those processes, and those that they start meanwhile.
pub fn end_processes(folder: &Path) {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let pids = processes(folder);
        if pids.is_empty() {
            return;
        }
        for pid in pids {
            // It may have ended by itself.
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
        std::thread::yield_now();
    }
}

/// Removes the private folder below the temporary one that Codex puts its socket into; a link in its home leads there
/// (measured on 0.169).
pub fn remove_socket_folder(codex_home: &Path) {
    let link = codex_home.join("app-server-control/app-server-control.sock");
    let folder = fs::read_link(link).ok().and_then(|target| Some(target.parent()?.to_owned()));
    if let Some(folder) = folder.filter(|folder| folder.starts_with(std::env::temp_dir())) {
        drop(fs::remove_dir_all(folder));
    }
}
