//! Running programs: output in full, and a limit for those that hang.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

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

/// The processes of a program that have a file open: sshd hides its arguments and its environment.
pub(crate) fn with_open(file: &Path, program: &str) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let runs = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.ends_with(program));
    let opened = |pid: &i32| {
        let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|target| target == file)
    };
    pids.filter(runs).filter(opened).collect()
}

/// Whether a process runs; one that ended and was not waited for does not.
pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
