//! JSON-RPC over a WebSocket: one message a text frame, as the app-server's `unix://` and `ws://` listeners speak it.

mod carry;
mod metered;
pub mod upgrade;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use self::carry::Silence;
use self::metered::Metered;
use self::upgrade::Upgrade;
use super::wire::Wire;
use crate::failure::{Code, Failure};

/// The largest message that is taken. What we send is held to the server's own 16 MiB; what a server sends can be larger
/// (a thread with a long history in one answer), and a client that refuses it can never read that thread.
pub const MAX_RECEIVED: usize = 64 * 1024 * 1024;

/// How long the other side may take for the HTTP upgrade.
const UPGRADE_LIMIT: Duration = Duration::from_secs(10);

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(64 * 1024)
        .write_buffer_size(64 * 1024)
        .max_message_size(Some(MAX_RECEIVED))
        .max_frame_size(Some(MAX_RECEIVED))
}

/// Speaks to an app-server over a byte stream. Sends the upgrade first.
///
/// # Errors
/// [`Code::ServerSilent`], [`Code::ServerProtocol`] when what answers is no WebSocket, [`Code::LinkLost`].
pub async fn client<S>(mut stream: S) -> Result<Wire, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let upgrade = Upgrade::new();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &upgrade.request()).await.map_err(|e| lost().said(e))?;
    tokio::io::AsyncWriteExt::flush(&mut stream).await.map_err(|e| lost().said(e))?;
    client_after(stream, upgrade).await
}

/// As [`client`] when the bytes of `upgrade` are already on their way: it may be sent before anything is known of the other
/// side, which saves a round trip.
///
/// # Errors
/// As [`client`].
pub async fn client_after<S>(mut stream: S, upgrade: Upgrade) -> Result<Wire, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let silent = |_| {
        let said = format!("no answer within {} s", UPGRADE_LIMIT.as_secs());
        Failure::new(Code::ServerSilent, "open a WebSocket to the app-server").said(said).hint(super::SILENT)
    };
    let rest = tokio::time::timeout(UPGRADE_LIMIT, upgrade.accepted(&mut stream)).await.map_err(silent)??;
    let (stream, meter) = Metered::new(stream);
    let socket = WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(limits())).await;
    Ok(carry::start(socket, meter, Silence::Suspicious))
}

/// What a client said of itself in its HTTP upgrade; a server decides by it whether it is let in.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a>(&'a Request);

impl Visitor<'_> {
    /// A header, when it stands there once and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.0.headers().get_all(name).iter();
        let first = all.next()?;
        if all.next().is_some() { None } else { first.to_str().ok() }
    }

    /// Whether the header stands there at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.headers().contains_key(name)
    }
}

/// Serves one client of this machine over a byte stream; it may be silent for ever. `admit` gives the HTTP status to refuse it with.
///
/// # Errors
/// [`Code::ServerProtocol`] when it is no WebSocket client or was refused, [`Code::ServerSilent`] when it says nothing.
// The refusal's type is tungstenite's.
#[expect(clippy::result_large_err, reason = "the callback's type is given")]
pub async fn server<S>(stream: S, admit: impl Fn(Visitor<'_>) -> Result<(), u16> + Send) -> Result<Wire, Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let answer = |request: &Request, response: Response| match admit(Visitor(request)) {
        Ok(()) => Ok(response),
        Err(status) => Err(refusal(status)),
    };
    let (stream, meter) = Metered::new(stream);
    let accepting = tokio_tungstenite::accept_hdr_async_with_config(stream, answer, Some(limits()));
    let socket = tokio::time::timeout(UPGRADE_LIMIT, accepting)
        .await
        .map_err(|_| Failure::new(Code::ServerSilent, "wait for a client's HTTP upgrade"))?
        .map_err(|e| Failure::new(Code::ServerProtocol, "accept a client").said(e))?;
    Ok(carry::start(socket, meter, Silence::Harmless))
}

fn refusal(status: u16) -> ErrorResponse {
    let why = (status == 503).then(|| "as many clients as are let in are there already\n".to_owned());
    let mut response = ErrorResponse::new(why);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    response
}

fn lost() -> Failure {
    Failure::new(Code::LinkLost, "open a WebSocket to the app-server")
}

#[cfg(test)]
mod tests;
