//! A host, and a folder on it: how one is reached, from the name in the ssh configuration to an answered `initialize`.

use crate::app_server::Server;
use crate::config::hosts::{self, HostSettings};
use crate::failure::{Code, Failure};
use crate::host::{alias, resolve, target::Target};
use crate::name::{Alias, Place, RemotePath};
use crate::remote::{self, Facts, Framing, How, Link, Want, Wanted};
use crate::rpc::lines;
use crate::rpc::websocket::{self, upgrade::Upgrade};
use crate::rpc::wire::Wire;
use crate::ssh::keywords;
use crate::ssh::session::{Context, Session};
use crate::step::{Clock, Progress, Step};

/// A host whose app-server answered.
pub struct Host {
    /// The connection.
    pub session: Session,
    /// What was found there.
    pub facts: Facts,
    /// How we came to its app-server.
    pub how: How,
    /// The app-server.
    pub server: Server,
}

impl Host {
    /// "joined", "started" or "attached".
    #[must_use]
    pub fn how(&self) -> &'static str {
        match self.how {
            How::Joined => "joined",
            How::Started => "started",
            How::Attached => "attached",
        }
    }

    /// The version of the running server; empty when it does not tell.
    #[must_use]
    pub fn version(&self) -> &str {
        self.server.initialized.version().unwrap_or_default()
    }
}

/// Reaches a host: one connection, one exec.
///
/// # Errors
/// From the name in the ssh configuration to `initialize`, each cause with its own code.
pub async fn reach(context: &Context<'_>, alias: &Alias, want: Want) -> Result<Host, Failure> {
    let (session, settings) = login(context, alias).await?;
    serve(context, session, &settings, want).await.map_err(|e| e.at(alias))
}

/// Looks at a folder of a host; the path is as the remote resolved it. Nothing is left behind there.
///
/// # Errors
/// As [`enter`].
pub async fn look(context: &Context<'_>, place: &Place) -> Result<RemotePath, Failure> {
    let (host, path) = visit(context, place, Want::default()).await?;
    host.session.close().await;
    Ok(path)
}

/// Reaches a folder of a host. It is looked at before any server is started; the path is as the remote resolved it.
///
/// # Errors
/// As [`reach`]; a folder that is missing, no directory or not readable, by name.
pub async fn enter(context: &Context<'_>, place: &Place) -> Result<(Host, RemotePath), Failure> {
    visit(context, place, Want::server()).await
}

async fn visit(context: &Context<'_>, place: &Place, want: Want) -> Result<(Host, RemotePath), Failure> {
    let folder = if place.path.is_empty() { "." } else { place.path.as_str() };
    let host = reach(context, &place.alias, want.in_folder(folder)).await?;
    let broken = || Failure::new(Code::FactsBroken, format!("look at {folder}")).said("the host did not say where it is");
    let path = host.facts.folder.as_deref().and_then(|path| path.parse().ok()).ok_or_else(|| broken().at(&place.alias))?;
    Ok((host, path))
}

/// Checks a host: every step, nothing left behind there.
///
/// # Errors
/// As [`reach`]; [`Code::NotSignedIn`].
pub async fn check(context: &Context<'_>, alias: &Alias) -> Result<(), Failure> {
    let host = reach(context, alias, Want::check()).await?;
    let clock = Clock::begin(context.watch, Step::SignedIn);
    let signed_in = host.server.signed_in().await;
    host.session.close().await;
    clock.done(signed_in.map_err(|e| e.at(alias))?);
    Ok(())
}

async fn login(context: &Context<'_>, word: &Alias) -> Result<(Session, HostSettings), Failure> {
    let clock = Clock::begin(context.watch, Step::Resolved);
    let listing = alias::list(context.local)?;
    let alias = &alias::find(&listing, word.as_str())?.alias;
    let settings = hosts::load(context.local)?;
    settings.require_usable(alias)?;
    let settings = settings.settings(alias);
    let target = resolve::resolve(context.local, alias).await?;
    keywords::refuse(&target).map_err(|e| e.at(alias))?;
    clock.done(where_to(&target));
    let session = Session::open(&target, context).await.map_err(|e| e.at(alias))?;
    Ok((session, settings))
}

fn where_to(target: &Target) -> String {
    format!("{}@{} port {}", target.user(), target.host_name(), target.port())
}

async fn serve(context: &Context<'_>, session: Session, settings: &HostSettings, mut want: Want) -> Result<Host, Failure> {
    let upgrade = Upgrade::new();
    want.early = upgrade.request();
    let wanted = want.server;
    let remote = remote::bring_up(&session, settings, want, context.watch).await?;
    let clock = Clock::begin(context.watch, Step::AppServer);
    let (how, facts) = (remote.server.how, remote.facts);
    let stderr = remote.server.stderr.clone();
    let opened = match wire(remote.server, upgrade).await {
        Ok(wire) => Server::open(wire).await,
        Err(failure) => Err(failure),
    };
    let server = opened.map_err(|failure| with_last_words(failure, &stderr.text()))?;
    let host = Host { session, facts, how, server };
    let detail = match (how, wanted) {
        (How::Joined, _) => "runs",
        (How::Started, _) => "started",
        // A check proves that a server starts by starting one that ends with the session.
        (How::Attached, Wanted::Check) => "can be started",
        (How::Attached, Wanted::Server | Wanted::Attached) => "runs inside this session",
    };
    clock.done(format!("{detail}, version {}", host.version()));
    if how == How::Attached && wanted != Wanted::Check {
        let text = "the app-server runs inside this session: the work stops when the link does".to_owned();
        context.watch.progress(Progress::Warning { step: Step::AppServer, text, hint: String::new() });
    }
    Ok(host)
}

async fn wire(link: Link, upgrade: Upgrade) -> Result<Wire, Failure> {
    match link.framing {
        Framing::WebSocket if link.early_sent => websocket::client_after(link.stream, upgrade).await,
        Framing::WebSocket => websocket::client(link.stream).await,
        Framing::Lines => Ok(lines::client(link.stream)),
    }
}

/// What the remote command said last explains a stream that ended better than the stream can.
fn with_last_words(mut failure: Failure, stderr: &str) -> Failure {
    let words = stderr.trim();
    if !words.is_empty() {
        failure.said = if failure.said.is_empty() { words.to_owned() } else { format!("{}\n{words}", failure.said) };
    }
    failure
}
