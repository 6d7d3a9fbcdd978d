//! One channel of a connection as plain streams: the two tasks that own it, and the guard that closes it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::exec::{Exec, ExitStatus, Piped, Tail};
use super::inbox::{End, Inbox, InboxReader};

/// What a writer may have on its way to the channel's writer task, in bytes.
const OUTBOX: usize = 64 * 1024;

/// How long what was written may take to go when nobody holds the channel any more.
const REST: Duration = Duration::from_secs(10);

/// The most that goes into one packet (russh's and OpenSSH's packet size).
const PACKET: usize = 32 * 1024;

/// How much a writer may say at once after it was idle, in bytes.
const IDLE: usize = 1024;

/// Closes the channel when the last half is dropped.
type Guard = Arc<DropGuard>;

/// What becomes of a reader that is slow, and of standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// One channel of several: too slow a reader loses it, standard error is kept as a tail.
    Shared,
    /// The only channel of its connection: the connection waits for its reader, standard error is a stream.
    Alone,
}

/// A running channel.
pub(crate) struct Running {
    reader: Reading,
    writer: Writing,
    errors: Reading,
    stderr: Tail,
    status: oneshot::Receiver<ExitStatus>,
    control: Arc<ChannelWriteHalf<Msg>>,
}

impl Running {
    /// Starts the two tasks of an open channel.
    pub(crate) fn start(channel: Channel<Msg>) -> Self {
        Self::in_manner(channel, (Manner::Shared, Vec::new()))
    }

    /// As [`Self::start`], for a channel that is alone on its connection: nothing of it is lost. `asked` is what the server was
    /// asked for with a reply wanted, in order.
    pub(crate) fn alone(channel: Channel<Msg>, asked: Vec<&'static str>) -> Self {
        Self::in_manner(channel, (Manner::Alone, asked))
    }

    fn in_manner(channel: Channel<Msg>, (manner, asked): (Manner, Vec<&'static str>)) -> Self {
        let (read, write) = channel.split();
        let (ours, theirs) = tokio::io::duplex(OUTBOX);
        let token = CancellationToken::new();
        let (sender, status) = oneshot::channel();
        let (inbox, errors, stderr) = (Inbox::default(), Inbox::default(), Tail::default());
        let write = Arc::new(write);
        let sending = tokio::spawn(send(theirs, Arc::clone(&write)));
        let drain = Drain {
            manner,
            asked: asked.into(),
            inbox: inbox.clone(),
            errors: errors.clone(),
            stderr: stderr.clone(),
            status: ExitStatus::Unknown,
            ended: false,
        };
        tokio::spawn(receive(read, Arc::clone(&write), token.clone(), (drain, sender, sending)));
        let guard = Arc::new(token.drop_guard());
        let reader = Reading { inbox: inbox.reader(), _guard: Arc::clone(&guard) };
        let errors = Reading { inbox: errors.reader(), _guard: Arc::clone(&guard) };
        Self { reader, writer: Writing { outbox: ours, _guard: guard }, errors, stderr, status, control: write }
    }

    /// For what is neither data nor the end of it.
    pub(crate) fn control(&self) -> Arc<ChannelWriteHalf<Msg>> {
        Arc::clone(&self.control)
    }

    /// As a command.
    pub(crate) fn exec(self) -> Exec {
        Exec { stdin: Box::new(self.writer), stdout: Box::new(self.reader), stderr: self.stderr, status: self.status }
    }

    /// As a command whose streams are whole; the channel must be alone.
    pub(crate) fn piped(self) -> Piped {
        let Self { reader, writer, errors, stderr, status, .. } = self;
        Piped { stdin: Box::new(writer), stdout: Box::new(reader), stderr: Box::new(errors), status, refused: stderr }
    }

    /// As a byte stream without a status.
    pub(crate) fn stream(self) -> super::ByteStream {
        Box::new(tokio::io::join(self.reader, self.writer))
    }
}

/// The one writer of the channel. A write is never cancelled half-way while the channel lives.
async fn send(mut from: DuplexStream, to: Arc<ChannelWriteHalf<Msg>>) {
    // A channel that is idle holds little; one that is busy has room for whole packets.
    let mut room = IDLE;
    loop {
        let mut buffer = BytesMut::with_capacity(room);
        match from.read_buf(&mut buffer).await {
            Ok(length @ 1..) => {
                room = if length >= room { PACKET } else { IDLE };
                if to.data_bytes(buffer.freeze()).await.is_err() {
                    return;
                }
            }
            Ok(0) | Err(_) => {
                drop(to.eof().await);
                return;
            }
        }
    }
}

struct Drain {
    manner: Manner,
    /// What the server has yet to say yes or no to.
    asked: VecDeque<&'static str>,
    inbox: Inbox,
    errors: Inbox,
    stderr: Tail,
    status: ExitStatus,
    ended: bool,
}

impl Drain {
    /// Takes one message; false when the channel is to be closed from our side.
    #[expect(clippy::wildcard_enum_match_arm, reason = "everything else is for servers, or no news")]
    fn take(&mut self, message: ChannelMsg) -> bool {
        match message {
            ChannelMsg::Data { data } => return self.inbox.push(data),
            ChannelMsg::ExtendedData { data, .. } => match self.manner {
                Manner::Shared => self.stderr.push(&data),
                Manner::Alone => return self.errors.push(data),
            },
            ChannelMsg::Eof => self.finish(End::Eof),
            ChannelMsg::ExitStatus { exit_status } => self.status = ExitStatus::Code(exit_status),
            ChannelMsg::ExitSignal { signal_name, error_message, .. } => {
                if self.manner == Manner::Shared {
                    self.stderr.push(error_message.as_bytes());
                }
                self.status = ExitStatus::Signal(signal(&signal_name));
            }
            ChannelMsg::Close => {
                self.ended = true;
                self.finish(End::Eof);
            }
            ChannelMsg::Success => drop(self.asked.pop_front()),
            ChannelMsg::Failure => {
                let what = self.asked.pop_front().unwrap_or("to run a command");
                self.stderr.push(format!("the server refused {what} on this channel\n").as_bytes());
                self.finish(End::Eof);
                return false;
            }
            _ => {}
        }
        true
    }

