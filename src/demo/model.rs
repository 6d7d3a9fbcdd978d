//! A scripted model: as much of the Responses API on loopback as a Codex asks for, on a port the system picks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::script::{Output, Piece, Reply, Script};
use crate::failure::{Code, Failure};

/// The largest request that is read: Codex sends the whole conversation each time.
const MAX_REQUEST_BYTES: usize = 64 * 1024 * 1024;
/// The longest line and the most lines of a request's head.
const MAX_HEAD: (u64, usize) = (64 * 1024, 128);
/// How many requests are kept for whoever looks.
const KEPT: usize = 1024;

/// The lines for `$CODEX_HOME/config.toml` that make a Codex ask the model at this base URL.
#[must_use]
pub fn codex_config(base_url: &str) -> String {
    format!(
        r#"model = "scripted"
model_provider = "scripted"
approval_policy = "on-request"
sandbox_mode = "workspace-write"

[model_providers.scripted]
name = "scripted"
base_url = "{base_url}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false
"#
    )
}

/// A running model; it ends when it is dropped.
pub struct Model {
    address: SocketAddr,
    stage: Arc<Stage>,
    serving: JoinHandle<()>,
}

/// What the connections share.
struct Stage {
    script: Script,
    gates: Mutex<HashMap<String, Gate>>,
    requests: Mutex<Vec<Value>>,
    run: u32,
    count: AtomicU64,
}

#[derive(Clone)]
struct Gate {
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
}

impl Model {
    /// Starts to answer by this script.
    ///
    /// # Errors
    /// When loopback gives no port.
    pub async fn start(script: Script) -> Result<Self, Failure> {
        let fail = |e: std::io::Error| Failure::new(Code::LocalIo, "listen on 127.0.0.1 for the scripted model").said(e);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let stage = Arc::new(Stage {
            script,
            gates: Mutex::default(),
            requests: Mutex::default(),
            run: rand::random(),
            count: AtomicU64::new(0),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&stage)));
        Ok(Self { address, stage, serving })
    }

    /// The `base_url` of a Codex model provider.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Lets the replies go on that wait at this gate, now and later.
    pub fn open(&self, gate: &str) {
        self.stage.gate(gate).open.send_replace(true);
    }

    /// Returns when a reply waits, or has waited, at this gate.
    pub async fn reached(&self, gate: &str) {
        let mut reached = self.stage.gate(gate).reached.subscribe();
        drop(reached.wait_for(|reached| *reached).await);
    }

    /// The bodies of the requests so far, oldest first; of very many the last.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        self.stage.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stage {
    fn gate(&self, name: &str) -> Gate {
        let new = || Gate { reached: watch::Sender::new(false), open: watch::Sender::new(false) };
        self.gates.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert_with(new).clone()
    }

    fn keep(&self, request: Value) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == KEPT {
            requests.remove(0);
        }
        requests.push(request);
    }

    /// An id that no other item of any run has: Codex uses them as item ids.
    fn id(&self, kind: &str) -> String {
        format!("{kind}_{:08x}_{}", self.run, self.count.fetch_add(1, Ordering::Relaxed))
    }

    async fn pass(&self, gate: &str) {
        let gate = self.gate(gate);
        gate.reached.send_replace(true);
        drop(gate.open.subscribe().wait_for(|open| *open).await);
    }
}

async fn serve(listener: TcpListener, stage: Arc<Stage>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let stage = Arc::clone(&stage);
        // A client that leaves in the middle (an interrupted turn) is no failure of the model.
        connections.spawn(async move { drop(connection(socket, &stage).await) });
    }
}

/// One request a connection; the end of the stream is the end of the response.
async fn connection(socket: TcpStream, stage: &Stage) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = BufReader::new(socket);
    let (line, length) = head(&mut stream).await?;
    if !(line.starts_with("POST ") && line.contains("/responses ")) {
        return respond(stream.get_mut(), 404, &json!({"error": {"message": "only POST /v1/responses is answered"}})).await;
    }
    if length > MAX_REQUEST_BYTES {
        return respond(stream.get_mut(), 413, &json!({"error": {"message": "the request is too large"}})).await;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let reply = stage.script.answer(&request);
    stage.keep(request);
    let socket = stream.get_mut();
    match reply {
        Reply::Refuse { status, message } => respond(socket, status, &json!({"error": {"message": message}})).await,
        Reply::Outputs(outputs) => {
            play(socket, stage, &outputs).await?;
            let usage = json!({"input_tokens": length / 4, "input_tokens_details": null, "output_tokens": 1,
                "output_tokens_details": null, "total_tokens": length / 4 + 1});
            event(socket, "response.completed", json!({"response": {"id": stage.id("resp"), "usage": usage}})).await?;
            socket.shutdown().await
        }
        Reply::Cut(outputs) => play(socket, stage, &outputs).await,
    }
}

