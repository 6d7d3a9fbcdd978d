//! `outpost thread log`: a conversation read back, and followed.

use clap::Args;
use tokio::sync::broadcast;

use super::Which;
use crate::cli::run::approve::Approve;
use crate::cli::run::paint::Painter;
use crate::cli::run::signals;
use crate::cli::run::turn::{Live, Stage, Turn};
use crate::cli::run::witness::Witness;
use crate::cli::{Context, or_interrupted, pager};
use crate::failure::{Exit, Failure};
use crate::project;
use crate::remote::Want;
use crate::thread::reader::Reader;
use crate::thread::{Options, Thread};

#[derive(Debug, Args)]
pub(in crate::cli) struct Log {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// Go on with what the running turn does, to its end.
    #[arg(short, long)]
    follow: bool,
    /// What to do about approvals that come up while following.
    #[arg(long, value_enum, default_value_t = Approve::Ask)]
    approve: Approve,
    /// Print one item a line, as the server keeps it.
    #[arg(long)]
    json: bool,
    /// While following, tell you on the desktop, or by the terminal's bell, when the turn ends or you are asked something.
    #[arg(long, requires = "follow")]
    notify: bool,
}

impl Log {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let Some(read) = or_interrupted(self.thread.items(context), Result::is_err).await else { return Ok(Exit::Interrupted) };
        let (view, items) = read?;
        let mut reader = Reader::new(view.id);
        if self.json {
            items.iter().try_for_each(|entry| context.screen.json(&entry.item))?;
        } else {
            let mut painter = Painter::new(context.screen.colour);
            let events = items.iter().flat_map(|entry| reader.whole(entry.view()));
            let text = events.map(|event| painter.paint(&event)).collect::<String>() + &painter.pause();
            if self.follow { context.screen.answer(&text)? } else { pager::show(context, &text).await? }
        }
        if self.follow { self.follow(context).await } else { Ok(Exit::Done) }
    }

    /// Subscribes and follows the running turn; without one there is nothing to follow.
    async fn follow(&self, context: &Context) -> Result<Exit, Failure> {
        let alias = self.thread.alias(context)?;
        let nobody = crate::step::Nobody;
        let (host, life) = project::keep(&context.session(&nobody), &alias, Want::server()).await?;
        let view = crate::cli::run::which::by_id(&host.server.peer, &self.thread.id).await.map_err(|e| e.at(&alias))?;
        let thread = Thread::resume(host.server, &view.id, &Options::default()).await.map_err(|e| e.at(&alias))?;
        let Some(turn) = thread.running().await.map_err(|e| e.at(&alias))? else { return Ok(Exit::Done) };
        let stage = Stage {
            screen: context.screen.clone(),
            json: self.json,
            approve: self.approve,
            host: alias.to_string(),
            place: String::new(),
            notify: self.notify,
        };
        let wishes: broadcast::Receiver<_> = signals::listen()?;
        let mut live = Live { stage: &stage, thread, wishes, witness: Witness::new(&stage, life) };
        Turn::new(&mut live, turn).follow().await.map_err(|e| e.at(&alias))?;
        host.session.close().await;
        Ok(Exit::Done)
    }
}
