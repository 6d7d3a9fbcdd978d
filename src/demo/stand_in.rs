//! A stand-in for `codex`, where there is none: the commands Outpost uses, an app-server that plays a script, and faults on request.
//!
//! It is for the demonstration and for tests of faults; what Codex really does is tested with the real one. Faults are read from
//! `$CODEX_HOME/stand-in.json` ([`Settings`]).

mod engine;
mod patch;
mod serve;
mod turn;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tokio::io::{AsyncWriteExt, stdin, stdout};
use tokio::net::UnixStream;

use super::script::Script;
use crate::failure::{Code, Failure};
use crate::paths::Local;
use engine::Engine;

/// The release that the stand-in imitates.
pub const RELEASE: &str = "0.169.0";

/// What the stand-in does differently from a healthy Codex.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The version that `--version` says.
    pub version: Option<String>,
    /// The version that a running server says.
    pub running: Option<String>,
    /// The words with which the app-server dies at its start.
    pub die: Option<String>,
    /// Whether the app-server accepts connections and says nothing.
    pub silent: bool,
    /// Whether an account is needed, and there is none.
    pub signed_out: bool,
    /// Whether a change of files needs an approval, as under `sandbox_mode = "read-only"`.
    pub read_only: bool,
    /// Methods that are refused, with these words.
    pub refuse: std::collections::BTreeMap<String, String>,
    /// Methods that are never answered.
    pub mute: std::collections::BTreeSet<String>,
    /// Whether each client gets notifications of a mebibyte without end behind its first answer.
    pub flood: bool,
}

impl Settings {
    fn read(codex_home: &Path) -> Result<Self, Failure> {
        let path = codex_home.join("stand-in.json");
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(Self::default()) };
        serde_json::from_str(&text).map_err(|e| usage(&format!("{}: {e}", path.display())))
    }
}

fn usage(said: &str) -> Failure {
    Failure::new(Code::Usage, "run the stand-in for codex").said(said)
}

/// Runs it with the arguments that `codex` would get.
///
/// # Errors
/// When it does not know them, or cannot do what they say.
pub async fn run(args: &[String], local: &Local, script: Script) -> Result<(), Failure> {
    let settings = Settings::read(&local.codex_home)?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let socket = local.codex_home.join("app-server-control/app-server-control.sock");
    match words.as_slice() {
        ["--version"] => {
            let version = settings.version.as_deref().unwrap_or(RELEASE);
            let mut out = stdout();
            out.write_all(format!("codex-cli {version}\n").as_bytes()).await.map_err(|e| io("write", &e))?;
            // What is not flushed is lost when the process ends.
            out.flush().await.map_err(|e| io("write", &e))
        }
        ["app-server", "proxy", rest @ ..] => proxy(&option(rest, "--sock").map_or(socket, PathBuf::from)).await,
        ["app-server", rest @ ..] => {
            if let Some(said) = &settings.die {
                return Err(Failure::new(Code::ServerDied, "start the app-server").said(said));
            }
            let engine = Arc::new(Engine::new(script, settings, local.codex_home.clone()));
            match option(rest, "--listen").unwrap_or("stdio://") {
                "stdio://" => serve::lines(engine).await,
                "unix://" => serve::socket(engine, &socket).await,
                url => match url.strip_prefix("unix://") {
                    Some(path) => serve::socket(engine, Path::new(path)).await,
                    None => Err(usage(&format!("it cannot listen on {url}"))),
                },
            }
        }
        _ => Err(usage(&format!("it does not know: {}", words.join(" ")))),
    }
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

fn io(tried: &str, said: &dyn std::fmt::Display) -> Failure {
    Failure::new(Code::LocalIo, tried).said(said)
}

/// Copies bytes between standard input and output and the socket, until the socket's end.
async fn proxy(socket: &Path) -> Result<(), Failure> {
    let stream = UnixStream::connect(socket).await.map_err(|e| io(&format!("connect to {}", socket.display()), &e))?;
    let (mut from, mut to) = stream.into_split();
    let up = async {
        drop(tokio::io::copy(&mut stdin(), &mut to).await);
        drop(to.shutdown().await);
    };
    let down = async {
        let mut out = stdout();
        drop(tokio::io::copy(&mut from, &mut out).await);
        drop(out.flush().await);
    };
    tokio::select! {
        () = down => {}
        () = async { up.await; std::future::pending::<()>().await } => {}
    }
    Ok(())
}
