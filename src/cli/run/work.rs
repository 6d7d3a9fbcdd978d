//! The turns of one thread: what runs there already, a prompt or a review, and prompts as long as a person has some.

use std::collections::HashSet;

use serde_json::Value;

use super::Run;
use super::back::{Back, outcome};
use super::events::Body;
use super::files::Picture;
use super::paint::Painter;
use super::questions::{self, Above, Typed};
use super::turn::{Followed, Live, Seen, Turn};
use super::upload::Uploaded;
use crate::app_server::protocol::is_unknown_method;
use crate::cli::plain;
use crate::cli::screen::BROKEN_PIPE;
use crate::failure::{Code, Exit, Failure};
use crate::name::TurnId;
use crate::ssh::quote::if_needed;
use crate::thread::event::TurnEnd;
use crate::thread::{Prompt, message_id, repository};

/// A thread that is worked with.
pub(super) struct Work<'a> {
    pub(super) run: &'a Run,
    pub(super) live: Live<'a>,
    pub(super) codex_home: String,
    /// The pictures that wait for a prompt: the first takes them.
    pub(super) pictures: &'a [Picture],
    pub(super) schema: Option<&'a Value>,
}

/// How one turn ended for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) exit: Exit,
    /// Whether the person left: there is no next prompt.
    left: bool,
    /// Whether the person stopped it by Ctrl-C.
    stopped: bool,
}

impl Done {
    fn with(exit: Exit) -> Self {
        Self { exit, left: false, stopped: false }
    }
}

