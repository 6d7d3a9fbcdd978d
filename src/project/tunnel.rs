//! Ports of this machine that lead to a host, and the other way, for as long as they are wanted: a lost link is made again for ever.

mod here;
mod rule;
mod spool;
mod there;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app_server::durable::policy::{Next, Pace, Policy};
use crate::failure::Failure;
use crate::name::Alias;
use crate::paths::Local;
use crate::rpc::pulse::Sleep;
use crate::ssh::ByteStream;
use crate::ssh::ask::NobodyToAsk;
use crate::ssh::forward::Listener;
use crate::ssh::session::{Context, Session};
use crate::step::Nobody;
use here::Door;
pub use rule::{Rule, Side};
use spool::{Disk, Spool};

/// How many connections one port carries at once; further ones wait to be accepted.
const AT_ONCE: usize = 512;

/// How long a session that may be dead is given to show that it is not.
const ALIVE: Duration = Duration::from_secs(10);

/// How long a host may take to be said goodbye to.
const GOODBYE: Duration = Duration::from_secs(2);

/// How often the clocks are looked at while there is no link: a machine that woke dials at once.
const LOOK: Duration = Duration::from_secs(1);

/// What happens to the forwards; a full channel makes them wait, so nobody who tells them should be slow.
#[derive(Debug)]
pub enum News {
    /// The link was lost, or a try to make it again failed; the next one is due then.
    Lost {
        /// Why.
        why: Failure,
        /// How long until the next try.
        again: Duration,
    },
    /// The link is back.
    Back {
        /// How long it was away.
        away: Duration,
    },
    /// A connection to this port could not be made at its other end.
    Unreached(Rule, Failure),
    /// A connection over this port broke in the middle.
    Broke(Rule, std::io::Error),
    /// The remote does not listen any more; it is asked again.
    Deaf(Rule, Failure),
}

/// Forwards that stand.
pub struct Tunnel {
    local: Local,
    alias: Alias,
    session: Session,
    doors: Vec<Door>,
    remote: Vec<(Rule, Listener)>,
}

impl Tunnel {
    /// Listens here, logs in, and lets the host listen.
    ///
    /// # Errors
    /// [`crate::failure::Code::PortTaken`]; as [`super::login`]; [`crate::failure::Code::ChannelRefused`].
    pub async fn open(context: &Context<'_>, alias: &Alias, rules: &[Rule]) -> Result<Self, Failure> {
        let mut doors = Vec::new();
        for rule in rules.iter().filter(|rule| rule.side == Side::Here) {
            doors.push(Door::open(rule.clone()).await?);
        }
        let (session, _) = super::login(context, alias).await?;
        let mut remote = Vec::new();
        for rule in rules.iter().filter(|rule| rule.side == Side::There) {
            let listener = session.listen(rule.listen()).await.map_err(|e| e.at(alias))?;
            remote.push((Rule { port: listener.port, ..rule.clone() }, listener));
        }
        Ok(Self { local: context.local.clone(), alias: alias.clone(), session, doors, remote })
    }

    /// What listens, with the ports that were chosen.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.doors.iter().map(|door| &door.rule).chain(self.remote.iter().map(|(rule, _)| rule))
    }

    /// Serves until `stop`, and says goodbye to the host.
    ///
    /// # Errors
    /// When only a person can make the link again.
    pub async fn serve(self, news: mpsc::Sender<News>, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let mut stop = std::pin::pin!(stop);
        let Self { local, alias, mut session, doors, remote } = self;
        let (sessions, current) = watch::channel(Some(session.clone()));
        let (suspect, disk) = (Arc::new(Notify::new()), Disk::of(&local));
        let to = Shared { news: news.clone(), suspect: Arc::clone(&suspect), disk: Arc::clone(&disk) };
        let mut serving = JoinSet::new();
        for door in doors {
            serving.spawn(door.serve(current.clone(), to.clone()));
        }
        let rules: Vec<Rule> = remote.iter().map(|(rule, _)| rule.clone()).collect();
        let mut listeners: Vec<Option<Listener>> = remote.into_iter().map(|(_, listener)| Some(listener)).collect();
        let mut dialler = Dialler { local, alias, policy: Policy::new(Pace::default(), rand::random()), began: Instant::now() };
        loop {
            dialler.policy.up(dialler.began.elapsed());
            let mut there = JoinSet::new();
            for (rule, listener) in rules.iter().zip(listeners) {
                there.spawn(there::serve(session.clone(), (rule.clone(), listener), to.clone()));
            }
            tokio::select! {
                () = ended(&session, &suspect) => {}
                () = stop.as_mut() => {
                    drop(tokio::time::timeout(GOODBYE, session.close()).await);
                    return Ok(());
                }
            }
            drop(there);
            let why = session.lost();
            session.close().await;
            sessions.send_replace(None);
            session = tokio::select! {
                session = dialler.again(why, &news) => session?,
                () = stop.as_mut() => return Ok(()),
            };
            sessions.send_replace(Some(session.clone()));
            listeners = rules.iter().map(|_| None).collect();
        }
    }
}

/// Waits for the end of a session: it says so itself, or a connection that came to nothing makes us ask.
async fn ended(session: &Session, suspect: &Notify) {
    let dead = async {
        loop {
            suspect.notified().await;
            if !session.stands(ALIVE).await {
                return;
            }
        }
    };
    tokio::select! {
        () = session.closed() => {}
        () = dead => {}
    }
}

/// Makes the link again.
struct Dialler {
    local: Local,
    alias: Alias,
    policy: Policy,
    began: Instant,
}

