//! The command line: one file per command; its doc comment is its help.

pub mod ask;
pub mod check;
pub mod completions;
pub mod demo;
pub mod enable;
pub mod endpoint;
pub mod examples;
pub mod forward;
pub mod full;
pub mod hosts;
pub mod install;
pub mod login;
pub mod logs;
pub mod man;
pub mod notify;
pub mod open;
pub mod pager;
pub mod pick;
pub mod plain;
pub mod projects;
pub mod report;
pub mod run;
#[cfg(test)]
mod safety;
pub mod screen;
pub mod shell;
pub mod spinner;
pub mod stand_in;
pub mod stop;
pub mod table;
pub mod thread;
pub mod threads;
pub mod waits;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::failure::{Code, Exit, Failure};
use crate::name::{Alias, Place, RemotePath, nearest};
use crate::paths::Local;
use crate::ssh::ask::Ask;
use crate::ssh::session;
use crate::step::Watch;
use screen::Screen;

/// What the help calls the options of all commands.
const GLOBAL: &str = "Options of all commands";

/// Run Codex threads in folders of the machines you reach over SSH.
#[derive(Debug, Parser)]
#[command(name = "outpost", version, max_term_width = 100, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// Read this ssh configuration instead of yours and the system's, as `ssh -F` does.
    #[arg(short = 'F', value_name = "FILE", global = true, help_heading = GLOBAL, env = "OUTPOST_SSH_CONFIG")]
    pub ssh_config: Option<PathBuf>,
    /// What carries the SSH session: the one that is built in, or the system's `ssh`.
    #[arg(long, value_name = "CARRIER", global = true, help_heading = GLOBAL, env = crate::paths::CARRIER, value_parser = ["builtin", "ssh"])]
    pub carrier: Option<String>,
    /// Do not page long answers (`$OUTPOST_PAGER`, `$PAGER` or `less` pages them on a terminal).
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_pager: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `outpost` can do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the doc comment of each command's own type is its help")]
pub enum Command {
    Enable(enable::Enable),
    Disable(enable::Disable),
    Hosts(hosts::Hosts),
    Check(check::Check),
    Projects(projects::ProjectsCommand),
    Run(run::Run),
    Review(run::review::Review),
    Threads(threads::Threads),
    Thread(thread::ThreadCommand),
    Stop(stop::Stop),
    Logs(logs::Logs),
    Install(install::Install),
    Open(open::Open),
    Shell(shell::Shell),
    Forward(forward::Forward),
    Login(login::Login),
    Endpoint(endpoint::Serve),
    Completions(completions::Completions),
    Man(man::Man),
    Demo(demo::Demo),
    #[command(hide = true)]
    StandIn(stand_in::StandIn),
}

/// What a command works with.
pub struct Context {
    /// This machine.
    pub local: Local,
    /// Where answers and notes go.
    pub screen: Screen,
    /// Who answers questions.
    pub ask: Arc<dyn Ask>,
}

