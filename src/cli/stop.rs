//! `outpost stop`: ends the app-server that we started on a host.

use clap::Args;

use super::Context;
use super::spinner::Spinner;
use crate::failure::{Code, Exit, Failure};
use crate::project;
use crate::remote::{self, Stopped};

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
        crate::config::gate::require(&context.local)?;
        let alias = self.host.parse().map_err(|e| Failure::new(Code::Usage, "stop").said(e))?;
        let spinner = Spinner::new(context, &self.host, context.screen.interactive);
        let (session, settings) = project::login(&context.behind(&spinner), &alias).await?;
        let stopped = remote::stop(&session, &settings, self.now, &spinner).await.map_err(|e| e.at(&alias));
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