impl Dialler {
    async fn again(&mut self, mut why: Failure, news: &mpsc::Sender<News>) -> Result<Session, Failure> {
        let lost = Instant::now();
        let mut next = self.policy.lost(self.began.elapsed());
        loop {
            let at = match next {
                Next::At(at) => at,
                Next::Stop(why) => return Err(why),
            };
            let again = at.saturating_sub(self.began.elapsed());
            drop(news.send(News::Lost { why, again }).await);
            self.pause(at).await;
            let context = Context { local: &self.local, ask: &NobodyToAsk, watch: &Nobody };
            match super::login(&context, &self.alias).await {
                Ok((session, _)) => {
                    drop(news.send(News::Back { away: lost.elapsed() }).await);
                    return Ok(session);
                }
                Err(failed) => {
                    next = self.policy.failed(self.began.elapsed(), &failed);
                    why = failed;
                }
            }
        }
    }

    /// Waits for the time, or for a machine that slept to wake.
    #[expect(clippy::disallowed_methods, reason = "this is the driver that the policy's pauses are for")]
    async fn pause(&mut self, until: Duration) {
        let mut sleep = Sleep::new(self.began.elapsed(), wall());
        loop {
            let now = self.began.elapsed();
            if now >= until {
                return;
            }
            tokio::time::sleep(LOOK.min(until - now)).await;
            let now = self.began.elapsed();
            if sleep.woke(now, wall()) {
                self.policy.woke(now);
                return;
            }
        }
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What all connections share: who is told what became of them, and where is kept what their readers do not take yet.
#[derive(Clone)]
struct Shared {
    news: mpsc::Sender<News>,
    suspect: Arc<Notify>,
    disk: Arc<Disk>,
}

impl Shared {
    /// Where a connection's bytes wait, unless its sender does.
    fn spool(&self, session: &Session) -> Option<Spool> {
        (!session.holds_senders_back()).then(|| Spool::new(Arc::clone(&self.disk)))
    }

    /// A connection that was not made.
    async fn unreached(&self, rule: &Rule, asking: &TcpStream, why: Failure) {
        self.suspect.notify_one();
        // A reset: an orderly end would look like an empty answer.
        drop(asking.set_zero_linger());
        drop(self.news.send(News::Unreached(rule.clone(), why)).await);
    }

    /// A connection that is over.
    async fn ended(&self, rule: &Rule, asking: &TcpStream, ended: Ended) {
        match ended {
            Ended::Well(_) | Ended::Unwanted => {}
            Ended::Broken(why) => {
                drop(asking.set_zero_linger());
                drop(self.news.send(News::Broke(rule.clone(), why)).await);
            }
        }
    }
}

/// How much is taken from one side before it is given to the other.
const PIECE: usize = 64 * 1024;

/// How the way back of a connection ended.
#[derive(Debug)]
enum Ended {
    /// With its end, after so many bytes.
    Well(u64),
    /// Whoever is on the answering side broke off.
    Broken(std::io::Error),
    /// Whoever is on the asking side takes nothing any more.
    Unwanted,
}

/// Copies both ways; the end of one direction is handed on while the other goes on. What the asking side does not take yet is kept in the
/// spool; without one its sender waits.
async fn join(asking: &mut TcpStream, (answering, spool): (ByteStream, Option<Spool>)) -> Ended {
    let (mut question, mut answered) = asking.split();
    let (mut answer, mut asked) = tokio::io::split(answering);
    // Who answers may read no more and yet have something to say, and the other way round.
    let there = one_way(&mut question, &mut asked);
    let back = async {
        let copied = match spool {
            Some(spool) => keeping(&mut answer, &mut answered, spool).await,
            None => one_way(&mut answer, &mut answered).await,
        };
        copied.map_err(|broke| match broke {
            Broke::Reading(e) => Ended::Broken(e),
            Broke::Writing => Ended::Unwanted,
        })
    };
    let (_, count) = match tokio::try_join!(async { Ok(there.await) }, back) {
        Ok(both) => both,
        Err(ended) => return ended,
    };
    Ended::Well(count)
}

/// Which side of a copy broke.
enum Broke {
    Reading(std::io::Error),
    Writing,
}

async fn one_way(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> Result<u64, Broke> {
    let (mut buffer, mut count) = (vec![0_u8; PIECE], 0);
    loop {
        let n = from.read(&mut buffer).await.map_err(Broke::Reading)?;
        let piece = buffer.get(..n).unwrap_or_default();
        count += n as u64;
        let written = if n == 0 { to.shutdown().await } else { to.write_all(piece).await };
        written.map_err(|_| Broke::Writing)?;
        if n == 0 {
            return Ok(count);
        }
        to.flush().await.map_err(|_| Broke::Writing)?;
    }
}

/// As [`one_way`], but takes whatever comes at once.
async fn keeping(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut spool: Spool,
) -> Result<u64, Broke> {
    let (mut buffer, mut count, mut ended) = (BytesMut::new(), 0, false);
    loop {
        spool.refill().await.map_err(Broke::Reading)?;
        if ended && spool.front().is_empty() {
            to.shutdown().await.map_err(|_| Broke::Writing)?;
            return Ok(count);
        }
        buffer.reserve(PIECE);
        tokio::select! {
            read = from.read_buf(&mut buffer), if !ended => {
                let n = read.map_err(Broke::Reading)?;
                (ended, count) = (n == 0, count + n as u64);
                spool.push(buffer.split().freeze()).await.map_err(Broke::Reading)?;
            }
            written = to.write(spool.front()), if !spool.front().is_empty() => match written {
                Ok(n @ 1..) => spool.took(n),
                Ok(0) | Err(_) => return Err(Broke::Writing),
            },
        }
    }
}
