//! Link, server and agent while a thread is worked with: told when they change, three states, never one.

use std::future::Future;

use tokio::time::Instant;

use super::events::Body;
use super::turn::Stage;
use crate::app_server::durable::event::{Event, Server};
use crate::app_server::durable::link::{Link, State};
use crate::cli::plain;
use crate::failure::Failure;
use crate::project::Life;

/// Watches the life of a connection and tells about it.
pub struct Witness<'a> {
    stage: &'a Stage,
    life: Life,
    /// Whether the last thing told was that the link is lost.
    lost: bool,
}

/// Something that happened to the connection.
pub enum Happened {
    /// One of the three states changed.
    State(State),
    /// Something that no message of the server says.
    Event(Event),
}

impl<'a> Witness<'a> {
    /// Begins to watch.
    #[must_use]
    pub fn new(stage: &'a Stage, life: Life) -> Self {
        Self { stage, life, lost: false }
    }

    /// The next thing that happens; never when the connection is over. Nothing is lost when this is dropped half way.
    pub async fn next(&mut self) -> Happened {
        tokio::select! {
            Ok(()) = self.life.state.changed() => Happened::State(self.life.state.borrow_and_update().clone()),
            Some(event) = self.life.events.recv() => Happened::Event(event),
            else => std::future::pending().await,
        }
    }

    /// Waits for an answer and tells meanwhile what happens to the connection.
    ///
    /// # Errors
    /// What [`Self::tell`] says.
    pub async fn during<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, Failure> {
        let mut answer = std::pin::pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                happened = self.next() => {
                    if let Some(words) = self.tell(happened)? {
                        self.stage.note(&words);
                    }
                }
            }
        }
    }

    /// Writes the line of JSON for what happened, and gives the words for a person, if there is something to tell.
    ///
    /// # Errors
    /// When our output cannot be written, or the thread cannot be gone on with.
    pub fn tell(&mut self, happened: Happened) -> Result<Option<String>, Failure> {
        match happened {
            Happened::State(state) => self.state(&state),
            Happened::Event(event) => self.event(event),
        }
    }

    fn state(&mut self, state: &State) -> Result<Option<String>, Failure> {
        let words = state.words(Instant::now());
        let (word, lost) = match &state.link {
            Link::Up => ("up", false),
            Link::Lost { .. } => ("lost", true),
            Link::Ended(_) => ("ended", true),
        };
        if lost || self.lost {
            self.stage.line(Body::Link { state: word, detail: &words })?;
        }
        let news = lost && !self.lost;
        self.lost = lost;
        Ok(news.then(|| plain::line(&words)))
    }

    fn event(&mut self, event: Event) -> Result<Option<String>, Failure> {
        let words = match event {
            // The turn's own items say so too, in their place.
            Event::Delivered { .. } => return Ok(None),
            Event::SentAgain { message, .. } => {
                self.stage.line(Body::SentAgain { message_id: &message })?;
                "the prompt had not arrived; it was sent again".to_owned()
            }
            Event::GivenBack { message, .. } => {
                self.stage.line(Body::GivenBack { message_id: &message })?;
                "the prompt could not be delivered; it is yours to send again".to_owned()
            }
            Event::NotKnown { method, .. } => {
                self.stage.line(Body::NotKnown { method: &method })?;
                format!("whether {} was carried out is not known", plain::line(&method))
            }
            Event::Back { away, server } => {
                let (state, which) = match server {
                    Server::Same => ("same", "the same server"),
                    Server::Restarted => ("restarted", "a server that was restarted: what ran was interrupted"),
                    Server::Unknown => ("unknown", "its server"),
                };
                self.stage.line(Body::Back { away_ms: u64::try_from(away.as_millis()).unwrap_or(u64::MAX), server: state })?;
                format!("the link is back after {:.0} s, with {which}", away.as_secs_f64())
            }
            Event::ThreadGone { why, .. } => return Err(why),
        };
        Ok(Some(words))
    }
}
