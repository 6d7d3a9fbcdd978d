//! Talking to a thread that runs: words, stops, answers, from another terminal than the one that runs it.

use clap::Args;

use super::{Found, Which};
use crate::app_server::protocol::approval::Asked;
use crate::cli::run::approve::question;
use crate::cli::run::questions;
use crate::cli::{Context, plain};
use crate::failure::{Code, Exit, Failure};
use crate::thread::event::{Approval, Decision};
use crate::thread::{Options, Prompt, Thread, message_id};

#[derive(Debug, Args)]
pub(in crate::cli) struct Words {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// What to tell the agent.
    #[arg(value_name = "TEXT")]
    text: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Approve {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// And the like for the rest of the session.
    #[arg(long)]
    for_session: bool,
    /// Accept everything that waits, when it is more than one.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Decline {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// And end the turn.
    #[arg(long)]
    cancel: bool,
    /// Decline everything that waits, when it is more than one.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Answer {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// The answers, one for each question; without them you are asked on the terminal.
    #[arg(value_name = "ANSWER")]
    answers: Vec<String>,
}

/// A thread that we are subscribed to, and its host.
struct Joined {
    thread: Thread,
    session: crate::project::Current,
    name: String,
}

impl Joined {
    async fn to(which: &Which, context: &Context) -> Result<Self, Failure> {
        let Found { alias, host, view } = which.find(context).await?;
        let name = format!("{alias}:{}", view.id);
        let thread = Thread::resume(host.server, &view.id, &Options::default()).await.map_err(|e| e.at(&alias))?;
        Ok(Self { thread, session: host.session, name })
    }

    async fn running(&self) -> Result<crate::name::TurnId, Failure> {
        let none =
            || Failure::new(Code::NameUnknown, format!("find the running turn of {}", self.name)).said("no turn runs there");
        self.thread.running().await?.ok_or_else(none)
    }

    /// What waits for a person; nothing waiting is an error that says so.
    async fn waiting(&mut self, wanted: impl Fn(&Asked) -> bool) -> Result<Vec<Approval>, Failure> {
        let mut waiting = self.thread.waiting().await?;
        waiting.retain(|approval| wanted(&approval.asked));
        if waiting.is_empty() {
            return Err(Failure::new(Code::NameUnknown, format!("answer {}", self.name)).said("nothing of this kind waits there"));
        }
        Ok(waiting)
    }
}

impl Words {
    pub(super) async fn steer(&self, context: &Context) -> Result<Exit, Failure> {
        let joined = Joined::to(&self.thread, context).await?;
        let turn = joined.running().await.map_err(|e| e.hint("outpost run --resume ID begins a turn with a prompt"))?;
        joined.thread.steer(&turn, &self.prompt(), &message_id()).await?;
        joined.session.close().await;
        Ok(Exit::Done)
    }

    pub(super) async fn queue(&self, context: &Context) -> Result<Exit, Failure> {
        let joined = Joined::to(&self.thread, context).await?;
        joined.thread.queue(&self.prompt(), &message_id()).await?;
        joined.session.close().await;
        Ok(Exit::Done)
    }

    fn prompt(&self) -> Prompt {
        Prompt { text: self.text.clone(), ..Prompt::default() }
    }
}

pub(super) async fn interrupt(context: &Context, which: &Which) -> Result<Exit, Failure> {
    let joined = Joined::to(which, context).await?;
    let turn = joined.running().await?;
    joined.thread.interrupt(&turn).await?;
    joined.session.close().await;
    Ok(Exit::Done)
}

impl Approve {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let decision = if self.for_session { Decision::AcceptForSession } else { Decision::Accept };
        decide(context, &self.thread, decision, self.all).await
    }
}

impl Decline {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let decision = if self.cancel { Decision::Cancel } else { Decision::Decline };
        decide(context, &self.thread, decision, self.all).await
    }
}

async fn decide(context: &Context, which: &Which, decision: Decision, all: bool) -> Result<Exit, Failure> {
    let mut joined = Joined::to(which, context).await?;
    let waiting = joined.waiting(|asked| !matches!(asked, Asked::Questions(_))).await?;
    if waiting.len() > 1 && !all {
        let list: Vec<String> = waiting.iter().map(question).collect();
        let said = format!("{} approvals wait there\n{}", waiting.len(), list.join("\n"));
        return Err(Failure::new(Code::Usage, format!("answer {}", joined.name)).said(said).hint("--all answers all of them"));
    }
    for approval in &waiting {
        let offered = approval.asked.decisions();
        if !offered.contains(&decision) {
            let words: Vec<&str> = offered.iter().map(|d| d.as_str()).collect();
            let said = format!("the server takes only {}", words.join(", "));
            return Err(Failure::new(Code::ServerRefused, format!("answer '{}'", decision.as_str())).said(said));
        }
        joined.thread.decide(approval, decision).await?;
        context.screen.note(&format!("{}\n  {}", question(approval), crate::cli::run::approve::word(decision)));
    }
    settle(&joined).await?;
    Ok(Exit::Done)
}

impl Answer {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut joined = Joined::to(&self.thread, context).await?;
        let waiting = joined.waiting(|asked| matches!(asked, Asked::Questions(_))).await?;
        let Some(approval) = waiting.first() else { return Ok(Exit::Done) };
        let Asked::Questions(asked) = &approval.asked else { return Ok(Exit::Done) };
        let given = if self.answers.is_empty() && context.screen.interactive {
            questions::ask(asked, &context.screen).await?
        } else if self.answers.len() == asked.questions.len() {
            let ids = asked.questions.iter().map(|question| question.id.clone());
            ids.zip(self.answers.iter().map(|answer| vec![answer.clone()])).collect()
        } else {
            let list: Vec<String> = asked.questions.iter().map(|question| plain::line(&question.question)).collect();
            let said = format!("it asks {} questions\n{}", list.len(), list.join("\n"));
            return Err(Failure::new(Code::Usage, format!("answer {}", joined.name)).said(said).hint("give one answer for each"));
        };
        joined.thread.reply(approval, &given).await?;
        settle(&joined).await?;
        Ok(Exit::Done)
    }
}

/// Waits until the server has read what we sent: its answer to a later call says so.
async fn settle(joined: &Joined) -> Result<(), Failure> {
    crate::thread::catalog::get(joined.thread.peer(), joined.thread.id()).await?;
    joined.session.close().await;
    Ok(())
}