    fn finish(&self, end: End) {
        self.inbox.finish(end);
        self.errors.finish(end);
    }

    /// Waits for the readers, if they may be waited for.
    async fn room(&self) {
        if self.manner == Manner::Alone {
            self.inbox.room().await;
            self.errors.room().await;
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others are named as they are written")]
fn signal(name: &russh::Sig) -> String {
    match name {
        russh::Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    }
}

/// Empties the channel until its end; always reads, whatever its own reader does, unless the channel is alone.
async fn receive(
    mut read: ChannelReadHalf,
    write: Arc<ChannelWriteHalf<Msg>>,
    dropped: CancellationToken,
    (mut drain, status, mut sending): (Drain, oneshot::Sender<ExitStatus>, tokio::task::JoinHandle<()>),
) {
    let close = loop {
        let message = tokio::select! {
            message = async { drain.room().await; read.wait().await } => message,
            () = dropped.cancelled() => {
                send_the_rest(&mut read, &mut drain, &mut sending).await;
                break true;
            }
        };
        let Some(message) = message else { break false };
        if !drain.take(message) {
            break true;
        }
    };
    // A writer that waits for a window would hold the connection open for ever.
    sending.abort();
    if close && !drain.ended {
        drop(write.close().await);
    }
    drain.finish(if drain.ended { End::Eof } else { End::Lost });
    drop(status.send(drain.status));
}

/// Nobody holds the channel any more: what was written before still goes, and meanwhile the channel is emptied as ever.
async fn send_the_rest(read: &mut ChannelReadHalf, drain: &mut Drain, sending: &mut tokio::task::JoinHandle<()>) {
    let mut rest = std::pin::pin!(tokio::time::timeout(REST, sending));
    loop {
        tokio::select! {
            _ = &mut rest => return,
            message = read.wait() => match message {
                Some(ChannelMsg::Close) => return drain.ended = true,
                Some(_) => {}
                None => return,
            },
        }
    }
}

struct Reading {
    inbox: InboxReader,
    _guard: Guard,
}

impl AsyncRead for Reading {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().inbox).poll_read(cx, buf)
    }
}

struct Writing {
    outbox: DuplexStream,
    _guard: Guard,
}

impl AsyncWrite for Writing {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().outbox).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().outbox).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().outbox).poll_shutdown(cx)
    }
}
