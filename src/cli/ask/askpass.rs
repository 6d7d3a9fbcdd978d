//! SSH_ASKPASS: a program that shows the prompt its own way and prints what was typed.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::typed;
use crate::ssh::ask::{NoAnswer, Secret};

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 1024;

/// Runs the program with the prompt as its one argument, as ssh does; a status other than 0 means no.
pub(super) async fn ask(program: &Path, vars: &HashMap<OsString, OsString>, prompt: &str) -> Result<Secret, NoAnswer> {
    let mut command = Command::new(program);
    command.arg(prompt).env_clear().envs(vars).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| NoAnswer::NoProgram(format!("SSH_ASKPASS {}: {e}", program.display())))?;
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        drop(stdout.take(LONGEST).read_to_end(&mut bytes).await);
    }
    let status = child.wait().await.map_err(|_| NoAnswer::NobodyThere)?;
    if !status.success() {
        return Err(NoAnswer::Refused);
    }
    let end = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(bytes.len());
    bytes.truncate(end);
    Ok(typed(bytes)?)
}
