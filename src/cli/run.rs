//! `outpost run`: a Codex thread in a folder of a host, or one in each of several.

pub mod again;
pub mod approve;
pub mod back;
pub mod events;
pub mod files;
pub mod forms;
mod given;
pub mod options;
pub mod paint;
pub mod questions;
mod reach;
pub mod review;
pub mod signals;
pub mod token;
pub mod turn;
pub mod upload;
pub mod which;
pub mod witness;
mod work;
pub mod worktree;

use clap::Args;
use futures_util::future::join_all;
use unicode_width::UnicodeWidthStr;

use super::notify::News;
use super::{Context, SAME_MOMENT, plain, report};
use crate::failure::{Code, Exit, Failure};
use crate::name::Place;
use crate::project::Host;
use crate::remote::How;
use crate::ssh::ask::Secret;
use crate::thread::{ReviewTarget, Thread};
use approve::Approve;
use events::{Body, Line};
use given::Given;
pub(in crate::cli) use given::words;
use options::{Manner, ThreadOptions};
use signals::Wishes;
use turn::{Live, Stage};
use witness::Witness;
use work::Work;
use worktree::Kept;

/// Run a Codex thread in a folder of a host.
///
/// The agent's words, its commands and its changes are shown as they happen. Ctrl-C interrupts the turn; Ctrl-\ leaves it
/// running on the host. Without a PROMPT, on a terminal, you are asked for one, and for the next after each turn.
#[derive(Debug, Default, Args)]
#[command(
    override_usage = "outpost run [OPTIONS] HOST:PATH|PROJECT [PROMPT]\n       outpost run [OPTIONS] -p PROJECT... PROMPT",
    after_help = "Examples:\n  outpost run devbox:~/app \"fix the failing test\"\n  git diff | outpost run devbox:/srv/app -\n  \
                  outpost run --last shop \"and now the documentation\"\n  outpost run -p shop -p blog --approve never \"list what is outdated\""
)]
pub struct Run {
    /// The host and the folder on it (absolute, `~/…`, or relative to the home there) or a project's name; then what the
    /// agent shall do, in quotes (`-`, or nothing where there is no terminal, reads it from standard input; what is piped in
    /// beside a PROMPT is put behind it as a `<stdin>` block, as `codex exec` does: </dev/null where a script leaves a silent
    /// standard input open).
    #[arg(value_name = "HOST:PATH|PROJECT PROMPT", num_args = 0..)]
    words: Vec<String>,
    /// Run one thread in each of several projects, side by side. What they ask is left open, and how it is answered from
    /// another terminal is told; without a terminal it is declined.
    #[arg(short, long, value_name = "PROJECT|HOST:PATH")]
    project: Vec<String>,
    /// Take this thread up again instead of starting one: its id, the beginning of it, or its name.
    #[arg(long, value_name = "ID", conflicts_with_all = ["last", "project"])]
    resume: Option<String>,
    /// Take the folder's last thread up again.
    #[arg(long)]
    last: bool,
    #[command(flatten)]
    manner: Manner,
    /// Work in a new git worktree of the folder, on a new branch: BRANCH, or one named after the prompt. Both stay.
    #[arg(long, value_name = "BRANCH", num_args = 0..=1, require_equals = true, default_missing_value = "",
          conflicts_with_all = ["resume", "last"])]
    worktree: Option<String>,
    /// Use CODEX_ACCESS_TOKEN of your environment, for this run alone; its thread goes with it.
    #[arg(long, conflicts_with_all = ["resume", "last", "detach"])]
    with_access_token: bool,
    #[command(flatten)]
    thread: ThreadOptions,
    /// Review this instead of running a prompt.
    #[arg(skip)]
    review: Option<ReviewTarget>,
}

