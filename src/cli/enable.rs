//! `outpost enable` and `outpost disable`: the gate in Codex's config.toml.

use clap::Args;

use super::{Context, plain};
use crate::config::gate::{self, Change};
use crate::failure::{Exit, Failure};

/// Switch remote connections on.
///
/// Sets `[features] remote_connections = true` in $CODEX_HOME/config.toml and leaves the rest of the file as it is.
#[derive(Debug, Args)]
pub struct Enable {}

/// Switch remote connections off.
///
/// Sets `[features] remote_connections = false` in $CODEX_HOME/config.toml and leaves the rest of the file as it is.
#[derive(Debug, Args)]
pub struct Disable {}

/// Codex's own releases do not know the key yet.
const STRICT: &str = "note: `codex --strict-config` refuses a config.toml with this key; plain `codex` only warns of it";

impl Enable {
    /// Edits the file and says what was done.
    ///
    /// # Errors
    /// When config.toml cannot be read, parsed or written; it is then left alone.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let change = gate::set(&context.local, true)?;
        context.screen.line(&format!("remote connections are on: {}", said(context, change, "true")))?;
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
        context.screen.line(&format!("remote connections are off: {}", said(context, change, "false")))?;
        if change == Change::Written {
            context.screen.note(STRICT);
        }
        Ok(Exit::Done)
    }
}

fn said(context: &Context, change: Change, value: &str) -> String {
    let path = plain::line(&context.local.config_toml().display().to_string());
    match change {
        Change::Written => format!("{path} now says `[features] remote_connections = {value}`"),
        Change::Made => format!("made {path} with `[features] remote_connections = {value}`"),
        Change::Already => format!("{path} did not have to be changed"),
    }
}
