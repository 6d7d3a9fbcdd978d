//! Talking to a thread that runs: words, stops, answers, from another terminal than the one that runs it.

use clap::Args;

use super::{Found, Plain, Which};
use crate::app_server::protocol::approval::{Asked, QuestionsAsked};
use crate::app_server::protocol::form::Field;
use crate::cli::Context;
use crate::cli::run::approve::{self, question};
use crate::cli::run::questions::Typed;
use crate::cli::run::{forms, questions, words};
use crate::failure::{Code, Exit, Failure};
use crate::name::Alias;
use crate::thread::event::{Approval, Decision};
use crate::thread::{Options, Prompt, Thread, message_id, repository};

#[derive(Debug, Args)]
pub(in crate::cli) struct Words {
    #[command(flatten)]
    thread: Plain,
    /// What to tell the agent, in quotes (`-` reads it from standard input).
    #[arg(value_name = "TEXT")]
    text: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Approve {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// Which one, when several wait: `outpost thread show` numbers them.
    #[arg(value_name = "NUMBER", conflicts_with = "all")]
    number: Option<usize>,
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
    /// Which one, when several wait: `outpost thread show` numbers them.
    #[arg(value_name = "NUMBER", conflicts_with = "all")]
    number: Option<usize>,
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
    /// The answers, one for each question; NAME=VALUE for the fields of an MCP server's form. Without them you are asked on the
    /// terminal.
    #[arg(value_name = "ANSWER")]
    answers: Vec<String>,
}

/// A thread that we are subscribed to, and its host.
struct Joined {
    alias: Alias,
    thread: Thread,
    session: crate::project::Current,
    name: String,
}

impl Joined {
    async fn to(which: &Which, context: &Context) -> Result<Self, Failure> {
        let Found { alias, host, view } = which.find(context).await?;
        let name = format!("{alias}:{}", view.id);
        let thread = Thread::resume(host.server, &view.id, &Options::default()).await.map_err(|e| e.at(&alias))?;
        Ok(Self { alias, thread, session: host.session, name })
    }

    async fn running(&self) -> Result<crate::name::TurnId, Failure> {
        let none =
            || Failure::new(Code::NameUnknown, format!("find the running turn of {}", self.name)).said("no turn runs there");
        self.thread.running().await?.ok_or_else(none)
    }

    async fn done(self, context: &Context, command: &Plain, done: &str) -> Result<Exit, Failure> {
        self.session.close().await;
        command.done(context, (&self.alias, self.thread.id().as_str()), done)
    }

    /// What waits for a person; nothing waiting is an error that says so.
    async fn waiting(&mut self, wanted: impl Fn(&Asked) -> bool) -> Result<Vec<Approval>, Failure> {
        let mut others = self.thread.waiting().await?;
        let mut waiting = others.clone();
        waiting.retain(|approval| wanted(&approval.asked));
        if waiting.is_empty() {
            let none = Failure::new(Code::NameUnknown, format!("answer {}", self.name)).said("nothing of this kind waits there");
            let way = others.pop().map(|other| format!("outpost thread {} {}", approve::way(&other), self.name));
            return Err(none.hint(way.unwrap_or_default()));
        }
        Ok(waiting)
    }
}

impl Words {
    pub(super) async fn steer(self, context: &Context) -> Result<Exit, Failure> {
        let (joined, prompt, plain) = self.begin(context).await?;
        let turn =
            joined.running().await.map_err(|e| e.hint(format!("outpost thread resume {} \"…\" begins a turn", joined.name)))?;
        joined.thread.steer(&turn, &prompt, &message_id()).await?;
        joined.done(context, &plain, "has it in its running turn").await
    }

    pub(super) async fn queue(self, context: &Context) -> Result<Exit, Failure> {
        let (joined, prompt, plain) = self.begin(context).await?;
        joined.thread.queue(&prompt, &message_id()).await?;
        joined.done(context, &plain, "has it in its queue").await
    }

    /// The words are looked at before a host is touched, the folder before the words are sent.
    async fn begin(self, context: &Context) -> Result<(Joined, Prompt, Plain), Failure> {
        let prompt = Prompt { text: words(self.text, "tell the agent").await?, ..Prompt::default() };
        let joined = Joined::to(&self.thread.thread, context).await?;
        let Joined { thread, alias, .. } = &joined;
        repository::exists(thread.peer(), thread.id(), &thread.view.cwd).await.map_err(|e| e.at(alias))?;
        Ok((joined, prompt, self.thread))
    }
}

pub(super) async fn interrupt(context: &Context, command: &Plain) -> Result<Exit, Failure> {
    let joined = Joined::to(&command.thread, context).await?;
    let turn = joined.running().await?;
    joined.thread.interrupt(&turn).await?;
    joined.done(context, command, "was told to stop").await
}

impl Approve {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let decision = if self.for_session { Decision::AcceptForSession } else { Decision::Accept };
        decide(context, &self.thread, decision, (self.number, self.all)).await
    }
}

impl Decline {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let decision = if self.cancel { Decision::Cancel } else { Decision::Decline };
        decide(context, &self.thread, decision, (self.number, self.all)).await
    }
}

