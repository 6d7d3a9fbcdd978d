//! `outpost install`: puts a codex on a host, when asked to.

mod package;
mod way;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::spinner::Spinner;
use super::{Context, plain};
use crate::config::hosts::edit::{self, Setting};
use crate::config::hosts::{self, HostSettings};
use crate::failure::{Code, Exit, Failure};
use crate::name::Alias;
use crate::project;
use crate::remote::job::{self, Part};
use crate::remote::{self, Facts, Installed, Want};
use crate::ssh::ask::Question;
use crate::ssh::session::Session;
use crate::step::Nobody;
use package::Package;
use way::Way;

/// Where the standalone archives of the newest release are.
const ARCHIVES: &str = "https://github.com/openai/codex/releases/latest/download";

/// Where the codex comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// The first of these that the host allows.
    Auto,
    /// The host's own npm.
    Npm,
    /// Codex's standalone archive, fetched by the host.
    Standalone,
    /// The codex of this machine, which must be of the host's kind; for hosts without internet.
    Local,
}

/// Install codex on a host.
///
/// Looks which way the host allows and asks before it does anything. Afterwards the host is looked at again, to see whether this codex
/// runs. What fails leaves the codex that was there as it was.
#[derive(Debug, Args)]
pub struct Install {
    /// The host, as your ssh configuration names it.
    host: String,
    /// Where it comes from.
    #[arg(long, value_enum, default_value = "auto")]
    from: From,
    /// A standalone archive on this machine to upload (codex-package-….tar.gz).
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "mirror"])]
    archive: Option<PathBuf>,
    /// The folder of the standalone archives: a mirror, or one release. A usable npm of the host goes first; `--from standalone`
    /// leaves it out.
    #[arg(long, value_name = "URL", value_parser = address)]
    mirror: Option<String>,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

/// The address of a mirror, as the host's curl or wget takes it.
fn address(word: &str) -> Result<String, String> {
    let known = ["http://", "https://", "file://"].iter().any(|scheme| word.starts_with(scheme));
    let plain = !word.contains(|c: char| c.is_whitespace() || c.is_control());
    if known && plain {
        Ok(word.to_owned())
    } else {
        Err("a mirror is an address that begins with http:// or https://".to_owned())
    }
}

impl Install {
    /// Looks, asks, installs, looks again.
    ///
    /// # Errors
    /// [`Code::InstallFailed`]; [`Code::Interrupted`] when the person said no.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let alias: Alias = self.host.parse().map_err(|e| Failure::new(Code::Usage, "install").said(e))?;
        let spinner = Spinner::new(context, &self.host, context.screen.interactive);
        if self.mirror.is_some() && matches!(self.from, From::Npm | From::Local) {
            let failure = Failure::new(Code::Usage, "install --mirror").said("a mirror holds standalone archives");
            return Err(failure.hint("leave out --from, or say --from standalone"));
        }
        let (session, settings) = project::login(&context.behind(&spinner), &alias).await?;
        spinner.doing("looking which ways to codex it allows");
        let offer = remote::offer(&session, &settings, self.mirror()).await.map_err(|e| e.at(&alias))?;
        drop(spinner);
        let way = self.way(context, &offer).map_err(|e| e.at(&alias))?;
        self.consent(context, &way).await.map_err(|e| e.at(&alias))?;
        let spinner = Spinner::new(context, &self.host, context.screen.interactive);
        spinner.doing("installing codex");
        let there = There { context, spinner: &spinner, alias: &alias, session: &session, settings };
        let found = there.install(&way, self.mirror()).await.map_err(|e| e.at(&alias));
        drop(spinner);
        session.close().await;
        context.screen.line(&plain::line(&format!("{alias}: {}", found?)))?;
        Ok(Exit::Done)
    }

    fn mirror(&self) -> &str {
        self.mirror.as_deref().unwrap_or(ARCHIVES)
    }

    fn way(&self, context: &Context, offer: &remote::Offer) -> Result<Way, Failure> {
        let upload = |package: Package| package.fits(&offer.facts).map(|()| Way::Upload(package));
        if let Some(file) = &self.archive {
            return upload(Package::of_archive(file)?);
        }
        match self.from {
            From::Auto => {
                let way = Way::first(offer, || Package::find(&context.local).and_then(upload))?;
                if let (Some(_), Err(words)) = (&offer.npm, &offer.npm_release) {
                    context.screen.note(&plain::line(&format!("note: its npm cannot be used: {words}")));
                }
                Ok(way)
            }
            From::Npm => Way::npm(offer),
            From::Standalone => Ok(Way::Standalone),
            From::Local => Package::find(&context.local).and_then(upload),
        }
    }

    /// Never unasked.
    async fn consent(&self, context: &Context, way: &Way) -> Result<(), Failure> {
        if self.yes {
            // What nobody is asked for is said all the same.
            context.screen.note(&plain::line(way.told(self.mirror()).trim_end_matches('?')));
            return Ok(());
        }
        let host = plain::line(&self.host);
        let prompt = format!("{host}: {} [y/N] ", plain::line(&way.told(self.mirror())));
        let question = Question { prompt, echo: true, preface: String::new() };
        let nobody = |_| {
            let failure = Failure::new(Code::Usage, "ask before installing").said("there is no terminal to ask on");
            failure.hint("say yes beforehand: outpost install HOST --yes")
        };
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
    spinner: &'a Spinner,
    alias: &'a Alias,
    session: &'a Session,
    settings: HostSettings,
}

