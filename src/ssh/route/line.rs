//! A byte stream that can be given up at once, whatever it still had to carry.
//!
//! A socket whose other end fell silent keeps what was written to it and sends it again for a quarter of an hour; a writer that
//! waits for room in it waits as long. Whoever knows that the link is dead gives it up: reads and writes fail at once, and the
//! kernel forgets the socket with what it holds.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The stream; `forget` is called once when it is given up.
pub(crate) struct Line<S> {
    io: S,
    /// Waited for by whoever reads: on a connection somebody always does.
    given_up: Pin<Box<WaitForCancellationFutureOwned>>,
    cut: CancellationToken,
    forget: fn(&S),
}

impl<S> Line<S> {
    pub(crate) fn new(io: S, cut: CancellationToken, forget: fn(&S)) -> Self {
        Self { io, given_up: Box::pin(cut.clone().cancelled_owned()), cut, forget }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the link was given up")
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.cut.is_cancelled() || this.given_up.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(gone()));
        }
        Pin::new(&mut this.io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> Line<S> {
    /// Runs one step of writing, unless the link is given up: a writer that waits for room must hear of that too.
    fn step<T>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let this = self.get_mut();
        if this.cut.is_cancelled() {
            return Poll::Ready(Err(gone()));
        }
        let stepped = step(Pin::new(&mut this.io), cx);
        // The one task of a connection does not read while it writes, so this waker replaces none that is needed.
        if stepped.is_pending() && this.given_up.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(gone()));
        }
        stepped
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.step(cx, |io, cx| io.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.step(cx, |io, cx| io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.step(cx, |io, cx| io.poll_shutdown(cx))
    }
}

impl<S> Drop for Line<S> {
    fn drop(&mut self) {
        if self.cut.is_cancelled() {
            (self.forget)(&self.io);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn reads_and_writes_fail_at_once() {
        for writes in [false, true] {
            let (ours, _theirs) = tokio::io::duplex(4);
            let cut = CancellationToken::new();
            let mut line = Line::new(ours, cut.clone(), |_| ());
            let waiting =
                tokio::spawn(
                    async move { if writes { line.write_all(&[0; 64]).await } else { line.read_u8().await.map(|_| ()) } },
                );
            tokio::task::yield_now().await;
            cut.cancel();
            let error = waiting.await.expect("join").expect_err("given up");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        }
    }

    #[tokio::test]
    async fn the_kernel_forgets_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let stream = TcpStream::connect(listener.local_addr().expect("address")).await.expect("connect");
        let (mut theirs, _) = listener.accept().await.expect("accept");
        let cut = CancellationToken::new();
        let line = Line::new(stream, cut.clone(), super::super::reset);
        cut.cancel();
        drop(line);
        // A reset, not an orderly end.
        assert_eq!(theirs.read_u8().await.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);
    }
}
