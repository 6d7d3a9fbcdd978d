//! A port of this machine: what connects to it is carried to the host, when there is a link.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{AT_ONCE, Ended, Rule, Shared, join};
use crate::failure::{Code, Failure};
use crate::ssh::session::Session;

/// The port.
pub(super) struct Door {
    pub(super) rule: Rule,
    listener: TcpListener,
}

impl Door {
    /// Listens on 127.0.0.1, for this machine alone.
    pub(super) async fn open(rule: Rule) -> Result<Self, Failure> {
        let taken = |e: std::io::Error| {
            let hint = if e.kind() == std::io::ErrorKind::PermissionDenied {
                "ports below 1024 are the system's: choose another, such as 8080:80".to_owned()
            } else {
                format!("choose another port here: 0:{} lets the system choose", rule.to_port)
            };
            Failure::new(Code::PortTaken, format!("listen on 127.0.0.1 port {}", rule.port)).said(e).hint(hint)
        };
        let listener = TcpListener::bind(("127.0.0.1", rule.port)).await.map_err(taken)?;
        let port = listener.local_addr().map_err(taken)?.port();
        Ok(Self { rule: Rule { port, ..rule }, listener })
    }

    /// Takes connections for ever; those that come while there is no link wait for it.
    pub(super) async fn serve(self, sessions: watch::Receiver<Option<Session>>, to: Shared) {
        let (places, mut all) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            while all.try_join_next().is_some() {}
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors: one that ends makes room.
                drop(all.join_next().await);
                continue;
            };
            let carry = Carry { rule: self.rule.clone(), sessions: sessions.clone(), to: to.clone() };
            all.spawn(async move {
                carry.one(stream).await;
                drop(place);
            });
        }
    }
}

/// One connection.
struct Carry {
    rule: Rule,
    sessions: watch::Receiver<Option<Session>>,
    to: Shared,
}

impl Carry {
    async fn one(mut self, mut stream: TcpStream) {
        let session = match self.sessions.wait_for(Option::is_some).await {
            Ok(session) => session.clone(),
            Err(_) => None,
        };
        let Some(session) = session else { return };
        // Small answers must not wait for more.
        drop(stream.set_nodelay(true));
        match session.tcp(&self.rule.to, self.rule.to_port).await {
            Ok(remote) => {
                let ended = join(&mut stream, (remote, self.to.spool(&session))).await;
                // Over the system's ssh neither a refusal nor a dead link looks like anything else.
                if matches!(ended, Ended::Well(0)) {
                    self.to.suspect.notify_one();
                }
                match self.refused(&session, &ended).await {
                    Some(why) => self.to.unreached(&self.rule, &stream, why).await,
                    None => self.to.ended(&self.rule, &stream, ended).await,
                }
            }
            Err(why) => self.to.unreached(&self.rule, &stream, why).await,
        }
    }

    /// Why it came to nothing, where the end of the stream does not tell it from an empty answer or a break.
    async fn refused(&self, session: &Session, ended: &Ended) -> Option<Failure> {
        match ended {
            Ended::Well(0) | Ended::Broken(_) => session.tcp_refused(&self.rule.to, self.rule.to_port).await,
            Ended::Well(_) | Ended::Unwanted => None,
        }
    }
}
