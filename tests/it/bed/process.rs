//! Running programs: output in full, a limit for those that hang, and an end for what a sandbox leaves behind.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A program that has not ended by then hangs; generous, because seven of these may share two cores.
const LIMIT: Duration = Duration::from_secs(90);

/// What a program did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The exit code; -1 for a signal.
    pub(crate) status: i32,
    /// Standard output, lossy.
    pub(crate) stdout: String,
    /// Standard error, lossy.
    pub(crate) stderr: String,
}

impl Ran {
    /// Itself, after asserting the exit code and showing everything when it is another.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs a program to its end with `stdin` as its standard input.
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    let mut input = child.stdin.take().expect("piped");
    let stdin = stdin.to_vec();
    // A program may end without reading; its broken pipe is not the test's matter.
    std::thread::spawn(move || drop(input.write_all(&stdin)));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || drop(sender.send(child.wait_with_output())));
    let Ok(output) = receiver.recv_timeout(LIMIT) else {
        kill(pid, Signal::SIGKILL).ok();
        panic!("{command:?} did not end within {LIMIT:?}");
    };
    let output = output.expect("its output");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { status: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// The processes whose environment holds `path`, other than this one.
pub(crate) fn holding(path: &Path) -> Vec<i32> {
    let needle = path.as_os_str().as_encoded_bytes();
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| u32::try_from(*pid) != Ok(own))
        .filter(|pid| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.windows(needle.len()).any(|window| window == needle)
        })
        .collect()
}

/// Ends all processes that [`holding`] finds, until there are none.
pub(crate) fn end_all(path: &Path) {
    let began = Instant::now();
    loop {
        let pids = holding(path);
        if pids.is_empty() || began.elapsed() > Duration::from_secs(5) {
            break;
        }
        for pid in pids {
            kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
        }
        std::thread::yield_now();
    }
}

/// Whether a process runs; one that ended and was not waited for does not.
pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