impl Context {
    /// What a person wrote where a host or a project is wanted: the host, and the folder of a project.
    ///
    /// # Errors
    /// [`Code::HostUnknown`] with the near names of both kinds.
    pub fn host_or_project(&self, word: &str) -> Result<(Alias, Option<RemotePath>), Failure> {
        let projects = crate::config::projects::load(&self.local)?;
        if let Some(project) = projects.get(word) {
            return Ok((project.host.clone(), Some(project.path.clone())));
        }
        let listing = crate::host::alias::list(&self.local)?;
        if let Ok(found) = crate::host::alias::find(&listing, word) {
            return Ok((found.alias.clone(), None));
        }
        let hosts = listing.hosts.iter().map(|listed| listed.alias.as_str());
        let hint = match nearest(word, projects.keys().map(String::as_str).chain(hosts)).as_slice() {
            _ if word.contains('@') => crate::host::alias::with_user(word).unwrap_or_default(),
            [] => "`outpost hosts` and `outpost projects` list what there is".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        let failure = Failure::new(Code::HostUnknown, format!("find a host or a project '{}'", word.escape_debug()));
        Err(failure.said("no Host line of the ssh configuration and no project has this name").hint(hint))
    }

    /// What a person wrote where a remote folder is wanted: `HOST:PATH`, or a project's name.
    ///
    /// # Errors
    /// As [`projects::place`](crate::config::projects::place); a host without a path is told what is missing.
    pub fn place(&self, word: &str) -> Result<Place, Failure> {
        crate::config::projects::place(&self.local, word).map_err(|failure| {
            let listing = crate::host::alias::list(&self.local).unwrap_or_default();
            let hosts = || listing.hosts.iter().map(|listed| listed.alias.as_str());
            if hosts().any(|host| host == word) {
                return failure.hint(format!("{word} is a host; write {word}:PATH, or {word}: for the home folder"));
            }
            let near: Vec<String> = nearest(word, hosts()).into_iter().take(1).map(|host| format!("{host}:PATH")).collect();
            match (near.as_slice(), failure.hint.strip_suffix('?').filter(|hint| hint.starts_with("did you mean"))) {
                ([], _) => failure,
                (near, Some(projects)) => {
                    let hint = format!("{projects} or {}?", near.concat());
                    failure.hint(hint)
                }
                (near, None) => failure.hint(format!("did you mean {}?", near.concat())),
            }
        })
    }

    /// What a person wrote where a host is enough: `HOST`, `HOST:PATH` or a project's name. A host alone has no path.
    ///
    /// # Errors
    /// As [`projects::place`](crate::config::projects::place).
    pub fn place_or_host(&self, word: &str) -> Result<Place, Failure> {
        match crate::config::projects::place(&self.local, word) {
            Err(unknown) if unknown.code == Code::NameUnknown => {
                let (alias, _) = self.host_or_project(word)?;
                Ok(Place { alias, path: String::new() })
            }
            other => other,
        }
    }

    /// What a connection needs of it, behind a spinner that steps aside for questions.
    pub fn behind<'a>(&'a self, spinner: &'a spinner::Spinner) -> session::Context<'a> {
        session::Context { local: &self.local, ask: spinner, watch: spinner }
    }

    /// What a connection needs of it.
    pub fn session<'a>(&'a self, watch: &'a dyn Watch) -> session::Context<'a> {
        session::Context { local: &self.local, ask: self.ask.as_ref(), watch }
    }
}

/// Runs one command.
///
/// # Errors
/// What the command says; `main` prints it with [`report::failure`] and exits with its code.
pub async fn run(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Enable(command) => command.run(context),
        Command::Disable(command) => command.run(context),
        Command::Hosts(command) => interruptible(command.run(context)).await,
        Command::Check(command) => interruptible(command.run(context)).await,
        Command::Projects(command) => interruptible(command.run(context)).await,
        Command::Run(command) => command.run(context).await,
        Command::Review(command) => command.run(context).await,
        Command::Threads(command) => interruptible(command.run(context)).await,
        Command::Thread(command) => command.run(context).await,
        Command::Stop(command) => command.run(context).await,
        Command::Logs(command) => interruptible(command.run(context)).await,
        Command::Install(command) => interruptible(command.run(context)).await,
        Command::Open(command) => command.run(context).await,
        Command::Shell(command) => command.run(context).await,
        Command::Forward(command) => command.run(context).await,
        Command::Login(command) => interruptible(command.run(context)).await,
        Command::Endpoint(command) => command.run(context).await,
        Command::Completions(command) => command.run(context),
        Command::Man(command) => command.run(context),
        Command::Demo(command) => command.run(context).await,
        Command::StandIn(command) => command.run(context).await,
    }
}

/// Lets Ctrl-C, SIGTERM or a lost terminal end a command in order: what it started ends with it. The commands that are not put
/// through this hear the signals themselves, because to them they mean something else (`docs/EXIT-CODES.md`).
async fn interruptible(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let ended_badly = |ended: &Result<Exit, Failure>| !matches!(ended, Ok(Exit::Done));
    or_interrupted(command, ended_badly).await.unwrap_or(Ok(Exit::Interrupted))
}

/// A Ctrl-C goes to all programs of the terminal: one that carries the connection may end of it, and its end be seen first.
pub(crate) const SAME_MOMENT: Duration = Duration::from_millis(100);

/// What a part of a command comes to; none when such a signal came first, or in the same moment as a bad end.
async fn or_interrupted<T>(part: impl Future<Output = T>, ended_badly: impl FnOnce(&T) -> bool) -> Option<T> {
    let Ok(mut wishes) = run::signals::listen() else { return Some(part.await) };
    let result = tokio::select! {
        biased;
        Ok(_) = wishes.recv() => return None,
        result = part => result,
    };
    let both = ended_badly(&result) && matches!(tokio::time::timeout(SAME_MOMENT, wishes.recv()).await, Ok(Ok(_)));
    (!both).then_some(result)
}
