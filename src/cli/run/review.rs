//! `outpost review`: the agent reviews changes of a folder, live as `run` shows a turn.

use clap::Args;

use super::Run;
use super::options::{self, Manner, Policy, Sandbox, ThreadOptions};
use crate::cli::Context;
use crate::failure::{Exit, Failure};
use crate::thread::ReviewTarget;

/// What a review looks at, and how it is shown.
#[derive(Debug, Clone, Args)]
pub struct What {
    /// Review what is not committed: staged, unstaged and untracked changes (this is what is done when nothing is said).
    #[arg(long, conflicts_with_all = ["base", "commit", "words"])]
    uncommitted: bool,
    /// Review what differs from this branch.
    #[arg(long, value_name = "BRANCH", conflicts_with_all = ["commit", "words"])]
    base: Option<String>,
    /// Review what this commit changed.
    #[arg(long, value_name = "SHA", conflicts_with = "words")]
    commit: Option<String>,
    /// Review what these words say instead (`-` reads them from standard input).
    #[arg(value_name = "PROMPT")]
    words: Option<String>,
    #[command(flatten)]
    manner: Manner,
    /// The model the agent uses.
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// What the agent's commands may touch.
    #[arg(short, long, value_enum, value_name = "MODE")]
    sandbox: Option<Sandbox>,
    /// When the agent asks a person.
    #[arg(short, long, value_enum, value_name = "POLICY")]
    ask_for_approval: Option<Policy>,
    /// Another value of the host's Codex configuration for this thread: a dotted name, and TOML or plain text. May be given several times.
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = options::setting)]
    config: Vec<(String, serde_json::Value)>,
    /// Write the review to this file.
    #[arg(short, long, value_name = "FILE")]
    output_last_message: Option<std::path::PathBuf>,
}

/// Let the agent review changes in a folder of a host.
///
/// What it finds is shown as `run` shows a turn; Ctrl-C interrupts it. `outpost thread review` does it in a thread that there is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  outpost review devbox:~/app\n  outpost review shop --base main\n  \
                        outpost review shop --commit HEAD~1\n  outpost review shop \"only the SQL: is anything not quoted?\"")]
pub struct Review {
    /// The host and the folder on it, or a project's name.
    #[arg(value_name = "HOST:PATH|PROJECT")]
    place: String,
    #[command(flatten)]
    what: What,
}

impl Review {
    /// Runs it.
    ///
    /// # Errors
    /// As [`Run::run`]; a branch or commit that does not exist, with the near ones.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        self.what.of(self.place, None).await?.run(context).await
    }
}

impl What {
    /// The run that does it, in a thread that there is or in a new one.
    ///
    /// # Errors
    /// [`Code::Usage`](crate::failure::Code::Usage) when standard input is no text, or there are no words.
    pub async fn of(self, place: String, resume: Option<String>) -> Result<Run, Failure> {
        let target = match (self.base, self.commit, self.words) {
            (Some(branch), _, _) => ReviewTarget::Base(branch),
            (_, Some(sha), _) => ReviewTarget::Commit(sha),
            (_, _, Some(words)) => ReviewTarget::Custom(super::words(words, "review").await?),
            (None, None, None) => ReviewTarget::Uncommitted,
        };
        let thread = ThreadOptions {
            model: self.model,
            sandbox: self.sandbox,
            config: self.config,
            ask_for_approval: self.ask_for_approval,
            output_last_message: self.output_last_message,
            ..ThreadOptions::default()
        };
        Ok(Run { words: vec![place], resume, manner: self.manner, thread, review: Some(target), ..Run::default() })
    }
}
