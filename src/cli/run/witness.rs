//! Link, server and agent while a thread is worked with: told when they change, three states, never one.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::events::{Body, ms, server_word};
use super::signals::Wish;
use super::turn::Stage;
use crate::app_server::durable::event::{Event, Server};
use crate::app_server::durable::link::{Link, State};
use crate::app_server::durable::prompt_words;
use crate::cli::plain;
use crate::failure::{Code, Failure, Remedy};
use crate::project::Life;

/// How long a command whose turn is over waits to be told that the link is back: it comes once all that was missed has been told.
const BACK: Duration = Duration::from_secs(5);

/// Before a person is told again that a link is lost.
const TOLD_AGAIN: Duration = Duration::from_secs(8);

/// Watches the life of a connection and tells about it.
pub struct Witness<'a> {
    stage: &'a Stage,
    life: Life,
    told: Told,
    /// Whether a link was lost, and that it is back is still to be told.
    away: bool,
    /// Whether the last link led to another server than the one before it.
    restarted: bool,
    /// How often that was so.
    restarts: u32,
    /// Which prompts the server was seen to have.
    delivered: Option<String>,
    /// What became of a prompt that did not arrive, by the id it was sent with.
    fate: Option<(String, Fate)>,
}

/// What became of a prompt that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was sent again: another turn will have it.
    SentAgain,
    /// It is the person's again.
    GivenBack,
}

