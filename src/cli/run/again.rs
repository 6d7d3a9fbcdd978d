//! `outpost thread resume`: a thread that there is, taken up again as `run --resume` does.

use clap::Args;

use super::Run;
use super::approve::Approve;
use super::options::ThreadOptions;

/// A prompt for a thread that there is, and how it is shown.
#[derive(Debug, Clone, Args)]
pub struct Again {
    /// What the agent shall do (`-` reads it from standard input); without it you are asked on the terminal.
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    /// What to do when the agent asks for an approval.
    #[arg(long, value_enum, default_value_t = Approve::Ask)]
    approve: Approve,
    /// Leave once the prompt is delivered, and print the thread's id.
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    thread: ThreadOptions,
    /// Print one JSON object a line (docs/EVENTS.md).
    #[arg(long)]
    json: bool,
    /// Tell you on the desktop, or by the terminal's bell, when the turn ends or you are asked something.
    #[arg(long)]
    notify: bool,
}

impl Again {
    /// The run that does it.
    #[must_use]
    pub fn of(self, place: String, id: String) -> Run {
        Run {
            words: std::iter::once(place).chain(self.prompt).collect(),
            project: Vec::new(),
            resume: Some(id),
            last: false,
            worktree: None,
            with_access_token: false,
            approve: self.approve,
            detach: self.detach,
            thread: self.thread,
            json: self.json,
            notify: self.notify,
            review: None,
        }
    }
}
