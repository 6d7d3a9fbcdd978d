//! The client's half of the HTTP upgrade, as bytes that can be sent before the other side is known to be there.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::failure::{Code, Failure};

/// The longest answer that is read, in bytes; the app-server's has about 130.
const MAX_ANSWER: usize = 16 * 1024;

/// An upgrade that was or will be sent.
#[derive(Debug, Clone)]
pub struct Upgrade {
    key: String,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self::new()
    }
}

impl Upgrade {
    /// With a key of its own.
    #[must_use]
    pub fn new() -> Self {
        Self { key: STANDARD.encode(rand::rng().random::<[u8; 16]>()) }
    }

    /// The request's bytes. No `Origin` (the server refuses one) and no offer of compression.
    #[must_use]
    pub fn request(&self) -> Vec<u8> {
        let key = &self.key;
        format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        )
        .into_bytes()
    }

    /// Reads the answer; gives back what came behind it.
    pub(super) async fn accepted(&self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Failure> {
        let mut got = Vec::new();
        loop {
            if let Some(end) = head_end(&got) {
                let rest = got.split_off(end);
                return self.judge(&got).map(|()| rest);
            }
            if got.len() > MAX_ANSWER {
                return Err(not_a_websocket(&got));
            }
            match stream.read_buf(&mut got).await {
                Ok(1..) => {}
                Ok(0) if got.is_empty() => return Err(super::lost().said("the connection was closed without an answer")),
                Ok(0) => return Err(not_a_websocket(&got)),
                Err(e) => return Err(super::lost().said(e)),
            }
        }
    }

    fn judge(&self, head: &[u8]) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let switching = lines.next().is_some_and(|l| l.starts_with("HTTP/1.1 101 ") || l == "HTTP/1.1 101");
        let wanted = derive_accept_key(self.key.as_bytes());
        let accepted = lines
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == wanted);
        if switching && accepted { Ok(()) } else { Err(not_a_websocket(head)) }
    }
}

fn head_end(got: &[u8]) -> Option<usize> {
    got.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

fn not_a_websocket(got: &[u8]) -> Failure {
    let shown: String = String::from_utf8_lossy(got).chars().take(300).collect();
    Failure::new(Code::ServerProtocol, "open a WebSocket to the app-server").said(format!("it answered {shown:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(upgrade: &Upgrade, bytes: &[u8]) -> Result<Vec<u8>, Code> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(upgrade.accepted(&mut &bytes[..])).map_err(|f| f.code)
    }

    #[test]
    fn only_our_own_accept_opens() {
        let upgrade = Upgrade::new();
        let accept = derive_accept_key(upgrade.key.as_bytes());
        let head = |status: &str, accept: &str| format!("HTTP/1.1 {status}\r\nsec-websocket-ACCEPT:  {accept}\r\n\r\nrest");
        assert_eq!(answer(&upgrade, head("101 Switching Protocols", &accept).as_bytes()), Ok(b"rest".to_vec()));
        for (bytes, code) in [
            (head("101 Switching Protocols", "AAAA"), Code::ServerProtocol),
            (head("404 Not Found", &accept), Code::ServerProtocol),
            ("HTTP/1.1 101 X\r\n\r\n".into(), Code::ServerProtocol),
            ("bash: codex: not found\n".into(), Code::ServerProtocol),
            ("x".repeat(MAX_ANSWER * 3), Code::ServerProtocol),
            (String::new(), Code::LinkLost),
        ] {
            assert_eq!(answer(&upgrade, bytes.as_bytes()), Err(code), "{bytes:.40}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_opens_by_chance(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(answer(&Upgrade::new(), &bytes).is_err());
        }
    }
}