impl Work<'_> {
    /// What runs already, then the prompt, or prompts as long as the person has some.
    pub(super) async fn all(&mut self, prompt: Option<&str>) -> Result<Done, Failure> {
        let Some(running) = self.running().await? else { return self.unsent(prompt.unwrap_or_default(), "") };
        let wanted = prompt.is_some() || self.run.review.is_some();
        let caught_up = match running {
            Some(_) if self.run.manner.detach => return self.behind(prompt).await,
            Some(turn) => {
                let first = self.catch_up(turn).await?;
                if wanted { self.others(Some(first)).await? } else { Some(first) }
            }
            None => None,
        };
        match (caught_up, prompt) {
            // Whoever stops the turn before theirs wants to look first.
            (Some(done), _) if wanted && (done.left || done.stopped) => Ok(self.not_begun(done)),
            (Some(done), _) if done.left => Ok(done),
            (_, _) if self.run.review.is_some() => self.review().await,
            (_, Some(text)) => self.one(text).await,
            (caught_up, None) if self.live.stage.screen.interactive => self.conversation(caught_up).await,
            (caught_up, None) => Ok(caught_up.unwrap_or(Done::with(Exit::Done))),
        }
    }

    /// Follows what others let run or queued: a prompt would become a part of it and cut its words off. The end of the last of it.
    async fn others(&mut self, mut last: Option<Done>) -> Result<Option<Done>, Failure> {
        while last.is_none_or(|done| !done.left && !done.stopped) {
            let asked = self.live.witness.unless_left(&mut self.live.wishes, self.live.thread.next_turn()).await?;
            match asked.transpose()? {
                None => return Ok(Some(Done { left: true, ..Done::with(Exit::Interrupted) })),
                Some(None) => break,
                Some(Some(turn)) => last = Some(self.catch_up(turn).await?),
            }
        }
        Ok(last)
    }

    fn not_begun(&self, done: Done) -> Done {
        self.live.stage.note("what you asked for was not begun");
        Done { exit: Exit::Failed, ..done }
    }

    /// The turn that runs in a thread that was taken up; nothing when the person left before it was known.
    async fn running(&mut self) -> Result<Option<Option<TurnId>>, Failure> {
        if !self.run.takes_up() {
            return Ok(Some(None));
        }
        let asked = self.live.witness.unless_left(&mut self.live.wishes, self.live.thread.running()).await?;
        asked.transpose()
    }

    /// Follows the turn that runs in a thread that was taken up, with the questions that wait there.
    async fn catch_up(&mut self, turn: TurnId) -> Result<Done, Failure> {
        let Some(before) = self.last_turn().await? else { return self.unsent("", "") };
        let seen = followed(Turn::joined(&mut self.live, turn, before)).await?;
        self.ended(&seen)
    }

    /// Shows the last turn of a thread that was taken up as far as it is; a program has the messages alone. Nothing when the person
    /// left before it was known.
    async fn last_turn(&mut self) -> Result<Option<(Painter, HashSet<String>)>, Failure> {
        let stage = self.live.stage;
        let mut painter = Painter::new(stage.screen.colour);
        if stage.json {
            return Ok(Some((painter, HashSet::new())));
        }
        let asked = Back::last_turn(self.live.thread.peer(), self.live.thread.id());
        let Some(back) = self.live.witness.unless_left(&mut self.live.wishes, asked).await? else { return Ok(None) };
        let back = back?;
        stage.screen.answer(&back.paint(&mut painter))?;
        Ok(Some((painter, back.shown())))
    }

    /// Sends one prompt and follows its turn.
    async fn one(&mut self, text: &str) -> Result<Done, Failure> {
        let Some((prompt, uploaded)) = self.prompt(text).await? else { return self.unsent(text, "") };
        let id = message_id();
        // What is asked while there is no link waits here until all that was missed is told.
        let waits = self.live.witness.is_away()?;
        let asked = self.live.witness.unless_left(&mut self.live.wishes, self.live.thread.prompt(&prompt, &id)).await?;
        let turn = match asked {
            Some(turn) => turn.map_err(|failure| self.forgotten(failure, text, &id))?,
            None if waits && self.live.witness.is_away()? => return self.unsent(text, &id),
            None => return self.left_early("the prompt"),
        };
        self.live.stage.line(Body::Turn { turn: &turn.0, message_id: &id })?;
        if self.run.manner.detach {
            return match Turn::begun(&mut self.live, turn.clone(), &id).until_delivered().await? {
                Some(followed) => self.detach(&Seen::of(turn, followed)),
                None => self.left_early("the prompt"),
            };
        }
        let seen = followed(Turn::begun(&mut self.live, turn, &id)).await?;
        self.run.thread.keep(&seen.last_message)?;
        if let (Some(uploaded), true) = (uploaded, seen.followed != Followed::Left) {
            uploaded.remove(self.live.thread.peer()).await;
        }
        self.ended(&seen)
    }

    /// A prompt with its pictures, which are on the host by then; nothing when the person left before.
    async fn prompt(&mut self, text: &str) -> Result<Option<(Prompt, Option<Uploaded>)>, Failure> {
        let mut prompt = self.run.thread.prompt(text.to_owned(), self.schema);
        let pictures = std::mem::take(&mut self.pictures);
        if pictures.is_empty() {
            return Ok(Some((prompt, None)));
        }
        let mut uploaded = Uploaded::at(&self.codex_home)?;
        let peer = self.live.thread.peer();
        let done = self.live.witness.unless_left(&mut self.live.wishes, uploaded.upload(peer, pictures)).await?;
        let Some(Ok(())) = done else {
            // Without a link it would be waited for.
            if !self.live.witness.is_away()? {
                uploaded.remove(peer).await;
            }
            return done.transpose().map(|_| None);
        };
        prompt.images.clone_from(&uploaded.files);
        Ok(Some((prompt, Some(uploaded))))
    }

    /// Puts a prompt behind the turn that runs, which a new turn would end.
    async fn behind(&mut self, text: Option<&str>) -> Result<Done, Failure> {
        let runs = |said: &str| {
            Failure::new(Code::TurnRuns, "leave a prompt with the thread")
                .said(said)
                .hint("without --detach its end is waited for")
        };
        let Some(text) = text else { return Err(runs("a turn runs there, and a review would end it")) };
        if self.run.thread.effort.is_some() || self.schema.is_some() {
            return Err(runs("a turn runs there, and its queue takes no --effort and no --output-schema"));
        }
        let Some((prompt, _)) = self.prompt(text).await? else { return self.unsent(text, "") };
        let id = message_id();
        let queued = tokio::select! {
            queued = self.live.witness.during(self.live.thread.queue(&prompt, &id)) => queued?,
            Ok(_) = self.live.wishes.recv() => return self.left_early("the prompt"),
        };
        queued
            .map_err(|e| if is_unknown_method(&e.said) { runs("a turn runs there, and this codex has no queue") } else { e })?;
        self.live.stage.line(Body::Queued { message_id: &id })?;
        self.live.stage.note("a turn runs there: the prompt waits in the thread's queue for its end");
        self.detach(&Seen::of(TurnId(String::new()), Followed::Left))
    }

    /// Begins a review and follows it.
    async fn review(&mut self) -> Result<Done, Failure> {
        let Some(target) = &self.run.review else { return Ok(Done::with(Exit::Done)) };
        let turn = tokio::select! {
            turn = self.live.witness.during(self.live.thread.review(target)) => turn??,
            Ok(_) = self.live.wishes.recv() => return self.left_early("the review"),
        };
        self.live.stage.line(Body::Turn { turn: &turn.0, message_id: "" })?;
        if self.run.manner.detach {
            return self.detach(&Seen::of(turn, Followed::Left));
        }
        let seen = followed(Turn::begun(&mut self.live, turn, "")).await?;
        self.run.thread.keep(&seen.last_message)?;
        self.ended(&seen)
    }

    /// The person left before anything was sent: what they wrote is theirs again.
    fn unsent(&self, text: &str, id: &str) -> Result<Done, Failure> {
        let stage = self.live.stage;
        if text.is_empty() {
            stage.note("left; nothing was sent");
        } else {
            stage.line(Body::GivenBack { message_id: id, sent: false })?;
            stage.note(&format!("left before the prompt was sent; it is yours to send again:\n{}", plain::text(text)));
        }
        let resume = format!("outpost thread resume {}:{}", stage.host, self.live.thread.id());
        stage.line(Body::Ended { turn: "", outcome: "left", why: "", resume: &resume })?;
        Ok(Done { left: true, ..Done::with(Exit::Interrupted) })
    }

    /// A thread that had no prompt yet is forgotten by Codex when nobody is there for a minute: what the person wrote is theirs again.
    fn forgotten(&self, failure: Failure, text: &str, id: &str) -> Failure {
        if !failure.said.starts_with("thread not found") || self.run.takes_up() {
            return failure;
        }
        let stage = self.live.stage;
        // That it cannot be told is less than what is told.
        drop(stage.line(Body::GivenBack { message_id: id, sent: false }));
        stage.note(&format!("the prompt is yours to send again:\n{}", plain::text(text)));
        failure.hint("a thread without a prompt is forgotten when nobody is there for a minute: run it again; another client may also have put it away")
    }

    /// Ctrl-C before the server has answered.
    fn left_early(&self, what: &str) -> Result<Done, Failure> {
        self.live.stage.note(&format!("left before {what} was answered: whether it arrived is not known"));
        self.ended(&Seen::of(TurnId(String::new()), Followed::Left)).map(|done| Done { exit: Exit::Interrupted, ..done })
    }

    fn detach(&self, seen: &Seen) -> Result<Done, Failure> {
        if seen.followed != Followed::Left {
            return self.ended(seen);
        }
        if !self.run.manner.json {
            let id = if_needed(&format!("{}:{}", self.live.stage.host, self.live.thread.id()));
            self.live.stage.screen.line(&plain::line(&id))?;
        }
        self.ended(seen).map(|done| Done { exit: Exit::Done, ..done })
    }

    fn ended(&self, seen: &Seen) -> Result<Done, Failure> {
        let stage = self.live.stage;
        let resume = format!("outpost thread resume {}", if_needed(&format!("{}:{}", stage.host, self.live.thread.id())));
        let ((outcome, why), exit) = match &seen.followed {
            Followed::Ended(end) => (outcome(end), if *end == TurnEnd::Completed { Exit::Done } else { Exit::Failed }),
            Followed::Left => {
                stage.note(&plain::text(&format!("the turn goes on at {}; come back with\n  {resume}", stage.host)));
                (("left", ""), Exit::Failed)
            }
        };
        match stage.line(Body::Ended { turn: &seen.turn.0, outcome, why, resume: &resume }) {
            Err(failure) if failure.said == BROKEN_PIPE => {}
            told => told?,
        }
        Ok(Done { exit, left: seen.followed == Followed::Left, stopped: seen.pressed })
    }

    /// What the person types next, who is told meanwhile what happens to the link; none when they leave.
    async fn typed(&mut self, before: &[String]) -> Result<Option<Typed>, Failure> {
        let above = Above::default();
        let mut typing = std::pin::pin!(questions::line_after("\n› ", before, &above));
        loop {
            let happened = tokio::select! {
                typed = &mut typing => return typed.map(Some),
                Ok(_) = self.live.wishes.recv() => return Ok(None),
                happened = self.live.witness.next() => happened,
            };
            if let Some(words) = self.live.witness.tell(happened)? {
                above.note(&self.live.stage.screen, &words);
            }
        }
    }

    /// Asks for prompts until the person has none or leaves; the exit code is that of the last turn.
    async fn conversation(&mut self, before: Option<Done>) -> Result<Done, Failure> {
        // Ctrl-C where no turn was is an end of another kind than the last turn's.
        let mut last = before.unwrap_or(Done::with(Exit::Interrupted));
        if before.is_none() && self.run.takes_up() && self.last_turn().await?.is_none() {
            return self.unsent("", "");
        }
        let mut turns = before.is_some();
        let mut prompts = Vec::new();
        loop {
            // A wish of the turn before is not one for the next.
            self.live.wishes = self.live.wishes.resubscribe();
            let Some(typed) = self.typed(&prompts).await? else { return Ok(last) };
            match typed {
                Typed::Given(text) if text.trim().is_empty() => {}
                Typed::Given(text) => {
                    // Since the last turn somebody may have taken the folder away.
                    let (peer, thread) = (self.live.thread.peer(), &self.live.thread);
                    let looking = repository::exists(peer, thread.id(), &thread.view.cwd);
                    last = match self.live.witness.unless_left(&mut self.live.wishes, looking).await? {
                        Some(exists) => {
                            exists?;
                            // Before its first turn nobody else can have one there.
                            let others = if turns || self.run.takes_up() { self.others(None).await? } else { None };
                            turns = true;
                            match others {
                                Some(done) if done.left || done.stopped => self.not_begun(done),
                                _ => self.one(&text).await?,
                            }
                        }
                        None => self.unsent(&text, "")?,
                    };
                    prompts.push(text);
                }
                Typed::End if !turns => return Ok(Done::with(Exit::Done)),
                Typed::Interrupt | Typed::Leave | Typed::End => return Ok(last),
            }
            if last.left {
                return Ok(last);
            }
        }
    }
}

/// Follows a turn; a reader of our output that goes away has left, the turn has not ended.
async fn followed(turn: Turn<'_, '_>) -> Result<Seen, Failure> {
    let id = turn.id().clone();
    match turn.follow().await {
        Err(failure) if failure.said == BROKEN_PIPE => Ok(Seen::of(id, Followed::Left)),
        seen => seen,
    }
}