/// Whether a failure was already told as a line of JSON.
enum Told {
    NotYet,
    Already,
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// What stood in the way, from the gate to the turn.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let result = self.begin(context).await;
        // What fails before there is a place to tell of is told here; the rest tells itself.
        if let (true, Err((Told::NotYet, failure))) = (self.manner.json, &result) {
            context.screen.json(&Line::new(("", ""), Body::failure(failure, &failure.to_string())))?;
        }
        result.map_err(|(_, failure)| failure)
    }

    async fn begin(&self, context: &Context) -> Result<Exit, (Told, Failure)> {
        let given = self.given(context).await.map_err(|failure| (Told::NotYet, failure))?;
        let once = self.with_access_token.then(|| token::take(context)).transpose().map_err(|failure| (Told::NotYet, failure))?;
        let (token, context) = once.as_ref().map_or((None, context), |(token, context)| (Some(token), context));
        let wishes = signals::listen().map_err(|failure| (Told::NotYet, failure))?;
        let errand = |place| Errand { run: self, context, token, place, given: &given, wishes: wishes.resubscribe() };
        if let [(_, place)] = given.places.as_slice() {
            return errand(place).alone().await.map_err(|failure| (Told::Already, failure));
        }
        let exits = join_all(given.places.iter().map(|(word, place)| errand(place).beside(word))).await;
        Ok(exits.into_iter().max_by_key(|exit| badness(*exit)).unwrap_or(Exit::Done))
    }

    /// Whether a thread is taken up instead of started.
    fn takes_up(&self) -> bool {
        self.resume.is_some() || self.last
    }
}

/// One prompt for one place.
struct Errand<'a> {
    run: &'a Run,
    context: &'a Context,
    token: Option<&'a Secret>,
    place: &'a Place,
    given: &'a Given,
    wishes: Wishes,
}

impl Errand<'_> {
    async fn alone(mut self) -> Result<Exit, Failure> {
        let stage = self.stage();
        let result = self.on(&stage).await;
        tell(&stage, &result).await?;
        result
    }

    /// One of several, by the word that was typed for it: its failure is told here, because the others go on.
    async fn beside(mut self, word: &str) -> Exit {
        let mut stage = self.stage();
        if stage.approve == Approve::Ask && stage.screen.interactive {
            // Several would ask at once. Whoever sits there has other terminals.
            stage.approve = Approve::Wait;
        }
        if !self.run.manner.json {
            stage.screen = self.context.screen.prefixed(&plain::line(word));
        }
        let result = self.on(&stage).await;
        drop(tell(&stage, &result).await);
        if self.run.manner.json {
            result.unwrap_or_else(|failure| failure.code.exit())
        } else {
            report::exit(&stage.screen, result)
        }
    }

    fn stage(&self) -> Stage {
        let Manner { json, approve, notify, .. } = self.run.manner;
        let (host, place) = (self.place.alias.to_string(), self.place.to_string());
        Stage { screen: self.context.screen.clone(), json, approve, host, place, notify }
    }

    async fn on(&mut self, stage: &Stage) -> Result<Exit, Failure> {
        let next = self.wishes.resubscribe();
        let mut wishes = std::mem::replace(&mut self.wishes, next);
        let reached = tokio::select! {
            biased;
            Ok(_) = wishes.recv() => return Ok(Exit::Interrupted),
            reached = self.connect(stage) => reached,
        };
        if reached.is_err() && matches!(tokio::time::timeout(SAME_MOMENT, wishes.recv()).await, Ok(Ok(_))) {
            return Ok(Exit::Interrupted);
        }
        let (host, life, folder) = reached?;
        announce(stage, &host)?;
        self.may_detach(&host).map_err(|e| e.at(&stage.host))?;
        let about = format!("codex {}, {}", host.version(), host.how());
        let codex_home = host.server.initialized.codex_home.clone();
        let worktree = tokio::select! {
            made = self.worktree(stage, &host, &folder) => made?,
            Ok(_) = wishes.recv() => return Ok(Exit::Interrupted),
        };
        let folder = worktree.as_ref().map_or(&folder, Kept::folder);
        let mut options = self.run.thread.thread();
        let peer = host.server.peer.clone();
        let begun = async {
            if self.token.is_some() {
                options.config.extend(token::kept_from_commands(&peer).await?);
            }
            self.thread(stage, (host.server, folder), &options).await
        };
        // A server may never answer: until there is a turn, everything can be left.
        let begun = tokio::select! {
            thread = begun => Some(thread.map_err(|e| e.at(&stage.host))?),
            Ok(_) = wishes.recv() => None,
        };
        let Some(thread) = begun else {
            worktree.into_iter().for_each(|worktree| worktree.stays(stage));
            host.session.close().await;
            return Ok(Exit::Interrupted);
        };
        stage.line(Body::Thread { thread: thread.id().as_str(), cwd: &thread.view.cwd, model: &thread.model })?;
        stage.note(&head(stage, &thread, &about));
        let live = Live { stage, thread, wishes, witness: Witness::new(stage, life) };
        let pictures = self.given.files.pictures.as_slice();
        let mut work = Work { run: self.run, live, codex_home, pictures, schema: self.given.files.schema.as_ref() };
        let done = work.all(self.given.prompt.as_deref()).await;
        if let Some(worktree) = worktree {
            worktree.stays(stage);
        }
        if done.is_err() {
            work.live.witness.last_words()?;
        }
        // With it goes what still waits for a link: nothing of it may be sent once the person was told that it was not.
        drop(work);
        host.session.close().await;
        Ok(done.map_err(|e| e.at(&stage.host))?.exit)
    }

    /// A server inside the session ends when we leave: nothing can be left running there.
    fn may_detach(&self, host: &Host) -> Result<(), Failure> {
        if !self.run.manner.detach || host.how != How::Attached {
            return Ok(());
        }
        Err(Failure::new(Code::ServerAttached, "leave the turn running on the host")
            .said("its app-server runs inside this session and ends with it")
            .hint("run it without --detach and stay connected until it is done"))
    }
}

