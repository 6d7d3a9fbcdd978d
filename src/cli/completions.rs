//! `outpost completions`: what a shell needs to complete our words, with the names of hosts and projects.
//!
//! The shell asks this program at each Tab (`COMPLETE=SHELL outpost -- WORDS`), so what it offers is never old. No socket is
//! opened and no program is started for it.

pub(super) mod names;
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
    let words: Vec<OsString> = words.into_iter().collect();
    let typed = Typed::read(&words, local);
    let factory = || equipped(examples::command(), &typed);
    let answered = CompleteEnv::with_factory(factory).var(ASKED).shells(Shells(shells::ALL)).try_complete(words, None);
    answered.map_err(|e| Failure::new(Code::LocalIo, "complete a word").said(e))
}

/// What the line says already.
struct Typed {
    /// This machine, with the ssh configuration that the line names.
    local: Local,
    /// The commands below the one whose manual page is wanted.
    pages: Vec<(String, String)>,
}

impl Typed {
    /// From the words of the shell: the program, `--`, and the line, of which the last word is not finished.
    fn read(words: &[OsString], local: &Local) -> Self {
        let line = words.iter().skip_while(|word| *word != "--").skip(1);
        let matches = examples::command().ignore_errors(true).try_get_matches_from(line).unwrap_or_default();
        let ssh_config = matches.try_get_one::<PathBuf>("ssh_config").ok().flatten().cloned();
        let mut above = match matches.subcommand() {
            Some(("man", man)) => man.try_get_many::<String>("command").ok().flatten().unwrap_or_default().collect(),
            _ => Vec::new(),
        };
        above.pop();
        let program = examples::command();
        let page_of = above.into_iter().try_fold(&program, |at, word| at.find_subcommand(word));
        let shown = page_of.into_iter().flat_map(clap::Command::get_subcommands).filter(|below| !below.is_hide_set());
        let about = |below: &clap::Command| below.get_about().map(ToString::to_string).unwrap_or_default();
        let pages = shown.map(|below| (below.get_name().to_owned(), about(below))).collect();
        Self { local: Local { ssh_config, ..local.clone() }, pages }
    }
}

/// A command whose arguments know the names that fit them, by what the help calls them.
fn equipped(command: clap::Command, typed: &Typed) -> clap::Command {
    let pages = (command.get_name() == "man").then(|| typed.pages.clone());
    let command = command.mut_args(|arg| {
        let (kind, local) = (kind(&arg), typed.local.clone());
        match (kind, &pages) {
            (Some(kind), _) => arg.add(ArgValueCandidates::new(move || candidates(names::of(&local, kind)))),
            (None, Some(pages)) if arg.get_id() == "command" => {
                let pages = pages.clone();
                arg.add(ArgValueCandidates::new(move || candidates(pages.clone())))
            }
            (None, _) => arg,
        }
    });
    command.mut_subcommands(|below| equipped(below, typed))
}

fn kind(arg: &clap::Arg) -> Option<Kind> {
    let id = arg.get_id().as_str().to_uppercase();
    let name = arg.get_value_names().and_then(|names| names.first()).map_or(id, ToString::to_string);
    Kind::of(name.split(' ').next().unwrap_or_default())
}

fn candidates(names: Vec<(String, String)>) -> Vec<CompletionCandidate> {
    let candidate = |(word, help): (String, String)| CompletionCandidate::new(word).help(Some(StyledStr::from(help)));
    names.into_iter().map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use names::Hosts;

    fn args(command: &clap::Command, found: &mut Vec<(String, clap::Arg)>) {
        let with_value = command.get_arguments().filter(|arg| arg.get_action().takes_values());
        found.extend(with_value.map(|arg| (command.get_name().to_owned(), arg.clone())));
        command.get_subcommands().for_each(|below| args(below, found));
    }

    /// Whether a value's name says a word, other than as a part of a longer one.
    fn says(name: &str, word: &str) -> bool {
        name.split(|c: char| !c.is_ascii_alphabetic()).any(|part| part.trim_end_matches('S') == word)
    }

    #[test]
    fn whatever_the_help_calls_a_host_a_project_or_a_thread_is_completed_as_one() {
        let mut found = Vec::new();
        args(&examples::command(), &mut found);
        for (command, arg) in found {
            let id = arg.get_id().as_str().to_uppercase();
            let name = arg.get_value_names().and_then(|names| names.first()).map_or(id, ToString::to_string);
            if name.starts_with("PORT") {
                continue;
            }
            let kind = kind(&arg).unwrap_or_default();
            let offered = (kind.hosts.is_some(), kind.projects, kind.threads);
            assert_eq!(offered, (says(&name, "HOST"), says(&name, "PROJECT"), says(&name, "THREAD")), "{command} {name}");
        }
        assert_eq!(Kind::of("HOST|PROJECT|HOST:PATH").and_then(|kind| kind.hosts), Some(Hosts::Alone));
        assert_eq!(Kind::of("HOST:PATH|PROJECT").and_then(|kind| kind.hosts), Some(Hosts::WithPath));
    }
}
