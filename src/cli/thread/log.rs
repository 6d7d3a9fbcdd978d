//! `outpost thread log`: a conversation read back, and followed.

use clap::Args;

use super::{Found, Which};
use crate::cli::run::approve::Approve;
use crate::cli::run::back::{Back, outcome};
use crate::cli::run::events::Body;
use crate::cli::run::paint::Painter;
use crate::cli::run::signals::{self, Wishes};
use crate::cli::run::turn::{Followed, Live, Seen, Stage, Turn};
use crate::cli::run::witness::Witness;
use crate::cli::screen::BROKEN_PIPE;
use crate::cli::spinner::Spinner;
use crate::cli::{Context, SAME_MOMENT, or_interrupted, pager};
use crate::failure::{Code, Exit, Failure};
use crate::name::{Alias, TurnId};
use crate::project::{self, Current, Life};
use crate::remote::Want;
use crate::thread::event::TurnEnd;
use crate::thread::{Options, Thread};

#[derive(Debug, Args)]
pub(in crate::cli) struct Log {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// Go on with what the running turn does, to its end; the exit code is 1 when it fails. Ctrl-C only leaves.
    #[arg(short, long)]
    follow: bool,
    /// What to do about approvals that come up while following.
    #[arg(long, value_enum, default_value_t = Approve::Wait, requires = "follow")]
    approve: Approve,
    /// Print one JSON object a line (docs/EVENTS.md).
    #[arg(long)]
    json: bool,
    /// While following, tell you on the desktop, or by the terminal's bell, when the turn ends or somebody is asked something.
    #[arg(long, requires = "follow")]
    notify: bool,
}

/// A thread that we are subscribed to, what there was of it by then, and the turn that runs.
struct Subscribed {
    alias: Alias,
    thread: Thread,
    session: Current,
    life: Life,
    back: Back,
    running: Option<TurnId>,
}

impl Log {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if self.follow {
            return self.followed(context).await;
        }
        let Some(read) = or_interrupted(self.read(context), Result::is_err).await else { return Ok(Exit::Interrupted) };
        let (alias, back) = read?;
        if self.json {
            back.lines(&self.stage(context, &alias))?;
        } else {
            pager::show(context, &back.paint(&mut Painter::new(context.screen.colour))).await?;
        }
        Ok(Exit::Done)
    }

    async fn read(&self, context: &Context) -> Result<(Alias, Back), Failure> {
        let Found { alias, host, view } = self.thread.find(context).await?;
        let back = Back::all(&host.server.peer, &view.id).await.map_err(|e| e.at(&alias))?;
        host.session.close().await;
        Ok((alias, back))
    }

    fn stage(&self, context: &Context, alias: &Alias) -> Stage {
        let (screen, host, place) = (context.screen.clone(), alias.to_string(), String::new());
        Stage { screen, json: self.json, approve: self.approve, host, place, notify: self.notify }
    }

    /// Prints what there is and follows the running turn; without one there is nothing to follow.
    async fn followed(&self, context: &Context) -> Result<Exit, Failure> {
        let mut wishes = signals::listen()?;
        let subscribed = tokio::select! {
            biased;
            Ok(_) = wishes.recv() => return Ok(Exit::Interrupted),
            subscribed = self.subscribe(context) => subscribed,
        };
        match subscribed {
            Ok(subscribed) => self.follow(context, subscribed, wishes).await,
            Err(_) if matches!(tokio::time::timeout(SAME_MOMENT, wishes.recv()).await, Ok(Ok(_))) => Ok(Exit::Interrupted),
            // The program that writes it tells us nothing while it does; what it has written can be read.
            Err(failure) if failure.code == Code::ActiveWriter => {
                let (alias, back) = self.read(context).await?;
                self.show(&self.stage(context, &alias), &back, &mut Painter::new(context.screen.colour))?;
                Err(failure
                    .hint("without --follow it can be read again and again; it can be followed once that program has ended"))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Subscribes before the conversation is read back: what happens in between is told twice, not missed.
    async fn subscribe(&self, context: &Context) -> Result<Subscribed, Failure> {
        crate::config::gate::require(&context.local)?;
        let (alias, id) = self.thread.read(context)?;
        let spinner = Spinner::new(context, alias.as_str(), context.screen.interactive && !self.json);
        let (host, life) = project::keep(&context.behind(&spinner), &alias, Want::server()).await?;
        drop(spinner);
        let session = host.session.clone();
        let subscribed = async {
            let view = crate::cli::run::which::by_id(&host.server.peer, &id).await?;
            let thread = Thread::resume(host.server, &view.id, &Options::default()).await?;
            let running = thread.running().await?;
            let back = Back::all(thread.peer(), thread.id()).await?;
            Ok((thread, back, running))
        };
        let (thread, back, running) = subscribed.await.map_err(|e: Failure| e.at(&alias))?;
        Ok(Subscribed { alias, thread, session, life, back, running })
    }

    fn show(&self, stage: &Stage, back: &Back, painter: &mut Painter) -> Result<(), Failure> {
        if self.json { back.lines(stage) } else { stage.screen.answer(&back.paint(painter)) }
    }

    async fn follow(&self, context: &Context, subscribed: Subscribed, wishes: Wishes) -> Result<Exit, Failure> {
        let Subscribed { alias, thread, session, life, back, running } = subscribed;
        let stage = self.stage(context, &alias);
        let mut painter = Painter::new(context.screen.colour);
        self.show(&stage, &back, &mut painter)?;
        let Some(turn) = running else {
            stage.note("no turn runs there");
            session.close().await;
            return Ok(Exit::Done);
        };
        let resume = format!("outpost thread resume {alias}:{}", thread.id());
        let mut live = Live { stage: &stage, thread, wishes, witness: Witness::new(&stage, life) };
        let seen = match Turn::watched(&mut live, turn.clone(), (painter, back.shown())).follow().await {
            Err(failure) if failure.said == BROKEN_PIPE => Seen::of(turn, Followed::Left),
            seen => seen.map_err(|e| e.at(&alias))?,
        };
        session.close().await;
        let ((outcome, why), exit) = match &seen.followed {
            Followed::Ended(end) => (outcome(end), if *end == TurnEnd::Completed { Exit::Done } else { Exit::Failed }),
            Followed::Left => (("left", ""), if seen.pressed { Exit::Interrupted } else { Exit::Failed }),
        };
        stage.line(Body::Ended { turn: &seen.turn.0, outcome, why, resume: &resume })?;
        Ok(exit)
    }
}
