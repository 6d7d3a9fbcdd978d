//! One turn of the stand-in: plays a scene and tells of it as the app-server does.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::watch;

use super::engine::{Engine, id, now};
use super::patch::{self, Change};
use crate::demo::script::{Output, Piece, Reply};

/// What a turn is about.
pub(super) struct Play {
    pub(super) thread: String,
    pub(super) turn: String,
    pub(super) cwd: PathBuf,
    pub(super) prompt: String,
    pub(super) message: Value,
    pub(super) cancelled: watch::Receiver<bool>,
}

/// How a turn ends before its scene does.
enum Stop {
    Cancelled,
    Failed(String),
}

/// Plays the turn to its end.
pub(super) async fn play(engine: Arc<Engine>, play: Play) {
    let mut cancelled = play.cancelled.clone();
    let stage = Stage { engine, play, diff: std::sync::Mutex::default() };
    stage.tell("thread/status/changed", json!({"status": {"type": "active", "activeFlags": []}}));
    stage.tell(
        "turn/started",
        json!({"turn": {"id": stage.play.turn, "items": [], "itemsView": "notLoaded", "status": "inProgress"}}),
    );
    let end = tokio::select! {
        end = stage.scene() => end,
        _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Stop::Cancelled),
    };
    let (status, error) = match end {
        Ok(()) => ("completed", Value::Null),
        Err(Stop::Cancelled) => ("interrupted", Value::Null),
        Err(Stop::Failed(message)) => ("failed", json!({ "message": message })),
    };
    stage.engine.withdraw(&stage.play.thread);
    let mut turn = stage.engine.ended(&stage.play.thread, &stage.play.turn, status);
    if let (Some(turn), false) = (turn.as_object_mut(), error.is_null()) {
        stage.tell("error", json!({"error": error, "willRetry": false}));
        turn.insert("error".into(), error);
    }
    stage.tell("thread/status/changed", json!({"status": {"type": "idle"}}));
    stage.engine.tell(&stage.play.thread, "turn/completed", json!({"threadId": stage.play.thread, "turn": turn}));
}

struct Stage {
    engine: Arc<Engine>,
    play: Play,
    diff: std::sync::Mutex<String>,
}

impl Stage {
    /// Tells of this turn.
    fn tell(&self, method: &str, mut params: Value) {
        if let Some(params) = params.as_object_mut() {
            params.insert("threadId".into(), self.play.thread.as_str().into());
            if method != "thread/status/changed" && method != "turn/started" {
                params.insert("turnId".into(), self.play.turn.as_str().into());
            }
        }
        self.engine.tell(&self.play.thread, method, params);
    }

    fn item(&self, what: &str, item: &Value) {
        self.engine.keep(&self.play.thread, &self.play.turn, item);
        self.tell(what, json!({"item": item, "startedAtMs": now()}));
    }

    async fn scene(&self) -> Result<(), Stop> {
        self.item("item/started", &self.play.message);
        self.item("item/completed", &self.play.message);
        for reply in self.engine.script.scene(&self.play.prompt).0 {
            match reply {
                Reply::Outputs(outputs) => self.outputs(&outputs).await?,
                Reply::Refuse { message, .. } => return Err(Stop::Failed(message)),
                Reply::Cut(outputs) => {
                    self.outputs(&outputs).await?;
                    return Err(Stop::Failed("stream disconnected before completion".into()));
                }
            }
        }
        Ok(())
    }

    async fn outputs(&self, outputs: &[Output]) -> Result<(), Stop> {
        for output in outputs {
            match output {
                Output::Say(pieces) => self.say(pieces).await,
                Output::Command { cmd, escalate } => self.command(cmd, escalate.as_deref()).await?,
                Output::Patch(patch) => self.patch(patch).await?,
                // It has no other functions.
                Output::Call { .. } => {}
            }
        }
        Ok(())
    }

