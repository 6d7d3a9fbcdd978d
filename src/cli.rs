//! The command line: one file per command; its doc comment is its help.

pub mod ask;
pub mod check;
pub mod completions;
pub mod demo;
pub mod enable;
pub mod endpoint;
pub mod forward;
pub mod hosts;
pub mod install;
pub mod logs;
pub mod man;
pub mod open;
pub mod plain;
pub mod projects;
pub mod report;
pub mod run;
pub mod screen;
pub mod shell;
pub mod spinner;
pub mod stand_in;
pub mod stop;
pub mod table;
pub mod thread;
pub mod threads;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::failure::{Code, Exit, Failure};
use crate::name::Place;
use crate::paths::Local;
use crate::ssh::ask::Ask;
use crate::ssh::session;
use crate::step::Watch;
use screen::Screen;

/// Run Codex threads in folders of the machines you reach over SSH.
#[derive(Debug, Parser)]
#[command(name = "outpost", version, max_term_width = 100, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// Read this ssh configuration instead of yours and the system's, as `ssh -F` does.
    #[arg(short = 'F', value_name = "FILE", global = true, env = "OUTPOST_SSH_CONFIG")]
    pub ssh_config: Option<PathBuf>,
    /// What carries the SSH session: the one that is built in, or the system's `ssh`.
    #[arg(long, value_name = "CARRIER", global = true, env = crate::paths::CARRIER, value_parser = ["builtin", "ssh"])]
    pub carrier: Option<String>,
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
    Threads(threads::Threads),
    Thread(thread::ThreadCommand),
    Stop(stop::Stop),
    Logs(logs::Logs),
    Install(install::Install),
    Open(open::Open),
    Shell(shell::Shell),
    Forward(forward::Forward),
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
    /// What a person wrote where a remote folder is wanted: `HOST:PATH`, or a project's name.
    ///
    /// # Errors
    /// As [`projects::place`](crate::config::projects::place); a host without a path is told what is missing.
    pub fn place(&self, word: &str) -> Result<Place, Failure> {
        crate::config::projects::place(&self.local, word).map_err(|failure| {
            let listing = crate::host::alias::list(&self.local).unwrap_or_default();
            let is_host = listing.hosts.iter().any(|listed| listed.alias.as_str() == word);
            if is_host {
                failure.hint(format!("{word} is a host; write {word}:PATH, or {word}: for the home folder"))
            } else {
                failure
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
                let listing = crate::host::alias::list(&self.local)?;
                let host = crate::host::alias::find(&listing, word).map_err(|_| unknown)?;
                Ok(Place { alias: host.alias.clone(), path: String::new() })
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
        Command::Hosts(command) => command.run(context).await,
        Command::Check(command) => interruptible(command.run(context)).await,
        Command::Projects(command) => interruptible(command.run(context)).await,
        Command::Run(command) => command.run(context).await,
        Command::Threads(command) => interruptible(command.run(context)).await,
        Command::Thread(command) => command.run(context).await,
        Command::Stop(command) => command.run(context).await,
        Command::Logs(command) => command.run(context).await,
        Command::Install(command) => command.run(context).await,
        Command::Open(command) => command.run(context).await,
        Command::Shell(command) => command.run(context).await,
        Command::Forward(command) => command.run(context).await,
        Command::Endpoint(command) => command.run(context).await,
        Command::Completions(command) => command.run(context),
        Command::Man(command) => command.run(context),
        Command::Demo(command) => command.run(context).await,
        Command::StandIn(command) => command.run(context).await,
    }
}

/// Lets Ctrl-C end a command in order: what it started ends with it.
async fn interruptible(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::select! {
        result = command => result,
        Ok(()) = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
    }
}
