//! `outpost completions`: what a shell needs to complete our words.

use clap::{Args, CommandFactory};

use super::{Cli, Context};
use crate::failure::{Exit, Failure};

/// Print completions for a shell.
///
/// For bash: `outpost completions bash > ~/.local/share/bash-completion/completions/outpost`
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

impl Completions {
    /// Prints the script.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "outpost", &mut script);
        context.screen.answer(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
