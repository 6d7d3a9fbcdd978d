//! What OpenSSH makes of a host: `ssh -G`, run for one host at a time and with a time limit; without an `ssh`, [`fallback`].

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use super::alias;
use super::fallback;
use super::target::Target;
use crate::failure::{Code, Failure};
use crate::name::Alias;
use crate::paths::Local;

/// `Match exec` runs commands and CanonicalizeHostname asks the DNS; longer than this nobody waits.
const LIMIT: Duration = Duration::from_secs(10);

/// What a command of `Match exec` left running may hold stderr open; its last words are waited for this long.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// `ssh -G` prints about 6 KiB; SendEnv, SetEnv and forwards make it more.
const MOST_OUTPUT: u64 = 4 * 1024 * 1024;

/// What of stderr is kept.
const MOST_STDERR: u64 = 16 * 1024;

/// Resolves a host that the configuration names.
///
/// # Errors
/// [`Code::HostUnknown`] before anything is run; [`Code::ResolveRefused`] with ssh's own words; [`Code::ResolveTimeout`].
pub async fn resolve(local: &Local, alias: &Alias) -> Result<Target, Failure> {
    alias::find(&alias::list(local)?, alias.as_str())?;
    hop(local, &Hop::to(alias.clone())).await
}

/// A place on the way to a host: a word of `ProxyJump`, which need not be a host of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The name, which the configuration may say something about.
    pub host: Alias,
    /// The user that stands before the `@`.
    pub user: Option<String>,
    /// The port that stands behind the colon.
    pub port: Option<u16>,
    /// The hops before this one, in the words of ProxyJump; none leaves it to the configuration.
    pub through: Option<String>,
}

impl Hop {
    /// The plain name.
    #[must_use]
    pub fn to(host: Alias) -> Self {
        Self { host, user: None, port: None, through: None }
    }

    fn options(&self) -> Vec<OsString> {
        let mut options: Vec<OsString> = Vec::new();
        for (flag, value) in [("-l", self.user.clone()), ("-p", self.port.map(|p| p.to_string())), ("-J", self.through.clone())] {
            options.extend(value.map(|value| [flag.into(), value.into()]).into_iter().flatten());
        }
        options
    }
}

/// Resolves a name whether or not a `Host` line names it, as ssh does for each hop of ProxyJump.
///
/// # Errors
/// As [`resolve`], save for unknown names.
pub async fn hop(local: &Local, hop: &Hop) -> Result<Target, Failure> {
    let Some(ssh) = find_ssh(local) else {
        return fallback::resolve(local, hop);
    };
    let args = |more: &[&str]| {
        let file = local.ssh_config.iter().flat_map(|file| ["-F".into(), file.clone().into_os_string()]);
        let mut args: Vec<OsString> = file.collect();
        args.push("-G".into());
        args.extend(more.iter().map(OsString::from));
        args.extend(hop.options());
        args.extend(["--".into(), hop.host.as_str().into()]);
        args
    };
    let said = |failure: Failure| failure.at(&hop.host);
    let words = args(&[]);
    let asked = Asked { ssh: &ssh, args: &words, local };
    let (printed, defaults) = tokio::try_join!(asked.run(), defaults(&ssh, local)).map_err(said)?;
    let target = Target::from_ssh_g(hop.host.clone(), &printed, &defaults);
    if !printed.contains("%C") {
        return Ok(target);
    }
    // Of all paths only that one is printed with its tokens expanded.
    let words = args(&["-o", "ControlPath=%C"]);
    let printed = Asked { ssh: &ssh, args: &words, local }.run().await.map_err(said)?;
    let hash = printed.lines().find_map(|line| line.strip_prefix("controlpath ")).map(str::to_owned);
    Ok(target.with_connection_hash(hash))
}

/// The `ssh` that the person's PATH leads to.
#[must_use]
pub fn find_ssh(local: &Local) -> Option<PathBuf> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    which::which_in("ssh", local.var("PATH"), here).ok()
}

