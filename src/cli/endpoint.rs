//! `outpost endpoint`: a local address that speaks the app-server protocol for one host.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::run::events::{Body, Line};
use super::run::signals;
use super::run::witness::given_back;
use super::spinner::Spinner;
use super::{Context, plain};
use crate::app_server::durable::event::{Agent, Server};
use crate::app_server::durable::link::{Link, State};
use crate::app_server::durable::policy::Pace;
use crate::endpoint::door::Door;
use crate::endpoint::web::Web;
use crate::endpoint::{CLIENTS, Endpoint, News, is_news};
use crate::failure::{Exit, Failure};
use crate::name::{Alias, Place};
use crate::project::{self, Held};
use crate::ssh::quote::if_needed;

/// Serve a local socket that speaks the Codex app-server protocol for a host.
///
/// The address is printed first. Any Codex client can use it, hundreds of them at once, over one SSH connection; a lost
/// link is a pause for them. It serves until Ctrl-C, and that is exit code 0.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  outpost endpoint devbox\n  codex --remote unix:///run/user/1000/outpost/devbox-1a2b3c4d.sock -C /srv/app\n  \
                  outpost endpoint devbox --socket ~/.cache/outpost/devbox.sock\n  outpost endpoint devbox --ws --port 4500 --json"
)]
pub struct Serve {
    /// The host.
    host: Alias,
    /// Serve at this path, for clients that are set up for good. Its folder must be yours alone (mode 0700); it is made where
    /// it is missing.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Serve a WebSocket on loopback too; its bearer token is in a file that only you can read.
    #[arg(long)]
    ws: bool,
    /// The port of the WebSocket; 0 lets the system choose.
    #[arg(long, value_name = "PORT", default_value_t = 0, requires = "ws")]
    port: u16,
    /// Give a client up after this many seconds without a link, instead of never.
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
    /// The first pause before a lost link is dialled again, in milliseconds; the longest is twenty times that. For tests of
    /// many cuts: a stock sshd penalises a quick one.
    #[arg(long, value_name = "MS", hide = true)]
    pace: Option<u64>,
    /// The most clients at once; for tests.
    #[arg(long, value_name = "N", hide = true, default_value_t = CLIENTS)]
    clients: usize,
    /// Print the addresses as one JSON object, and then a line of JSON for each change of link, server and agent.
    #[arg(long)]
    json: bool,
}

/// How much news may wait to be shown. The endpoint never waits for the screen: news of clients and links beyond that are lost,
/// prompts that are given back are not ([`News`]).
const WAITING: usize = 256;

/// How long a host may take to be said goodbye to.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);

impl Serve {
    /// Serves until a signal.
    ///
    /// # Errors
    /// What stands in the way of the host, or of the local socket.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let place = Place { alias: self.host.clone(), path: String::new() };
        let mut wishes = signals::listen()?;
        let Some(ready) = signals::or_wished(self.open(context, &place), &mut wishes).await else {
            return Ok(Exit::Interrupted);
        };
        let (endpoint, door, web) = ready?;
        let (sender, news) = mpsc::channel(WAITING);
        let served = tokio::select! {
            served = endpoint.serve(door, web, sender) => served,
            () = tell(context, (self.host.as_str(), self.json), news) => Ok(()),
            _ = wishes.recv() => Ok(()),
        };
        // What comes next on the terminal does not stand behind its ^C.
        context.screen.note_piece(if context.screen.interactive { "\n" } else { "" });
        drop(tokio::time::timeout(GOODBYE, endpoint.keeper.close()).await);
        served.map(|()| Exit::Done)
    }

    /// All that is needed before the first client can come.
    async fn open(&self, context: &Context, place: &Place) -> Result<(Endpoint, Door, Option<Web>), Failure> {
        // What stands in the way here is told before a host is asked.
        let door = match &self.socket {
            Some(path) => Door::at(path).await?,
            None => Door::open(&context.local, self.host.as_str()).await?,
        };
        let web = if self.ws { Some(Web::open(&context.local, self.host.as_str(), self.port).await?) } else { None };
        let held = hold(context, place).await?;
        self.announce(context, &door, web.as_ref())?;
        let mut endpoint = endpoint(held, place, self.limit);
        endpoint.most = self.clients;
        if let Some(first) = self.pace.map(Duration::from_millis) {
            endpoint.pace = Pace { first, most: first * 20, ..Pace::default() };
        }
        Ok((endpoint, door, web))
    }

    fn announce(&self, context: &Context, door: &Door, web: Option<&Web>) -> Result<(), Failure> {
        let unix = format!("unix://{}", door.path().display());
        let (ws, token) = (web.map(Web::address), web.map(|w| w.token_file().display().to_string()));
        if self.json {
            return context.screen.json(&json!({"host": self.host, "unix": unix, "ws": ws, "token_file": token}));
        }
        context.screen.line(&unix)?;
        if let (Some(ws), Some(token)) = (ws, token) {
            context.screen.line(&format!("{ws}  (bearer token in {token})"))?;
        }
        context.screen.note(&format!(
            "serving; Ctrl-C ends it. The Codex TUI uses it with:\n  codex --remote {} -C PATH",
            if_needed(&unix)
        ));
        Ok(())
    }
}

/// Reaches the host, with a spinner.
///
/// # Errors
/// As [`project::hold`].
pub async fn hold(context: &Context, place: &Place) -> Result<Held, Failure> {
    let spinner = Spinner::new(context, place.alias.as_str(), context.screen.interactive);
    project::hold(&context.behind(&spinner), place).await
}

/// What is served for a host.
pub fn endpoint(held: Held, place: &Place, limit: Option<u64>) -> Endpoint {
    let limit = limit.map(Duration::from_secs);
    let (keeper, identity) = (held.keeper, held.identity);
    Endpoint { keeper, identity, host: place.alias.to_string(), limit, pace: Pace::default(), most: CLIENTS }
}

/// Tells the person who serves what happens; ends when nothing more can.
async fn tell(context: &Context, (host, json): (&str, bool), mut news: mpsc::Receiver<News>) {
    let mut shown = State { link: Link::Up, server: Server::Unknown, agent: Agent::Idle };
    while let Some(news) = news.recv().await {
        if let (true, News::State(state)) = (json, &news)
            && *state != shown
        {
            let now = Instant::now();
            // Whoever wanted the addresses alone may have stopped reading.
            drop(context.screen.json(&Line::new((host, ""), Body::link(state, &state.words(now), now))));
        }
        if let Some(text) = told(&mut shown, host, &news) {
            context.screen.note(&text);
        }
    }
}

/// News in words, harmless, if they are worth any after what was last known.
pub(super) fn told(shown: &mut State, host: &str, news: &News) -> Option<String> {
    let text = match news {
        News::Came(clients) => format!("a client came; {}", count(*clients)),
        News::Went(clients, None) => format!("a client went; {}", count(*clients)),
        News::Went(clients, Some(why)) => format!("a client was given up: {why}; {}", count(*clients)),
        News::Refused(why) => format!("somebody was not let in: {why}"),
        News::GivenBack { words, sent } => return Some(given_back(words, *sent)),
        News::State(state) => {
            if !is_news(&std::mem::replace(shown, state.clone()), state) {
                return None;
            }
            format!("{host}: {}", state.words(Instant::now()))
        }
    };
    Some(plain::line(&text))
}

fn count(clients: usize) -> String {
    match clients {
        0 => "none is left".to_owned(),
        1 => "there is one now".to_owned(),
        n => format!("there are {n} now"),
    }
}
