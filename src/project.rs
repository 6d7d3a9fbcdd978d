//! A host, and a folder on it: how one is reached, from the name in the ssh configuration to an answered `initialize`.

pub mod browse;
pub mod keeper;
pub mod tunnel;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::app_server::durable::driver::{Dial, Durable, Identity};
use crate::app_server::durable::event::Event;
use crate::app_server::durable::link::State;
use crate::app_server::durable::settings::Settings;
use crate::app_server::{Server, launch};
use crate::config::hosts::{self, Carrier, HostSettings};
use crate::config::projects;
use crate::failure::{Code, Failure};
use crate::host::{alias, resolve, target::Target};
use crate::name::{Alias, Place, RemotePath};
use crate::paths::{self, Local};
use crate::remote::facts::Ending;
use crate::remote::{self, Facts, Framing, How, Link, Want, Wanted};
use crate::rpc::lines;
use crate::rpc::websocket::{self, upgrade::Upgrade};
use crate::rpc::wire::Wire;
use crate::ssh::ask::Secret;
use crate::ssh::exec::Tail;
use crate::ssh::session::{Alone, Context, Session};
use crate::step::{Clock, Progress, Step};
use keeper::Keeper;

/// How long a server may take to say how many of its threads are at work, which is only said beside something else.
const AT_WORK: Duration = Duration::from_secs(10);

/// A host whose app-server answered.
pub struct Host {
    /// The connection.
    pub session: Current,
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

/// The session that stands now: a durable connection replaces it when the link was lost.
#[derive(Clone)]
pub struct Current(Arc<Mutex<Session>>);

impl Current {
    fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(session)))
    }

    /// The session.
    #[must_use]
    pub fn get(&self) -> Session {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, session: Session) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// Says goodbye.
    pub async fn close(&self) {
        self.get().close().await;
    }
}

/// Link, server and agent of a durable connection, and what happens to them.
pub struct Life {
    /// The three states.
    pub state: watch::Receiver<State>,
    /// What no message of the server says.
    pub events: mpsc::Receiver<Event>,
}

/// A byte stream to an app-server that has not said anything yet.
pub struct Raised {
    session: Session,
    facts: Facts,
    how: How,
    wire: Wire,
    stderr: Tail,
}

impl Raised {
    /// Where it leads to.
    #[must_use]
    pub fn identity(&self) -> Identity {
        identity(&self.facts)
    }

    /// The connection; nothing was said on it yet.
    #[must_use]
    pub fn into_wire(self) -> Wire {
        self.wire
    }
}

/// A thread belongs to a machine, a user and a CODEX_HOME there.
fn identity(facts: &Facts) -> Identity {
    let host = if facts.machine.is_empty() { facts.hostname.clone() } else { facts.machine.clone() };
    Identity { host, user: facts.uid.clone(), codex_home: facts.codex_home.clone(), epoch: facts.epoch.clone(), about: None }
}

/// Reaches a host: one connection, one exec.
///
/// # Errors
/// From the name in the ssh configuration to `initialize`, each cause with its own code.
pub async fn reach(context: &Context<'_>, alias: &Alias, want: Want) -> Result<Host, Failure> {
    let (wanted, thorough) = (want.server, want.versions);
    let raised = raise(context, alias, want).await?;
    let Raised { session, facts, how, wire, stderr } = raised;
    let greeting = Greeting { context, facts: &facts, how, wanted, thorough };
    let server = greeting.say(wire, &stderr).await.map_err(|e| e.at(alias))?;
    let server = Server { peer: server.peer.impatient(), ..server };
    Ok(Host { session: Current::new(session), facts, how, server })
}

/// As [`reach`], and keeps the connection over lost links until its [`Host::server`] is dropped.
///
/// # Errors
/// As [`reach`]; a link that is lost later is no error but told by the [`Life`].
pub async fn keep(context: &Context<'_>, alias: &Alias, want: Want) -> Result<(Host, Life), Failure> {
    let wanted = want.server;
    let (keeper, raised) = Keeper::reach(context, alias, want).await?;
    let identity = raised.identity();
    let Raised { facts, how, wire, stderr, .. } = raised;
    let session = keeper.session().clone();
    let Durable { wire, state, events, .. } = Durable::start((wire, identity), keeper.dial_again(), Settings::own());
    let greeting = Greeting { context, facts: &facts, how, wanted, thorough: false };
    let server = greeting.say(wire, &stderr).await.map_err(|e| e.at(alias))?;
    Ok((Host { session, facts, how, server }, Life { state, events }))
}

/// Reaches a folder of a host for others to work in: a server that answers, and the keeper of connections to it.
///
/// # Errors
/// As [`enter`].
pub async fn hold(context: &Context<'_>, place: &Place) -> Result<Held, Failure> {
    let alias = &place.alias;
    let want = Want::server().in_folder(folder(place));
    let wanted = want.server;
    let (keeper, raised) = Keeper::reach(context, alias, want).await?;
    let identity = raised.identity();
    let Raised { facts, how, wire, stderr, .. } = raised;
    let greeting = Greeting { context, facts: &facts, how, wanted, thorough: false };
    let server = greeting.say(wire, &stderr).await.map_err(|e| e.at(alias))?;
    let host = Host { session: keeper.session().clone(), facts, how, server };
    let folder = resolved(&host, place)?;
    Ok(Held { keeper, identity, folder })
}

