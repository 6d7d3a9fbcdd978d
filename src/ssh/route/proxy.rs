//! A ProxyCommand as the byte stream to a host, run as ssh runs it: by the person's shell.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;
use crate::ssh::ByteStream;
use crate::ssh::exec::Tail;
use crate::ssh::tap::Tap;
use crate::ssh::tokens::Tokens;

/// How long a proxy that closed its pipe is given to say with what code it ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running ProxyCommand.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// The command line as it was run.
    pub(crate) command: String,
    stderr: Tail,
    /// The same, to be told while the command runs.
    pub(super) said: Tail,
    ended: watch::Receiver<Option<Option<ExitStatus>>>,
}

impl Proxy {
    /// Starts the command of the configuration.
    ///
    /// # Errors
    /// A host or user that a shell would act on, an unknown token, or no shell.
    pub(crate) fn start(template: &str, target: &Target, local: &Local) -> Result<(Self, ByteStream), Failure> {
        let command = Tokens::new(target, local).command(template)?;
        let mut child = spawn(&command, local).map_err(|e| failed(&command).said(e))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(failed(&command).said("it has no pipes"));
        };
        let (tail, said) = (Tail::default(), Tail::default());
        let filling = tokio::spawn(tail.clone().fill_both(said.clone(), stderr));
        let token = CancellationToken::new();
        let (sender, ended) = watch::channel(None);
        tokio::spawn(keep(
            child,
            token.clone(),
            async move {
                // A grandchild may hold stderr open for ever: what it still says is not waited for.
                drop(tokio::time::timeout(LAST_WORDS, filling).await);
            },
            sender,
        ));
        // The command is killed when the stream, and with it the guard, is dropped.
        let guard = token.drop_guard();
        let stream = Tap::new(tokio::io::join(stdout, stdin), move |_, _| {
            let _ = &guard;
        });
        Ok((Self { command, stderr: tail, said, ended }, Box::new(stream)))
    }

    /// Why there is no SSH server at the other end of the pipe.
    pub(crate) async fn why(&mut self) -> Option<Failure> {
        let ended = tokio::time::timeout(LAST_WORDS * 2, self.ended.wait_for(Option::is_some)).await;
        let status = ended.ok()?.ok()?.flatten();
        let how = status.map_or_else(|| "it could not be waited for".to_owned(), |s| s.to_string());
        let words = self.stderr.text();
        let said = [words.trim_end(), &how].into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join("\n");
        Some(failed(&self.command).said(said))
    }
}

fn failed(command: &str) -> Failure {
    Failure::new(Code::ProxyCommand, format!("ProxyCommand {command}"))
        .hint("run the command by hand in a terminal; it must carry the bytes of the connection")
}

fn spawn(command: &str, local: &Local) -> std::io::Result<Child> {
    let shell = local.var("SHELL").unwrap_or("/bin/sh".as_ref());
    // Ctrl-C is for the turn, not for the link: what is ignored here stays ignored in what is exec'ed, unless the command
    // itself wants it (ssh does while it asks for a password).
    Command::new("/bin/sh")
        .args(["-c", "trap '' INT QUIT; exec \"$@\"", "sh"])
        .arg(shell)
        .arg("-c")
        .arg(format!("exec {command}"))
        .env_clear()
        .envs(&local.vars)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn keep(
    mut child: Child,
    dropped: CancellationToken,
    stderr_read: impl Future<Output = ()>,
    ended: watch::Sender<Option<Option<ExitStatus>>>,
) {
    let status = tokio::select! {
        status = child.wait() => status.ok(),
        () = dropped.cancelled() => {
            // Its pipes are closed now, which ends most; what it says while it ends may explain why it carried nothing.
            match tokio::time::timeout(LAST_WORDS, child.wait()).await {
                Ok(status) => status.ok(),
                Err(_) => {
                    drop(child.start_kill());
                    child.wait().await.ok()
                }
            }
        }
    };
    stderr_read.await;
    ended.send_replace(Some(status));
}
