//! The loopback WebSocket of an endpoint: whoever connects must show the key, and a web page may not.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::door;
use crate::failure::{Code, Failure};
use crate::paths::{Local, write_private};
use crate::rpc::websocket::Visitor;
use crate::ssh::ByteStream;

/// The listener; the file with the key goes when this does.
#[derive(Debug)]
pub struct Web {
    listener: TcpListener,
    port: u16,
    key: Key,
    file: PathBuf,
}

/// Decides who is let in.
#[derive(Clone)]
pub struct Key(Arc<Secret>);

struct Secret {
    token: String,
    port: u16,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Web {
    /// Listens on loopback; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`Code::PortTaken`]; [`Code::LocalIo`] when the key's file cannot be written.
    pub async fn open(local: &Local, host: &str, port: u16) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| {
            let failure = Failure::new(Code::PortTaken, format!("listen on 127.0.0.1 port {port}")).said(&e);
            match () {
                () if e.kind() == ErrorKind::AddrInUse => failure.hint("choose another --port; 0 lets the system choose"),
                () if e.kind() == ErrorKind::PermissionDenied => {
                    failure.hint("ports below 1024 are the system's: choose another --port")
                }
                () => Failure { code: Code::LocalIo, ..failure },
            }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let token: String = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
        let file = door::folder(local, 0)?.join(format!("{}-{port}.token", door::word(host)));
        write_private(&file, token.as_bytes()).map_err(failed)?;
        Ok(Self { listener, port, key: Key(Arc::new(Secret { token, port })), file })
    }

    /// `ws://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// The file that holds the bearer token, for this user alone.
    #[must_use]
    pub fn token_file(&self) -> &Path {
        &self.file
    }

    /// The next connection, and what it must show.
    ///
    /// # Errors
    /// [`Code::LocalIo`] when the system gives no more connections.
    pub async fn next(&mut self) -> Result<(ByteStream, Key), Failure> {
        let failed = |e: std::io::Error| Failure::new(Code::LocalIo, "accept a client on loopback").said(e);
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    // One that has gone already tells so later.
                    drop(stream.set_nodelay(true));
                    return Ok((Box::new(stream), self.key.clone()));
                }
                Err(gone) if gone.kind() == ErrorKind::ConnectionAborted => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.file));
    }
}

impl Key {
    /// Lets in who shows the token, names this address, and is no web page: a page can reach loopback, send an `Origin` it
    /// cannot hide, and be led here by a name of its own (DNS rebinding).
    ///
    /// # Errors
    /// The HTTP status to refuse with.
    pub fn admits(&self, visitor: Visitor<'_>) -> Result<(), u16> {
        let port = self.0.port;
        let named = visitor.header("host").is_some_and(|h| h == format!("127.0.0.1:{port}") || h == format!("localhost:{port}"));
        if visitor.has("origin") || !named {
            return Err(403);
        }
        let shown = visitor.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if same(shown.as_bytes(), self.0.token.as_bytes()) { Ok(()) } else { Err(401) }
    }
}

/// Whether two texts are the same, in a time that does not tell how much of them is.
fn same(shown: &[u8], token: &[u8]) -> bool {
    shown.len() == token.len() && shown.iter().zip(token).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn only_the_key_opens() {
        let dir = tempfile::tempdir().expect("a folder");
        let vars = [("XDG_RUNTIME_DIR".into(), dir.path().as_os_str().to_owned())].into_iter().collect();
        let local = Local { home: "/".into(), user: "me".into(), codex_home: "/".into(), ssh_config: None, vars };
        let mut web = Web::open(&local, "devbox", 0).await.expect("open");
        let (port, token) = (web.port, std::fs::read_to_string(web.token_file()).expect("a token"));
        let host = format!("Host: 127.0.0.1:{port}");
        let bearer = format!("Authorization: Bearer {token}");
        for (lines, status) in [
            (vec![host.clone(), bearer.clone()], "101"),
            (vec![format!("Host: localhost:{port}"), bearer.clone()], "101"),
            (vec![host.clone()], "401"),
            (vec![host.clone(), "Authorization: Bearer x".into()], "401"),
            (vec![host.clone(), format!("Authorization: Basic {token}")], "401"),
            (vec!["Host: evil.example".into(), bearer.clone()], "403"),
            (vec![host.clone(), bearer.clone(), "Origin: http://localhost".into()], "403"),
            (vec![host.clone(), host.clone(), bearer.clone()], "403"),
        ] {
            let mut client = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
            let (stream, key) = web.next().await.expect("a client");
            let head = lines.join("\r\n");
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
            client.write_all(format!("GET / HTTP/1.1\r\n{head}\r\n{upgrade}\r\n\r\n").as_bytes()).await.expect("sent");
            drop(crate::rpc::websocket::server(stream, |visitor| key.admits(visitor)).await);
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await.expect("an answer");
            assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"), "{lines:?}");
        }
        let file = web.token_file().to_owned();
        drop(web);
        assert!(!file.exists());
    }
}