/// A host that is held for others.
pub struct Held {
    /// Makes connections.
    pub keeper: Arc<Keeper>,
    /// Where they must lead.
    pub identity: Identity,
    /// The folder, as the remote resolved it.
    pub folder: RemotePath,
}

/// Looks at a folder of a host; the path is as the remote resolved it. Nothing is left behind there.
///
/// # Errors
/// As [`enter`].
pub async fn look(context: &Context<'_>, place: &Place) -> Result<RemotePath, Failure> {
    let host = reach(context, &place.alias, Want::default().in_folder(folder(place))).await?;
    host.session.close().await;
    resolved(&host, place)
}

/// Reaches a folder of a host. It is looked at before any server is started; the path is as the remote resolved it.
///
/// # Errors
/// As [`reach`]; a folder that is missing, no directory or not readable, by name.
pub async fn enter(context: &Context<'_>, place: &Place) -> Result<(Host, Life, RemotePath), Failure> {
    let (host, life) = keep(context, &place.alias, Want::server().in_folder(folder(place))).await?;
    let path = resolved(&host, place)?;
    Ok((host, life, path))
}

/// As [`enter`] with an access token for this once: a server inside the session that has it, with a CODEX_HOME of its own. Both
/// end with the link, which is therefore not made again.
///
/// # Errors
/// As [`enter`].
pub async fn enter_once(context: &Context<'_>, place: &Place, token: &Secret) -> Result<(Host, Life, RemotePath), Failure> {
    let alias = &place.alias;
    let want = Want { server: Wanted::Attached, token: Some(token.clone()), ..Want::default() }.in_folder(folder(place));
    let raised = raise(context, alias, want).await?;
    let identity = raised.identity();
    let Raised { session, facts, how, wire, stderr } = raised;
    let gone: Dial = Box::new(|| {
        Box::pin(std::future::ready(Err(Failure::new(Code::TurnInterrupted, "go on after the link was lost")
            .said("the server of this run had the access token and has ended with the link")
            .hint("run it again"))))
    });
    let Durable { wire, state, events, .. } = Durable::start((wire, identity), gone, Settings::own());
    let greeting = Greeting { context, how, wanted: Wanted::Attached, facts: &facts, thorough: false };
    let server = greeting.say(wire, &stderr).await.map_err(|e| e.at(alias))?;
    let host = Host { session: Current::new(session), facts, how, server };
    let path = resolved(&host, place)?;
    Ok((host, Life { state, events }, path))
}

/// What to call the folder of a place to the remote; none given means the home folder.
fn folder(place: &Place) -> &str {
    if place.path.is_empty() { "." } else { &place.path }
}

fn resolved(host: &Host, place: &Place) -> Result<RemotePath, Failure> {
    let broken =
        || Failure::new(Code::FactsBroken, format!("look at {}", folder(place))).said("the host did not say where it is");
    host.facts.folder.as_deref().and_then(|path| path.parse().ok()).ok_or_else(|| broken().at(&place.alias))
}

/// Checks a host: every step, nothing left behind there.
///
/// # Errors
/// As [`reach`]; [`Code::NotSignedIn`].
pub async fn check(context: &Context<'_>, alias: &Alias) -> Result<(), Failure> {
    let host = reach(context, alias, Want::check()).await?;
    let clock = Clock::begin(context.watch, Step::SignedIn);
    let signed_in = match host.server.knows_threads().await {
        Ok(()) => host.server.signed_in().await,
        Err(too_old) => Err(too_old),
    };
    host.session.close().await;
    clock.done(signed_in.map_err(|e| e.at(alias))?);
    Ok(())
}

/// Logs in to a host that the person works with, with its settings.
///
/// # Errors
/// From the name in the ssh configuration to the login, each cause with its own code.
pub async fn login(context: &Context<'_>, word: &Alias) -> Result<(Session, HostSettings), Failure> {
    let (target, settings) = known(context, word).await?;
    let session = match carrier(context.local, &settings)? {
        Carrier::Builtin => Session::open(&target, context).await,
        Carrier::Ssh => Session::open_with_system_ssh(&target, context).await,
    };
    Ok((session.map_err(|e| e.at(&target.alias))?, settings))
}

/// As [`login`] for one shell or command and nothing else; it has the agent if the ssh configuration forwards it.
///
/// # Errors
/// As [`login`].
pub async fn login_alone(context: &Context<'_>, word: &Alias, what: Alone) -> Result<(Session, HostSettings), Failure> {
    let (target, settings) = known(context, word).await?;
    let session = match carrier(context.local, &settings)? {
        Carrier::Builtin => Session::open_alone(&target, context, what).await,
        Carrier::Ssh => Session::open_with_system_ssh(&target, context).await,
    };
    Ok((session.map_err(|e| e.at(&target.alias))?, settings))
}

