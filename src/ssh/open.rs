//! From a target to a logged-in connection: each jump host in turn, then the host itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use russh::keys::PublicKeyOrCertificate;
use tokio::sync::oneshot;

use super::ByteStream;
use super::algorithms::is_post_quantum;
use super::aside::{AfterBanner, while_it_speaks};
use super::ask::Ask;
use super::auth::Login;
use super::budget::Budget;
use super::connection::{Connection, Link};
use super::environment::to_send;
use super::facts::Facts;
use super::handler::Seen;
use super::hops::{self, HOPS};
use super::host_key::asking::Accepted;
use super::keywords;
use super::rate::Turns;
use super::rate::address::Address;
use super::route::{Route, Way};
use super::transport;
use super::trust::{Judged, Trust, how};
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;
use crate::step::{Clock, Progress, Step, Watch};

/// What opening a session needs from its surroundings.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// This machine.
    pub local: &'a Local,
    /// Who answers questions.
    pub ask: &'a dyn Ask,
    /// Who is told how it goes.
    pub watch: &'a dyn Watch,
}

/// Jump hosts are brought up silently, save for what a person should know.
struct Quiet<'a>(&'a dyn Watch);

impl Watch for Quiet<'_> {
    fn progress(&self, progress: Progress) {
        if matches!(progress, Progress::Warning { .. } | Progress::Remark { .. } | Progress::Aside { .. } | Progress::Asks(_)) {
            self.0.progress(progress);
        }
    }
}

/// A connection that is up.
struct Up {
    connection: Connection,
    facts: Facts,
    /// Where its login was counted.
    address: Address,
}

type Opening<'a> = Pin<Box<dyn Future<Output = Result<Up, Failure>> + Send + 'a>>;

/// Brings a connection up, its jump hosts first.
pub(crate) async fn open(target: &Target, context: Context<'_>) -> Result<(Connection, Facts), Failure> {
    bring_up(target, context, 0).await.map(|up| (up.connection, up.facts))
}

/// `hops` is how many jump hosts are already on the way.
fn bring_up<'a>(target: &'a Target, context: Context<'a>, hops: usize) -> Opening<'a> {
    Box::pin(async move {
        keywords::refuse(target)?;
        let way = Way::of(target);
        // The jump hosts are a part of the way, so their time and their failures count as its.
        let clock = Clock::begin(context.watch, Step::Connected);
        let outcome = match &way {
            Way::Jump(words) => match jump(words, target, context, hops).await {
                Ok(via) => one((target, &way), context, clock, Some(via)).await,
                Err(failure) => Err(failure),
            },
            Way::Tcp | Way::Proxy(_) => one((target, &way), context, clock, None).await,
        };
        outcome.map_err(|failure| failure.at(&target.alias))
    })
}

/// Opens the last of the hops; the ones before it are on its own way.
async fn jump(words: &str, target: &Target, context: Context<'_>, hops: usize) -> Result<Up, Failure> {
    if hops >= HOPS {
        return Err(hops::a_circle(words));
    }
    let resolved = hops::last(words, target, context.local).await?;
    let quiet = Quiet(context.watch);
    let context = Context { watch: &quiet, ..context };
    // An agent is never forwarded to a jump host: nothing in here asks for it.
    bring_up(&resolved, context, hops + 1).await
}

/// One host, at most twice: the second time with the key that a person accepted. The jump host has logged in by now, so nobody
/// waits for a turn while they hold another.
async fn one((target, way): (&Target, &Way), context: Context<'_>, clock: Clock<'_>, via: Option<Up>) -> Result<Up, Failure> {
    let address = Address::of(way, (target, context.local), via.as_ref().map(|up| &up.address));
    let via = via.map(|up| up.connection);
    let (mut accepted, mut clock) = (None, Some(clock));
    let again = Quiet(context.watch);
    loop {
        // The second connection is no step of its own: the host key is still being checked.
        let clock = clock.take().unwrap_or_else(|| Clock::begin(&again, Step::Connected));
        let turns = Turns::at(std::slice::from_ref(&address)).await?;
        let attempted = attempt((target, clock), context, (way, via.as_ref()), accepted.as_ref()).await;
        turns.end(match &attempted {
            Ok(Attempt::Done(..)) => None,
            Ok(Attempt::Unknown(..)) => Some(Code::HostKeyUnknown),
            Err(failure) => Some(failure.code),
        });
        match attempted? {
            Attempt::Done(connection, facts) => return Ok(Up { connection, facts, address }),
            Attempt::Unknown(trust, shown) => accepted = Some(trust.accept(&shown, context).await?),
        }
    }
}

enum Attempt {
    Done(Connection, Facts),
    /// Nobody knows this key yet.
    Unknown(Trust, Arc<PublicKeyOrCertificate>),
}

