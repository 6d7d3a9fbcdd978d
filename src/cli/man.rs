//! `outpost man`: the manual pages, made of the same words as `--help`.

use std::path::{Path, PathBuf};

use clap::{Args, Command};

use super::Context;
use super::examples;
use crate::failure::{Code, Exit, Failure};
use crate::name::nearest;

/// Print a manual page.
#[derive(Debug, Args)]
pub struct Man {
    /// The command (`run`, `thread log` …); without one the page of outpost itself.
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write the pages of all commands into this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    write: Option<PathBuf>,
}

impl Man {
    /// Prints or writes.
    ///
    /// # Errors
    /// [`Code::Usage`] for a command that there is not, with the near ones; [`Code::LocalIo`].
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut program = examples::command();
        program.build();
        match &self.write {
            Some(folder) => write_all(&program, folder)?,
            None => {
                let found = self.command.iter().try_fold(&program, |at, word| below(at, word))?;
                context.screen.answer(&String::from_utf8_lossy(&page(found)?))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let told = clap_mangen::Man::new(command.clone()).render(&mut page);
    told.map_err(|e| Failure::new(Code::LocalIo, "make the manual page").said(e))?;
    Ok(page)
}

/// `outpost.1`, `outpost-thread-log.1` …, below a command that is shown.
fn write_all(command: &Command, folder: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let file = folder.join(format!("{name}.1"));
    let fail = |e: std::io::Error| Failure::new(Code::LocalIo, format!("write {}", file.display())).said(e);
    let page = page(command)?;
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, page)).map_err(fail)?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| write_all(below, folder))
}

fn below<'a>(command: &'a Command, word: &str) -> Result<&'a Command, Failure> {
    command.find_subcommand(word).ok_or_else(|| {
        let near = nearest(word, command.get_subcommands().map(Command::get_name));
        let hint = if near.is_empty() { "outpost --help".to_owned() } else { format!("did you mean {}?", near.join(" or ")) };
        Failure::new(Code::Usage, format!("find the command '{}'", word.escape_debug())).said("there is none").hint(hint)
    })
}