/// Of several that wait the one that is meant, or all. None when the person at the terminal leaves.
async fn chosen(
    context: &Context,
    (joined, waiting): (&Joined, Vec<Approval>),
    (number, all): (Option<usize>, bool),
) -> Result<Option<Vec<Approval>>, Failure> {
    if all || waiting.len() == 1 && number.is_none() {
        return Ok(Some(waiting));
    }
    let list = waiting.iter().enumerate().map(|(at, approval)| format!("{}. {}", at + 1, question(approval)));
    let list = list.collect::<Vec<_>>().join("\n");
    let number = match number {
        None if context.screen.interactive => match questions::line(&format!("{list}\nwhich one, or all? ")).await {
            Typed::Given(word) if word.trim() == "all" => return Ok(Some(waiting)),
            Typed::Given(word) => word.trim().parse().unwrap_or_default(),
            Typed::Interrupt | Typed::Leave | Typed::End => return Ok(None),
        },
        number => number.unwrap_or_default(),
    };
    match number.checked_sub(1).and_then(|at| waiting.get(at)) {
        Some(one) => Ok(Some(vec![one.clone()])),
        None => Err(Failure::new(Code::Usage, format!("answer {}", joined.name))
            .said(format!("{} wait there\n{list}", waiting.len()))
            .hint("give the number of one, or --all")),
    }
}

async fn decide(context: &Context, which: &Which, decision: Decision, wanted: (Option<usize>, bool)) -> Result<Exit, Failure> {
    let mut joined = Joined::to(which, context).await?;
    let waiting = joined.waiting(|asked| !matches!(asked, Asked::Questions(_))).await?;
    let Some(waiting) = chosen(context, (&joined, waiting), wanted).await? else { return Ok(Exit::Interrupted) };
    for approval in &waiting {
        let offered = approval.asked.decisions();
        if !offered.contains(&decision) {
            let words: Vec<&str> = offered.iter().map(|d| d.as_str()).collect();
            let said = format!("the server takes only {}", words.join(", "));
            return Err(Failure::new(Code::ServerRefused, format!("answer '{}'", decision.as_str())).said(said));
        }
        if decision == Decision::Accept && approval.asked.wants_words() {
            return Err(Failure::new(Code::Usage, format!("answer {}", joined.name))
                .said(format!("it wants words, a yes is not enough\n{}", question(approval)))
                .hint(format!("outpost thread answer {} NAME=VALUE …", joined.name)));
        }
        joined.thread.decide(approval, decision).await?;
        context.screen.note(&format!("{}\n  {}", question(approval), approve::word(decision)));
    }
    settle(&joined).await?;
    Ok(Exit::Done)
}

impl Answer {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut joined = Joined::to(&self.thread, context).await?;
        let waiting = joined.waiting(|asked| matches!(asked, Asked::Questions(_)) || !fields(asked).is_empty()).await?;
        let Some(approval) = waiting.first() else { return Ok(Exit::Done) };
        let answered = match &approval.asked {
            Asked::Questions(asked) => self.questions(context, &joined, (approval, asked)).await?,
            Asked::Elicitation(_) | Asked::Command(_) | Asked::FileChange(_) | Asked::Permissions(_) => {
                self.form(context, &joined, approval).await?
            }
        };
        if answered {
            settle(&joined).await?;
            context.screen.note(&format!("{}: {}\n  answered", joined.name, approve::short(approval)));
            return Ok(Exit::Done);
        }
        joined.session.close().await;
        Ok(Exit::Interrupted)
    }

    /// False when the person left it.
    async fn questions(
        &self,
        context: &Context,
        joined: &Joined,
        (approval, asked): (&Approval, &QuestionsAsked),
    ) -> Result<bool, Failure> {
        let given = if self.answers.is_empty() && context.screen.interactive {
            let Typed::Given(given) = questions::ask(asked, &context.screen).await? else { return Ok(false) };
            given
        } else if self.answers.len() == asked.questions.len() {
            let both = asked.questions.iter().zip(&self.answers);
            both.map(|(question, answer)| (question.id.clone(), vec![questions::chosen(question, answer)])).collect()
        } else {
            let list: String = asked.questions.iter().map(questions::text).collect();
            let said = format!("{} answers are wanted, {} were given{list}", asked.questions.len(), self.answers.len());
            return Err(Failure::new(Code::Usage, format!("answer {}", joined.name)).said(said).hint("give one answer for each"));
        };
        joined.thread.reply(approval, &given).await?;
        Ok(true)
    }

    /// False when the person left it.
    async fn form(&self, context: &Context, joined: &Joined, approval: &Approval) -> Result<bool, Failure> {
        let fields = fields(&approval.asked);
        let content = if self.answers.is_empty() && context.screen.interactive {
            context.screen.note(&question(approval));
            let Typed::Given(content) = forms::ask(&fields, &context.screen).await? else { return Ok(false) };
            content
        } else {
            forms::read(&fields, &self.answers, &joined.name)?
        };
        joined.thread.fill(approval, content).await?;
        Ok(true)
    }
}

/// What is to be filled in.
fn fields(asked: &Asked) -> Vec<Field> {
    match asked {
        Asked::Elicitation(asked) => asked.fields(),
        Asked::Questions(_) | Asked::Command(_) | Asked::FileChange(_) | Asked::Permissions(_) => Vec::new(),
    }
}

/// Waits until the server has read what we sent: its answer to a later call says so.
async fn settle(joined: &Joined) -> Result<(), Failure> {
    crate::thread::catalog::get(joined.thread.peer(), joined.thread.id()).await?;
    joined.session.close().await;
    Ok(())
}
