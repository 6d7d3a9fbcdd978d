//! `outpost thread`: what is done to one thread, from any terminal.

mod diff;
mod log;
mod talk;

use clap::{Args, Subcommand};
use serde_json::json;

use super::run::which::{self, title};
use super::spinner::Spinner;
use super::{Context, plain};
use crate::config::projects;
use crate::failure::{Code, Exit, Failure};
use crate::name::Alias;
use crate::project::{self, Host};
use crate::remote::Want;
use crate::thread::View;
use crate::thread::catalog::{self, Act, State};

/// Look at a thread, steer it, answer it, put it away.
///
/// A THREAD is written HOST:ID or PROJECT:ID, as `outpost threads` lists them; the beginning of an id is enough.
#[derive(Debug, Args)]
pub struct ThreadCommand {
    #[command(subcommand)]
    act: ThreadAct,
}

#[derive(Debug, Subcommand)]
enum ThreadAct {
    /// Show what is known of it, and what waits for a person.
    Show(Plain),
    /// Print the whole conversation.
    Log(log::Log),
    /// Print the changes that its file changes made, as a patch that `git apply` takes.
    Diff(diff::Diff),
    /// Copy it, with all it holds; prints the new id.
    Fork(Plain),
    /// Give it a name.
    Rename(Rename),
    /// Put it away.
    Archive(Plain),
    /// Take it out again.
    Unarchive(Plain),
    /// Delete it for good.
    Delete(Delete),
    /// Add words to its running turn.
    Steer(talk::Words),
    /// Put a prompt behind its running turn.
    Queue(talk::Words),
    /// Stop its running turn.
    Interrupt(Plain),
    /// Accept what it asks, from another terminal than the one that runs it.
    Approve(talk::Approve),
    /// Decline what it asks.
    Decline(talk::Decline),
    /// Answer its questions.
    Answer(talk::Answer),
}

/// A thread and nothing else.
#[derive(Debug, Args)]
pub(super) struct Plain {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Rename {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// Its new name.
    name: String,
}

#[derive(Debug, Args)]
struct Delete {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// `HOST:ID` or `PROJECT:ID`.
#[derive(Debug, Clone)]
pub(super) struct Which {
    place: String,
    id: String,
}

impl std::str::FromStr for Which {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let (place, id) = word.split_once(':').ok_or("a thread is written HOST:ID or PROJECT:ID")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if place.is_empty() || id.is_empty() || !id.chars().all(fits) {
            return Err("a thread is written HOST:ID or PROJECT:ID".to_owned());
        }
        Ok(Self { place: place.to_owned(), id: id.to_owned() })
    }
}

impl Which {
    fn alias(&self, context: &Context) -> Result<Alias, Failure> {
        if let Some(project) = projects::load(&context.local)?.get(&self.place) {
            return Ok(project.host.clone());
        }
        let listing = crate::host::alias::list(&context.local)?;
        Ok(crate::host::alias::find(&listing, &self.place)?.alias.clone())
    }

    /// Reaches the thread's host and finds the thread there.
    async fn find(&self, context: &Context) -> Result<Found, Failure> {
        crate::config::gate::require(&context.local)?;
        let alias = self.alias(context)?;
        let spinner = Spinner::new(context, alias.as_str(), context.screen.interactive);
        let host = project::reach(&context.behind(&spinner), &alias, Want::server()).await?;
        drop(spinner);
        let view = which::by_id(&host.server.peer, &self.id).await.map_err(|e| e.at(&alias))?;
        Ok(Found { alias, host, view })
    }
}

/// A thread that was found, and its host.
struct Found {
    alias: Alias,
    host: Host,
    view: View,
}

impl ThreadCommand {
    /// Does it.
    ///
    /// # Errors
    /// From the gate to what the server says.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self.act {
            ThreadAct::Show(command) => show(context, &command).await,
            ThreadAct::Log(command) => command.run(context).await,
            ThreadAct::Diff(command) => command.run(context).await,
            ThreadAct::Fork(command) => fork(context, &command).await,
            ThreadAct::Rename(command) => act(context, &command.thread, &Act::Rename(command.name)).await,
            ThreadAct::Archive(command) => act(context, &command.thread, &Act::Archive).await,
            ThreadAct::Unarchive(command) => act(context, &command.thread, &Act::Unarchive).await,
            ThreadAct::Delete(command) => delete(context, &command).await,
            ThreadAct::Steer(command) => command.steer(context).await,
            ThreadAct::Queue(command) => command.queue(context).await,
            ThreadAct::Interrupt(command) => talk::interrupt(context, &command.thread).await,
            ThreadAct::Approve(command) => command.run(context).await,
            ThreadAct::Decline(command) => command.run(context).await,
            ThreadAct::Answer(command) => command.run(context).await,
        }
    }
}

