//! A local address that speaks the app-server protocol for one host, so that any Codex client can work there.
//!
//! Each client has a server connection and an `initialize` of its own, over the one SSH session of its
//! [`crate::project::keeper::Keeper`], and a durable connection in front of it: a lost link is a pause, not an error.

pub mod door;
pub mod web;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::app_server::durable::driver::{Durable, Identity};
use crate::app_server::durable::event::Event;
use crate::app_server::durable::link::{Link, State};
use crate::app_server::durable::policy::Pace;
use crate::app_server::durable::prompt_words;
use crate::app_server::durable::settings::Settings;
use crate::failure::Failure;
use crate::project::keeper::Keeper;
use crate::rpc::websocket::{self, Visitor};
use crate::rpc::wire::Wire;
use crate::ssh::ByteStream;
use door::Door;
use web::Web;

/// Clients at once; a program that opens more has lost count.
const CLIENTS: usize = 64;

/// What the endpoint's owner is told.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A client came; how many there are.
    Came(usize),
    /// A client went; how many there are, and why when it was not its own wish.
    Went(usize, Option<Failure>),
    /// The state of a client's connection changed.
    State(State),
    /// A client's prompt is not known to be delivered, and nobody will send it.
    GivenBack {
        /// Its words.
        words: String,
        /// Whether it was on its way: then it may have arrived.
        sent: bool,
    },
    /// Somebody was not let in.
    Refused(Failure),
}

/// What is served.
pub struct Endpoint {
    /// The host.
    pub keeper: Arc<Keeper>,
    /// Where it led to when it was reached: no client is ever taken elsewhere.
    pub identity: Identity,
    /// Its name, for the notes that clients are shown.
    pub host: String,
    /// How long a client is kept without a link; none for ever.
    pub limit: Option<Duration>,
    /// How fast a lost link is dialled again.
    pub pace: Pace,
}

impl Endpoint {
    /// Serves until it is dropped. What finds no room in `news` is lost, save for what is given back: that waits.
    ///
    /// # Errors
    /// When the local system gives no more connections.
    pub async fn serve(&self, mut door: Door, mut web: Option<Web>, news: mpsc::Sender<News>) -> Result<(), Failure> {
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                came = door.next() => self.admit(&mut clients, websocket_of(came?, None), &news),
                came = next(web.as_mut()) => {
                    let (stream, key) = came?;
                    self.admit(&mut clients, websocket_of(stream, Some(key)), &news);
                }
                Some(left) = clients.join_next() => {
                    let why = left.ok().flatten();
                    drop(news.try_send(News::Went(clients.len(), why)));
                }
            }
        }
    }

    fn admit(&self, clients: &mut JoinSet<Option<Failure>>, opening: Opening, news: &mpsc::Sender<News>) {
        if clients.len() >= CLIENTS {
            return;
        }
        let settings = Settings { limit: self.limit, pace: self.pace, ..Settings::stock(&self.host) };
        let (dial, identity, news_of) = (self.keeper.dial(), self.identity.clone(), news.clone());
        clients.spawn(async move {
            let client = match opening.await {
                Ok(client) => client,
                Err(why) => {
                    drop(news_of.try_send(News::Refused(why)));
                    return None;
                }
            };
            let durable = Durable::join(identity, dial, settings);
            join(client, durable, &news_of).await
        });
        drop(news.try_send(News::Came(clients.len())));
    }
}

type Opening = std::pin::Pin<Box<dyn Future<Output = Result<Wire, Failure>> + Send>>;

/// The HTTP upgrade of a client; over TCP it must show the key.
fn websocket_of(stream: ByteStream, key: Option<web::Key>) -> Opening {
    Box::pin(async move {
        let admit = move |visitor: Visitor<'_>| match &key {
            Some(key) => key.admits(visitor),
            // The folder keeps other users out, and a web page cannot open a Unix socket.
            None if visitor.has("origin") => Err(403),
            None => Ok(()),
        };
        websocket::server(stream, admit).await
    })
}

async fn next(web: Option<&mut Web>) -> Result<(ByteStream, web::Key), Failure> {
    match web {
        Some(web) => web.next().await,
        None => std::future::pending().await,
    }
}

/// Passes messages between a client and its durable connection until one of them ends; the failure is that of the latter.
async fn join(mut client: Wire, durable: Durable, news: &mpsc::Sender<News>) -> Option<Failure> {
    let Durable { wire: Wire { to, mut from, ended }, mut state, mut events, .. } = durable;
    let up = async {
        while let Some(message) = client.from.recv().await {
            if to.send(message).await.is_err() {
                break;
            }
        }
    };
    let down = async {
        while let Some(message) = from.recv().await {
            if client.to.send(message).await.is_err() {
                break;
            }
        }
    };
    let watch = async {
        while state.changed().await.is_ok() {
            let state = state.borrow_and_update().clone();
            drop(news.try_send(News::State(state)));
        }
    };
    let heard = hear(&mut events, news);
    let why = tokio::select! {
        () = up => None,
        () = down => Some(ended.why()),
        () = async { tokio::join!(watch, heard, std::future::pending::<()>()); } => None,
    };
    // With nobody there it ends, and tells what was not delivered.
    drop((to, from));
    hear(&mut events, news).await;
    why
}

/// A stock client hears of the rest by messages.
async fn hear(events: &mut mpsc::Receiver<Event>, news: &mpsc::Sender<News>) {
    while let Some(event) = events.recv().await {
        if let Event::GivenBack { params, sent, .. } = event {
            // The one news that is never lost: it waits for whoever tells the person.
            drop(news.send(News::GivenBack { words: prompt_words(&params), sent }).await);
        }
    }
}

/// Whether a state is worth a line to the endpoint's owner after the one before it.
#[must_use]
pub fn is_news(before: &Link, now: &Link) -> bool {
    std::mem::discriminant(before) != std::mem::discriminant(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_given_back_is_told_however_full_the_queue_is() {
        let (to, mut events) = mpsc::channel(8);
        let (news, mut told) = mpsc::channel(1);
        news.try_send(News::Came(1)).expect("room");
        let params = serde_json::json!({"input": [{"type": "text", "text": "mend it"}]});
        for n in 0..3 {
            let given = Event::GivenBack { thread: "t".into(), message: n.to_string(), params: params.clone(), sent: false };
            to.send(given).await.expect("room");
        }
        drop(to);
        let hearing = tokio::spawn(async move { hear(&mut events, &news).await });
        assert_eq!(told.recv().await, Some(News::Came(1)));
        for _ in 0..3 {
            assert!(matches!(told.recv().await, Some(News::GivenBack { words, .. }) if words == "mend it"));
        }
        hearing.await.expect("ends");
    }
}
