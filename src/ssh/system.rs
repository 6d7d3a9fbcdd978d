//! The system's `ssh` as the byte carrier: for GSSAPI, PKCS#11, and whatever else russh cannot do.
//!
//! One `ssh` logs in (the person's live ControlMaster, or a private one of ours); every command and socket rides on it, so
//! that a one-time code is asked for once. It prompts as it always does: on the terminal, or through SSH_ASKPASS.

mod master;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::oneshot;

use super::ByteStream;
use super::exec::{Exec, ExitStatus, Tail};
use super::facts::Facts;
use super::open::Context;
use super::tap::Tap;
use crate::failure::{Code, Failure};
use crate::host::resolve::find_ssh;
use crate::host::target::Target;
use crate::step::{Clock, Step};
use master::Master;

/// A session over the system's `ssh`; clones share the one login.
#[derive(Clone)]
pub struct SystemSsh {
    inner: Arc<Inner>,
}

struct Inner {
    ssh: Ssh,
    master: Master,
    sockets: AtomicU32,
}

/// How the `ssh` of this host is called.
#[derive(Debug, Clone)]
struct Ssh {
    program: PathBuf,
    /// `-F FILE`.
    config: Vec<OsString>,
    alias: String,
    vars: Vec<(OsString, OsString)>,
}

/// What holds for each of our calls, whatever the configuration says: our channels run our commands and open our forwards only.
const OURS: &[&str] = &[
    "-T",
    "-o",
    "RemoteCommand=none",
    "-o",
    "RequestTTY=no",
    "-o",
    "SessionType=default",
    "-o",
    "ForkAfterAuthentication=no",
    "-o",
    "StdinNull=no",
    "-o",
    "ClearAllForwardings=yes",
    "-o",
    "ExitOnForwardFailure=no",
    "-o",
    "ForwardX11=no",
];

impl Ssh {
    /// A call with these options before the host.
    fn command(&self, options: &[OsString]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.config).args(options).env_clear().envs(self.vars.iter().cloned()).kill_on_drop(true);
        command
    }

    /// A call that asks the master for something, by its control socket.
    async fn control(&self, socket: &PathBuf, words: &[&str]) -> Result<(), String> {
        let mut options: Vec<OsString> = vec!["-S".into(), socket.into()];
        options.extend(words.iter().map(OsString::from));
        options.extend(["--".into(), self.alias.clone().into()]);
        let asked = self.command(&options).stdin(Stdio::null()).output();
        let output = tokio::time::timeout(CONTROL, asked).await.map_err(|_| "the control socket does not answer".to_owned())?;
        let output = output.map_err(|e| e.to_string())?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
    }
}

/// How long a master may take to answer over its local socket.
const CONTROL: Duration = Duration::from_secs(10);

impl SystemSsh {
    /// Logs in, or finds the person already logged in.
    pub(crate) async fn open(target: &Target, context: Context<'_>) -> Result<(Self, Facts), Failure> {
        let local = context.local;
        let program = find_ssh(local).ok_or_else(|| {
            Failure::new(Code::CarrierFailed, "run the system ssh")
                .said("no `ssh` is on PATH")
                .hint("install OpenSSH's client, or use the built-in carrier")
        })?;
        let config = local.ssh_config.iter().flat_map(|f| ["-F".into(), f.clone().into_os_string()]).collect();
        let vars = local.vars.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
        let ssh = Ssh { program, config, alias: target.alias.to_string(), vars };
        let clock = Clock::begin(context.watch, Step::Connected);
        let master = Master::find_or_start(&ssh, target, local).await.map_err(|f| f.at(&target.alias))?;
        let address = format!("{} port {} by {}", target.host_name(), target.port(), master.whose());
        clock.done(address.clone());
        Clock::begin(context.watch, Step::HostKey).done("checked by ssh");
        Clock::begin(context.watch, Step::LoggedIn).done(format!("as {} ({})", target.user(), master.whose()));
        let facts = Facts { address, auth: master.whose().to_owned(), ..Facts::default() };
        Ok((Self { inner: Arc::new(Inner { ssh, master, sockets: AtomicU32::new(0) }) }, facts))
    }