/// The request line and the content length.
async fn head(stream: &mut BufReader<TcpStream>) -> std::io::Result<(String, usize)> {
    let (mut first, mut length) = (String::new(), 0);
    for number in 0..MAX_HEAD.1 {
        let mut line = String::new();
        (&mut *stream).take(MAX_HEAD.0).read_line(&mut line).await?;
        let line = line.trim_end();
        match line.split_once(':') {
            _ if line.is_empty() => return Ok((first, length)),
            _ if number == 0 => line.clone_into(&mut first),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    Err(std::io::Error::other("the head does not end"))
}

async fn respond(socket: &mut TcpStream, status: u16, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    socket.write_all((head + &body).as_bytes()).await?;
    socket.shutdown().await
}

async fn event(socket: &mut TcpStream, kind: &str, mut data: Value) -> std::io::Result<()> {
    if let Value::Object(object) = &mut data {
        object.insert("type".into(), kind.into());
    }
    socket.write_all(format!("event: {kind}\ndata: {data}\n\n").as_bytes()).await
}

async fn play(socket: &mut TcpStream, stage: &Stage, outputs: &[Output]) -> std::io::Result<()> {
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").await?;
    event(socket, "response.created", json!({"response": {"id": stage.id("resp")}})).await?;
    for (index, output) in outputs.iter().enumerate() {
        match output {
            Output::Say(pieces) => say(socket, stage, index, pieces).await?,
            Output::Command { cmd, escalate } => {
                let mut arguments = json!({ "cmd": cmd });
                if let (Some(why), Value::Object(arguments)) = (escalate, &mut arguments) {
                    arguments.insert("sandbox_permissions".into(), "require_escalated".into());
                    arguments.insert("justification".into(), why.as_str().into());
                }
                call(socket, stage, ("exec_command", &arguments)).await?;
            }
            // Codex 0.169 offers an unknown model no apply_patch tool, but takes this very command for one (measured).
            Output::Patch(patch) => {
                let arguments = json!({"cmd": format!("apply_patch <<'EOF'\n{patch}EOF")});
                call(socket, stage, ("exec_command", &arguments)).await?;
            }
            Output::Call { name, arguments } => call(socket, stage, (name, arguments)).await?,
        }
    }
    Ok(())
}

async fn call(socket: &mut TcpStream, stage: &Stage, (name, arguments): (&str, &Value)) -> std::io::Result<()> {
    let (id, arguments) = (stage.id("call"), arguments.to_string());
    let item = match name.split_once('.') {
        Some((namespace, name)) => {
            json!({"type": "function_call", "call_id": id, "namespace": namespace, "name": name, "arguments": arguments})
        }
        None => json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}),
    };
    event(socket, "response.output_item.done", json!({ "item": item })).await
}

async fn say(socket: &mut TcpStream, stage: &Stage, index: usize, pieces: &[Piece]) -> std::io::Result<()> {
    let id = stage.id("msg");
    let item = |content: Value| json!({"type": "message", "role": "assistant", "id": id, "content": content});
    let (mut begun, mut whole) = (false, String::new());
    for piece in pieces {
        match piece {
            Piece::Wait(gate) => stage.pass(gate).await,
            Piece::Text(text) => {
                if !begun {
                    event(socket, "response.output_item.added", json!({"item": item(json!([]))})).await?;
                    begun = true;
                }
                whole.push_str(text);
                let delta = json!({"delta": text, "item_id": id, "output_index": index, "content_index": 0});
                event(socket, "response.output_text.delta", delta).await?;
            }
        }
    }
    if begun {
        let done = json!({"item": item(json!([{"type": "output_text", "text": whole}]))});
        event(socket, "response.output_item.done", done).await?;
    }
    Ok(())
}
