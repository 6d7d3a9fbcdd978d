//! The options of `run` that say how a thread works; where they mean the same they are those of `codex exec`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::failure::{Code, Failure};
use crate::thread::{Options, Prompt};

/// How the thread works; what is not said is left to the configuration of the host.
#[derive(Debug, Clone, Default, Args)]
pub struct ThreadOptions {
    /// The model the agent uses.
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// How hard the model thinks: minimal, low, medium, high, or what else the model knows.
    #[arg(long, value_name = "EFFORT")]
    pub effort: Option<String>,
    /// What the agent's commands may touch.
    #[arg(short, long, value_enum, value_name = "MODE")]
    pub sandbox: Option<Sandbox>,
    /// When the agent asks a person.
    #[arg(short, long, value_enum, value_name = "POLICY")]
    pub ask_for_approval: Option<Policy>,
    /// A picture for the prompt; it is uploaded to the host first. May be given several times.
    #[arg(short, long, value_name = "FILE")]
    pub image: Vec<PathBuf>,
    /// A file with the JSON Schema of the agent's last message.
    #[arg(long, value_name = "FILE")]
    pub output_schema: Option<PathBuf>,
    /// Write the agent's last message to this file.
    #[arg(short, long, value_name = "FILE")]
    pub output_last_message: Option<PathBuf>,
}

/// What the agent's commands may touch.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Sandbox {
    /// They read.
    ReadOnly,
    /// They write below the folder.
    WorkspaceWrite,
    /// They do what the account may.
    DangerFullAccess,
}

/// When the agent asks a person.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Policy {
    /// Before every command that is not known to be harmless.
    Untrusted,
    /// When the model thinks it should.
    OnRequest,
    /// Never.
    Never,
}

/// The word of a value on the command line; the server's words are the same.
fn word(value: &impl ValueEnum) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

impl ThreadOptions {
    /// For starting or taking up a thread.
    #[must_use]
    pub fn thread(&self) -> Options {
        Options {
            model: self.model.clone(),
            approval_policy: self.ask_for_approval.as_ref().and_then(word),
            sandbox: self.sandbox.as_ref().and_then(word),
            ..Options::default()
        }
    }

    /// For a prompt, without its pictures.
    ///
    /// # Errors
    /// [`Code::Usage`] when the schema cannot be read or is not JSON.
    pub fn prompt(&self, text: String) -> Result<Prompt, Failure> {
        let output_schema = self.output_schema.as_deref().map(schema).transpose()?;
        Ok(Prompt { text, effort: self.effort.clone(), output_schema, images: Vec::new() })
    }

    /// Writes the agent's last message where it is wanted.
    ///
    /// # Errors
    /// [`Code::LocalIo`] when it cannot be written.
    pub fn keep(&self, message: &str) -> Result<(), Failure> {
        let Some(file) = &self.output_last_message else { return Ok(()) };
        std::fs::write(file, message).map_err(|e| Failure::new(Code::LocalIo, format!("write {}", file.display())).said(e))
    }
}

fn schema(file: &std::path::Path) -> Result<Value, Failure> {
    let usage = |said: String| Failure::new(Code::Usage, format!("read the schema {}", file.display())).said(said);
    let text = crate::paths::read_text(file).map_err(|e| usage(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| usage(e.to_string()))
}
