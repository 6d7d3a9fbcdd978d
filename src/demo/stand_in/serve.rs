//! How clients reach the stand-in's app-server: a WebSocket over a Unix socket, or lines on standard input and output.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, stdin, stdout};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::engine::Engine;
use super::io;
use crate::failure::{Code, Failure};
use crate::paths::private_dir;
use crate::rpc::message::Message;

/// How many messages may wait for a client that does not read; one more, and it is left.
const QUEUE: usize = 4096;

/// Serves a Unix socket, for ever.
pub(super) async fn socket(engine: Arc<Engine>, path: &Path) -> Result<(), Failure> {
    if UnixStream::connect(path).await.is_ok() {
        let said = format!("app-server control socket is already in use at {}", path.display());
        return Err(Failure::new(Code::ServerDied, "start the app-server").said(said));
    }
    let fail = |e: std::io::Error| io(&format!("listen on {}", path.display()), &e);
    if let Some(folder) = path.parent() {
        private_dir(folder).map_err(fail)?;
    }
    drop(std::fs::remove_file(path));
    let listener = UnixListener::bind(path).map_err(fail)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
    let mut clients = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.map_err(fail)?;
        while clients.try_join_next().is_some() {}
        clients.spawn(websocket(Arc::clone(&engine), stream));
    }
}

async fn websocket(engine: Arc<Engine>, stream: UnixStream) {
    if engine.settings.silent {
        return std::future::pending().await;
    }
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let (mut sink, mut frames) = socket.split();
    let (sender, mut queue) = mpsc::channel::<Message>(QUEUE);
    let client = engine.join(sender);
    let writing = async {
        while let Some(message) = queue.recv().await {
            if sink.send(Frame::text(message.to_text())).await.is_err() {
                break;
            }
            if engine.settings.flood {
                let flood = Message::notification("flood", "x".repeat(1024 * 1024).into()).to_text();
                while sink.send(Frame::text(flood.clone())).await.is_ok() {}
            }
        }
    };
    let reading = async {
        while let Some(Ok(frame)) = frames.next().await {
            if let Frame::Text(text) = frame {
                take(&engine, client, &text);
            }
        }
    };
    tokio::select! { () = writing => {}, () = reading => {} }
    engine.leave(client);
}

fn take(engine: &Arc<Engine>, client: u64, text: &str) {
    if let Ok(message) = Message::parse(text) {
        engine.handle(client, message);
    }
}

/// Serves one client on standard input and output.
pub(super) async fn lines(engine: Arc<Engine>) -> Result<(), Failure> {
    let (sender, mut queue) = mpsc::channel::<Message>(QUEUE);
    let client = engine.join(sender);
    let mut input = BufReader::new(stdin()).lines();
    let writing = async {
        let mut out = stdout();
        while let Some(message) = queue.recv().await {
            out.write_all(format!("{}\n", message.to_text()).as_bytes()).await?;
            out.flush().await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let reading = async {
        while let Ok(Some(line)) = input.next_line().await {
            take(&engine, client, &line);
        }
    };
    tokio::select! { result = writing => result.map_err(|e| io("write", &e)), () = reading => Ok(()) }
}
