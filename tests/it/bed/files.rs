//! An HTTP server on loopback with a few files: what a host fetches from in a test.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// The server; it ends when it is dropped.
pub(crate) struct Files {
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    gate: Arc<Gate>,
    serving: JoinHandle<()>,
}

/// Holds back what is under one path.
struct Gate {
    path: &'static str,
    reached: Semaphore,
    open: Semaphore,
}

impl Files {
    /// Serves what `files` gives for its own address, by path.
    pub(crate) async fn serve(files: impl FnOnce(&str) -> HashMap<String, Vec<u8>>) -> Self {
        Self::serve_behind_a_gate("", files).await
    }

    /// As [`Self::serve`]; whoever asks for this path waits until [`Self::open`].
    pub(crate) async fn serve_behind_a_gate(path: &'static str, files: impl FnOnce(&str) -> HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files = Arc::new(files(&base));
        let gate = Arc::new(Gate { path, reached: Semaphore::new(0), open: Semaphore::new(0) });
        let own = Arc::clone(&gate);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A reader that goes away early is not the server's matter.
                tokio::spawn(answer(stream, Arc::clone(&files), Arc::clone(&own)));
            }
        });
        Self { base, gate, serving }
    }

    /// Returns when somebody waits at the gate.
    pub(crate) async fn reached(&self) {
        self.gate.reached.acquire().await.unwrap().forget();
    }

    /// Opens the gate, for good.
    pub(crate) fn open(&self) {
        self.gate.open.add_permits(1);
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(stream: TcpStream, files: Arc<HashMap<String, Vec<u8>>>, gate: Arc<Gate>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    if path == gate.path {
        gate.reached.add_permits(1);
        let _open = gate.open.acquire().await;
    }
    let found = files.get(path);
    let (status, body): (&str, &[u8]) = found.map_or(("404 Not Found", b"no such file"), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}
