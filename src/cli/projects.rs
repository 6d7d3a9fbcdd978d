//! `outpost projects`: the folders a person works in, by name.

use clap::{Args, Subcommand};
use serde_json::json;

use super::spinner::Spinner;
use super::table::table;
use super::{Context, plain};
use crate::config::projects::{self, Project};
use crate::failure::{Code, Exit, Failure};
use crate::project;
use crate::ssh::quote::if_needed;

/// The folders you work in, by name; a name works wherever HOST:PATH does.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ProjectsCommand {
    #[command(subcommand)]
    act: Option<Act>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List them.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a folder on its host and keep it under a name.
    ///
    /// `~` and links are resolved there; the folder must exist and be readable.
    Add {
        /// The host and the folder.
        #[arg(value_name = "HOST:PATH")]
        place: String,
        /// The name; by default that of the folder.
        #[arg(long)]
        name: Option<String>,
    },
    Pick(super::pick::Pick),
    /// Forget a project; nothing happens on the host.
    Remove {
        /// Its name.
        #[arg(value_name = "PROJECT")]
        name: String,
    },
    /// Give a project another name.
    Rename {
        /// Its name.
        #[arg(value_name = "PROJECT")]
        from: String,
        /// The new name.
        #[arg(value_name = "NEW_NAME")]
        to: String,
    },
}

impl ProjectsCommand {
    /// Runs it.
    ///
    /// # Errors
    /// What the files or the host say.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.act {
            None => list(context, self.json)?,
            Some(Act::List { json }) => list(context, json)?,
            Some(Act::Add { place, name }) => add(context, &place, name).await?,
            Some(Act::Pick(pick)) => return pick.run(context).await,
            Some(Act::Remove { name }) => projects::remove(&context.local, &name)?,
            Some(Act::Rename { from, to }) => {
                free(context, &to)
                    .map_err(|taken| taken.hint(format!("outpost projects rename {} OTHER_NAME", if_needed(&from))))?;
                projects::rename(&context.local, &from, &to)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list(context: &Context, as_json: bool) -> Result<(), Failure> {
    let projects = projects::load(&context.local)?;
    if as_json {
        let row = |(name, project): (&String, &Project)| json!({ "name": name, "host": project.host, "path": project.path });
        return context.screen.json(&projects.iter().map(row).collect::<Vec<_>>());
    }
    if projects.is_empty() {
        context.screen.note("no projects yet: outpost projects add HOST:PATH");
    }
    let row = |(name, project): (&String, &Project)| {
        vec![plain::line(name), plain::line(&format!("{}:{}", project.host, project.path))]
    };
    context.screen.answer(&table(&projects.iter().map(row).collect::<Vec<_>>()))
}

async fn add(context: &Context, word: &str, name: Option<String>) -> Result<(), Failure> {
    crate::config::gate::require(&context.local)?;
    let place = &context.place(word)?;
    if !word.contains(':') {
        let said = format!("it is a project already: {place}");
        return Err(Failure::new(Code::Usage, format!("add '{word}'")).said(said).hint("write HOST:PATH to add another folder"));
    }
    // What can be wrong here is said before anybody is asked for a password; a project of this name on this host may be the same.
    let known = projects::load(&context.local)?;
    if let Some(name) = &name {
        projects::checked_name(name)?;
        if known.get(name).is_none_or(|known| known.host != place.alias) {
            free(context, name)?;
        }
    }
    let path = {
        let spinner = Spinner::new(context, place.alias.as_str(), context.screen.interactive);
        project::look(&context.behind(&spinner), place).await?
    };
    let project = Project { host: place.alias.clone(), path };
    let same = known.into_iter().find(|(known, other)| *other == project && name.as_ref().is_none_or(|name| name == known));
    let name = match same {
        Some((name, _)) => {
            already(context, &name);
            name
        }
        None => {
            let name = name.unwrap_or_else(|| default_name(project.path.as_str()));
            free(context, &name)?;
            projects::put(&context.local, &name, &project)?;
            name
        }
    };
    context.screen.line(&plain::line(&format!("{name}  {}:{}", project.host, project.path)))
}

/// Says that a folder has the name that it shall have.
pub(super) fn already(context: &Context, name: &str) {
    context.screen.note(&plain::line(&format!("this is the project {name} already")));
}

/// A name is free when no other project and no host has it: `run NAME` must mean one thing.
pub(super) fn free(context: &Context, name: &str) -> Result<(), Failure> {
    let taken = |by: &str| Failure::new(Code::Usage, format!("name a project '{name}'")).said(format!("{by} goes by this name"));
    if projects::load(&context.local)?.contains_key(name) {
        return Err(taken("another project").hint("give another one with --name"));
    }
    let listing = crate::host::alias::list(&context.local)?;
    if listing.hosts.iter().any(|listed| listed.alias.as_str() == name) {
        return Err(taken("a host").hint("give another one with --name"));
    }
    Ok(())
}

/// The folder's own name, with a number where something goes by it already.
pub(super) fn free_name(context: &Context, path: &str) -> Result<String, Failure> {
    let name = default_name(path);
    let taken = |failure: &Failure| failure.code == Code::Usage;
    for number in 1..1_000 {
        let name = if number == 1 { name.clone() } else { format!("{name}-{number}") };
        match free(context, &name) {
            Err(failure) if taken(&failure) => {}
            free => return free.map(|()| name),
        }
    }
    free(context, &name).map(|()| name)
}

/// The folder's own name, made of what a project's name may have.
fn default_name(path: &str) -> String {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name: String = last.chars().map(|c| if projects::checked_name(&format!("a{c}")).is_ok() { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "root".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_a_name() {
        for (path, name) in
            [("/home/me/shop", "shop"), ("/srv/a b/", "a-b"), ("/", "root"), ("/x/-", "root"), ("/x/.cfg", ".cfg")]
        {
            assert_eq!(default_name(path), name, "{path}");
            assert!(projects::checked_name(name).is_ok());
        }
    }
}
