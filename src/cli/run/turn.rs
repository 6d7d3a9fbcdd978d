//! One turn on the screen: follows it to its end, answers approvals, obeys Ctrl-C and Ctrl-\.

mod approval;
mod watch;

use std::collections::{HashSet, VecDeque};

use tokio::sync::broadcast;

use super::approve::Approve;
use super::events::{Body, Line};
use super::paint::Painter;
use super::signals::Wish;
use super::which::title;
use super::witness::{Fate, Happened, Witness};
use crate::cli::notify::{self, News as Notice};
use crate::cli::screen::Screen;
use crate::failure::Failure;
use crate::name::TurnId;
use crate::thread::event::{Event, TurnEnd};
use crate::thread::{News, Thread, View};

/// How following a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// The turn ended.
    Ended(TurnEnd),
    /// A person left; the turn goes on.
    Left,
}

/// What was seen of a turn.
pub struct Seen {
    /// How it ended for us.
    pub followed: Followed,
    /// The turn that it was in the end.
    pub turn: TurnId,
    /// The agent's last whole message.
    pub last_message: String,
    /// Whether a person pressed Ctrl-C here.
    pub pressed: bool,
}

impl Seen {
    /// Of a turn that was not shown.
    #[must_use]
    pub fn of(turn: TurnId, followed: Followed) -> Self {
        Self { followed, turn, last_message: String::new(), pressed: false }
    }
}

/// What this command has to do with a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// It began the turn: Ctrl-C stops it, and what nobody can be asked is declined.
    Began,
    /// It came to a turn of somebody else's: what nobody can be asked here waits for them.
    Joined,
    /// It only looks on: Ctrl-C leaves.
    Watches,
}

/// Where a turn is shown, and how its questions are answered.
pub struct Stage {
    /// The streams.
    pub screen: Screen,
    /// JSON lines instead of text.
    pub json: bool,
    /// What is done about approvals.
    pub approve: Approve,
    /// The host's name, for the lines.
    pub host: String,
    /// The place as it was asked for, for the lines; empty where a thread was named and not a folder.
    pub place: String,
    /// Whether a person who looks elsewhere is told.
    pub notify: bool,
}

impl Stage {
    /// Writes a line of JSON, if those are wanted.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&self, body: Body<'_>) -> Result<(), Failure> {
        if self.json { self.screen.json(&Line::new((&self.host, &self.place), body)) } else { Ok(()) }
    }

    /// Tells a person who looks elsewhere, if that is wanted: by the place, or by the thread where that was asked for.
    pub async fn notify(&self, thread: Option<&View>, news: Notice<'_>) {
        let place = if self.place.is_empty() { format!("{}:", self.host) } else { self.place.clone() };
        let of_thread = thread.filter(|_| place.ends_with(':')).map_or("", title).trim();
        if self.notify {
            notify::tell(&format!("{place}{of_thread}"), news).await;
        }
    }

    /// Tells a person something, unless JSON lines say it.
    pub fn note(&self, text: &str) {
        if !self.json {
            self.screen.note(text);
        }
    }
}

/// A thread that is worked with, and who listens meanwhile.
pub struct Live<'a> {
    /// Where it is shown.
    pub stage: &'a Stage,
    /// The thread.
    pub thread: Thread,
    /// What the person wants.
    pub wishes: broadcast::Receiver<Wish>,
    /// What happens to the connection.
    pub witness: Witness<'a>,
}

/// A turn that is followed.
pub struct Turn<'t, 'a> {
    live: &'t mut Live<'a>,
    id: TurnId,
    part: Part,
    /// The id our prompt was sent with: the person need not read it again.
    ours: String,
    /// The turn that began last: the one that a prompt which is taken in now is in.
    latest: Option<TurnId>,
    painter: Painter,
    /// What came while an approval was on the screen.
    held: VecDeque<News>,
    /// The items that were shown before it was followed.
    shown: HashSet<String>,
    interrupted: bool,
    /// The agent's last whole message.
    last_message: String,
}

/// What happens while a turn is followed.
enum Happens {
    News(Option<News>),
    Wish(Wish),
    Link(Happened),
}