/// What each `ssh` says when no configuration is read; it cannot change while the process lives.
static DEFAULTS: Mutex<Option<HashMap<PathBuf, Arc<OnceCell<String>>>>> = Mutex::new(None);

async fn defaults(ssh: &Path, local: &Local) -> Result<String, Failure> {
    let cell = {
        let mut known = DEFAULTS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.get_or_insert_default().entry(ssh.to_owned()).or_default())
    };
    let args = ["-F", "/dev/null", "-G", "--", "host"].map(OsString::from);
    cell.get_or_try_init(|| async { Asked { ssh, args: &args, local }.run().await }).await.cloned()
}

/// One run of `ssh -G`.
struct Asked<'a> {
    ssh: &'a Path,
    args: &'a [OsString],
    local: &'a Local,
}

impl Asked<'_> {
    fn line(&self) -> String {
        let args: Vec<_> = self.args.iter().map(|arg| arg.to_string_lossy()).collect();
        format!("ssh {}", args.join(" "))
    }

    async fn run(&self) -> Result<String, Failure> {
        let mut child = Group(self.start()?);
        match tokio::time::timeout(LIMIT, child.output()).await {
            Ok(Ok((printed, _, true))) => Ok(printed),
            Ok(Ok((_, said, false))) => Err(Failure::new(Code::ResolveRefused, self.line())
                .said(said.trim_end())
                .hint("mend what ssh names; until then `ssh` itself refuses this host too")),
            Ok(Err(e)) => Err(self.odd(&e)),
            Err(_) => {
                Err(Failure::new(Code::ResolveTimeout, self.line()).said(format!("no answer within {} s", LIMIT.as_secs())).hint(
                    "a `Match exec` command or a DNS look-up of CanonicalizeHostname hangs; run the command above to see which",
                ))
            }
        }
    }

    fn start(&self) -> Result<Child, Failure> {
        Command::new(self.ssh)
            .args(self.args)
            .env_clear()
            .envs(&self.local.vars)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| self.odd(&e))
    }

    /// The program itself is not as it should be.
    fn odd(&self, error: &io::Error) -> Failure {
        let hint = format!("run the command above by hand; the ssh that was asked is {}", self.ssh.display());
        Failure::new(Code::ResolveRefused, self.line()).said(error).hint(hint)
    }
}

/// A child and the commands of `Match exec` that it runs: none outlives the answer we wait for.
struct Group(Child);

impl Group {
    /// What was printed, what was said on stderr, and whether it went well.
    async fn output(&mut self) -> io::Result<(String, String, bool)> {
        let (stdout, stderr) = (self.0.stdout.take(), self.0.stderr.take());
        let mut said = Vec::new();
        let ended = async {
            let printed = keep(stdout, MOST_OUTPUT).await?;
            Ok::<_, io::Error>((printed, self.0.wait().await?.success()))
        };
        let (printed, good) = read_along(ended, first_words(stderr, &mut said)).await?;
        Ok((text(&printed), text(&said), good))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for the end while reading along, and a moment longer for what is still to be read.
async fn read_along<T>(ended: impl Future<Output = T>, reading: impl Future<Output = ()>) -> T {
    tokio::pin!(ended, reading);
    tokio::select! {
        ended = &mut ended => {
            let _ = tokio::time::timeout(LAST_WORDS, reading).await;
            ended
        }
        () = &mut reading => ended.await,
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The id is there only while the child is not reaped, so the group cannot be anybody else's.
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
    }
}

async fn keep(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit + 1).read_to_end(&mut kept).await?;
    }
    if kept.len() as u64 > limit {
        return Err(io::Error::other(format!("more than {limit} bytes of output")));
    }
    Ok(kept)
}

/// Reads to the end and keeps the beginning.
async fn first_words(stream: Option<impl AsyncRead + Unpin>, said: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    if (&mut stream).take(MOST_STDERR).read_to_end(said).await.is_ok() {
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
}
