//! A command running on the remote, whatever carries it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{Notify, oneshot};

/// How a remote command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitStatus {
    /// With this code.
    Code(u32),
    /// By this signal ("TERM").
    Signal(String),
    /// The channel or the link went before the server said how.
    Unknown,
}

/// How much of a command's standard error is kept, in bytes: the last of it, for the error message.
const STDERR_TAIL: usize = 64 * 1024;

/// The last bytes of a stream, shared with the task that fills it.
#[derive(Debug, Clone, Default)]
pub struct Tail(Arc<Mutex<Vec<u8>>>, Arc<Notify>);

impl Tail {
    /// Adds bytes; beyond `STDERR_TAIL` the oldest go.
    pub fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let over = kept.len().saturating_sub(STDERR_TAIL);
        kept.drain(..over);
        drop(kept);
        self.1.notify_waiters();
    }

    /// Waits for a whole line that holds these words, and takes it out: who asks next waits for the next one.
    pub async fn line(&self, words: &str) -> String {
        loop {
            let more = self.1.notified();
            if let Some(line) = self.cut(words) {
                return line;
            }
            more.await;
        }
    }

    /// Waits until something is there.
    pub(crate) async fn more(&self) {
        loop {
            let more = self.1.notified();
            if !self.is_empty() {
                return;
            }
            more.await;
        }
    }

    /// Takes out all that is there, as text.
    pub(crate) fn take(&self) -> String {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&kept).into_owned()
    }

    fn cut(&self, words: &str) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = 0;
        for line in kept.split_inclusive(|byte| *byte == b'\n') {
            let (range, text) = (at..at + line.len(), String::from_utf8_lossy(line));
            at = range.end;
            if text.ends_with('\n') && text.contains(words) {
                let text = text.trim().to_owned();
                kept.drain(range);
                return Some(text);
            }
        }
        None
    }

    /// What is kept, as text; raw remote text, to be neutralised before it is shown.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Fills this tail and another from a stream until its end.
    pub(crate) async fn fill_both(self, other: Self, from: impl AsyncRead + Unpin) {
        self.fill(super::tap::Tap::new(from, move |_, bytes: &[u8]| other.push(bytes))).await;
    }

    /// Fills the tail from a stream until its end.
    pub async fn fill(self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = [0_u8; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            self.push(buffer.get(..n).unwrap_or_default());
        }
    }
}

/// A command running on the remote. Dropping it closes its channel.
pub struct Exec {
    /// Its standard input; shutting it down sends the end of file.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// The end of its standard error.
    pub stderr: Tail,
    /// How it ended; the sender gone means [`ExitStatus::Unknown`].
    pub status: oneshot::Receiver<ExitStatus>,
}

/// A command whose streams are whole: nothing of them is dropped, and who reads slowly slows the sender down.
pub struct Piped {
    /// Its standard input; shutting it down sends the end of file.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Its standard error.
    pub stderr: Box<dyn AsyncRead + Send + Unpin>,
    /// How it ended; the sender gone means [`ExitStatus::Unknown`].
    pub status: oneshot::Receiver<ExitStatus>,
    /// What the server refused of what was asked for; its own words and nothing of the command's.
    pub refused: Tail,
}

impl Exec {
    /// Waits for the end.
    pub async fn wait(self) -> ExitStatus {
        self.status.await.unwrap_or(ExitStatus::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_waited_for_and_taken_once() {
        let tail = Tail::default();
        tail.push(b"hello\r\nchannel 2: open fai");
        let waiting = tokio::spawn({
            let tail = tail.clone();
            async move { tail.line("open failed").await }
        });
        tokio::task::yield_now().await;
        tail.push(b"led: no\r\nbye\n");
        assert_eq!(waiting.await.expect("it came"), "channel 2: open failed: no");
        assert_eq!(tail.text(), "hello\r\nbye\n");
    }
}
