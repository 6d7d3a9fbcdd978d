//! The task that owns one WebSocket: carries messages both ways, probes a silent link, and says why it ended.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message as Frame};

use super::metered::{Meter, Metered};
use crate::failure::{Code, Failure};
use crate::rpc::inlet::Inlet;
use crate::rpc::message::Message;
use crate::rpc::network::Network;
use crate::rpc::pulse::{Pulse, Seen, TICK, Verdict};
use crate::rpc::wire::{BYTES, DEPTH, Ended, Fitting, Wire, fitting};

/// The bytes that a close frame has for the reason.
const REASON: usize = 123;

/// How long the other side may take to answer our close.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

type Sink<S> = SplitSink<WebSocketStream<Metered<S>>, Frame>;
type Stream<S> = SplitStream<WebSocketStream<Metered<S>>>;

/// Begins to carry. The task ends with the connection, or soon after both queues of the wire were dropped.
pub fn start<S>(socket: WebSocketStream<Metered<S>>, meter: Arc<Meter>, silence: Silence) -> Wire
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let ((to, outgoing), (incoming, from)) = (mpsc::channel(DEPTH), mpsc::channel(DEPTH));
    let ended = Ended::default();
    tokio::spawn(run(socket, (meter, silence), Ends { outgoing, incoming, ended: ended.clone() }));
    Wire { to, from, ended }
}

/// What the silence of the other side means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Maybe a dead link: it is probed.
    Suspicious,
    /// Nothing: it is a process of this machine, whose end the system tells, and which a person may have suspended.
    Harmless,
}

struct Ends {
    outgoing: mpsc::Receiver<Message>,
    incoming: mpsc::Sender<Message>,
    ended: Ended,
}

async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<Metered<S>>,
    (meter, silence): (Arc<Meter>, Silence),
    mut ends: Ends,
) {
    let (mut sink, mut stream) = socket.split();
    let (probe, probes) = mpsc::channel(1);
    let mut inlet = Inlet::new(ends.incoming.clone(), BYTES);
    let writing = Writer { sink: &mut sink, back: ends.incoming.clone(), probes };
    let mut fault = None;
    let closed = tokio::select! {
        why = writing.write(&mut ends.outgoing) => why,
        why = read(&mut stream, (&mut inlet, &meter), &mut fault) => why,
        Err(why) = feel_pulse(&meter, &probe), if silence == Silence::Suspicious => Err(why),
    };
    match closed {
        Err(why) => {
            ends.ended.because(why.clone());
            if let Some(code) = fault {
                let reason = first(&why.said, REASON).into();
                let parting = async {
                    drop(sink.send(Frame::Close(Some(CloseFrame { code, reason }))).await);
                    while let Some(Ok(_)) = stream.next().await {}
                };
                drop(tokio::time::timeout(CLOSE_LIMIT, parting).await);
            }
        }
        Ok(Hung::Us) => {
            let parting = async {
                drop(sink.close().await);
                while let Some(Ok(_)) = stream.next().await {}
            };
            drop(tokio::time::timeout(CLOSE_LIMIT, parting).await);
        }
    }
}

/// Who hung up without a failure.
enum Hung {
    /// Nobody on our side sends or listens any more.
    Us,
}

struct Writer<'a, S> {
    sink: &'a mut Sink<S>,
    /// Where a message that does not fit is answered.
    back: mpsc::Sender<Message>,
    probes: mpsc::Receiver<()>,
}

enum Next {
    Message(Option<Message>),
    Probe,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Writer<'_, S> {
    async fn write(mut self, outgoing: &mut mpsc::Receiver<Message>) -> Result<Hung, Failure> {
        loop {
            let next = tokio::select! {
                message = outgoing.recv() => Next::Message(message),
                Some(()) = self.probes.recv() => Next::Probe,
            };
            match next {
                Next::Message(None) => return Ok(Hung::Us),
                Next::Message(Some(message)) => self.feed(message).await?,
                Next::Probe => self.sink.feed(Frame::Ping(Bytes::new())).await.map_err(failure)?,
            }
            while let Ok(message) = outgoing.try_recv() {
                self.feed(message).await?;
            }
            self.sink.flush().await.map_err(failure)?;
        }
    }

