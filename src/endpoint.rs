//! A local address that speaks the app-server protocol for one host, so that any Codex client can work there.
//!
//! Each client has a server connection and an `initialize` of its own, over the one SSH session of its
//! [`crate::project::keeper::Keeper`], and a durable connection in front of it: a lost link is a pause, not an error.

pub mod door;
pub mod web;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::app_server::durable::driver::{Durable, Identity};
use crate::app_server::durable::event::{Event, Server};
use crate::app_server::durable::link::{Link, State};
use crate::app_server::durable::policy::Pace;
use crate::app_server::durable::prompt_words;
use crate::app_server::durable::settings::Settings;
use crate::failure::{Code, Failure};
use crate::project::keeper::Keeper;
use crate::rpc::websocket::{self, Visitor};
use crate::rpc::wire::Wire;
use crate::ssh::ByteStream;
use door::Door;
use web::Web;

/// Clients at once, unless the person says otherwise. Each costs a socket here and a connection of the app-server there.
pub const CLIENTS: usize = 512;

/// Connections at once that have not shown yet who they are; one more ends the oldest.
const WAITING: usize = 32;

/// What the endpoint's owner is told.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A client was let in; how many there are.
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
    /// Clients at once.
    pub most: usize,
}

/// What happened.
enum Happened {
    Came(Result<(ByteStream, Option<web::Key>), Failure>),
    Opened(Result<Wire, Failure>),
    Left(Option<Failure>),
}

impl Endpoint {
    /// Serves until it is dropped. What finds no room in `news` is lost, save for what is given back: that waits.
    ///
    /// # Errors
    /// When the local system gives no connections, and there is no client whose end could change that.
    pub async fn serve(&self, mut door: Door, mut web: Option<Web>, news: mpsc::Sender<News>) -> Result<(), Failure> {
        let (mut at_door, mut at_web) = (Waiting::default(), Waiting::default());
        let mut clients: JoinSet<Option<Failure>> = JoinSet::new();
        let full = Arc::new(AtomicBool::new(false));
        // Out of descriptors: one that ends makes room.
        let mut deaf = false;
        loop {
            full.store(clients.len() >= self.most, Ordering::Relaxed);
            let happened = tokio::select! {
                came = door.next(), if !deaf => Happened::Came(came.map(|stream| (stream, None))),
                came = next(web.as_mut()), if !deaf => Happened::Came(came.map(|(stream, key)| (stream, Some(key)))),
                opened = at_door.next() => Happened::Opened(opened),
                opened = at_web.next() => Happened::Opened(opened),
                Some(left) = clients.join_next() => Happened::Left(left.ok().flatten()),
            };
            deaf = false;
            match happened {
                Happened::Came(Ok((stream, None))) => at_door.add(self.greet(stream, None, &full)),
                Happened::Came(Ok((stream, key))) => at_web.add(self.greet(stream, key, &full)),
                Happened::Came(Err(why)) if clients.is_empty() && at_door.all.is_empty() && at_web.all.is_empty() => {
                    return Err(why);
                }
                Happened::Came(Err(why)) => {
                    deaf = true;
                    drop(news.try_send(News::Refused(why)));
                }
                Happened::Opened(Err(why)) => drop(news.try_send(News::Refused(why))),
                Happened::Opened(Ok(client)) => {
                    self.admit(&mut clients, client, &news);
                    drop(news.try_send(News::Came(clients.len())));
                }
                Happened::Left(why) => drop(news.try_send(News::Went(clients.len(), why))),
            }
        }
    }

    fn admit(&self, clients: &mut JoinSet<Option<Failure>>, client: Wire, news: &mpsc::Sender<News>) {
        let settings = Settings { limit: self.limit, pace: self.pace, ..Settings::stock(&self.host) };
        let durable = Durable::join(self.identity.clone(), self.keeper.dial(), settings);
        let news = news.clone();
        clients.spawn(async move { join(client, durable, &news).await });
    }

    /// The HTTP upgrade of a client; over TCP it must show the key.
    fn greet(&self, stream: ByteStream, key: Option<web::Key>, full: &Arc<AtomicBool>) -> Opening {
        let (full, most) = (Arc::clone(full), self.most);
        Box::pin(async move {
            let no_room = || full.load(Ordering::Relaxed);
            match websocket::server(stream, |visitor| admitted(visitor, key.as_ref(), no_room())).await {
                Err(_) if no_room() => Err(Failure::new(Code::LocalIo, "let a client in").said(format!("{most} are there"))),
                opened => opened,
            }
        })
    }
}

/// Connections that have not shown yet who they are.
#[derive(Default)]
struct Waiting {
    all: JoinSet<Result<Wire, Failure>>,
    oldest: VecDeque<AbortHandle>,
}

impl Waiting {
    fn add(&mut self, opening: Opening) {
        self.oldest.retain(|one| !one.is_finished());
        if self.oldest.len() >= WAITING
            && let Some(oldest) = self.oldest.pop_front()
        {
            oldest.abort();
        }
        self.oldest.push_back(self.all.spawn(opening));
    }

    /// The next that has shown who it is, or failed to; waits for ever where there is none.
    async fn next(&mut self) -> Result<Wire, Failure> {
        match self.all.join_next().await {
            Some(Ok(opened)) => opened,
            Some(Err(_)) => {
                Err(Failure::new(Code::ServerSilent, "wait for a client's HTTP upgrade").said("others came meanwhile"))
            }
            None => std::future::pending().await,
        }
    }
}

type Opening = Pin<Box<dyn Future<Output = Result<Wire, Failure>> + Send>>;

/// Whether somebody is let in; else the HTTP status that says why not.
fn admitted(visitor: Visitor<'_>, key: Option<&web::Key>, full: bool) -> Result<(), u16> {
    match key {
        Some(key) => key.admits(visitor)?,
        // The folder keeps other users out, and a web page cannot open a Unix socket.
        None if visitor.has("origin") => return Err(403),
        None => {}
    }
    if full { Err(503) } else { Ok(()) }
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
        let mut stood = false;
        while state.changed().await.is_ok() {
            let state = state.borrow_and_update().clone();
            stood |= !is_first_dial(&state.link);
            if stood {
                drop(news.try_send(News::State(state)));
            }
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

/// Whether this may be the link that a client begins without: nothing was lost, and nothing has failed, yet.
fn is_first_dial(link: &Link) -> bool {
    match link {
        Link::Lost { since, again, .. } => again.is_none_or(|again| again <= *since),
        Link::Up | Link::Ended(_) => false,
    }
}

/// Whether a state is worth a line to the endpoint's owner after the one before it.
#[must_use]
pub fn is_news(before: &State, now: &State) -> bool {
    let is_another = before.server != now.server && now.server == Server::Restarted;
    std::mem::discriminant(&before.link) != std::mem::discriminant(&now.link) || now.link == Link::Up && is_another
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