fn announce(stage: &Stage, host: &Host) -> Result<(), Failure> {
    let session = host.session.get();
    let detail = &session.facts().address;
    stage.line(Body::Link { state: "up", detail, lost_ms: None, again_ms: None, server: None, agent: None })?;
    let (state, version) = (host.how(), host.server.initialized.version());
    stage.line(Body::Server { state, version, codex_home: &host.server.initialized.codex_home })
}

async fn tell(stage: &Stage, result: &Result<Exit, Failure>) -> Result<(), Failure> {
    match result {
        Ok(_) => Ok(()),
        Err(failure) => {
            stage.notify(None, News::Failed(&failure.to_string())).await;
            stage.line(Body::failure(failure, &failure.to_string()))
        }
    }
}

/// What a person reads first: where, on what, and which thread; its id is not broken where a terminal's line ends.
fn head(stage: &Stage, thread: &Thread, about: &str) -> String {
    let place = plain::line(&format!("{}:{} · {about}", stage.host, thread.view.cwd));
    let id = plain::line(&format!("thread {}:{}", stage.host, thread.id()));
    let fits = stage.screen.columns().is_none_or(|columns| place.width() + 3 + id.width() <= columns);
    if fits { format!("{place} · {id}") } else { format!("{place}\n{id}") }
}

/// Of several runs the worst decides: SSH before remote before failed before done.
fn badness(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Failed | Exit::Passed(_) => 1,
        Exit::Remote => 2,
        Exit::Ssh => 3,
        Exit::Config | Exit::Usage | Exit::GateOff => 4,
        Exit::Interrupted => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_decides() {
        let worst = |exits: &[Exit]| exits.iter().copied().max_by_key(|exit| badness(*exit));
        let order = [Exit::Done, Exit::Failed, Exit::Remote, Exit::Ssh];
        for count in 1..=order.len() {
            let mut some = order[..count].to_vec();
            for _ in 0..count {
                some.rotate_left(1);
                assert_eq!(worst(&some), Some(order[count - 1]), "{some:?}");
            }
        }
    }
}
