//! `outpost enable` and `outpost disable`: the gate in Codex's config.toml.

use clap::Args;
use serde_json::json;

use super::{Context, plain};
use crate::config::gate::{self, Change};
use crate::failure::{Exit, Failure};

/// Switch remote connections on.
///
/// Sets `[features] remote_connections = true` in $CODEX_HOME/config.toml and leaves the rest of the file as it is.
#[derive(Debug, Args)]
pub struct Enable {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Switch remote connections off.
///
/// Sets `[features] remote_connections = false` in $CODEX_HOME/config.toml and leaves the rest of the file as it is.
#[derive(Debug, Args)]
pub struct Disable {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Codex's own releases do not know the key yet.
const STRICT: &str = "note: `codex --strict-config` refuses a config.toml with this key; plain `codex` only warns of it";

impl Enable {
    /// Edits the file and says what was done.
    ///
    /// # Errors
    /// When config.toml cannot be read, parsed or written; it is then left alone.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let change = gate::set(&context.local, true)?;
        tell(context, self.json, (true, change))?;
        context.screen.note(STRICT);
        Ok(Exit::Done)
    }
}

impl Disable {
    /// Edits the file and says what was done.
    ///
    /// # Errors
    /// As [`Enable::run`].
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let change = gate::set(&context.local, false)?;
        tell(context, self.json, (false, change))?;
        if change == Change::Written {
            context.screen.note(STRICT);
        }
        Ok(Exit::Done)
    }
}

fn tell(context: &Context, json: bool, (on, change): (bool, Change)) -> Result<(), Failure> {
    let path = context.local.config_toml().display().to_string();
    if json {
        return context.screen.json(&json!({"remote_connections": on, "file": path, "changed": change != Change::Already}));
    }
    let path = plain::line(&path);
    let state = if on { "on" } else { "off" };
    let did = match change {
        Change::Written => format!("{path} now says `[features] remote_connections = {on}`"),
        Change::Made => format!("made {path} with `[features] remote_connections = {on}`"),
        Change::Already => format!("{path} did not have to be changed"),
    };
    context.screen.line(&format!("remote connections are {state}: {did}"))
}