async fn show(context: &Context, command: &Plain) -> Result<Exit, Failure> {
    let found = command.thread.find(context).await?;
    let view = &found.view;
    let state = State::of(&view.status);
    let branch = view.git_info.as_ref().and_then(|git| git.branch.clone());
    found.host.session.close().await;
    if command.json {
        let git = json!({ "branch": branch });
        context.screen.json(&json!({
            "host": found.alias, "id": view.id, "state": state, "name": view.name, "preview": view.preview, "cwd": view.cwd,
            "git": git, "created_at": view.created_at, "updated_at": view.updated_at,
        }))?;
        return Ok(Exit::Done);
    }
    let mut rows = vec![
        vec!["thread".to_owned(), format!("{}:{}", found.alias, view.id)],
        vec!["state".to_owned(), state.as_str().to_owned()],
        vec!["folder".to_owned(), plain::line(&view.cwd)],
        vec!["title".to_owned(), plain::line(title(view))],
    ];
    if let Some(branch) = branch {
        rows.push(vec!["branch".to_owned(), plain::line(&branch)]);
    }
    if matches!(state, State::WaitsForApproval | State::WaitsForAnswer) {
        let way = if state == State::WaitsForApproval { "approve" } else { "answer" };
        rows.push(vec!["try".to_owned(), format!("outpost thread {way} {}:{}", found.alias, view.id)]);
    }
    context.screen.answer(&super::table::table(&rows))?;
    Ok(Exit::Done)
}

async fn fork(context: &Context, command: &Plain) -> Result<Exit, Failure> {
    let found = command.thread.find(context).await?;
    let fork = catalog::fork(&found.host.server.peer, &found.view.id).await.map_err(|e| e.at(&found.alias))?;
    found.host.session.close().await;
    if command.json {
        context.screen.json(&json!({ "host": found.alias, "id": fork.id, "forked_from": found.view.id }))?;
    } else {
        context.screen.line(&plain::line(&format!("{}:{}", found.alias, fork.id)))?;
    }
    Ok(Exit::Done)
}

async fn act(context: &Context, which: &Which, act: &Act) -> Result<Exit, Failure> {
    let found = which.find(context).await?;
    catalog::act(&found.host.server.peer, &found.view.id, act).await.map_err(|e| e.at(&found.alias))?;
    found.host.session.close().await;
    Ok(Exit::Done)
}

async fn delete(context: &Context, command: &Delete) -> Result<Exit, Failure> {
    let found = command.thread.find(context).await?;
    if !command.yes {
        let what = format!("delete {}:{} \"{}\" for good?", found.alias, found.view.id, plain::line(title(&found.view)));
        if !super::run::questions::agreed(&context.screen, &what).await? {
            return Err(Failure::new(Code::Usage, "delete a thread").said("nobody agreed").hint("--yes deletes without asking"));
        }
    }
    catalog::act(&found.host.server.peer, &found.view.id, &Act::Delete).await.map_err(|e| e.at(&found.alias))?;
    found.host.session.close().await;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_written_with_their_host() {
        let which: Which = "devbox:0199-a".parse().expect("a thread");
        assert_eq!((which.place.as_str(), which.id.as_str()), ("devbox", "0199-a"));
        for bad in ["devbox", "devbox:", ":x", "devbox:~/app", "devbox:a b"] {
            assert!(bad.parse::<Which>().is_err(), "{bad}");
        }
    }
}
