//! `outpost thread resume`: a thread that there is, taken up again as `run --resume` does.

use clap::Args;

use super::Run;
use super::options::{Manner, ThreadOptions};

/// A prompt for a thread that there is, and how it is shown.
#[derive(Debug, Clone, Args)]
pub struct Again {
    /// What the agent shall do, in quotes; what is piped in takes its place, or is put behind it. Without either you are asked on the
    /// terminal.
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    #[command(flatten)]
    manner: Manner,
    #[command(flatten)]
    thread: ThreadOptions,
}

impl Again {
    /// The run that does it.
    #[must_use]
    pub fn of(self, place: String, id: String) -> Run {
        Run {
            words: std::iter::once(place).chain(self.prompt).collect(),
            resume: Some(id),
            manner: self.manner,
            thread: self.thread,
            ..Run::default()
        }
    }
}
