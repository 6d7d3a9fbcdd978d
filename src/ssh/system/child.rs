//! A child `ssh` as plain streams: it ends when the last of them is dropped.

use std::io::ErrorKind;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::{Child, ChildStderr, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ssh::exec::{Exec, ExitStatus, Piped, Tail};
use crate::ssh::tap::Tap;

/// The streams of a running child.
pub(super) struct Streams {
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    stdout: Box<dyn AsyncRead + Send + Unpin>,
    stderr: ChildStderr,
    child: Child,
    dropped: CancellationToken,
    guard: Arc<DropGuard>,
    /// What it needs is kept as long as it runs.
    keep: Box<dyn FnOnce() + Send>,
}

impl Streams {
    /// Starts a child; what `keep` owns lives as long as it.
    pub(super) fn of(mut command: Command, keep: impl FnOnce() + Send + 'static) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err("it has no pipes".to_owned());
        };
        let dropped = CancellationToken::new();
        let guard = Arc::new(dropped.clone().drop_guard());
        let held = Arc::clone(&guard);
        let stdout = Tap::new(stdout, move |_, _: &[u8]| {
            let _ = &held;
        });
        let stdin = Input { pipe: Some(stdin), _guard: Arc::clone(&guard) };
        Ok(Self { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr, child, dropped, guard, keep: Box::new(keep) })
    }

    /// As a command with the end of its standard error.
    pub(super) fn exec(self) -> Exec {
        let Self { stdin, stdout, stderr, child, dropped, keep, .. } = self;
        let tail = Tail::default();
        let filling = tokio::spawn(tail.clone().fill(stderr));
        let status = watch_over(child, (dropped, keep), async { drop(filling.await) });
        Exec { stdin, stdout, stderr: tail, status }
    }

    /// As a command whose streams are whole.
    pub(super) fn piped(self) -> Piped {
        let Self { stdin, stdout, stderr, child, dropped, guard, keep } = self;
        let status = watch_over(child, (dropped, keep), async {});
        let stderr = Tap::new(stderr, move |_, _: &[u8]| {
            let _ = &guard;
        });
        Piped { stdin, stdout, stderr: Box::new(stderr), status, refused: Tail::default() }
    }
}

/// The child's standard input. The end of a pipe is sent by closing it, which tokio's own shutdown does not do.
struct Input {
    pipe: Option<ChildStdin>,
    _guard: Arc<DropGuard>,
}

impl Input {
    fn pipe(self: Pin<&mut Self>) -> std::io::Result<Pin<&mut ChildStdin>> {
        self.get_mut().pipe.as_mut().map(Pin::new).ok_or_else(|| ErrorKind::BrokenPipe.into())
    }
}

impl AsyncWrite for Input {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        match self.pipe() {
            Ok(pipe) => pipe.poll_write(cx, buf),
            Err(e) => Poll::Ready(Err(e)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.pipe() {
            Ok(pipe) => pipe.poll_flush(cx),
            Err(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.get_mut().pipe = None;
        Poll::Ready(Ok(()))
    }
}

/// Waits for the end of the child and of what reads from it, or ends it when nobody wants it any more.
fn watch_over(
    mut child: Child,
    (dropped, keep): (CancellationToken, Box<dyn FnOnce() + Send>),
    read: impl Future<Output = ()> + Send + 'static,
) -> oneshot::Receiver<ExitStatus> {
    let (sender, status) = oneshot::channel();
    tokio::spawn(async move {
        tokio::select! {
            ended = child.wait() => {
                read.await;
                drop(sender.send(status_of(ended.ok())));
            }
            () = dropped.cancelled() => drop(child.kill().await),
        }
        keep();
    });
    status
}

fn status_of(ended: Option<std::process::ExitStatus>) -> ExitStatus {
    let code = ended.and_then(|s| s.code()).and_then(|c| u32::try_from(c).ok());
    code.map_or(ExitStatus::Unknown, ExitStatus::Code)
}