    /// Runs a command line on the remote.
    ///
    /// # Errors
    /// [`Code::CarrierFailed`] when the program cannot be started.
    pub(crate) fn exec(&self, command: &str) -> Result<Exec, Failure> {
        let Inner { ssh, master, .. } = &*self.inner;
        let mut options = master.client();
        options.extend(OURS.iter().map(OsString::from));
        options.extend(["--".into(), ssh.alias.clone().into(), command.into()]);
        let mut child = ssh
            .command(&options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| failed(format!("{}: {e}", ssh.program.display())))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(failed("it has no pipes"));
        };
        let (sender, status) = oneshot::channel();
        let tail = Tail::default();
        let filling = tokio::spawn(tail.clone().fill(stderr));
        let (dropped, keep) = (tokio_util::sync::CancellationToken::new(), self.clone());
        let guard = Arc::new(dropped.clone().drop_guard());
        tokio::spawn(async move {
            tokio::select! {
                ended = child.wait() => {
                    drop(filling.await);
                    drop(sender.send(status_of(ended.ok())));
                }
                () = dropped.cancelled() => drop(child.kill().await),
            }
            drop(keep);
        });
        let held = Arc::clone(&guard);
        let stdout = Tap::new(stdout, move |_, _: &[u8]| {
            let _ = &held;
        });
        let stdin = Tap::new(stdin, move |_, _: &[u8]| {
            let _ = &guard;
        });
        Ok(Exec { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: tail, status })
    }

    /// Connects to a Unix socket on the remote, through a local one that the master forwards.
    pub(crate) async fn unix_socket(&self, path: &str) -> Result<ByteStream, Failure> {
        let Inner { ssh, master, sockets } = &*self.inner;
        let refused = |said: String| {
            Failure::new(Code::ChannelRefused, format!("open the remote socket {path}"))
                .said(said)
                .hint("sshd must allow it: AllowStreamLocalForwarding yes")
                .at(&ssh.alias)
        };
        let here = master.dir().join(format!("f{}-{}", std::process::id(), sockets.fetch_add(1, Ordering::Relaxed)));
        let forward = format!("{}:{path}", here.display());
        ssh.control(master.socket(), &["-O", "forward", "-L", &forward]).await.map_err(refused)?;
        let connected = UnixStream::connect(&here).await;
        // The listener was for one connection; the connection outlives it.
        drop(ssh.control(master.socket(), &["-O", "cancel", "-L", &forward]).await);
        drop(std::fs::remove_file(&here));
        let stream = connected.map_err(|e| refused(e.to_string()))?;
        let keep = self.clone();
        Ok(Box::new(Tap::new(stream, move |_, _: &[u8]| {
            let _ = &keep;
        })))
    }

    /// Waits for the end of our login; the end of a person's own master is only seen when something is asked of it.
    pub(crate) async fn closed(&self) {
        self.inner.master.ended().await;
    }

    pub(crate) async fn ping(&self, limit: Duration) -> Result<Duration, Failure> {
        let began = std::time::Instant::now();
        let asked = self.exec("exit 0")?.wait();
        match tokio::time::timeout(limit, asked).await {
            Ok(ExitStatus::Code(0)) => Ok(began.elapsed()),
            Ok(_) | Err(_) => Err(Failure::new(Code::LinkLost, "ping the host").at(&self.inner.ssh.alias)),
        }
    }

    pub(crate) async fn close(&self) {
        self.inner.master.close(&self.inner.ssh).await;
    }
}

fn failed(said: impl std::fmt::Display) -> Failure {
    Failure::new(Code::CarrierFailed, "run the system ssh").said(said).hint("try the same host with ssh in a terminal")
}

fn status_of(ended: Option<std::process::ExitStatus>) -> ExitStatus {
    let code = ended.and_then(|s| s.code()).and_then(|c| u32::try_from(c).ok());
    code.map_or(ExitStatus::Unknown, ExitStatus::Code)
}
