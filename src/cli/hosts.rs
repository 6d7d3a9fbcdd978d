//! `outpost hosts`: which hosts the ssh configuration names, which of them a person works with, and their settings.

pub mod choose;
pub mod rows;

use clap::{Args, Subcommand};
use futures_util::StreamExt;
use futures_util::stream;

use self::rows::Row;
use super::{Context, plain};
use crate::config::{gate, hosts};
use crate::failure::{Exit, Failure};
use crate::host::alias::{self, Listing};
use crate::host::resolve;
use crate::paths::Local;

/// How many `ssh -G` run at once.
const AT_ONCE: usize = 8;

/// List the hosts of your ssh configuration, each with file and line.
///
/// Opens no connection and, without --resolve, runs no program.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Hosts {
    /// Ask `ssh -G` what each host means; this runs the commands of `Match exec`.
    #[arg(long)]
    resolve: bool,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<HostsCommand>,
}

#[derive(Debug, Subcommand)]
enum HostsCommand {
    Enable(choose::EnableHosts),
    Disable(choose::DisableHosts),
    Set(choose::SetHost),
    Remove(choose::RemoveHosts),
}

impl Hosts {
    /// Lists, or runs the subcommand.
    ///
    /// # Errors
    /// When the ssh configuration, config.toml or hosts.toml cannot be read; one bad line or host is listed instead.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.command {
            None => self.list(context).await,
            Some(HostsCommand::Enable(command)) => command.run(context),
            Some(HostsCommand::Disable(command)) => command.run(context),
            Some(HostsCommand::Set(command)) => command.run(context),
            Some(HostsCommand::Remove(command)) => command.run(context),
        }
    }

    async fn list(&self, context: &Context) -> Result<Exit, Failure> {
        let local = &context.local;
        let gate = gate::is_on(local)?;
        let file = hosts::load(local)?;
        let listing = alias::list(local)?;
        let mut rows = rows::of(&listing, &file);
        if self.resolve {
            rows = stream::iter(rows).map(|row| resolved(context, &listing, row)).buffered(AT_ONCE).collect().await;
        }
        if self.json {
            context.screen.json(&rows)?;
        } else if !rows.is_empty() {
            context.screen.answer(&rows::table(&rows, local))?;
        }
        tell(context, &listing, gate);
        Ok(Exit::Done)
    }
}

async fn resolved(context: &Context, listing: &Listing, mut row: Row) -> Row {
    if let Ok(listed) = alias::find(listing, &row.alias) {
        let hop = resolve::Hop::to(listed.alias.clone());
        row.answered(resolve::hop(&context.local, &hop).await, &context.local);
    }
    row
}

/// What people should know besides the list.
fn tell(context: &Context, listing: &Listing, gate: bool) {
    let screen = &context.screen;
    for problem in &listing.problems {
        let place = format!("{}:{}", problem.file.display(), problem.line);
        screen.warn(&format!("{}: {}", plain::line(&place), plain::line(&problem.text)));
    }
    if listing.hosts.is_empty() {
        screen.note(&plain::line(&no_hosts(&context.local)));
    }
    if !gate {
        screen.note("note: remote connections are off; `outpost enable` switches them on");
    }
}

fn no_hosts(local: &Local) -> String {
    let files: Vec<String> = alias::files(local).iter().map(|file| rows::short(file, &local.home)).collect();
    let looked = if files.is_empty() { "no file was read".to_owned() } else { format!("none in {}", files.join(" and ")) };
    format!("no hosts: {looked}; a host is a line `Host NAME` in your ssh configuration")
}
