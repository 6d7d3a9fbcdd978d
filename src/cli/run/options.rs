//! The options of `run` that say how a thread works; where they mean the same they are those of `codex exec`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::approve::Approve;
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
    /// Another value of the host's Codex configuration for this thread: a dotted name, and TOML or plain text. May be given several times.
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = setting)]
    pub config: Vec<(String, Value)>,
    /// A picture for the first prompt (PNG, JPEG, GIF, WebP); it is uploaded to the host first. May be given several times, or
    /// several with commas between them.
    #[arg(short, long, value_name = "FILE", value_delimiter = ',')]
    pub image: Vec<PathBuf>,
    /// A file with the JSON Schema of the agent's last message.
    #[arg(long, value_name = "FILE")]
    pub output_schema: Option<PathBuf>,
    /// Write the agent's last message to this file.
    #[arg(short, long, value_name = "FILE")]
    pub output_last_message: Option<PathBuf>,
}

/// How the turns are shown, and how the agent's questions are answered.
#[derive(Debug, Clone, Default, Args)]
pub struct Manner {
    /// What to do when the agent asks for an approval.
    #[arg(long, value_enum, default_value_t = Approve::Ask)]
    pub approve: Approve,
    /// Leave once the host has taken in what is asked for, and print the thread as HOST:ID. Where a turn runs the prompt waits in the
    /// thread's queue for its end.
    #[arg(long)]
    pub detach: bool,
    /// Print one JSON object a line (docs/EVENTS.md).
    #[arg(long)]
    pub json: bool,
    /// Tell you on the desktop, or by the terminal's bell, when a turn ends or you are asked something.
    #[arg(long, conflicts_with = "detach")]
    pub notify: bool,
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
            config: self.config.iter().cloned().collect(),
        }
    }

    /// For a prompt, without its pictures.
    #[must_use]
    pub fn prompt(&self, text: String, schema: Option<&Value>) -> Prompt {
        Prompt { text, effort: self.effort.clone(), output_schema: schema.cloned(), images: Vec::new() }
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

/// `KEY=VALUE` as Codex reads it: what is no TOML is text.
///
/// # Errors
/// What is wrong with it.
pub fn setting(word: &str) -> Result<(String, Value), String> {
    let (key, value) = word.split_once('=').ok_or("a setting is written KEY=VALUE")?;
    let key = key.trim();
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(format!("'{}' is no name of a setting", key.escape_debug()));
    }
    let parsed = toml::from_str::<toml::Table>(&format!("value = {}", value.trim())).ok();
    let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    let parsed = parsed.and_then(|value| serde_json::to_value(value).ok());
    Ok((key.to_owned(), parsed.unwrap_or_else(|| Value::from(value.trim()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_toml_or_text() {
        for (word, key, value) in [
            ("model=gpt-5", "model", json!("gpt-5")),
            ("model=\"gpt-5\"", "model", json!("gpt-5")),
            ("a.b = true", "a.b", json!(true)),
            ("n=3", "n", json!(3)),
            ("list=[\"x\", \"y\"]", "list", json!(["x", "y"])),
            ("t={a=1}", "t", json!({"a": 1})),
            ("text=a=b", "text", json!("a=b")),
            ("two=1\nmore=2", "two", json!("1\nmore=2")),
            ("empty=", "empty", json!("")),
        ] {
            assert_eq!(setting(word), Ok((key.to_owned(), value)), "{word}");
        }
        for bad in ["model", "=x", "a..b=1", ".a=1"] {
            assert!(setting(bad).is_err(), "{bad}");
        }
    }
}