    async fn say(&self, pieces: &[Piece]) {
        let id = id();
        let mut whole = String::new();
        self.item("item/started", &json!({"type": "agentMessage", "id": id, "text": ""}));
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    whole.push_str(text);
                    self.tell("item/agentMessage/delta", json!({"itemId": id, "delta": text}));
                }
                // Nobody opens a gate of another process: it holds until the turn is interrupted.
                Piece::Wait(_) => std::future::pending().await,
            }
        }
        self.item("item/completed", &json!({"type": "agentMessage", "id": id, "text": whole}));
    }

    /// The decision of whoever answers first; the turn ends with `cancel`.
    async fn ask(&self, method: &str, params: Value) -> Result<bool, Stop> {
        self.tell("thread/status/changed", json!({"status": {"type": "active", "activeFlags": ["waitingOnApproval"]}}));
        let answered = self.engine.ask(&self.play.thread, method, params);
        let answer = answered.await.map_err(|_| Stop::Cancelled)?;
        self.tell("thread/status/changed", json!({"status": {"type": "active", "activeFlags": []}}));
        match answer.get("decision").and_then(Value::as_str) {
            Some("decline") => Ok(false),
            Some("cancel") => Err(Stop::Cancelled),
            _ => Ok(true),
        }
    }

    async fn command(&self, cmd: &str, escalate: Option<&str>) -> Result<(), Stop> {
        let (id, began) = (id(), Instant::now());
        let shown = format!("/bin/sh -c '{cmd}'");
        let item = |status: &str, output: Value, code: Value| {
            json!({
                "type": "commandExecution", "id": id, "command": shown, "cwd": self.play.cwd, "status": status, "source": "agent",
                "commandActions": [{"type": "unknown", "command": cmd}], "aggregatedOutput": output, "exitCode": code,
                "durationMs": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            })
        };
        self.item("item/started", &item("inProgress", Value::Null, Value::Null));
        if let Some(reason) = escalate {
            let params = json!({
                "threadId": self.play.thread, "turnId": self.play.turn, "itemId": id, "reason": reason, "command": shown,
                "cwd": self.play.cwd, "availableDecisions": ["accept", "acceptForSession", "decline", "cancel"],
            });
            let asked = self.ask("item/commandExecution/requestApproval", params).await;
            if !matches!(asked, Ok(true)) {
                self.item("item/completed", &item("declined", Value::Null, Value::Null));
                return asked.map(|_| ());
            }
        }
        let (output, code) = self.run(cmd, &id).await;
        let status = if code == Some(0) { "completed" } else { "failed" };
        self.item("item/completed", &item(status, output.into(), json!(code)));
        Ok(())
    }

    async fn run(&self, cmd: &str, item: &str) -> (String, Option<i32>) {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("exec 2>&1\n{cmd}")).current_dir(&self.play.cwd).kill_on_drop(true);
        let mut child = match shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
            Ok(child) => child,
            Err(error) => return (error.to_string(), None),
        };
        let mut whole = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = stdout.read(&mut buffer).await {
                let text = String::from_utf8_lossy(buffer.get(..n).unwrap_or_default()).into_owned();
                whole.push_str(&text);
                self.tell("item/commandExecution/outputDelta", json!({"itemId": item, "delta": text}));
            }
        }
        (whole, child.wait().await.ok().and_then(|status| status.code()))
    }

    async fn patch(&self, patch: &str) -> Result<(), Stop> {
        let id = id();
        let changes = patch::read(patch, &self.play.cwd).unwrap_or_default();
        let views: Vec<Value> = changes.iter().map(|change| change.view(&self.play.cwd)).collect();
        let item = |status: &str| json!({"type": "fileChange", "id": id, "changes": views, "status": status});
        self.item("item/started", &item("inProgress"));
        if self.engine.settings.read_only {
            let params = json!({
                "threadId": self.play.thread, "turnId": self.play.turn, "itemId": id, "reason": null, "grantRoot": null,
            });
            let asked = self.ask("item/fileChange/requestApproval", params).await;
            if !matches!(asked, Ok(true)) {
                self.item("item/completed", &item("declined"));
                return asked.map(|_| ());
            }
        }
        let done = !changes.is_empty() && changes.iter().all(|change| change.apply(&self.play.cwd).is_ok());
        self.item("item/completed", &item(if done { "completed" } else { "failed" }));
        if done {
            let text: String = changes.iter().map(Change::git_diff).collect();
            let mut diff = self.diff.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            diff.push_str(&text);
            self.tell("turn/diff/updated", json!({"diff": diff.as_str()}));
        }
        Ok(())
    }
}
