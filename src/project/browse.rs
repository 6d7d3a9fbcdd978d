//! Looking for a folder to work in: one session that lists folders, and can ask the app-server beside that.

use super::{Greeting, Raised};
use crate::app_server::Server;
use crate::config::hosts::HostSettings;
use crate::failure::Failure;
use crate::name::Alias;
use crate::paths::Local;
use crate::remote::browse::{self, Folders};
use crate::remote::{Want, Wanted};
use crate::ssh::ask::NobodyToAsk;
use crate::ssh::session::{Context, Session};
use crate::step::Nobody;

/// A session on which somebody looks around.
pub struct Browsing {
    session: Session,
    settings: HostSettings,
}

/// Logs in and begins to list folders; whatever needs a person is asked before this returns.
///
/// # Errors
/// As [`super::reach`], up to the login shell.
pub async fn begin(context: &Context<'_>, alias: &Alias) -> Result<(Browsing, Folders), Failure> {
    let (session, settings) = super::login(context, alias).await?;
    let folders = browse::browse(&session, &settings, context.watch).await.map_err(|e| e.at(alias))?;
    Ok((Browsing { session, settings }, folders))
}

impl Browsing {
    /// The app-server of the host over the same session: one that runs is joined, else there is one for as long as the
    /// session, so that nothing is left behind there.
    ///
    /// # Errors
    /// As [`super::reach`], from the login shell on.
    pub async fn server(&self, local: &Local) -> Result<Server, Failure> {
        let context = Context { local, ask: &NobodyToAsk, watch: &Nobody };
        let raised = super::bring_up(&context, self.session.clone(), &self.settings, Want::default()).await?;
        let Raised { facts, how, wire, stderr, .. } = raised;
        Greeting { context: &context, facts: &facts, how, wanted: Wanted::Check, thorough: false }.say(wire, &stderr).await
    }

    /// Says goodbye.
    pub async fn close(&self) {
        self.session.close().await;
    }
}