async fn attempt(
    (target, clock): (&Target, Clock<'_>),
    context: Context<'_>,
    (way, via): (&Way, Option<&Connection>),
    accepted: Option<&Accepted>,
) -> Result<Attempt, Failure> {
    if let Way::Proxy(_) = way {
        context.watch.progress(Progress::Asks(Step::Connected));
    }
    let mut budget = way.budget(target);
    let opened = Route::open(way, (target, context.local), via, &mut budget).await?;
    let said = opened.0.said();
    let logging_in = log_in((target, clock), context, (opened, budget), (via, accepted));
    while_it_speaks(said.as_ref(), context.watch, logging_in).await
}

async fn log_in(
    (target, clock): (&Target, Clock<'_>),
    context: Context<'_>,
    ((mut route, stream), mut budget): ((Route, ByteStream), Budget),
    (via, accepted): (Option<&Connection>, Option<&Accepted>),
) -> Result<Attempt, Failure> {
    let (local, watch) = (context.local, context.watch);
    let address = route.address.clone();
    let host_key = |connected: Clock<'_>| {
        connected.done(address.clone());
        Clock::begin(watch, Step::HostKey)
    };
    let prepared = Trust::of(target, local, route.ip, accepted)
        .and_then(|trust| trust.prefer(target, transport::config(target)).map(|config| (trust, config)));
    let (trust, config) = match prepared {
        Ok(prepared) => prepared,
        Err(failure) => {
            host_key(clock);
            return Err(failure);
        }
    };
    let seen = Arc::new(Seen::default());
    let shake = Link::shake((stream, route.cut.clone()), config, trust.judge(), Arc::clone(&seen));
    let (shaken, greeted) = met(budget.within(shake), route.greeted(), || host_key(clock)).await;
    let mut link = match shaken {
        Err(spent) => return Err(route.too_slow(spent)),
        Ok(Err(error)) => return refused((trust, &seen), &mut route, &error).await,
        Ok(Ok(link)) => link,
    };
    trust.signed(&link)?;
    let told = settled(&trust, &seen, watch).await;
    if let Some(clock) = greeted {
        clock.done(told);
    }
    not_post_quantum(&seen, target, watch);

    let clock = Clock::begin(watch, Step::LoggedIn);
    let ask = AfterBanner { ask: context.ask, seen: &seen };
    let logged_in = Login::new(&mut link, (target, local), &ask, &mut budget).run().await;
    banner(&seen, watch);
    let how = logged_in?;
    clock.done(format!("as {} ({how})", target.user()));
    route.settle();
    let facts = Facts::of(&seen, &route.address, how);
    let connection = Connection::new(link, target.alias.to_string(), to_send(target, local), via.cloned());
    connection.learn_host_keys(&trust, context).await;
    Ok(Attempt::Done(connection, facts))
}

/// Runs the handshake and the `next` step's begin as soon as the server has said who it is: before that nobody is connected.
async fn met<T, C>(
    shake: impl Future<Output = T>,
    mut greeted: oneshot::Receiver<()>,
    next: impl FnOnce() -> C,
) -> (T, Option<C>) {
    let mut shake = std::pin::pin!(shake);
    let early = tokio::select! {
        biased;
        Ok(()) = &mut greeted => None,
        shaken = &mut shake => Some(shaken),
    };
    let began = (early.is_none() || greeted.try_recv().is_ok()).then(next);
    match early {
        Some(shaken) => (shaken, began),
        None => (shake.await, began),
    }
}

/// The handshake failed: because of the key, or because of anything else.
async fn refused((trust, seen): (Trust, &Seen), route: &mut Route, error: &russh::Error) -> Result<Attempt, Failure> {
    let (judged, shown) = seen.key();
    match (judged, shown) {
        (Some(Judged::Refused(failure)), _) => Err(failure),
        (Some(Judged::Unknown), Some(shown)) => Ok(Attempt::Unknown(trust, shown)),
        _ => Err(route.why(error).await),
    }
}

/// Keeps what is to be kept of an accepted key, and says which key it was and what a person should know of the exchange.
async fn settled(trust: &Trust, seen: &Seen, watch: &dyn Watch) -> String {
    if let (Some(judged), Some(shown)) = seen.key() {
        trust.keep(&shown, &judged, watch).await;
    }
    let notes = seen.notes();
    let how = notes.judged.as_ref().map(how).unwrap_or_default();
    [notes.fingerprint.clone(), how].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

/// `ssh` warns of this too, since 10.0.
fn not_post_quantum(seen: &Seen, target: &Target, watch: &dyn Watch) {
    let (notes, alias) = (seen.notes(), &target.alias);
    if is_post_quantum(&notes.kex) {
        return;
    }
    let text = format!(
        "the key exchange with {alias} ({}) is not post-quantum: whoever records it may read it once there are such computers",
        notes.kex
    );
    let hint = format!(
        "update sshd on {alias} to OpenSSH 9.9 or later; where it is 9.0 or later, the system ssh has one: --carrier ssh"
    );
    watch.progress(Progress::Remark { step: Step::HostKey, text, hint });
}

/// What the server shows before the login is shown like a warning: a person may have to read it.
fn banner(seen: &Seen, watch: &dyn Watch) {
    let text = seen.notes().unread_banner();
    if !text.is_empty() {
        watch.progress(Progress::news(Step::LoggedIn, text));
    }
}
