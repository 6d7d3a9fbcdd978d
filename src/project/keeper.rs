//! A host kept within reach: one SSH session at a time, and as many connections to its app-server as are wanted over it.
//!
//! At a reconnect nobody is asked anything: what needs a person stops the dialling, and the person is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Current, Raised};
use crate::app_server::durable::driver::{Dial, Identity};
use crate::failure::Failure;
use crate::name::Alias;
use crate::paths::Local;
use crate::remote::{Facts, Want};
use crate::rpc::websocket;
use crate::rpc::wire::Wire;
use crate::ssh::ask::NobodyToAsk;
use crate::ssh::session::{Context, Session};
use crate::step::Nobody;

/// How long a session that may be dead is given to show that it is not.
const ALIVE: Duration = Duration::from_secs(3);

/// The host.
pub struct Keeper {
    local: Local,
    alias: Alias,
    session: Current,
    /// What was found when the session was made. Held while connecting: of several clients that lost their link one makes the
    /// next session, the others use it.
    facts: Mutex<Facts>,
    /// How often a host was asked for its facts: a client that lost its link before the last time knows them to be younger.
    asked: AtomicU64,
}

impl Keeper {
    /// Reaches a host for the first time, with a person to ask.
    ///
    /// # Errors
    /// As [`super::reach`].
    pub async fn reach(context: &Context<'_>, alias: &Alias, want: Want) -> Result<(Arc<Self>, Raised), Failure> {
        let raised = super::raise(context, alias, want).await?;
        let keeper = Self {
            local: context.local.clone(),
            alias: alias.clone(),
            session: Current::new(raised.session.clone()),
            facts: Mutex::new(raised.facts.clone()),
            asked: AtomicU64::new(1),
        };
        Ok((Arc::new(keeper), raised))
    }

    /// The session that stands now.
    #[must_use]
    pub fn session(&self) -> &Current {
        &self.session
    }

    /// One more connection: over the session that stands, or over a new one.
    ///
    /// # Errors
    /// As [`super::reach`]; [`crate::failure::Code::GateOff`] when a new session is due and the gate was closed meanwhile.
    pub async fn connect(&self) -> Result<(Wire, Identity), Failure> {
        self.connect_after(&AtomicU64::new(0)).await
    }

    /// As [`Self::connect`], for a client whose last link was made after so many times of asking the host.
    async fn connect_after(&self, last: &AtomicU64) -> Result<(Wire, Identity), Failure> {
        let (wire, mut identity) = self.connect_any().await?;
        let asked = self.asked.load(Ordering::Relaxed);
        if last.swap(asked, Ordering::Relaxed) == asked {
            identity.about = None;
        }
        Ok((wire, identity))
    }

    async fn connect_any(&self) -> Result<(Wire, Identity), Failure> {
        let mut facts = self.facts.lock().await;
        let session = self.session.get();
        if session.ping(ALIVE).await.is_ok() {
            return self.over(session, &mut facts).await.map_err(|e| e.at(&self.alias));
        }
        session.close().await;
        // Whoever switched remote connections off meanwhile wants no new one.
        crate::config::gate::require(&self.local)?;
        // What the lost one still holds, here or on its way, must not arrive after what is sent again (docs/decisions/0008-fence.md).
        let want = Want { fence: facts.carrier.clone().filter(|_| session.is_ours_alone()), ..Want::server() };
        let raised = super::raise(&self.context(), &self.alias, want).await?;
        Ok(self.taken(raised, &mut facts))
    }

    async fn over(&self, session: Session, facts: &mut Facts) -> Result<(Wire, Identity), Failure> {
        if let Some(socket) = &facts.socket
            && let Ok(stream) = session.unix_socket(socket).await
            && let Ok(wire) = websocket::client(stream).await
        {
            // Another server may stand behind the socket by now.
            return Ok((wire, Identity { epoch: None, about: facts.epoch.clone(), ..super::identity(facts) }));
        }
        // The server is gone, or sshd forbids such channels: another exec joins it or starts it.
        let settings = crate::config::hosts::load(&self.local)?.settings(&self.alias);
        let raised = super::bring_up(&self.context(), session, &settings, Want::server()).await?;
        Ok(self.taken(raised, facts))
    }

    fn taken(&self, raised: Raised, facts: &mut Facts) -> (Wire, Identity) {
        let identity = raised.identity();
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.session.set(raised.session);
        *facts = raised.facts;
        (raised.wire, identity)
    }

    fn context(&self) -> Context<'_> {
        Context { local: &self.local, ask: &NobodyToAsk, watch: &Nobody }
    }

    /// What a durable connection dials with.
    #[must_use]
    pub fn dial(self: &Arc<Self>) -> Dial {
        self.dial_after(0)
    }

    /// As [`Self::dial`], for one that has the link with which the host was reached.
    #[must_use]
    pub fn dial_again(self: &Arc<Self>) -> Dial {
        self.dial_after(self.asked.load(Ordering::Relaxed))
    }

    fn dial_after(self: &Arc<Self>, asked: u64) -> Dial {
        let (keeper, last) = (Arc::clone(self), Arc::new(AtomicU64::new(asked)));
        Box::new(move || {
            let (keeper, last) = (Arc::clone(&keeper), Arc::clone(&last));
            Box::pin(async move { keeper.connect_after(&last).await })
        })
    }

    /// Says goodbye to the host.
    pub async fn close(&self) {
        self.session.close().await;
    }
}