impl<'t, 'a> Turn<'t, 'a> {
    /// Follows a turn that this command began, with a prompt that has this id or, for a review, without one.
    pub fn begun(live: &'t mut Live<'a>, id: TurnId, message_id: &str) -> Self {
        let painter = Painter::new(live.stage.screen.colour);
        let (held, shown) = (VecDeque::new(), HashSet::new());
        let (ours, last_message) = (message_id.to_owned(), String::new());
        Self { live, id, part: Part::Began, ours, latest: None, painter, held, shown, interrupted: false, last_message }
    }

    /// Follows a turn that somebody else began, of which this much was shown.
    pub fn joined(live: &'t mut Live<'a>, id: TurnId, (painter, shown): (Painter, HashSet<String>)) -> Self {
        Self { part: Part::Joined, painter, shown, ..Self::begun(live, id, "") }
    }

    /// As [`Self::joined`], only looking on.
    pub fn watched(live: &'t mut Live<'a>, id: TurnId, before: (Painter, HashSet<String>)) -> Self {
        Self { part: Part::Watches, ..Self::joined(live, id, before) }
    }

    /// The turn.
    #[must_use]
    pub fn id(&self) -> &TurnId {
        &self.id
    }

    /// Follows it until the server has taken our prompt in, showing nothing; an end that comes first is an end. None when the
    /// person leaves before.
    ///
    /// # Errors
    /// When the connection ends first.
    pub async fn until_delivered(mut self) -> Result<Option<Followed>, Failure> {
        loop {
            let followed = match self.happens().await {
                Happens::News(Some(news)) => self.delivered(news)?,
                Happens::News(None) => return Err(self.live.thread.why_ended()),
                Happens::Wish(_) => return Ok(None),
                Happens::Link(happened) => self.link(happened)?.or(self.is_seen()?),
            };
            if let Some(followed) = followed
                && !self.goes_on(&followed).await?
            {
                // That it was sent again may be known and not told yet.
                self.live.witness.last_words()?;
                return Ok(Some(followed));
            }
        }
    }

    /// What was found among the thread's items does not come as news again.
    fn is_seen(&self) -> Result<Option<Followed>, Failure> {
        if !self.live.witness.delivered(&self.ours) {
            return Ok(None);
        }
        self.live.stage.line(Body::Delivered { message_id: &self.ours })?;
        Ok(Some(Followed::Left))
    }

    fn delivered(&mut self, news: News) -> Result<Option<Followed>, Failure> {
        self.live.stage.line(Body::Codex { message: &news.raw })?;
        for event in news.events {
            self.learn(&event)?;
            // Releases before 0.138 repeat no id; in a turn that our prompt began the first prompt is ours.
            if matches!(&event, Event::Prompted { message_id, .. } if message_id.as_ref().is_none_or(|id| *id == self.ours)) {
                self.live.stage.line(Body::Delivered { message_id: &self.ours })?;
                return Ok(Some(Followed::Left));
            }
            if let Event::TurnEnded(id, end) = event
                && id == self.id
            {
                return Ok(Some(Followed::Ended(end)));
            }
        }
        Ok(None)
    }

    /// Which turn our prompt is in: another than was said, when it was sent again.
    fn learn(&mut self, event: &Event) -> Result<(), Failure> {
        if let Event::TurnStarted(id) = event {
            self.latest = Some(id.clone());
        }
        if matches!(event, Event::Prompted { message_id: Some(id), .. } if *id == self.ours) {
            self.live.witness.fate(&self.ours);
            if let Some(latest) = self.latest.take_if(|latest| *latest != self.id) {
                self.id = latest;
                self.live.stage.line(Body::Turn { turn: &self.id.0, message_id: &self.ours })?;
            }
        }
        Ok(())
    }

    /// Whether the end of the turn is not that of our prompt: its server died before it was taken in, and it was sent again.
    async fn goes_on(&mut self, followed: &Followed) -> Result<bool, Failure> {
        if !matches!(followed, Followed::Ended(_)) || self.interrupted {
            return Ok(false);
        }
        tokio::select! {
            told = self.live.witness.until_back() => told?,
            Ok(_) = self.live.wishes.recv() => {}
        }
        Ok(self.live.witness.fate(&self.ours) == Some(Fate::SentAgain))
    }

