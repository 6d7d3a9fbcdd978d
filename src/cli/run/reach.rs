//! How a run comes to its thread: the host, the worktree, the thread itself.

use super::turn::Stage;
use super::worktree::{self, Kept};
use super::{Errand, Run, which};
use crate::app_server::Server;
use crate::cli::spinner::Spinner;
use crate::failure::Failure;
use crate::name::RemotePath;
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
        let branch = worktree::branch(asked, self.prompt)?;
        Kept::make((&self.context.local, stage), (host, self.place), folder, &branch).await.map(Some)
    }
}

impl Run {
    pub(super) async fn thread(&self, server: Server, folder: &RemotePath, options: &Options) -> Result<Thread, Failure> {
        let found = match (&self.resume, self.last) {
            (Some(word), _) => which::by_id(&server.peer, word).await?,
            (None, true) => which::last_of(&server, folder.as_str()).await?,
            (None, false) => {
                self.can_begin(&server.peer, folder.as_str()).await?;
                return Thread::start(server, folder, options).await;
            }
        };
        self.can_begin(&server.peer, &found.cwd).await?;
        Thread::resume(server, &found.id, options).await
    }

    /// What would make a turn fail or go astray, said before it begins: the server itself looks at neither.
    async fn can_begin(&self, peer: &Peer, cwd: &str) -> Result<(), Failure> {
        if self.takes_up() {
            repository::exists(peer, cwd).await?;
        }
        match &self.review {
            Some(target) => repository::has(peer, cwd, target).await,
            None => Ok(()),
        }
    }
}
