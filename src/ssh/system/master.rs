//! The one `ssh` that has logged in: the person's live ControlMaster, or a private one of ours.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{OURS, Ssh, words};
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::{Local, runtime_dir};
use crate::ssh::aside::while_it_speaks;
use crate::ssh::exec::Tail;
use crate::step::Watch;

/// What our master prints once its control socket listens.
const READY: &str = "outpost-master-ready";

/// What ssh leaves behind on this machine once it has logged in: a guard that waits for the end of the input which we hold open.
/// However we end, a kill included, it then ends the master and takes its sockets away.
const GUARD: &str = r#"exec 3<&0; (trap "" HUP INT QUIT TERM; while read -r line <&3; do :; done; "$OUTPOST_SSH" -F /dev/null -S "$OUTPOST_MASTER/c" -O exit master; rm -rf -- "$OUTPOST_MASTER") </dev/null >/dev/null 2>&1 &"#;

/// What stands in that input, for a start-up file of the local shell that reads a line.
const LINES: &[u8] = b"\n\n\n";

/// How long a master may take to end by its guard.
const PARTING: Duration = Duration::from_secs(1);

/// What stands in its line about a channel that was not opened (`channel 3: open failed: connect failed: Connection refused`).
const REFUSED: &str = ": open failed: ";

/// The longest path of a control socket: 108 for the system, less what ssh appends while it makes it (a dot and 16 letters).
const LONGEST: usize = 108 - 17 - 1;

/// The one login.
pub(super) struct Master {
    socket: PathBuf,
    /// For sockets of ours; goes with us.
    dir: TempDir,
    /// What ours says on standard error; a person's own says it to the person.
    said: Option<Tail>,
    watched: Watched,
}

/// A master whose end is noticed.
struct Watched {
    ended: watch::Receiver<bool>,
    /// Ends ours; a person's own is only watched no longer.
    stop: CancellationToken,
    _guard: DropGuard,
}

impl Watched {
    fn until(ends: impl Future<Output = ()> + Send + 'static, stop: CancellationToken) -> Self {
        let (sender, ended) = watch::channel(false);
        tokio::spawn(async move {
            ends.await;
            sender.send_replace(true);
        });
        Self { ended, stop: stop.clone(), _guard: stop.drop_guard() }
    }
}

impl Master {
    /// The person's own, where ControlPath leads to one that lives.
    pub(super) async fn find(ssh: &Ssh, target: &Target, local: &Local) -> Result<Option<Self>, Failure> {
        let theirs = target.first("controlpath").filter(|p| !p.is_empty() && *p != "none").map(PathBuf::from);
        let Some(socket) = theirs else { return Ok(None) };
        if ssh.control(&socket, &["-O", "check"]).await.is_err() {
            return Ok(None);
        }
        let Ok(stream) = UnixStream::connect(&socket).await else { return Ok(None) };
        let stop = CancellationToken::new();
        let watched = Watched::until(hangs_up(stream, stop.clone()), stop);
        Ok(Some(Self { socket, dir: folder(local)?, said: None, watched }))
    }

    /// A private one in a folder of ours; `watch` is told what ssh says while it logs in.
    pub(super) async fn start(ssh: &Ssh, target: &Target, (local, watch): (&Local, &dyn Watch)) -> Result<Self, Failure> {
        let dir = folder(local)?;
        let socket = dir.path().join("c");
        if socket.as_os_str().len() > LONGEST {
            return Err(Failure::new(Code::SocketPathLong, format!("make a control socket at {}", socket.display()))
                .said(format!("the path is longer than {LONGEST} bytes"))
                .hint("set XDG_RUNTIME_DIR to a shorter path"));
        }
        let (watched, said) = start(ssh, (target, &socket), watch).await?;
        Ok(Self { socket, dir, said: Some(said), watched })
    }

    /// Whether we started it.
    pub(super) fn is_ours(&self) -> bool {
        self.said.is_some()
    }

    /// Waits until ours says that the server did not open a channel, and why; for ever with a person's own.
    pub(super) async fn refusal(&self) -> String {
        let Some(said) = &self.said else { return std::future::pending().await };
        let line = said.line(REFUSED).await;
        line.split_once(REFUSED).map_or(line.clone(), |(_, why)| why.to_owned())
    }