    /// Follows it to its end.
    ///
    /// # Errors
    /// When the connection is over for good, or our output cannot be written.
    pub async fn follow(mut self) -> Result<Seen, Failure> {
        loop {
            let followed = match self.held.pop_front() {
                Some(news) => self.show(news).await?,
                None => match self.happens().await {
                    Happens::News(Some(news)) => self.show(news).await?,
                    Happens::News(None) => return Err(self.live.thread.why_ended()),
                    Happens::Wish(wish) => self.obey(wish).await?,
                    Happens::Link(happened) => self.link(happened)?,
                },
            };
            if let Some(followed) = followed
                && !self.goes_on(&followed).await?
            {
                self.ended(&followed).await;
                let Self { id, last_message, interrupted, .. } = self;
                return Ok(Seen { followed, turn: id, last_message, pressed: interrupted });
            }
        }
    }

    async fn notify(&self, news: Notice<'_>) {
        self.live.stage.notify(Some(&self.live.thread.view), news).await;
    }

    /// Whoever pressed Ctrl-C is there and need not be told.
    async fn ended(&self, followed: &Followed) {
        if let (Followed::Ended(end), false) = (followed, self.interrupted) {
            self.notify(Notice::Ended(end, &self.last_message)).await;
        }
    }

    async fn happens(&mut self) -> Happens {
        tokio::select! {
            // What happened to the link comes before the news that it brought.
            biased;
            Ok(wish) = self.live.wishes.recv() => Happens::Wish(wish),
            happened = self.live.witness.next() => Happens::Link(happened),
            news = self.live.thread.next() => Happens::News(news),
        }
    }

    fn link(&mut self, happened: Happened) -> Result<Option<Followed>, Failure> {
        if let Some(words) = self.live.witness.tell(happened)? {
            let text = self.painter.pause();
            self.live.stage.screen.answer(&text)?;
            self.live.stage.note(&words);
        }
        let given_back = self.live.witness.given_back(&self.ours);
        Ok(given_back.then_some(Followed::Ended(TurnEnd::Interrupted)))
    }

    /// The first Ctrl-C stops the turn, the second does not wait for its end; whoever only looks on leaves.
    async fn obey(&mut self, wish: Wish) -> Result<Option<Followed>, Failure> {
        match wish {
            Wish::Interrupt if self.part == Part::Watches => {
                self.interrupted = true;
                Ok(Some(Followed::Left))
            }
            Wish::Leave => Ok(Some(Followed::Left)),
            Wish::Interrupt if self.interrupted => Ok(Some(Followed::Ended(TurnEnd::Interrupted))),
            Wish::Interrupt => {
                self.interrupted = true;
                self.live.stage.note("interrupting the turn (Ctrl-C again: do not wait for its end)");
                tokio::select! {
                    done = self.live.witness.during(self.live.thread.interrupt(&self.id)) => done??,
                    // With the link gone there is no end to wait for.
                    Ok(_) = self.live.wishes.recv() => return Ok(Some(Followed::Left)),
                }
                Ok(None)
            }
        }
    }

    async fn show(&mut self, news: News) -> Result<Option<Followed>, Failure> {
        if self.was_shown(&news.raw) {
            return Ok(None);
        }
        self.raw(&news.raw)?;
        for event in news.events {
            self.learn(&event)?;
            let ours = matches!(&event, Event::Prompted { message_id: Some(id), .. } if *id == self.ours);
            if !self.live.stage.json && !ours {
                let text = self.painter.paint(&event);
                self.live.stage.screen.answer(&text)?;
            }
            if let Some(followed) = self.handle(event).await? {
                return Ok(Some(followed));
            }
        }
        Ok(None)
    }

    async fn handle(&mut self, event: Event) -> Result<Option<Followed>, Failure> {
        match event {
            Event::Asked(approval) => return self.approval(&approval).await,
            Event::Prompted { message_id: Some(message_id), .. } => {
                self.live.stage.line(Body::Delivered { message_id: &message_id })?
            }
            Event::SaidAll { text, .. } | Event::Told(text) => self.last_message = text,
            Event::TurnEnded(id, end) if id == self.id => return Ok(Some(Followed::Ended(end))),
            Event::TurnEnded(..)
            | Event::Prompted { message_id: None, .. }
            | Event::TurnStarted(_)
            | Event::Said { .. }
            | Event::Thought { .. }
            | Event::Command { .. }
            | Event::Output { .. }
            | Event::Ran { .. }
            | Event::Changed { .. }
            | Event::Diff(_)
            | Event::Plan(_)
            | Event::Did(_)
            | Event::Resolved(_)
            | Event::Warning(_)
            | Event::Error { .. }
            | Event::Closed => {}
        }
        Ok(None)
    }
}