    async fn feed(&mut self, message: Message) -> Result<(), Failure> {
        match fitting(&message) {
            Fitting::Send(text) => self.sink.feed(Frame::text(text)).await.map_err(failure),
            Fitting::GiveBack(answer) => {
                drop(self.back.send(answer).await);
                Ok(())
            }
            Fitting::Drop => Ok(()),
        }
    }
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut Stream<S>,
    (incoming, meter): (&mut Inlet<Message>, &Meter),
    fault: &mut Option<CloseCode>,
) -> Result<Hung, Failure> {
    loop {
        let text = match stream.next().await {
            None => return Err(lost("the connection was closed")),
            Some(Err(e)) => {
                let (large, broken) = (matches!(e, Error::Capacity(_)), matches!(e, Error::Utf8(_)));
                *fault = large.then_some(CloseCode::Size).or(broken.then_some(CloseCode::Invalid));
                return Err(failure(e));
            }
            Some(Ok(Frame::Text(text))) => text,
            Some(Ok(Frame::Binary(_))) => {
                *fault = Some(CloseCode::Unsupported);
                return Err(protocol("it sent a binary frame"));
            }
            Some(Ok(Frame::Close(why))) => {
                let reason = why.map(|w| format!("{} {}", w.code, w.reason)).unwrap_or_default();
                return Err(lost(format!("the other side closed the connection {reason}").trim_end()));
            }
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => continue,
        };
        let message = Message::parse(text.as_str()).map_err(|e| {
            *fault = Some(CloseCode::Policy);
            protocol(&e.to_string())
        })?;
        let weight = message.weight();
        meter.held_up.store(true, Ordering::Relaxed);
        let sent = incoming.send(message, weight).await;
        meter.held_up.store(false, Ordering::Relaxed);
        if !sent {
            return Ok(Hung::Us);
        }
    }
}

/// The beginning of a text, of so many bytes at most.
fn first(text: &str, most: usize) -> String {
    let mut begin = text.to_owned();
    while begin.len() > most {
        begin.pop();
    }
    begin
}

async fn feel_pulse(meter: &Meter, probe: &mpsc::Sender<()>) -> Result<Infallible, Failure> {
    let (began, mut network) = (Instant::now(), Network::here());
    let mut seen = || {
        let (was, wall) = (network.clone(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        network = Network::here().or_else(|| was.clone());
        Seen { now: began.elapsed(), wall, read: meter.read(), written: meter.written(), moved: network != was }
    };
    let mut pulse = Pulse::new(seen());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match pulse.tick(seen()) {
            Verdict::Fine => {}
            // A writer that is stuck has a probe waiting already.
            Verdict::Ping => drop(probe.try_send(())),
            Verdict::Dead => return Err(lost("nothing came back, not even to a ping")),
        }
    }
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Capacity(e) => Failure::new(Code::MessageTooLarge, "read from the app-server").said(e),
        Error::Io(e) => lost(&e.to_string()),
        Error::ConnectionClosed | Error::AlreadyClosed => lost("the connection was closed"),
        // A cut in the middle of a frame is a lost link, not a server that misbehaves.
        Error::Protocol(e) if e.to_string().contains("without closing handshake") => lost(&e.to_string()),
        other @ (Error::Protocol(_)
        | Error::Utf8(_)
        | Error::AttackAttempt
        | Error::WriteBufferFull(_)
        | Error::Tls(_)
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_)) => protocol(&other.to_string()),
    }
}

fn lost(said: &str) -> Failure {
    Failure::new(Code::LinkLost, "talk to the app-server").said(said)
}

fn protocol(said: &str) -> Failure {
    Failure::new(Code::ServerProtocol, "talk to the app-server").said(said)
}
