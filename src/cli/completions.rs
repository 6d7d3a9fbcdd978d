//! `outpost completions`: what a shell needs to complete our words, with the names of hosts and projects.
//!
//! The shell asks this program at each Tab (`COMPLETE=SHELL outpost -- WORDS`), so what it offers is never old. No socket is
//! opened and no program is started for it.

mod names;
mod shells;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::{Args, ValueEnum};
use clap_complete::env::{CompleteEnv, Shells};
use clap_complete::{ArgValueCandidates, CompletionCandidate};

use super::{Context, examples};
use crate::failure::{Code, Exit, Failure};
use crate::paths::Local;
use names::Kind;

/// The variable that the shells' scripts set when they ask.
const ASKED: &str = "COMPLETE";

/// Print what a shell needs to complete outpost's words, with the names of your hosts and projects.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bash: echo 'source <(outpost completions bash)' >> ~/.bashrc\n  \
                        zsh:  echo 'source <(outpost completions zsh)' >> ~/.zshrc      (behind compinit)\n  \
                        fish: echo 'outpost completions fish | source' > ~/.config/fish/completions/outpost.fish")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// A shell that can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Completions {
    /// Prints the script.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let fail = |said: String| Failure::new(Code::LocalIo, "make the completions").said(said);
        let word = self.shell.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
        let shells = Shells(shells::ALL);
        let shell = shells.completer(&word).ok_or_else(|| fail(format!("no completions for {word}")))?;
        let mut script = Vec::new();
        shell.write_registration(ASKED, "outpost", "outpost", "outpost", &mut script).map_err(|e| fail(e.to_string()))?;
        context.screen.answer(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}

/// Answers a shell that asks, if one does. To be called before anything else is printed.
///
/// # Errors
/// When the answer cannot be written.
pub fn answer(local: &Local, words: impl IntoIterator<Item = OsString>) -> Result<bool, Failure> {
    if local.var(ASKED).is_none() {
        return Ok(false);
    }
    let ssh_config = local.var("OUTPOST_SSH_CONFIG").map(PathBuf::from);
    let local = Local { ssh_config, ..local.clone() };
    let factory = || equipped(examples::command(), &local);
    let answered = CompleteEnv::with_factory(factory).var(ASKED).shells(Shells(shells::ALL)).try_complete(words, None);
    answered.map_err(|e| Failure::new(Code::LocalIo, "complete a word").said(e))
}

/// A command whose arguments know the names that fit them, by what the help calls them.
fn equipped(command: clap::Command, local: &Local) -> clap::Command {
    let command = command.mut_args(|arg| match kind(&arg) {
        Some(kind) => {
            let local = local.clone();
            arg.add(ArgValueCandidates::new(move || candidates(&local, kind)))
        }
        None => arg,
    });
    command.mut_subcommands(|below| equipped(below, local))
}

fn kind(arg: &clap::Arg) -> Option<Kind> {
    let id = arg.get_id().as_str().to_uppercase();
    let name = arg.get_value_names().and_then(|names| names.first()).map_or(id, ToString::to_string);
    Kind::of(name.split(' ').next().unwrap_or_default())
}

fn candidates(local: &Local, kind: Kind) -> Vec<CompletionCandidate> {
    let candidate = |(word, help): (String, String)| CompletionCandidate::new(word).help(Some(StyledStr::from(help)));
    names::of(local, kind).into_iter().map(candidate).collect()
}
