//! An HTTP server on loopback with a few files: what a host fetches from in a test.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The server; it ends when it is dropped.
pub(crate) struct Files {
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    serving: JoinHandle<()>,
}

impl Files {
    /// Serves what `files` gives for its own address, by path.
    pub(crate) async fn serve(files: impl FnOnce(&str) -> HashMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let files = Arc::new(files(&base));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A reader that goes away early is not the server's matter.
                tokio::spawn(answer(stream, Arc::clone(&files)));
            }
        });
        Self { base, serving }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(stream: TcpStream, files: Arc<HashMap<String, Vec<u8>>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let found = request.split(' ').nth(1).and_then(|path| files.get(path));
    let (status, body): (&str, &[u8]) = found.map_or(("404 Not Found", b"no such file"), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}
