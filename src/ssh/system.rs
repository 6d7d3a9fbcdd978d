//! The system's `ssh` as the byte carrier: for GSSAPI, PKCS#11, and whatever else russh cannot do.
//!
//! One `ssh` logs in (the person's live ControlMaster, or a private one of ours); every command and socket rides on it, so
//! that a one-time code is asked for once. It prompts as it always does: on the terminal, or through SSH_ASKPASS.

mod child;
mod master;
mod remote;
mod words;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::ByteStream;
use super::exec::{Exec, ExitStatus, Piped};
use super::facts::Facts;
use super::forward::{Listen, Listener};
use super::open::Context;
use super::rate::Turns;
use super::rate::address::on_the_way;
use super::tap::Tap;
use crate::failure::{Code, Failure};
use crate::host::resolve::find_ssh;
use crate::host::target::Target;
use crate::step::{Clock, Progress, Step};
use child::Streams;
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
    /// The local sockets that lead to ports as seen from the remote.
    ports: Mutex<HashMap<String, PathBuf>>,
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

    /// As [`Self::command`], for the call that logs in: Ctrl-C is for the turn. What is ignored here stays ignored in what is exec'ed,
    /// but for ssh's own question for a password; in a group of its own it could not ask on the terminal.
    fn steady(&self, options: &[OsString]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "trap '' INT QUIT; exec \"$@\"", "sh"]).arg(&self.program).args(&self.config).args(options);
        command.env_clear().envs(self.vars.iter().cloned()).kill_on_drop(true);
        command
    }

    /// A call that asks the master for something, by its control socket; what it answers.
    async fn control(&self, socket: &PathBuf, words: &[&str]) -> Result<String, String> {
        let mut options: Vec<OsString> = vec!["-S".into(), socket.into()];
        options.extend(words.iter().map(OsString::from));
        options.extend(["--".into(), self.alias.clone().into()]);
        let asked = self.command(&options).stdin(Stdio::null()).output();
        let output = tokio::time::timeout(CONTROL, asked).await.map_err(|_| "the control socket does not answer".to_owned())?;
        let output = output.map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// How long a master may take to say why a stream ended at once.
const SAID: Duration = Duration::from_secs(1);

/// What ssh says when a master could not open the stream it was asked for.
const NOT_OPENED: &str = "open refused by peer";

/// What ssh names as the other side when a jump host, or a ProxyCommand, did not get it there.
const NOT_ARRIVED: &str = "UNKNOWN port 65535";

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
        context.watch.progress(Progress::Asks(Step::Connected));
        let master = find_or_start(&ssh, target, context).await.map_err(|f| f.at(&target.alias))?;
        let address = format!("{} port {} by {}", target.host_name(), target.port(), master.whose());
        clock.done(address.clone());
        Clock::begin(context.watch, Step::HostKey).done("checked by ssh");
        Clock::begin(context.watch, Step::LoggedIn).done(format!("as {} ({})", target.user(), master.whose()));
        let facts = Facts { address, auth: master.whose().to_owned(), ..Facts::default() };
        Ok((Self { inner: Arc::new(Inner { ssh, master, sockets: AtomicU32::new(0), ports: Mutex::default() }) }, facts))
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
        let mut command = ssh.command(&options);
        // A client of a master hears Ctrl-C whatever was ignored before, and never asks on the terminal.
        command.process_group(0);
        Ok(self.start(command)?.exec())
    }

    /// A child of ours that ends with its streams.
    fn start(&self, command: Command) -> Result<Streams, Failure> {
        let keep = self.clone();
        Streams::of(command, move || drop(keep.clone()))
            .map_err(|said| failed(format!("{}: {said}", self.inner.ssh.program.display())))
    }

    /// Runs a command, or the account's shell; its streams are whole.
    pub(crate) fn pipe(&self, command: Option<&str>) -> Result<Piped, Failure> {
        Ok(self.start(self.inner.ssh.command(&self.words(&["-T"], command)))?.piped())
    }

    /// The program that runs a command, or the account's shell, on a terminal, and joins it with the terminal it is run on.
    pub(crate) fn terminal(&self, command: Option<&str>) -> Command {
        self.inner.ssh.command(&self.words(&["-tt", "-e", "none"], command))
    }

    /// The words of a call for a command or a shell; the first of two options counts.
    fn words(&self, first: &[&str], command: Option<&str>) -> Vec<OsString> {
        let Inner { ssh, master, .. } = &*self.inner;
        let mut words = master.client();
        words.extend(first.iter().map(OsString::from));
        words.extend(OURS.iter().filter(|o| **o != "-T").map(OsString::from));
        words.extend(["--".into(), ssh.alias.clone().into()]);
        words.extend(command.map(OsString::from));
        words
    }

    /// Connects to a TCP port as seen from the remote. Whether somebody listens there shows later: by a stream that ends.
    pub(crate) async fn tcp(&self, host: &str, port: u16) -> Result<ByteStream, Failure> {
        let Inner { ssh, master, sockets, ports } = &*self.inner;
        let there = written(host, port);
        let refused = |said: String| {
            let refused = Failure::new(Code::ChannelRefused, format!("open {there} from the remote"));
            self.unless_lost(refused.said(said).hint("sshd must allow it: AllowTcpForwarding yes").at(&ssh.alias))
        };
        let mut ports = ports.lock().await;
        let here = match ports.get(&there) {
            Some(here) => here.clone(),
            None => {
                let here = master.dir().join(format!("p{}", sockets.fetch_add(1, Ordering::Relaxed)));
                let forward = format!("{}:{there}", here.display());
                ssh.control(master.socket(), &["-O", "forward", "-L", &forward]).await.map_err(&refused)?;
                ports.insert(there.clone(), here.clone());
                here
            }
        };
        drop(ports);
        let stream = UnixStream::connect(&here).await.map_err(|e| refused(e.to_string()))?;
        Ok(self.held_by(stream))
    }

    /// Whether a stream that ended at once came to nothing because nobody listens there: ssh says so, but not of which stream.
    pub(crate) async fn refused(&self, host: &str, port: u16) -> Option<Failure> {
        let said = if self.inner.master.is_ours() {
            tokio::time::timeout(SAID, self.inner.master.refusal()).await.ok()?
        } else {
            tokio::time::timeout(SAID, self.not_opened(&written(host, port))).await.ok()??
        };
        let failure = Failure::new(Code::ChannelRefused, format!("open {host} port {port} from the remote")).said(said);
        Some(failure.hint("sshd must allow it: AllowTcpForwarding yes").at(&self.inner.ssh.alias))
    }

    /// A person's own master tells them, and not us, why a stream came to nothing. Whoever asks it for one more, which holds nothing,
    /// is told by it whether that one came about.
    async fn not_opened(&self, there: &str) -> Option<String> {
        let Inner { ssh, master, .. } = &*self.inner;
        let mut options: Vec<OsString> = vec!["-S".into(), master.socket().into(), "-W".into(), there.into()];
        options.extend(OURS.iter().map(OsString::from));
        options.extend(["--".into(), ssh.alias.clone().into()]);
        let asked = ssh.command(&options).stdin(Stdio::null()).output().await.ok()?;
        let refused = String::from_utf8_lossy(&asked.stderr).contains(NOT_OPENED);
        refused.then(|| "the host did not open it; your running ssh (ControlMaster) was told why".to_owned())
    }

    /// The session lives as long as the stream.
    fn held_by(&self, stream: UnixStream) -> ByteStream {
        let keep = self.clone();
        Box::new(Tap::new(stream, move |_, _: &[u8]| {
            let _ = &keep;
        }))
    }

    /// Whether the login still stands, as far as this machine knows.
    pub(crate) fn stands(&self) -> bool {
        !self.inner.master.has_ended()
    }

    /// Lets the remote listen for us, through a local socket that the master forwards to.
    pub(crate) async fn listen(&self, what: Listen) -> Result<Listener, Failure> {
        let Inner { ssh, master, sockets, .. } = &*self.inner;
        let here = master.dir().join(format!("r{}", sockets.fetch_add(1, Ordering::Relaxed)));
        let refused = |said: String| self.unless_lost(super::forward::refused(&what, &said).at(&ssh.alias));
        let there = match &what {
            Listen::Tcp { address, port } => format!("{address}:{port}"),
            Listen::Unix { path } => literal(path).map_err(&refused)?.to_owned(),
        };
        let door = UnixListener::bind(&here).map_err(|e| refused(e.to_string()))?;
        let forward = format!("{there}:{}", here.display());
        let said = ssh.control(master.socket(), &["-O", "forward", "-R", &forward]).await;
        let said = said.map_err(|said| {
            drop(std::fs::remove_file(&here));
            refused(said)
        })?;
        let asked_for = if let Listen::Tcp { port, .. } = &what { *port } else { 0 };
        let port = said.split_whitespace().find_map(|word| word.parse().ok()).unwrap_or(asked_for);
        // What was asked for as port 0 is cancelled by those words too.
        Ok(remote::listening(self.clone(), (door, here), (forward, port)))
    }

    /// That the link is no more.
    pub(crate) fn lost(&self) -> Failure {
        Failure::new(Code::LinkLost, "use the connection")
            .said("the ssh that carried it has ended")
            .hint("it is made again on the next try")
            .at(&self.inner.ssh.alias)
    }

    /// A refusal, unless it came of the end of the login.
    fn unless_lost(&self, refused: Failure) -> Failure {
        if self.stands() { refused } else { self.lost() }
    }

    /// Connects to a Unix socket on the remote, through a local one that the master forwards.
    pub(crate) async fn unix_socket(&self, path: &str) -> Result<ByteStream, Failure> {
        let Inner { ssh, master, sockets, .. } = &*self.inner;
        let refused = |said: String| {
            let refused = Failure::new(Code::ChannelRefused, format!("open the remote socket {path}"));
            self.unless_lost(refused.said(said).hint("sshd must allow it: AllowStreamLocalForwarding yes").at(&ssh.alias))
        };
        let here = master.dir().join(format!("f{}", sockets.fetch_add(1, Ordering::Relaxed)));
        let forward = format!("{}:{}", here.display(), literal(path).map_err(&refused)?);
        ssh.control(master.socket(), &["-O", "forward", "-L", &forward]).await.map_err(&refused)?;
        let connected = UnixStream::connect(&here).await;
        // The listener was for one connection; the connection outlives it.
        drop(ssh.control(master.socket(), &["-O", "cancel", "-L", &forward]).await);
        drop(std::fs::remove_file(&here));
        Ok(self.held_by(connected.map_err(|e| refused(e.to_string()))?))
    }

    /// Waits for the end of the login, ours or the person's own.
    pub(crate) async fn closed(&self) {
        self.inner.master.ended().await;
    }

    pub(crate) async fn ping(&self, limit: Duration) -> Result<Duration, Failure> {
        let began = std::time::Instant::now();
        let asked = self.exec("exit 0")?.wait();
        match tokio::time::timeout(limit, asked).await {
            Ok(ExitStatus::Code(0)) => Ok(began.elapsed()),
            Ok(_) | Err(_) => Err(Failure::new(Code::LinkLost, "ping the host").said("no answer").at(&self.inner.ssh.alias)),
        }
    }

    pub(crate) async fn close(&self) {
        for (there, here) in self.inner.ports.lock().await.drain() {
            if !self.inner.master.is_ours() {
                let forward = format!("{}:{there}", here.display());
                drop(self.inner.ssh.control(self.inner.master.socket(), &["-O", "cancel", "-L", &forward]).await);
            }
            drop(std::fs::remove_file(&here));
        }
        self.inner.master.close(&self.inner.ssh).await;
    }
}

