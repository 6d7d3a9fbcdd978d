//! `outpost thread`: what is done to one thread, from any terminal.

mod diff;
mod log;
mod talk;
mod which;

use clap::{Args, Subcommand};
use serde_json::json;

use super::run::again::Again;
use super::run::approve;
use super::run::questions::Typed;
use super::run::review::What;
use super::run::which::title;
use super::table::{ago, folded};
use super::threads::now;
use super::{Context, interruptible, or_interrupted, plain};
use crate::failure::{Code, Exit, Failure};
use crate::name::Alias;
use crate::project::Host;
use crate::ssh::quote::if_needed;
use crate::thread::View;
use crate::thread::catalog::{self, Act, State};
use crate::thread::event::Approval;
use crate::thread::writer::{self, Writer};
use which::Which;

/// Look at a thread, steer it, answer it, put it away.
///
/// A THREAD is written HOST:ID or PROJECT:ID, as `outpost threads` lists them; the beginning of an id is enough, or the thread's name. The
/// host may be left out of an id that was listed.
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
    /// Take it up again on this terminal: what runs, what waits, and your prompts.
    Resume(Resume),
    /// Let the agent review changes of its folder.
    Review(Review),
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
#[command(
    after_help = "Examples:\n  outpost thread resume devbox:0199\n  outpost thread resume devbox:0199 \"and now the tests\""
)]
struct Resume {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    #[command(flatten)]
    again: Again,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  outpost thread review devbox:0199\n  outpost thread review devbox:0199 --base main")]
struct Review {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Args)]
struct Rename {
    #[command(flatten)]
    thread: Plain,
    /// Its new name.
    name: String,
}

#[derive(Debug, Args)]
struct Delete {
    #[command(flatten)]
    thread: Plain,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
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
            ThreadAct::Log(command) => command.run(context).await,
            ThreadAct::Diff(command) => command.run(context).await,
            ThreadAct::Show(command) => show(context, &command).await,
            ThreadAct::Resume(command) => {
                let (place, id) = command.thread.host(context)?;
                command.again.of(place, id).run(context).await
            }
            ThreadAct::Review(command) => {
                let (place, id) = command.thread.host(context)?;
                command.what.of(place, Some(id)).await?.run(context).await
            }
            ThreadAct::Fork(command) => interruptible(fork(context, &command)).await,
            ThreadAct::Rename(command) => interruptible(act(context, &command.thread, &Act::Rename(command.name))).await,
            ThreadAct::Archive(command) => interruptible(act(context, &command, &Act::Archive)).await,
            ThreadAct::Unarchive(command) => interruptible(act(context, &command, &Act::Unarchive)).await,
            ThreadAct::Delete(command) => interruptible(delete(context, &command)).await,
            ThreadAct::Steer(command) => interruptible(command.steer(context)).await,
            ThreadAct::Queue(command) => interruptible(command.queue(context)).await,
            ThreadAct::Interrupt(command) => interruptible(talk::interrupt(context, &command)).await,
            ThreadAct::Approve(command) => interruptible(command.run(context)).await,
            ThreadAct::Decline(command) => interruptible(command.run(context)).await,
            ThreadAct::Answer(command) => interruptible(command.run(context)).await,
        }
    }
}

async fn show(context: &Context, command: &Plain) -> Result<Exit, Failure> {
    // While a pager runs Ctrl-C is the pager's.
    let Some(known) = or_interrupted(known(context, command), Result::is_err).await else { return Ok(Exit::Interrupted) };
    let known = known?;
    if command.json {
        context.screen.json(&known.json())?;
    } else {
        super::pager::show(context, &known.text(context.screen.columns())).await?;
    }
    Ok(Exit::Done)
}

/// What is known of a thread.
struct Known {
    alias: Alias,
    view: View,
    state: State,
    waits: Vec<String>,
    /// What one does about the first of them.
    way: Option<&'static str>,
    /// The other process of the host that has it open.
    writer: Option<Writer>,
}

async fn known(context: &Context, command: &Plain) -> Result<Known, Failure> {
    let Found { alias, host, view } = command.thread.find(context).await?;
    let mut state = State::of(&view.status);
    let writers = if state == State::Stored { writer::all(&host.server.peer).await } else { Vec::new() };
    let writer = writers.into_iter().find(|writer| writer.thread == view.id.as_str());
    if writer.is_some() {
        state = State::OpenElsewhere;
    }
    let waiting = if state.waits() { vec![view.id.clone()] } else { Vec::new() };
    let waits: Vec<Approval> = super::waits::of(host.server, waiting).await.into_iter().flat_map(|(_, waits)| waits).collect();
    host.session.close().await;
    let way = waits.first().map(approve::way);
    let number = |at: usize| if waits.len() > 1 { format!("{}. ", at + 1) } else { String::new() };
    let short = waits.iter().enumerate().map(|(at, wait)| format!("{}{}", number(at), approve::short(wait))).collect();
    Ok(Known { alias, view, state, waits: short, way, writer })
}

