//! `outpost man`: the manual pages, made of the same words as `--help`.

mod page;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Command};

use super::Context;
use super::examples;
use crate::failure::{Code, Exit, Failure};
use crate::name::nearest;
use crate::paths::{Local, PAGER};

/// Show a manual page.
///
/// On a terminal it goes through `man`; else, and where there is no `man`, the page's source is printed.
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
                let page = page::of(found)?;
                if !(context.screen.out_is_terminal && shown(&context.local, &page)) {
                    context.screen.answer(&String::from_utf8_lossy(&page))?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// Whether the machine's `man` showed a page. It takes a file by its path everywhere, standard input only on some systems.
fn shown(local: &Local, page: &[u8]) -> bool {
    let path = local.var("PATH").map(std::ffi::OsStr::to_owned).unwrap_or_default();
    let Ok(man) = which::which_in("man", Some(path), &local.home) else { return false };
    let Ok(mut file) = tempfile::Builder::new().prefix("outpost-").suffix(".1").tempfile() else { return false };
    if file.write_all(page).is_err() {
        return false;
    }
    let mut command = std::process::Command::new(man);
    if let Some(pager) = local.vars.get(std::ffi::OsStr::new(PAGER)) {
        command.env("MANPAGER", pager);
    }
    command.arg(file.path()).status().is_ok_and(|status| status.success())
}

/// `outpost.1`, `outpost-thread-log.1` …, below a command that is shown.
fn write_all(command: &Command, folder: &Path) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let file = folder.join(format!("{name}.1"));
    let fail = |e: std::io::Error| Failure::new(Code::LocalIo, format!("write {}", file.display())).said(e);
    let page = page::of(command)?;
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
