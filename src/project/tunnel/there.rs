//! A port of the host: what connects to it is carried to this machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::spool::Spool;
use super::{AT_ONCE, Ended, News, Rule, Shared, join};
use crate::failure::{Code, Failure};
use crate::ssh::ByteStream;
use crate::ssh::forward::Listener;
use crate::ssh::session::Session;

/// How soon the remote is asked again to listen: after a lost link its sshd may hold the port for the connection that is dead.
const AGAIN: Duration = Duration::from_secs(5);

/// Takes what arrives there for as long as the session lives; asks for the port first when there is no listener yet.
pub(super) async fn serve(session: Session, (rule, listener): (Rule, Option<Listener>), to: Shared) {
    let mut listener = match listener {
        Some(listener) => listener,
        None => again(&session, &rule, &to.news).await,
    };
    let (places, mut all) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        while all.try_join_next().is_some() {}
        let Some(stream) = listener.incoming.recv().await else { break };
        let (rule, news, stream) = (rule.clone(), to.news.clone(), (stream, to.spool(&session)));
        all.spawn(async move {
            carry(rule, stream, news).await;
            drop(place);
        });
    }
    while all.join_next().await.is_some() {}
}

#[expect(clippy::disallowed_methods, reason = "a port that is held by a dead connection becomes free without a word")]
async fn again(session: &Session, rule: &Rule, news: &mpsc::Sender<News>) -> Listener {
    let mut told = false;
    loop {
        match session.listen(rule.listen()).await {
            Ok(listener) => return listener,
            Err(why) if !told => {
                told = true;
                drop(news.send(News::Deaf(rule.clone(), why)).await);
            }
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn carry(rule: Rule, stream: (ByteStream, Option<Spool>), news: mpsc::Sender<News>) {
    let mut local = match TcpStream::connect((rule.to.as_str(), rule.to_port)).await {
        Ok(local) => local,
        Err(e) => {
            let why = Failure::new(Code::LocalIo, format!("connect to {}", rule.end())).said(e);
            drop(news.send(News::Unreached(rule, why)).await);
            return;
        }
    };
    drop(local.set_nodelay(true));
    match join(&mut local, stream).await {
        Ended::Broken(why) => {
            drop(local.set_zero_linger());
            drop(news.send(News::Broke(rule, why)).await);
        }
        Ended::Well(_) | Ended::Unwanted => {}
    }
}
