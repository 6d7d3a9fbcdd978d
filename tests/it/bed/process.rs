//! Running programs: output in full, and a limit for those that hang.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::oneshot;

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

/// Ends a program that hangs.
pub(crate) struct Watchdog {
    off: mpsc::Sender<()>,
}

impl Watchdog {
    /// Watches from now on.
    pub(crate) fn over(child: &Child) -> Self {
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
        let (off, ended) = mpsc::channel();
        std::thread::spawn(move || {
            if ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
                kill(pid, Signal::SIGKILL).ok();
            }
        });
        Self { off }
    }

    /// The program has been waited for: its number may be another's now.
    pub(crate) fn off(self) {
        self.off.send(()).ok();
    }
}

/// Runs a program to its end with `stdin` as its standard input; one that hangs is killed and gives -1.
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut input = child.stdin.take().expect("piped");
    let stdin = stdin.to_vec();
    // A program may end without reading; its broken pipe is not the test's matter.
    std::thread::spawn(move || drop(input.write_all(&stdin)));
    let watchdog = Watchdog::over(&child);
    let output = child.wait_with_output().expect("its output");
    watchdog.off();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { status: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// As `run`, without input; tells `shown` when a line of its standard output has one of the words.
pub(crate) fn run_and_see(command: &mut Command, words: &[&str], shown: oneshot::Sender<()>) -> Ran {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (watchdog, mut errors) = (Watchdog::over(&child), child.stderr.take().expect("piped"));
    let said = std::thread::spawn(move || std::io::read_to_string(&mut errors).expect("UTF-8"));
    let (mut stdout, mut shown) = (String::new(), Some(shown));
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    while lines.read_line(&mut stdout).expect("UTF-8") > 0 {
        if words.iter().any(|word| stdout.contains(word)) {
            shown.take().and_then(|shown| shown.send(()).ok());
        }
    }
    let status = child.wait().expect("its end").code().unwrap_or(-1);
    watchdog.off();
    Ran { status, stdout, stderr: said.join().expect("read") }
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
    runs(&format!("/proc/{pid}/stat"))
}

/// Whether nothing of a process runs: as long as one of its threads ends, its sockets are open.
pub(crate) fn gone(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    !threads.into_iter().any(|thread| runs(&thread.path().join("stat").to_string_lossy()))
}

fn runs(stat: &str) -> bool {
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The processes of a sandbox's hosts whose command line holds a word.
pub(crate) fn on_host(sandbox: &super::Sandbox, word: &str) -> Vec<i32> {
    let line = |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let has = |pid: &i32| String::from_utf8_lossy(&line(pid)).split('\0').any(|w| w == word);
    outpost::demo::leftovers::processes(sandbox.path()).into_iter().filter(has).collect()
}

/// Ends the app-servers of a sandbox's hosts as the kernel would; gives how many there were.
pub(crate) fn kill_servers(sandbox: &super::Sandbox) -> usize {
    let servers = on_host(sandbox, "--listen");
    for pid in &servers {
        kill(Pid::from_raw(*pid), Signal::SIGKILL).ok();
    }
    servers.len()
}