impl Known {
    fn branch(&self) -> Option<&str> {
        self.view.git_info.as_ref()?.branch.as_deref()
    }

    fn json(&self) -> serde_json::Value {
        let view = &self.view;
        json!({
            "host": self.alias, "id": view.id, "state": self.state, "name": view.name, "preview": view.preview,
            "cwd": view.cwd, "branch": self.branch(), "created_at": view.created_at, "updated_at": view.updated_at,
            "waits": self.waits, "open_in": self.writer,
        })
    }

    /// A line for each thing that is known, or several where the terminal is narrow.
    fn text(&self, columns: Option<usize>) -> String {
        let rows = self.rows();
        let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        rows.iter().map(|(name, value)| folded(&format!("{name:<widest$}  "), &plain::line(value), columns)).collect()
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let (view, state) = (&self.view, self.state);
        let thread = format!("{}:{}", self.alias, view.id);
        let mut rows = vec![("thread", thread.clone()), ("state", state.as_str().to_owned()), ("folder", view.cwd.clone())];
        rows.extend(self.branch().map(|branch| ("branch", branch.to_owned())));
        rows.extend([
            ("age", ago(now() - view.created_at)),
            ("used", format!("{} ago", ago(now() - view.updated_at))),
            ("title", title(view).to_owned()),
        ]);
        rows.extend(self.writer.iter().map(|w| ("open in", format!("process {} there: {}", w.pid, w.command))));
        rows.extend(self.waits.iter().map(|what| ("waits", what.clone())));
        if state.waits() {
            let way = self.way.unwrap_or(if state == State::WaitsForApproval { "approve" } else { "answer" });
            rows.push(("try", format!("outpost thread {way} {}", if_needed(&thread))));
        }
        rows
    }
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

async fn act(context: &Context, command: &Plain, act: &Act) -> Result<Exit, Failure> {
    let found = command.thread.find(context).await?;
    acted(context, command, (found, act)).await
}

async fn acted(context: &Context, command: &Plain, (found, act): (Found, &Act)) -> Result<Exit, Failure> {
    let Found { alias, host, view } = found;
    let state = State::of(&view.status);
    if matches!(act, Act::Archive) && (state == State::Working || state.waits()) {
        host.session.close().await;
        let thread = if_needed(&format!("{alias}:{}", view.id));
        return Err(Failure::new(Code::TurnRuns, format!("put {thread} away"))
            .said("a turn runs there, and this would end it")
            .hint(format!(
                "wait for it: outpost thread log --follow {thread}\nor stop it first: outpost thread interrupt {thread}"
            ))
            .at(&alias));
    }
    let already = match catalog::act(&host.server.peer, &view.id, act).await {
        Ok(()) => false,
        Err(_) if catalog::is_so(&host.server.peer, &view.id, act).await => true,
        Err(refused) => return Err(refused.at(&alias)),
    };
    host.session.close().await;
    let done = match (act, already) {
        (Act::Rename(name), _) => format!("is \"{name}\" now"),
        (Act::Archive, false) => format!("is put away: {}", title(&view)),
        (Act::Archive, true) => format!("is put away already: {}", title(&view)),
        (Act::Unarchive, false) => format!("is taken out again: {}", title(&view)),
        (Act::Unarchive, true) => format!("is not put away: {}", title(&view)),
        (Act::Delete, _) => format!("is deleted: {}", title(&view)),
    };
    command.done(context, (&alias, view.id.as_str()), &done)
}

impl Plain {
    /// Says what was done: a person with words, a program with the id.
    fn done(&self, context: &Context, (alias, id): (&Alias, &str), done: &str) -> Result<Exit, Failure> {
        if self.json {
            context.screen.json(&json!({ "host": alias, "id": id }))?;
        } else {
            context.screen.note(&plain::line(&format!("{alias}:{id} {done}")));
        }
        Ok(Exit::Done)
    }
}

async fn delete(context: &Context, command: &Delete) -> Result<Exit, Failure> {
    let found = command.thread.thread.find(context).await?;
    if !command.yes {
        let state = State::of(&found.view.status);
        let running = if state == State::Working || state.waits() { ", with the turn that runs there," } else { "" };
        let title = plain::line(title(&found.view));
        let what = format!("delete {}:{} \"{title}\"{running} for good?", found.alias, found.view.id);
        match super::run::questions::agreed(&context.screen, &what).await {
            Typed::Given(true) => {}
            Typed::Interrupt | Typed::Leave => return Ok(Exit::Interrupted),
            Typed::Given(false) | Typed::End => {
                return Err(Failure::new(Code::Usage, "delete a thread")
                    .said("nobody agreed")
                    .hint("--yes deletes without asking"));
            }
        }
    }
    acted(context, &command.thread, (found, &Act::Delete)).await
}