/// What a person was told of the link.
#[derive(Debug, Default)]
struct Told {
    /// Whether that it is lost was the last thing.
    lost: bool,
    /// How long it must have been lost before that is told again.
    patience: Duration,
    /// What stands in the way that a person can mend.
    why: Option<Code>,
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
        Self { stage, life, told: Told::default(), away: false, restarted: false, restarts: 0, delivered: None, fate: None }
    }

    /// The next thing that happens; never when the connection is over. Nothing is lost when this is dropped half way.
    pub async fn next(&mut self) -> Happened {
        tokio::select! {
            // That it is back comes after that it was lost.
            biased;
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

    /// As [`Self::during`], until the person wants to go: then none.
    ///
    /// # Errors
    /// What [`Self::tell`] says.
    pub async fn unless_left<T>(
        &mut self,
        wishes: &mut broadcast::Receiver<Wish>,
        answer: impl Future<Output = T>,
    ) -> Result<Option<T>, Failure> {
        tokio::select! {
            answer = self.during(answer) => answer.map(Some),
            Ok(_) = wishes.recv() => Ok(None),
        }
    }

    /// Whether there is no link, or not all that was missed has been told: what is asked now waits here. Tells what is known.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub fn is_away(&mut self) -> Result<bool, Failure> {
        while let Some(happened) = self.next().now_or_never() {
            if let Some(words) = self.tell(happened)? {
                self.stage.note(&words);
            }
        }
        Ok(self.away)
    }

    /// How many times so far a link led to another server than the one before it.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Whether the server was seen to have a prompt.
    #[must_use]
    pub fn delivered(&self, message_id: &str) -> bool {
        self.delivered.as_deref() == Some(message_id)
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

    /// The turn is over: that the link is back, which may come a moment after what was missed, is told before the command ends.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub async fn until_back(&mut self) -> Result<(), Failure> {
        // What was told before the end is there already, even if nobody saw that the link was away.
        let (now, until) = (Instant::now(), Instant::now() + BACK);
        while let Ok(happened) = tokio::time::timeout_at(if self.away { until } else { now }, self.next()).await {
            if let Some(words) = self.tell(happened)? {
                self.stage.note(&words);
            }
        }
        Ok(())
    }

    /// What became of a prompt that did not arrive, once.
    pub fn fate(&mut self, message_id: &str) -> Option<Fate> {
        self.fate.take_if(|(id, _)| id == message_id).map(|(_, fate)| fate)
    }

    /// Whether a prompt did not arrive, and will not.
    #[must_use]
    pub fn given_back(&self, message_id: &str) -> bool {
        self.fate.as_ref().is_some_and(|(id, fate)| id == message_id && *fate == Fate::GivenBack)
    }

    /// Before somebody leaves, or when the connection is over: what it still had to tell, what became of prompts above all.
    ///
    /// # Errors
    /// As [`Self::tell`].
    pub fn last_words(&mut self) -> Result<(), Failure> {
        while let Ok(event) = self.life.events.try_recv() {
            if let Ok(Some(words)) = self.event(event) {
                self.stage.note(&words);
            }
        }
        Ok(())
    }

    fn state(&mut self, state: &State) -> Result<Option<String>, Failure> {
        let now = Instant::now();
        let words = state.words(now);
        let (lost, why) = match &state.link {
            Link::Up => (None, None),
            Link::Lost { since, again, why } => (Some((now.saturating_duration_since(*since), *again)), Some(why.code)),
            Link::Ended(_) => (Some((Duration::ZERO, None)), None),
        };
        self.away = match &state.link {
            Link::Up => self.away,
            Link::Lost { .. } => true,
            Link::Ended(_) => false,
        };
        let restarted = state.link == Link::Up && state.server == Server::Restarted;
        self.restarts += u32::from(restarted && !self.restarted);
        self.restarted = restarted;
        if lost.is_some() || self.told.lost {
            self.stage.line(Body::link(state, &words, now))?;
        }
        let news = self.told.is_news(lost, why.filter(|code| code.remedy() == Remedy::Person));
        Ok(news.then(|| plain::line(&words)))
    }

    /// The link went and came back before anybody looked: a program is told both all the same.
    fn was_away(&self, away: Duration) -> Result<(), Failure> {
        let now = Instant::now();
        let is = self.life.state.borrow().clone();
        let since = now.checked_sub(away).unwrap_or(now);
        let lost = Link::Lost { since, again: None, why: Failure::new(Code::LinkLost, "use the connection") };
        for state in [State { link: lost, server: Server::Unknown, ..is.clone() }, State { link: Link::Up, ..is }] {
            self.stage.line(Body::link(&state, &state.words(now), now))?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<Option<String>, Failure> {
        let words = match event {
            // The turn's own items say so too, in their place, unless they were seen before.
            Event::Delivered { message, .. } => {
                self.delivered = Some(message);
                return Ok(None);
            }
            Event::SentAgain { message, .. } => {
                self.stage.line(Body::SentAgain { message_id: &message })?;
                self.fate = Some((message, Fate::SentAgain));
                "the prompt had not arrived; it was sent again".to_owned()
            }
            Event::GivenBack { message, params, sent, .. } => {
                self.stage.line(Body::GivenBack { message_id: &message, sent })?;
                // One that was on its way is given back when the connection ends, which is told by itself.
                self.fate = (!sent).then_some((message, Fate::GivenBack));
                given_back(&prompt_words(&params), sent)
            }
            Event::NotKnown { method, .. } => {
                self.stage.line(Body::NotKnown { method: &method })?;
                format!("whether {} was carried out is not known", plain::line(&method))
            }
            Event::Back { away, server } => {
                if !std::mem::take(&mut self.away) {
                    self.was_away(away)?;
                }
                let state = server_word(server);
                let which = match server {
                    Server::Same => "the same server",
                    Server::Restarted => "a server that was restarted: what ran was interrupted",
                    Server::Unknown => "its server",
                };
                self.stage.line(Body::Back { away_ms: ms(away), server: state })?;
                format!("the link is back after {:.0} s, with {which}", away.as_secs_f64())
            }
            Event::ThreadGone { why, .. } => return Err(why),
        };
        Ok(Some(words))
    }
}

impl Told {
    /// A loss, and then when it lasts twice as long as at the time before, so that a night is a dozen lines, or when a person
    /// can mend something. `lost` is how long ago that was, and when it is dialled again.
    fn is_news(&mut self, lost: Option<(Duration, Option<Instant>)>, why: Option<Code>) -> bool {
        let Some((ago, again)) = lost else {
            *self = Self::default();
            return false;
        };
        let mends = again.is_some() && why.is_some() && why != self.why;
        let news = !self.lost || mends || again.is_some() && ago >= self.patience;
        if mends {
            self.why = why;
        }
        if news {
            self.patience = (2 * ago).max(TOLD_AGAIN);
        }
        self.lost = true;
        news
    }
}

/// What a person is told of a prompt, by its words; one that was sent may have arrived.
#[must_use]
pub fn given_back(words: &str, sent: bool) -> String {
    let what = if sent { "was sent, and may not have arrived" } else { "could not be delivered" };
    format!("the prompt {what}; it is yours to send again:\n{}", plain::text(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_server::durable::event::Agent;
    use crate::cli::run::approve::Approve;

    #[test]
    fn a_prompt_that_is_given_back_is_there_to_be_copied() {
        let screen = crate::cli::screen::Screen::of_process();
        let stage =
            Stage { screen, json: false, approve: Approve::Never, host: "devbox".into(), place: String::new(), notify: false };
        let state = State { link: Link::Up, server: Server::Same, agent: Agent::Idle };
        let life = Life { state: tokio::sync::watch::channel(state).1, events: tokio::sync::mpsc::channel(1).1 };
        let params = serde_json::json!({"input": [{"type": "text", "text": "mend the tests\u{1b}[2J\nand run them"}]});
        let given = Event::GivenBack { thread: "t".into(), message: "c".into(), params, sent: false };
        let words = Witness::new(&stage, life).tell(Happened::Event(given)).expect("told").expect("words");
        insta::assert_snapshot!(words, @r"
        the prompt could not be delivered; it is yours to send again:
        mend the tests␛[2J
        and run them
        ");
    }

    #[test]
    fn a_night_without_a_link_is_a_dozen_lines() {
        let mut told = Told::default();
        let mut at = Vec::new();
        for ago in (0..12 * 3600).step_by(30) {
            // Each dial fails after 10 s, and then the next one is named.
            for (seconds, again) in [(ago, true), (ago + 20, false)] {
                if told.is_news(Some((Duration::from_secs(seconds), again.then(Instant::now))), None) {
                    at.push(seconds);
                }
            }
        }
        assert_eq!(at, [0, 30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, 30_720]);
        assert!(!told.is_news(None, None));
        let mut is_news = |ago, why| told.is_news(Some((Duration::from_secs(ago), Some(Instant::now()))), why);
        assert!(is_news(0, None), "the next one is told at once");
        assert!(is_news(1, Some(Code::CodexMissing)), "and what a person can mend");
        assert!(!is_news(2, Some(Code::CodexMissing)), "once");
    }

    /// A program reads that the link is lost before it reads that it is back, however short that was.
    #[tokio::test]
    async fn a_link_that_came_back_before_anybody_looked_was_lost_first() {
        let (screen, out, _) = crate::cli::screen::Screen::captured();
        let stage =
            Stage { screen, json: true, approve: Approve::Never, host: "devbox".into(), place: String::new(), notify: false };
        let up = State { link: Link::Up, server: Server::Same, agent: Agent::Working };
        let lost = Link::Lost { since: Instant::now(), again: None, why: Failure::new(Code::LinkLost, "use the connection") };
        let ((state, watched), (sender, events)) = (tokio::sync::watch::channel(up.clone()), tokio::sync::mpsc::channel(1));
        let mut witness = Witness::new(&stage, Life { state: watched, events });
        state.send_replace(State { link: lost, ..up.clone() });
        state.send_replace(up);
        sender.send(Event::Back { away: Duration::from_millis(300), server: Server::Same }).await.expect("room");
        assert!(!witness.is_away().expect("told"));
        let told = String::from_utf8(out.lock().expect("whole").clone()).expect("text");
        let lines: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let kinds: Vec<(&str, &str)> =
            lines.iter().map(|l| (l["type"].as_str().unwrap_or(""), l["state"].as_str().unwrap_or(""))).collect();
        assert_eq!(kinds, [("link", "lost"), ("link", "up"), ("back", "")], "{told}");
    }

    /// The end of a turn that was missed is told before it is told that the link is back.
    #[tokio::test(start_paused = true)]
    async fn that_the_link_is_back_is_told_before_the_end() {
        let state = |link| State { link, server: Server::Same, agent: Agent::Working };
        let lost = Link::Lost { since: Instant::now(), again: None, why: Failure::new(Code::LinkLost, "use the connection") };
        for comes in [true, false] {
            let (screen, out, _) = crate::cli::screen::Screen::captured();
            let stage =
                Stage { screen, json: true, approve: Approve::Never, host: "devbox".into(), place: String::new(), notify: false };
            let (sender, events) = tokio::sync::mpsc::channel(1);
            let mut witness = Witness::new(&stage, Life { state: tokio::sync::watch::channel(state(Link::Up)).1, events });
            witness.until_back().await.expect("nothing to wait for");
            witness.tell(Happened::State(state(lost.clone()))).expect("told");
            witness.tell(Happened::State(state(Link::Up))).expect("told");
            let _later = tokio::spawn(async move {
                tokio::task::yield_now().await;
                let back = Event::Back { away: Duration::from_secs(1), server: Server::Same };
                if comes {
                    sender.send(back).await
                } else {
                    sender.closed().await;
                    Ok(())
                }
            });
            witness.until_back().await.expect("told");
            let told = String::from_utf8(out.lock().expect("whole").clone()).expect("text");
            assert_eq!(told.contains("\"type\":\"back\""), comes, "{told}");
        }
    }
}