    /// For people.
    pub(super) fn whose(&self) -> &'static str {
        if self.is_ours() { "the system ssh" } else { "your running ssh (ControlMaster)" }
    }

    pub(super) fn socket(&self) -> &PathBuf {
        &self.socket
    }

    /// The folder for sockets of ours.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The options of a call that rides on this login. A master that takes no further session makes ssh log in anew, asking
    /// for a code again: a command that connects nowhere keeps it from that.
    pub(super) fn client(&self) -> Vec<OsString> {
        let socket = [OsString::from("-S"), self.socket.clone().into_os_string()];
        let options = ["-o", "ControlMaster=no", "-o", "ProxyCommand=exit 255"];
        socket.into_iter().chain(options.map(OsString::from)).collect()
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.watched.ended.borrow()
    }

    pub(super) async fn ended(&self) {
        drop(self.watched.ended.clone().wait_for(|e| *e).await);
    }

    /// Ends our login; a person's own stays.
    pub(super) async fn close(&self, ssh: &Ssh) {
        if self.is_ours() {
            drop(ssh.control(&self.socket, &["-O", "exit"]).await);
        }
        self.watched.stop.cancel();
        self.ended().await;
    }
}

/// A folder for the sockets of one login.
fn folder(local: &Local) -> Result<TempDir, Failure> {
    let folder = |runtime: PathBuf| tempfile::Builder::new().prefix("m").tempdir_in(runtime);
    runtime_dir(local).and_then(folder).map_err(|e| {
        Failure::new(Code::LocalIo, "make a private folder for control sockets")
            .said(e)
            .hint("set XDG_RUNTIME_DIR to a folder of yours with mode 0700")
    })
}

fn options(target: &Target, socket: &Path) -> Vec<OsString> {
    let mut options: Vec<OsString> = vec!["-S".into(), socket.into(), "-N".into()];
    let ready = format!("LocalCommand=exec /bin/sh -c 'echo {READY}; {GUARD}'");
    let always = ["ControlMaster=yes", "ControlPersist=no", "PermitLocalCommand=yes", &ready];
    options.extend(always.iter().flat_map(|o| ["-o".into(), OsString::from(o)]));
    if target.is_default("serveraliveinterval") {
        options.extend(["-o".into(), "ServerAliveInterval=15".into()]);
    }
    // -N is SessionType=none: the first word of each option counts.
    options.extend(OURS.iter().map(OsString::from));
    options.extend(["--".into(), target.alias.as_str().into()]);
    options
}

async fn start(ssh: &Ssh, (target, socket): (&Target, &Path), watch: &dyn Watch) -> Result<(Watched, Tail), Failure> {
    let mut command = ssh.steady(&options(target, socket));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("OUTPOST_SSH", &ssh.program).env("OUTPOST_MASTER", socket.parent().unwrap_or(socket));
    let mut child = command.spawn().map_err(|e| super::failed(format!("{}: {e}", ssh.program.display())))?;
    let (Some(mut held), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
        return Err(super::failed("it has no pipes"));
    };
    // An ssh that ended at once tells more than the error.
    drop(held.write_all(LINES).await);
    let (tail, said) = (Tail::default(), Tail::default());
    let filling = tokio::spawn(tail.clone().fill_both(said.clone(), stderr));
    let mut lines = BufReader::new(stdout).lines();
    let logging_in = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.trim() == READY {
                return Ok(());
            }
        }
        let status = child.wait().await;
        drop(filling.await);
        Err(words::failure(&tail.text(), &status.map_or_else(|e| e.to_string(), |s| s.to_string())))
    };
    while_it_speaks(Some(&said), watch, logging_in).await?;
    Ok((watch_over(child, held), tail))
}

fn watch_over(mut child: Child, held: ChildStdin) -> Watched {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let ends = async move {
        tokio::select! {
            _ = child.wait() => {}
            () = stopped.cancelled() => {
                drop(held);
                if tokio::time::timeout(PARTING, child.wait()).await.is_err() {
                    drop(child.kill().await);
                }
            }
        }
    };
    Watched::until(ends, stop)
}

/// A master greets whoever connects to its socket and then waits for them; that the connection ends means that it has.
async fn hangs_up(mut stream: UnixStream, stop: CancellationToken) {
    let mut greeting = [0_u8; 256];
    let ends = async { while let Ok(1..) = stream.read(&mut greeting).await {} };
    tokio::select! {
        () = ends => {}
        () = stop.cancelled() => {}
    }
}
