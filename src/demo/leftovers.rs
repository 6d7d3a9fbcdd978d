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

/// Removes the socket that a Codex with this home made outside of it: `/tmp/codex-daemon-UID/HASH`, to which a link in the home
/// leads, and the lock beside it (measured on 0.169). The folder is shared by all servers of the account and stays.
pub fn remove_socket(codex_home: &Path) {
    let link = codex_home.join("app-server-control/app-server-control.sock");
    if let Ok(socket) = fs::read_link(link)
        && socket.parent().is_some_and(is_daemon_folder)
    {
        drop(fs::remove_file(socket.with_extension("lock")));
        drop(fs::remove_file(socket));
    }
}

fn is_daemon_folder(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("codex-daemon-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_socket_goes() {
        let dir = tempfile::tempdir().expect("a folder");
        let (shared, control) = (dir.path().join("codex-daemon-0"), dir.path().join("home/app-server-control"));
        fs::create_dir_all(&shared).expect("made");
        fs::create_dir_all(&control).expect("made");
        for name in ["ours", "ours.lock", "theirs", "theirs.lock"] {
            fs::write(shared.join(name), "").expect("written");
        }
        std::os::unix::fs::symlink(shared.join("ours"), control.join("app-server-control.sock")).expect("linked");
        remove_socket(&dir.path().join("home"));
        let mut left: Vec<_> = fs::read_dir(&shared).expect("read").flatten().map(|e| e.file_name()).collect();
        left.sort();
        assert_eq!(left, ["theirs", "theirs.lock"]);
    }
}