/// What the files say of a host that the person works with.
async fn known(context: &Context<'_>, word: &Alias) -> Result<(Target, HostSettings), Failure> {
    let clock = Clock::begin(context.watch, Step::Resolved);
    let listing = alias::list(context.local)?;
    let unknown = |failure| projects::or_meant(context.local, word.as_str(), failure);
    let alias = &alias::find(&listing, word.as_str()).map_err(unknown)?.alias;
    let settings = hosts::load(context.local)?;
    settings.require_usable(alias)?;
    let settings = settings.settings(alias);
    let target = resolve::resolve(context.local, alias).await?;
    clock.done(where_to(&target));
    Ok((target, settings))
}

/// `--carrier` or `OUTPOST_CARRIER` for this once, else what the host's settings say.
fn carrier(local: &Local, settings: &HostSettings) -> Result<Carrier, Failure> {
    let Some(word) = local.var(paths::CARRIER) else { return Ok(settings.carrier.unwrap_or_default()) };
    let usage = || Failure::new(Code::Usage, format!("use the carrier '{}'", word.to_string_lossy())).hint("builtin or ssh");
    word.to_str().and_then(Carrier::from_word).ok_or_else(usage)
}

fn where_to(target: &Target) -> String {
    format!("{}@{} port {}", target.user(), target.host_name(), target.port())
}

/// Logs in and brings the host up, to the byte stream of its app-server.
async fn raise(context: &Context<'_>, alias: &Alias, want: Want) -> Result<Raised, Failure> {
    let (session, settings) = login(context, alias).await?;
    let raised = bring_up(context, session, &settings, want).await.map_err(|e| e.at(alias))?;
    if raised.facts.ends_sessions == Some(Ending::Reaped) {
        hosts::edit::remember_session_attached(context.local, alias, true)?;
    }
    Ok(raised)
}

/// One exec on a session that stands.
async fn bring_up(context: &Context<'_>, session: Session, settings: &HostSettings, mut want: Want) -> Result<Raised, Failure> {
    let upgrade = Upgrade::new();
    want.early = upgrade.request();
    want.agent = session.lends_agent();
    let remote = remote::bring_up(&session, settings, want, context.watch).await?;
    let (how, facts, stderr) = (remote.server.how, remote.facts, remote.server.stderr.clone());
    let wire = wire(remote.server, upgrade).await.map_err(|failure| with_last_words(failure, &stderr.text()))?;
    Ok(Raised { session, facts, how, wire, stderr })
}

/// The `initialize` of a connection, and what is told of it.
struct Greeting<'a> {
    context: &'a Context<'a>,
    facts: &'a Facts,
    how: How,
    wanted: Wanted,
    /// Whether it is also asked what a person would only find out with their first turn.
    thorough: bool,
}

impl Greeting<'_> {
    async fn say(&self, wire: Wire, stderr: &Tail) -> Result<Server, Failure> {
        let clock = Clock::begin(self.context.watch, Step::AppServer);
        let server = Server::open(wire).await.map_err(|failure| self.died(failure, &stderr.text()))?;
        if self.thorough && self.how == How::Joined {
            server.takes_turns().await?;
        }
        let detail = match (self.how, self.wanted) {
            (How::Joined, _) => "runs",
            (How::Started, _) => "started",
            // A check proves that a server starts by starting one that ends with the session.
            (How::Attached, Wanted::Check) => "can be started",
            (How::Attached, Wanted::Server | Wanted::Attached) => "runs inside this session",
        };
        clock.done(format!("{detail}, version {}", server.initialized.version().unwrap_or("unknown")));
        if self.how == How::Attached && (self.wanted != Wanted::Check || self.facts.ends_sessions.is_some()) {
            let text = "the app-server runs inside this session: the work stops when the link does".to_owned();
            let hint = "stay connected until the work is done".to_owned();
            let code = Some(Code::ServerAttached);
            self.context.watch.progress(Progress::Warning { step: Step::AppServer, code, text, hint });
        }
        self.skew(&server).await;
        Ok(server)
    }

    /// Tells a server that is not the codex on the disk.
    async fn skew(&self, server: &Server) {
        let running = server.initialized.version().unwrap_or_default();
        if self.how == How::Joined && launch::is_skewed(self.facts, running) {
            let at_work = tokio::time::timeout(AT_WORK, server.at_work()).await.ok().flatten();
            launch::skew(self.facts, running, at_work).into_iter().for_each(|warning| self.context.watch.progress(warning));
        }
    }

    /// A server inside the session that ended at once tells why on its way out.
    fn died(&self, failure: Failure, words: &str) -> Failure {
        let told = if self.how == How::Attached { remote::ended(self.facts, words) } else { None };
        told.unwrap_or_else(|| with_last_words(failure, words))
    }
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