impl There<'_> {
    /// Installs, and says what the host has then.
    async fn install(mut self, way: &Way, mirror: &str) -> Result<String, Failure> {
        let id = format!("{:016x}", rand::random::<u64>());
        let part = |part| job::Install { part, base: mirror.to_owned(), id: id.clone() };
        if let Way::Upload(package) = way {
            let (size, archive) = package.archive().await?;
            remote::send(self.session, &self.settings, (part(Part::Receive(size)), archive)).await?;
        }
        let installed = remote::put(self.session, &self.settings, part(way.part())).await?;
        self.look(&installed).await
    }

    /// What the host has now. A codex that the login PATH does not lead to is named in the host's settings, and that is told.
    async fn look(&mut self, installed: &Installed) -> Result<String, Failure> {
        let found = self.up().await;
        if let Ok(facts) = &found
            && leads_to(facts, installed)
        {
            return Ok(facts.codex_in_words());
        }
        let because = match found {
            Ok(facts) => format!("its PATH leads to {}", facts.codex.map(|codex| codex.path).unwrap_or_default()),
            Err(failure) if failure.code == Code::CodexMissing => "its PATH does not lead there".to_owned(),
            Err(failure) if is_of_codex(failure.code) => {
                format!("its PATH leads to one that cannot be used ({})", failure.code.as_str())
            }
            Err(failure) => return Err(failure),
        };
        edit::set(&self.context.local, self.alias, &[Setting::parse(&format!("codex={}", installed.path))?])?;
        self.settings = hosts::load(&self.context.local)?.settings(self.alias);
        let note = format!(
            "note: {because}; from here {} is used (outpost hosts set {} codex= undoes that)",
            installed.path, self.alias
        );
        self.spinner.aside(|| self.context.screen.note(&plain::line(&note)));
        Ok(self.up().await?.codex_in_words())
    }

    async fn up(&self) -> Result<Facts, Failure> {
        Ok(remote::bring_up(self.session, &self.settings, Want::check(), &Nobody).await?.facts)
    }
}

/// Whether another codex may be what helps.
fn is_of_codex(code: Code) -> bool {
    matches!(code, Code::ShellReplaced | Code::CodexNoNode | Code::CodexBroken | Code::CodexTooOld)
}

/// Whether what runs on the host is what was installed.
fn leads_to(facts: &Facts, installed: &Installed) -> bool {
    facts.codex.as_ref().is_some_and(|codex| {
        codex.path == installed.path || (!installed.release.is_empty() && codex.version.as_deref() == Some(&installed.release))
    })
}
