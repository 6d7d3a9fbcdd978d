//! The bounded queue between the task that drains a channel and whoever reads the channel.
//!
//! russh hands data out in the one task that also reads the socket, so a channel that nobody empties would stall the whole
//! connection. Each channel is therefore emptied at once into one of these; a reader that falls too far behind loses its
//! own channel and nobody else's. Only a channel that is alone on its connection may make the connection wait: see [`Inbox::room`].

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

/// How far a reader may fall behind, in bytes: twice the window, so that a reader that merely pauses is not cut off by what
/// was already on its way.
pub(crate) const LIMIT: usize = 2 * super::transport::WINDOW as usize;

/// How far the reader of a channel that is alone on its connection may fall behind before the connection waits for it.
const MARK: usize = 256 * 1024;

/// Why nothing more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The other side said so, or closed the channel.
    Eof,
    /// The reader fell behind by more than [`LIMIT`].
    Overflow,
    /// The link was lost.
    Lost,
}

/// The side that fills.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    end: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Inbox {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes data; false when the reader has fallen too far behind, which ends the queue.
    pub(crate) fn push(&self, chunk: Bytes) -> bool {
        let mut queue = self.queue();
        if queue.bytes + chunk.len() > LIMIT {
            queue.end.get_or_insert(End::Overflow);
        }
        if queue.end.is_none() && !chunk.is_empty() {
            queue.bytes += chunk.len();
            queue.chunks.push_back(chunk);
        }
        wake(&mut queue);
        queue.end != Some(End::Overflow)
    }

    /// Says why nothing more will come; only the first word counts.
    pub(crate) fn finish(&self, end: End) {
        let mut queue = self.queue();
        queue.end.get_or_insert(end);
        wake(&mut queue);
    }

    /// Waits until the reader is near: who calls this before the next message lets the whole connection wait.
    pub(crate) async fn room(&self) {
        std::future::poll_fn(|cx| {
            let mut queue = self.queue();
            if queue.bytes < MARK || queue.end.is_some() {
                return Poll::Ready(());
            }
            queue.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The side that reads.
    pub(crate) fn reader(&self) -> InboxReader {
        InboxReader(self.clone())
    }
}

fn wake(queue: &mut Queue) {
    if let Some(waker) = queue.reader.take() {
        waker.wake();
    }
}

/// The side that reads.
#[derive(Debug)]
pub(crate) struct InboxReader(Inbox);

impl AsyncRead for InboxReader {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut queue = self.0.queue();
        let mut read = 0;
        while buf.remaining() > 0 {
            let Some(chunk) = queue.chunks.front_mut() else { break };
            let n = chunk.len().min(buf.remaining());
            buf.put_slice(chunk.get(..n).unwrap_or_default());
            chunk.advance(n);
            read += n;
            if chunk.is_empty() {
                queue.chunks.pop_front();
            }
        }
        queue.bytes = queue.bytes.saturating_sub(read);
        if queue.bytes < MARK
            && let Some(waker) = queue.writer.take()
        {
            waker.wake();
        }
        match (read, queue.end) {
            (1.., _) | (0, Some(End::Eof)) => Poll::Ready(Ok(())),
            (0, Some(End::Overflow)) => Poll::Ready(Err(io::Error::other(
                "the reader fell too far behind (32 MiB), its channel was closed; the system ssh lets the sender wait: --carrier ssh",
            ))),
            (0, Some(End::Lost)) => Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the link was lost"))),
            (0, None) => {
                queue.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn what_was_pushed_is_read_before_the_end() {
        let inbox = Inbox::default();
        let mut reader = inbox.reader();
        assert!(inbox.push(Bytes::from_static(b"hello ")));
        assert!(inbox.push(Bytes::from_static(b"world")));
        inbox.finish(End::Eof);
        let mut all = String::new();
        reader.read_to_string(&mut all).await.expect("read");
        assert_eq!(all, "hello world");
    }

    #[tokio::test]
    async fn a_lost_link_is_not_an_end_of_file() {
        let inbox = Inbox::default();
        inbox.finish(End::Lost);
        inbox.finish(End::Eof);
        let error = inbox.reader().read_u8().await.expect_err("lost");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn a_reader_that_sleeps_is_cut_off_at_the_limit() {
        let inbox = Inbox::default();
        let chunk = Bytes::from(vec![0; 1 << 20]);
        let taken = (0..1000).take_while(|_| inbox.push(chunk.clone())).count();
        assert_eq!(taken, LIMIT >> 20);
        let mut rest = Vec::new();
        inbox.reader().read_to_end(&mut rest).await.expect_err("overflow");
        assert_eq!(rest.len(), LIMIT);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let inbox = Inbox::default();
        let mut reader = inbox.reader();
        let waiting = tokio::spawn(async move { reader.read_u8().await });
        tokio::task::yield_now().await;
        inbox.push(Bytes::from_static(b"x"));
        assert_eq!(waiting.await.expect("join").expect("read"), b'x');
    }

    #[tokio::test]
    async fn who_fills_waits_for_a_slow_reader() {
        let inbox = Inbox::default();
        let mut reader = inbox.reader();
        inbox.push(Bytes::from(vec![0; MARK]));
        let filling = inbox.clone();
        let waiting = tokio::spawn(async move { filling.room().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        reader.read_u8().await.expect("read");
        waiting.await.expect("woken");
    }
}
