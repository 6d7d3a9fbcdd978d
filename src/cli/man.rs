//! `outpost man`: the manual pages, made of the same words as `--help`.

use clap::{Args, CommandFactory};

use super::{Cli, Context};
use crate::failure::{Code, Exit, Failure};
use crate::name::nearest;

/// Print a manual page.
///
/// To read one: `outpost man run | man -l -`
#[derive(Debug, Args)]
pub struct Man {
    /// The command; without one the page of outpost itself.
    command: Option<String>,
}

impl Man {
    /// Prints the page.
    ///
    /// # Errors
    /// [`Code::Usage`] for a command that there is not, with the near ones.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut program = Cli::command();
        program.build();
        let command = match &self.command {
            None => program,
            Some(word) => program.find_subcommand(word).cloned().ok_or_else(|| unknown(&program, word))?,
        };
        let mut page = Vec::new();
        let told = clap_mangen::Man::new(command).render(&mut page);
        told.map_err(|e| Failure::new(Code::LocalIo, "make the manual page").said(e))?;
        context.screen.answer(&String::from_utf8_lossy(&page))?;
        Ok(Exit::Done)
    }
}

fn unknown(program: &clap::Command, word: &str) -> Failure {
    let near = nearest(word, program.get_subcommands().map(clap::Command::get_name));
    let hint = if near.is_empty() { "outpost --help".to_owned() } else { format!("did you mean {}?", near.join(" or ")) };
    Failure::new(Code::Usage, format!("find the command '{}'", word.escape_debug())).said("there is none").hint(hint)
}
