//! `outpost install`: puts a codex on a host, when asked to.

mod package;

use clap::{Args, ValueEnum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::spinner::Spinner;
use super::{Context, logs};
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Exit, Failure};
use crate::name::Alias;
use crate::project;
use crate::remote::{self, Said, Want, job::Job};
use crate::ssh::ask::Question;
use crate::ssh::session::Session;
use crate::step::Nobody;
use package::Package;

/// Where the codex comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// The host's own npm.
    Npm,
    /// The codex of this machine, which must be of the host's kind; for hosts without internet.
    Local,
}

/// Install codex on a host, for your account there.
///
/// Asks before it does anything. Afterwards the host is looked at again, to see whether codex runs.
#[derive(Debug, Args)]
pub struct Install {
    /// The host, as your ssh configuration names it.
    host: String,
    /// Where it comes from.
    #[arg(long, value_enum, default_value = "npm")]
    from: From,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

impl Install {
    /// Asks, installs, looks.
    ///
    /// # Errors
    /// [`Code::InstallFailed`]; [`Code::Interrupted`] when the person said no.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let alias: Alias = self.host.parse().map_err(|e| Failure::new(Code::Usage, "install").said(e))?;
        let package = if self.from == From::Local { Some(Package::find(&context.local)?) } else { None };
        self.consent(context, package.as_ref()).await?;
        let spinner = Spinner::new(context, &self.host, context.screen.interactive);
        let (session, settings) = project::login(&context.behind(&spinner), &alias).await?;
        drop(spinner);
        let there = There { context, alias: &alias, session: &session, settings: &settings };
        there.install(package.as_ref()).await?;
        let found = there.look().await?;
        session.close().await;
        context.screen.line(&super::plain::line(&format!("{alias}: {found}")))?;
        Ok(Exit::Done)
    }

    /// Never unasked.
    async fn consent(&self, context: &Context, package: Option<&Package>) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        let how = package.map_or_else(
            || "run  npm install -g @openai/codex".to_owned(),
            |p| format!("upload {} to ~/.local/lib/outpost-codex and link it as ~/.local/bin/codex", p.folder.display()),
        );
        let prompt = format!("{}: {how} there? [y/N] ", super::plain::line(&self.host));
        let question = Question { prompt, echo: true, preface: String::new() };
        let nobody =
            |_| Failure::new(Code::AuthNeedsPerson, "ask before installing").hint("say --yes to install without being asked");
        let answer = context.ask.ask(&question).await.map_err(nobody)?;
        match answer.reveal().trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::new(Code::Interrupted, "install codex").said("nothing was done")),
        }
    }
}

/// A host that we are logged in to.
struct There<'a> {
    context: &'a Context,
    alias: &'a Alias,
    session: &'a Session,
    settings: &'a HostSettings,
}

impl There<'_> {
    async fn install(&self, package: Option<&Package>) -> Result<(), Failure> {
        let job = package.map_or(Job::InstallByNpm, |p| Job::InstallByUpload { entry: p.entry.clone() });
        let said = remote::install(self.session, self.settings, job, &Nobody).await.map_err(|e| e.at(self.alias))?;
        match package {
            None => logs::show(self.context, said.text).await,
            Some(package) => {
                package.fits(&said.facts).map_err(|e| e.at(self.alias))?;
                feed(self.context, package, said).await
            }
        }
    }

    /// What the host has now.
    async fn look(&self) -> Result<String, Failure> {
        let remote = remote::bring_up(self.session, self.settings, Want::check(), &Nobody).await.map_err(|e| e.at(self.alias))?;
        Ok(remote.facts.codex_in_words())
    }
}

/// Sends the package and shows what is said meanwhile.
async fn feed(context: &Context, package: &Package, said: Said) -> Result<(), Failure> {
    let mut archive = package.archive()?;
    let Said { text, mut input, .. } = said;
    let send = async move {
        let mut buffer = vec![0_u8; 256 * 1024];
        while let Ok(n @ 1..) = archive.read(&mut buffer).await {
            if input.write_all(buffer.get(..n).unwrap_or_default()).await.is_err() {
                break;
            }
        }
        let _ = input.shutdown().await;
    };
    let (shown, ()) = tokio::join!(logs::show(context, text), send);
    shown
}