/// The person's live master, or one of ours, which waits for its turn at all addresses where it logs in.
async fn find_or_start(ssh: &Ssh, target: &Target, context: Context<'_>) -> Result<Master, Failure> {
    if let Some(master) = Master::find(ssh, target, context.local).await? {
        return Ok(master);
    }
    let turns = Turns::at(&on_the_way(target, context.local, 0).await).await?;
    let started = Master::start(ssh, target, (context.local, context.watch)).await;
    match &started {
        Err(failure) if failure.said.contains(NOT_ARRIVED) => turns.end_on_the_way(failure.code),
        Err(failure) => turns.end(Some(failure.code)),
        Ok(_) => turns.end(None),
    }
    started
}

/// A port as ssh's options name it.
fn written(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The longest path of a socket that ssh takes.
const LONGEST: usize = 107;

/// A remote path that ssh takes as it stands. In others it would put what `${NAME}` and `%` stand for here, and the host, which
/// names the path, would learn it.
fn literal(path: &str) -> Result<&str, String> {
    match path.chars().find(|c| c.is_control() || "$%:\\".contains(*c)) {
        Some(odd) => Err(format!("the path holds {odd:?}, which ssh would not take as it stands")),
        None if !path.starts_with('/') => Err("the path does not begin with '/'".to_owned()),
        None if path.len() > LONGEST => Err(format!("the path is longer than {LONGEST} bytes")),
        None => Ok(path),
    }
}

fn failed(said: impl std::fmt::Display) -> Failure {
    Failure::new(Code::CarrierFailed, "run the system ssh").said(said).hint("try the same host with ssh in a terminal")
}
