//! A remote command joined with our own three streams, byte for byte, until it ends or a signal comes.

use std::io::ErrorKind;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::terminal;
use crate::cli::screen::BROKEN_PIPE;
use crate::failure::{Code, Exit, Failure};
use crate::ssh::exec::{ExitStatus, Piped};
use crate::ssh::session::Session;
use crate::ssh::shell::Control;

/// What is joined.
pub(super) struct Joined<'a> {
    pub(super) piped: Piped,
    pub(super) control: Option<Control>,
    pub(super) session: &'a Session,
    /// Whether our standard input is the command's; it gets an empty one else.
    pub(super) input: bool,
}

/// What a shell adds to the number of the signal that ended a command.
const BY_SIGNAL: u8 = 128;

/// What happens beside the streams.
enum Beside {
    Resized,
    Leave(SignalKind),
}

impl Joined<'_> {
    /// Runs to the end; the status is the command's.
    ///
    /// # Errors
    /// What the server refused; a lost link; a local stream that cannot be written.
    pub(super) async fn run(self) -> Result<Exit, Failure> {
        let Self { piped, control, session, input } = self;
        // The streams are held to the end: the status follows their end, and dropping them all closes the channel.
        let Piped { stdin, mut stdout, mut stderr, status, refused } = piped;
        let feeding = Feeding(tokio::spawn(feed(stdin, input)));
        let showing = async {
            let shown = tokio::try_join!(show(&mut stdout, tokio::io::stdout()), show(&mut stderr, tokio::io::stderr()));
            shown.map(|_| ())
        };
        let ended = tokio::select! {
            shown = showing => shown.map(|()| None),
            left = beside(control.as_ref()) => left.map(Some),
        };
        if let Some(signal) = ended? {
            return Ok(Exit::Passed(BY_SIGNAL.saturating_add(u8::try_from(signal.as_raw_value()).unwrap_or_default())));
        }
        let status = status.await.unwrap_or(ExitStatus::Unknown);
        drop(feeding);
        match status {
            // What a system keeps of a status.
            ExitStatus::Code(code) => Ok(Exit::Passed(u8::try_from(code & 0xff).unwrap_or_default())),
            ExitStatus::Signal(name) => Ok(Exit::Passed(by_signal(&name))),
            ExitStatus::Unknown if refused.is_empty() => Err(session.lost()),
            ExitStatus::Unknown => Err(Failure::new(Code::ChannelRefused, "run it on the host")
                .said(refused.text().trim())
                .hint("look at PermitTTY and ForceCommand of its sshd; -T asks for no terminal")),
        }
    }
}

/// The task that feeds the command; it ends with this.
struct Feeding(JoinHandle<()>);

impl Drop for Feeding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Our standard input to the command, then its end.
async fn feed(mut to: impl AsyncWrite + Unpin, input: bool) {
    // A command that has ended reads no more; its status tells.
    if input {
        let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut to).await;
    }
    let _ = to.shutdown().await;
}

/// Copies to the end; a lost link is an end too, of which the missing status tells.
async fn show(from: &mut (impl AsyncRead + Unpin), mut to: impl AsyncWrite + Unpin) -> Result<(), Failure> {
    let mut buffer = vec![0_u8; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        to.write_all(buffer.get(..n).unwrap_or_default()).await.map_err(|e| broken(&e))?;
        to.flush().await.map_err(|e| broken(&e))?;
    }
    Ok(())
}

fn broken(error: &std::io::Error) -> Failure {
    let failure = Failure::new(Code::LocalIo, "write the command's output");
    if error.kind() == ErrorKind::BrokenPipe { failure.said(BROKEN_PIPE) } else { failure.said(error) }
}

/// Tells the remote what happens to the terminal, until a signal says to leave.
async fn beside(control: Option<&Control>) -> Result<SignalKind, Failure> {
    let mut signals = Signals::listen()?;
    loop {
        match signals.next().await {
            Beside::Resized => {
                if let Some(control) = control {
                    control.resize(terminal::size()).await;
                }
            }
            Beside::Leave(signal) => {
                if let (Some(control), true) = (control, signal == SignalKind::interrupt()) {
                    control.interrupt().await;
                }
                return Ok(signal);
            }
        }
    }
}

/// The signals that are listened to.
struct Signals {
    resized: Signal,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let on = |kind| signal(kind).map_err(|e| Failure::new(Code::LocalIo, "listen to signals").said(e));
        Ok(Self {
            resized: on(SignalKind::window_change())?,
            interrupt: on(SignalKind::interrupt())?,
            quit: on(SignalKind::quit())?,
            terminate: on(SignalKind::terminate())?,
            hangup: on(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Beside {
        tokio::select! {
            _ = self.resized.recv() => Beside::Resized,
            _ = self.interrupt.recv() => Beside::Leave(SignalKind::interrupt()),
            _ = self.quit.recv() => Beside::Leave(SignalKind::quit()),
            _ = self.terminate.recv() => Beside::Leave(SignalKind::terminate()),
            _ = self.hangup.recv() => Beside::Leave(SignalKind::hangup()),
        }
    }
}

/// The status of a command that a signal ended, as shells count it.
fn by_signal(name: &str) -> u8 {
    let number =
        format!("SIG{name}").parse::<nix::sys::signal::Signal>().ok().and_then(|signal| u8::try_from(signal as i32).ok());
    number.map_or(u8::MAX, |number| BY_SIGNAL.saturating_add(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_counted_as_shells_count_them() {
        for (name, status) in [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("odd@example.org", 255)] {
            assert_eq!(by_signal(name), status, "{name}");
        }
    }
}
