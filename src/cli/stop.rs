//! `outpost stop`: ends the app-server that we started on a host.

use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use super::spinner::Spinner;
use super::{Context, plain};
use crate::failure::{Code, Exit, Failure};
use crate::project;
use crate::remote::{self, Stopped};
use crate::step::{Progress, Watch};

/// Stop the app-server that Outpost started on a host.
///
/// Running turns are finished first, however long that takes. A server that somebody else started is left alone.
#[derive(Debug, Args)]
pub struct Stop {
    /// The host, as your ssh configuration names it.
    host: String,
    /// End it in the middle of its work.
    #[arg(long)]
    now: bool,
}

impl Stop {
    /// Stops it and says so.
    ///
    /// # Errors
    /// [`Code::NotOurs`]; as `outpost run`, up to the login shell.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let told = AtomicBool::new(false);
        let ended_badly = |ended: &Result<Exit, Failure>| !matches!(ended, Ok(Exit::Done));
        if let Some(ended) = super::or_interrupted(self.stop(context, &told), ended_badly).await {
            return ended;
        }
        if told.load(Ordering::Relaxed) {
            let host = plain::line(&self.host);
            context.screen.note(&format!(
                "note: {host}: the app-server was told to stop: it still ends when its turns do, and takes no new ones\n      \
                 not to wait for them: outpost stop {host} --now"
            ));
        }
        Ok(Exit::Interrupted)
    }

    /// Notes when the server was told to stop and is waited for.
    async fn stop(&self, context: &Context, told: &AtomicBool) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let alias = self.host.parse().map_err(|e| Failure::new(Code::Usage, "stop").said(e))?;
        let spinner = Spinner::new(context, &self.host, context.screen.interactive);
        let (session, settings) = project::login(&context.behind(&spinner), &alias).await?;
        let watch = Waits { spinner: &spinner, told };
        let stopped = remote::stop(&session, &settings, self.now, &watch).await.map_err(|e| e.at(&alias));
        session.close().await;
        drop(spinner);
        match stopped? {
            Stopped::Ours => context.screen.line(&format!("{alias}: the app-server has ended"))?,
            Stopped::None => context.screen.line(&format!("{alias}: no app-server of ours runs there"))?,
            Stopped::NotOurs => {
                let failure =
                    Failure::new(Code::NotOurs, "stop the app-server").said("somebody else started it; it is left alone");
                return Err(failure.hint("whoever started it (a Codex on that host) can stop it").at(&alias));
            }
        }
        if settings.session_attached == Some(true) {
            context.screen.note(&format!("note: to let the next one stay: outpost hosts set {alias} session_attached="));
        }
        Ok(Exit::Done)
    }
}

/// Passes on what is told, and notes when the end of turns is waited for.
struct Waits<'a> {
    spinner: &'a Spinner,
    told: &'a AtomicBool,
}

impl Watch for Waits<'_> {
    fn progress(&self, progress: Progress) {
        if matches!(progress, Progress::Waiting(_)) {
            self.told.store(true, Ordering::Relaxed);
        }
        self.spinner.progress(progress);
    }
}
