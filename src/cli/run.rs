//! `outpost run`: a Codex thread in a folder of a host.

pub mod approve;
pub mod events;
pub mod paint;
pub mod questions;
pub mod signals;
pub mod turn;

use std::io::IsTerminal;

use clap::Args;

use super::Context;
use super::spinner::Spinner;
use crate::config::projects;
use crate::failure::{Code, Exit, Failure};
use crate::name::{Place, RemotePath};
use crate::project::{self, Host};
use crate::thread::event::TurnEnd;
use crate::thread::{Options, Prompt, Thread, message_id};
use approve::Approve;
use events::Body;
use questions::Typed;
use signals::Wish;
use turn::{Followed, Stage, Turn};

/// Run a Codex thread in a folder of a host.
///
/// The agent's words, its commands and its changes are shown as they happen. Ctrl-C interrupts the turn; Ctrl-\ leaves it
/// running on the host. Without a PROMPT, on a terminal, you are asked for one, and for the next after each turn.
///
/// Examples:
///   outpost run devbox:~/app "fix the failing test"
///   git diff | outpost run devbox:/srv/app -
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Run {
    /// The host and the folder on it (absolute, `~/…`, or relative to the home there), or a project's name.
    #[arg(value_name = "HOST:PATH|PROJECT")]
    place: String,
    /// What the agent shall do; `-` reads it from standard input.
    #[arg(value_name = "PROMPT")]
    prompt: Option<String>,
    /// What to do when the agent asks for an approval.
    #[arg(long, value_enum, default_value_t = Approve::Ask)]
    approve: Approve,
    /// Print one JSON object a line (docs/EVENTS.md).
    #[arg(long)]
    json: bool,
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// What stood in the way, from the gate to the turn.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let place = projects::place(&context.local, &self.place)?;
        let stage =
            Stage { screen: context.screen.clone(), json: self.json, approve: self.approve, host: place.alias.to_string() };
        let result = self.on(&stage, &place, context).await;
        if let Err(failure) = &result {
            let error = failure.to_string();
            stage.line(Body::Failure { code: failure.code.as_str(), error: &error, hint: &failure.hint })?;
        }
        result
    }

    async fn on(&self, stage: &Stage, place: &Place, context: &Context) -> Result<Exit, Failure> {
        let first = self.first_prompt(stage).await?;
        let mut wishes = signals::listen()?;
        let (host, folder) = tokio::select! {
            reached = connect(stage, place, context) => reached?,
            Some(_) = wishes.recv() => return Ok(Exit::Interrupted),
        };
        announce(stage, &host)?;
        let (how, version) = (host.how(), host.version().to_owned());
        let mut thread = Thread::start(host.server, &folder, &Options::default()).await.map_err(|e| e.at(&stage.host))?;
        stage.line(Body::Thread { thread: &thread.id().0, cwd: &thread.view.cwd, model: &thread.model })?;
        stage.note(&format!("{}:{folder} · codex {version}, {how} · thread {}", stage.host, thread.id()));
        let exit = match first {
            Some(text) => one(stage, &mut thread, &mut wishes, &text).await?,
            None => conversation(stage, &mut thread, &mut wishes).await?,
        };
        host.session.close().await;
        Ok(exit)
    }

    /// The prompt of the command line or of standard input; none means to ask on the terminal.
    async fn first_prompt(&self, stage: &Stage) -> Result<Option<String>, Failure> {
        let usage = |said: &str| Failure::new(Code::Usage, "take the prompt").said(said).hint("outpost run HOST:PATH \"…\"");
        let text = match self.prompt.as_deref() {
            Some("-") => read_stdin().await?,
            Some(text) => text.to_owned(),
            None if stage.screen.interactive && std::io::stdin().is_terminal() => return Ok(None),
            None => return Err(usage("there is no PROMPT, and no terminal to ask for one")),
        };
        if text.trim().is_empty() { Err(usage("the prompt is empty")) } else { Ok(Some(text)) }
    }
}

async fn connect(stage: &Stage, place: &Place, context: &Context) -> Result<(Host, RemotePath), Failure> {
    let spinner = Spinner::new(&stage.host, context.screen.interactive && !stage.json);
    project::enter(&context.session(&spinner), place).await
}

fn announce(stage: &Stage, host: &Host) -> Result<(), Failure> {
    stage.line(Body::Link { state: "up", detail: &host.session.facts().address })?;
    let (state, version) = (host.how(), host.server.initialized.version());
    stage.line(Body::Server { state, version, codex_home: &host.server.initialized.codex_home })
}

async fn read_stdin() -> Result<String, Failure> {
    let fail = |e: std::io::Error| Failure::new(Code::Usage, "read the prompt from standard input").said(e);
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut tokio::io::stdin(), &mut text).await.map_err(fail)?;
    Ok(text)
}

type Wishes = tokio::sync::mpsc::Receiver<Wish>;

/// Sends one prompt and follows its turn.
async fn one(stage: &Stage, thread: &mut Thread, wishes: &mut Wishes, text: &str) -> Result<Exit, Failure> {
    let id = message_id();
    let prompt = Prompt { text: text.to_owned(), ..Prompt::default() };
    let turn = thread.prompt(&prompt, &id).await.map_err(|e| e.at(&stage.host))?;
    stage.line(Body::Turn { turn: &turn.0, message_id: &id })?;
    let (followed, _) = Turn::new(stage, thread, wishes, turn).follow().await.map_err(|e| e.at(&stage.host))?;
    ended(stage, thread, &followed)
}

fn ended(stage: &Stage, thread: &Thread, followed: &Followed) -> Result<Exit, Failure> {
    let resume = format!("outpost run --resume {} {}:{}", thread.id(), stage.host, thread.view.cwd);
    let (outcome, why, exit) = match followed {
        Followed::Ended(TurnEnd::Completed) => ("completed", "", Exit::Done),
        Followed::Ended(TurnEnd::Interrupted) => ("interrupted", "", Exit::Failed),
        Followed::Ended(TurnEnd::Failed(why)) => ("failed", why.as_str(), Exit::Failed),
        Followed::Left => {
            stage.note(&format!("\nthe turn goes on at {}; come back with\n  {resume}", stage.host));
            ("left", "", Exit::Failed)
        }
    };
    stage.line(Body::Ended { outcome, why, resume: &resume })?;
    Ok(exit)
}

/// Asks for prompts until the person has none; the exit code is that of the last turn.
async fn conversation(stage: &Stage, thread: &mut Thread, wishes: &mut Wishes) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    loop {
        match questions::line("\n› ").await? {
            Typed::Line(text) if text.trim().is_empty() => {}
            Typed::Line(text) => {
                exit = one(stage, thread, wishes, &text).await?;
            }
            Typed::Interrupt | Typed::End => return Ok(exit),
        }
    }
}
