//! JSON-RPC as lines of JSON over a byte stream, as `codex app-server --listen stdio://` speaks it.
//!
//! There is no ping here: that the link lives is for whoever carries the stream to notice.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

use super::inlet::Inlet;
use super::message::Message;
use super::websocket::MAX_RECEIVED;
use super::wire::{BYTES, DEPTH, Ended, Fitting, Wire, fitting};
use crate::failure::{Code, Failure};

/// Lines that are not JSON (a start-up message on the wrong stream) are passed over, up to this many.
const MAX_NOISE: usize = 64;
/// How long the other side may take to end after our end.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// Speaks over a byte stream.
#[must_use]
pub fn client<S>(stream: S) -> Wire
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let ((to, mut outgoing), (incoming, from)) = (mpsc::channel(DEPTH), mpsc::channel(DEPTH));
    let ended = Ended::default();
    let wire = Wire { to, from, ended: ended.clone() };
    tokio::spawn(async move {
        let (read_half, mut write_half) = tokio::io::split(stream);
        let (mut lines, mut inlet) = (BufReader::new(read_half), Inlet::new(incoming.clone(), BYTES));
        let closed = tokio::select! {
            closed = write(&mut write_half, &mut outgoing, &incoming) => closed,
            closed = read(&mut lines, &mut inlet) => closed,
        };
        if let Err(why) = closed {
            ended.because(why);
        } else {
            drop(write_half.shutdown().await);
            drop(tokio::time::timeout(CLOSE_LIMIT, tokio::io::copy(&mut lines, &mut tokio::io::sink())).await);
        }
    });
    wire
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    outgoing: &mut mpsc::Receiver<Message>,
    back: &mpsc::Sender<Message>,
) -> Result<(), Failure> {
    while let Some(message) = outgoing.recv().await {
        match fitting(&message) {
            Fitting::Send(mut text) => {
                text.push('\n');
                stream.write_all(text.as_bytes()).await.map_err(lost)?;
                stream.flush().await.map_err(lost)?;
            }
            Fitting::GiveBack(answer) => drop(back.send(answer).await),
            Fitting::Drop => {}
        }
    }
    Ok(())
}

async fn read(lines: &mut (impl AsyncBufReadExt + Unpin), incoming: &mut Inlet<Message>) -> Result<(), Failure> {
    let (mut line, mut noise) = (Vec::new(), 0);
    loop {
        line.clear();
        let n = (&mut *lines).take(MAX_RECEIVED as u64).read_until(b'\n', &mut line).await.map_err(lost)?;
        if n == 0 {
            return Err(lost("the app-server closed its output"));
        }
        if !line.ends_with(b"\n") && n == MAX_RECEIVED {
            return Err(Failure::new(Code::MessageTooLarge, "read from the app-server"));
        }
        match std::str::from_utf8(&line).ok().and_then(|text| Message::parse(text).ok()) {
            Some(message) => {
                let weight = message.weight();
                if !incoming.send(message, weight).await {
                    return Ok(());
                }
            }
            None if line.trim_ascii().is_empty() => {}
            None if noise == MAX_NOISE => {
                let said = String::from_utf8_lossy(&line).chars().take(200).collect::<String>();
                return Err(Failure::new(Code::ServerProtocol, "talk to the app-server").said(format!("it said {said:?}")));
            }
            None => noise += 1,
        }
    }
}

fn lost(said: impl std::fmt::Display) -> Failure {
    Failure::new(Code::LinkLost, "talk to the app-server").said(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::io::duplex;

    #[tokio::test]
    async fn lines_cross_and_noise_is_passed_over() {
        let (a, b) = duplex(64);
        let mut wire = client(a);
        let (read_half, mut far) = tokio::io::split(b);
        far.write_all(b"welcome!\n\n{\"method\":\"x\",\"params\":1}\r\n{\"method\":\"y\"}").await.expect("open");
        assert_eq!(wire.from.recv().await, Some(Message::notification("x", json!(1))));
        wire.to.send(Message::notification("z", json!("a\nb"))).await.expect("open");
        let mut line = String::new();
        BufReader::new(read_half).read_line(&mut line).await.expect("a line");
        assert_eq!(line, "{\"method\":\"z\",\"params\":\"a\\nb\"}\n");
        far.shutdown().await.expect("open");
        assert_eq!(
            wire.from.recv().await,
            Some(Message::notification("y", serde_json::Value::Null)),
            "a last line without its end"
        );
        assert_eq!(wire.from.recv().await, None);
        assert_eq!(wire.ended.why().code, Code::LinkLost);
    }

    #[tokio::test]
    async fn nothing_but_noise_is_no_app_server() {
        let (a, mut far) = duplex(64);
        let mut wire = client(a);
        let noise = tokio::spawn(async move { drop(far.write_all(&b"no\n".repeat(200)).await) });
        assert_eq!(wire.from.recv().await, None);
        assert_eq!(wire.ended.why().code, Code::ServerProtocol);
        noise.await.expect("ends");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn messages_come_whole_whatever_the_pieces_and_the_noise(
            said in proptest::collection::vec(("[a-z]{1,5}", "\\PC{0,20}"), 1..12),
            noise in proptest::collection::vec("[^\n{]{0,12}", 0..12),
            piece in 1_usize..40,
        ) {
            let messages: Vec<Message> = said.iter().map(|(m, p)| Message::notification(m.clone(), json!(p))).collect();
            let mut text = String::new();
            for (number, message) in messages.iter().enumerate() {
                if let Some(noise) = noise.get(number) {
                    text.push_str(&format!("{noise}\n"));
                }
                text.push_str(&format!("{}\r\n", message.to_text()));
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let got = runtime.block_on(async {
                let (a, mut far) = duplex(64);
                let mut wire = client(a);
                let writing = async {
                    for piece in text.as_bytes().chunks(piece) {
                        far.write_all(piece).await.expect("open");
                    }
                };
                let reading = async {
                    let mut got = Vec::new();
                    while got.len() < messages.len() && let Some(message) = wire.from.recv().await {
                        got.push(message);
                    }
                    got
                };
                tokio::join!(writing, reading).1
            });
            proptest::prop_assert_eq!(got, messages);
        }
    }
}
