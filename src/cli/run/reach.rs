//! How a run comes to its thread: the host, the worktree, the thread itself.

use super::turn::Stage;
use super::worktree::{self, Kept};
use super::{Errand, Run, which};
use crate::app_server::Server;
use crate::cli::plain;
use crate::cli::spinner::Spinner;
use crate::failure::Failure;
use crate::name::{RemotePath, ThreadId};
use crate::project::{self, Host, Life};
use crate::rpc::peer::Peer;
use crate::thread::{Options, Thread, repository};

impl Errand<'_> {
    pub(super) async fn connect(&self, stage: &Stage) -> Result<(Host, Life, RemotePath), Failure> {
        let spinner = Spinner::new(self.context, &stage.host, stage.screen.interactive && !stage.json);
        let context = self.context.behind(&spinner);
        match self.token {
            Some(token) => project::enter_once(&context, self.place, token).await,
            None => project::enter(&context, self.place).await,
        }
    }

    pub(super) async fn worktree(&self, stage: &Stage, host: &Host, folder: &RemotePath) -> Result<Option<Kept>, Failure> {
        let Some(asked) = &self.run.worktree else { return Ok(None) };
        let branch = worktree::branch(asked, self.given.prompt.as_deref())?;
        Kept::make((&self.context.local, stage), (host, self.place), folder, &branch).await.map(Some)
    }
}

impl Errand<'_> {
    pub(super) async fn thread(
        &self,
        stage: &Stage,
        (server, folder): (Server, &RemotePath),
        options: &Options,
    ) -> Result<Thread, Failure> {
        let run = self.run;
        let found = match (&run.resume, run.last) {
            (Some(word), _) => {
                // As it is printed: HOST:ID.
                let host = format!("{}:", stage.host);
                which::by_id(&server.peer, word.strip_prefix(&host).unwrap_or(word)).await?
            }
            (None, true) => which::last_of(&server, folder.as_str()).await?,
            (None, false) => {
                run.can_begin(&server.peer, None, folder.as_str()).await?;
                return Thread::start(server, folder, options).await;
            }
        };
        if !self.place.path.is_empty() && found.cwd != folder.as_str() {
            stage.note(&plain::line(&format!("note: the thread works in its own folder {}, not in {folder}", found.cwd)));
        }
        run.can_begin(&server.peer, Some(&found.id), &found.cwd).await?;
        Thread::resume(server, &found.id, options).await
    }
}

impl Run {
    /// What would make a turn fail or go astray, said before it begins: the server itself looks at neither.
    async fn can_begin(&self, peer: &Peer, taken_up: Option<&ThreadId>, cwd: &str) -> Result<(), Failure> {
        if let Some(thread) = taken_up {
            repository::exists(peer, thread, cwd).await?;
        }
        match &self.review {
            Some(target) => repository::has(peer, cwd, target).await,
            None => Ok(()),
        }
    }
}
