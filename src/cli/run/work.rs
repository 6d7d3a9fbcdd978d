//! The turns of one thread: what runs there already, a prompt or a review, and prompts as long as a person has some.

use super::Run;
use super::events::Body;
use super::questions::{self, Above, Typed};
use super::turn::{Followed, Live, Turn};
use super::upload;
use crate::cli::plain;
use crate::cli::screen::BROKEN_PIPE;
use crate::failure::{Exit, Failure};
use crate::name::TurnId;
use crate::ssh::quote::if_needed;
use crate::thread::event::TurnEnd;
use crate::thread::{message_id, repository};

/// A thread that is worked with.
pub(super) struct Work<'a> {
    pub(super) run: &'a Run,
    pub(super) live: Live<'a>,
    pub(super) codex_home: String,
}

/// How one turn ended for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) exit: Exit,
    /// Whether the person left: there is no next prompt.
    left: bool,
}

impl Work<'_> {
    /// What runs already, then the prompt, or prompts as long as the person has some.
    pub(super) async fn all(&mut self, prompt: Option<&str>) -> Result<Done, Failure> {
        let caught_up = if self.run.takes_up() && !self.run.manner.detach { self.catch_up().await? } else { None };
        match (caught_up, prompt) {
            (Some(done), _) if done.left => Ok(done),
            (_, _) if self.run.review.is_some() => self.review().await,
            (_, Some(text)) => self.one(text).await,
            (caught_up, None) if self.live.stage.screen.interactive => self.conversation(caught_up).await,
            (caught_up, None) => Ok(caught_up.unwrap_or(Done { exit: Exit::Done, left: false })),
        }
    }

    /// Follows the turn that runs in a thread that was taken up, with the questions that wait there.
    async fn catch_up(&mut self) -> Result<Option<Done>, Failure> {
        let running = self.live.witness.unless_left(&mut self.live.wishes, self.live.thread.running()).await?;
        let Some(running) = running else { return self.unsent("", "").map(Some) };
        let Some(turn) = running? else { return Ok(None) };
        let followed = self.follow(turn, "").await?.0;
        self.ended(&followed).map(Some)
    }

    /// Sends one prompt and follows its turn.
    async fn one(&mut self, text: &str) -> Result<Done, Failure> {
        let mut prompt = self.run.thread.prompt(text.to_owned())?;
        let uploading = upload::upload(self.live.thread.peer(), &self.codex_home, &self.run.thread.image);
        let uploaded = self.live.witness.unless_left(&mut self.live.wishes, uploading).await?;
        let Some(uploaded) = uploaded else { return self.unsent(text, "") };
        let uploaded = uploaded?;
        prompt.images.clone_from(&uploaded.files);
        let id = message_id();
        // What is asked while there is no link waits here until all that was missed is told.
        let waits = self.live.witness.is_away()?;
        let asked = self.live.witness.unless_left(&mut self.live.wishes, self.live.thread.prompt(&prompt, &id)).await?;
        let turn = match asked {
            Some(turn) => turn?,
            None if waits && self.live.witness.is_away()? => return self.unsent(text, &id),
            None => return self.left_early("the prompt"),
        };
        self.live.stage.line(Body::Turn { turn: &turn.0, message_id: &id })?;
        if self.run.manner.detach {
            return match Turn::new(&mut self.live, turn).of_prompt(&id).until_delivered().await? {
                Some(followed) => self.detach(&followed),
                None => self.left_early("the prompt"),
            };
        }
        let (followed, last) = self.follow(turn, &id).await?;
        self.run.thread.keep(&last)?;
        if followed != Followed::Left {
            uploaded.remove(self.live.thread.peer()).await;
        }
        self.ended(&followed)
    }

    /// Begins a review and follows it.
    async fn review(&mut self) -> Result<Done, Failure> {
        let Some(target) = &self.run.review else { return Ok(Done { exit: Exit::Done, left: false }) };
        let turn = tokio::select! {
            turn = self.live.witness.during(self.live.thread.review(target)) => turn??,
            Ok(_) = self.live.wishes.recv() => return self.left_early("the review"),
        };
        self.live.stage.line(Body::Turn { turn: &turn.0, message_id: "" })?;
        if self.run.manner.detach {
            return self.detach(&Followed::Left);
        }
        let (followed, last) = self.follow(turn, "").await?;
        self.run.thread.keep(&last)?;
        self.ended(&followed)
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
        stage.line(Body::Ended { outcome: "left", why: "", resume: &resume })?;
        Ok(Done { exit: Exit::Interrupted, left: true })
    }

    /// Ctrl-C before the server has answered.
    fn left_early(&self, what: &str) -> Result<Done, Failure> {
        self.live.stage.note(&format!("left before {what} was answered: whether it arrived is not known"));
        self.ended(&Followed::Left).map(|done| Done { exit: Exit::Interrupted, ..done })
    }

    /// Follows a turn; a reader of our output that goes away has left, the turn has not ended.
    async fn follow(&mut self, turn: TurnId, message_id: &str) -> Result<(Followed, String), Failure> {
        let followed = Turn::new(&mut self.live, turn).of_prompt(message_id).follow().await;
        match followed {
            Err(failure) if failure.said == BROKEN_PIPE => Ok((Followed::Left, String::new())),
            followed => followed,
        }
    }

    fn detach(&self, followed: &Followed) -> Result<Done, Failure> {
        if *followed != Followed::Left {
            return self.ended(followed);
        }
        if !self.run.manner.json {
            self.live.stage.screen.line(self.live.thread.id().as_str())?;
        }
        self.ended(followed).map(|done| Done { exit: Exit::Done, ..done })
    }

    fn ended(&self, followed: &Followed) -> Result<Done, Failure> {
        let stage = self.live.stage;
        let resume = format!("outpost thread resume {}", if_needed(&format!("{}:{}", stage.host, self.live.thread.id())));
        let (outcome, why, exit) = match followed {
            Followed::Ended(TurnEnd::Completed) => ("completed", "", Exit::Done),
            Followed::Ended(TurnEnd::Interrupted) => ("interrupted", "", Exit::Failed),
            Followed::Ended(TurnEnd::Failed(why)) => ("failed", why.as_str(), Exit::Failed),
            Followed::Left => {
                stage.note(&plain::text(&format!("the turn goes on at {}; come back with\n  {resume}", stage.host)));
                ("left", "", Exit::Failed)
            }
        };
        match stage.line(Body::Ended { outcome, why, resume: &resume }) {
            Err(failure) if failure.said == BROKEN_PIPE => {}
            told => told?,
        }
        Ok(Done { exit, left: *followed == Followed::Left })
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
        let mut last = before.unwrap_or(Done { exit: Exit::Done, left: false });
        let mut prompts = Vec::new();
        loop {
            // A wish of the turn before is not one for the next.
            self.live.wishes = self.live.wishes.resubscribe();
            let Some(typed) = self.typed(&prompts).await? else { return Ok(last) };
            match typed {
                Typed::Line(text) if text.trim().is_empty() => {}
                Typed::Line(text) => {
                    // Since the last turn somebody may have taken the folder away.
                    let looking = repository::exists(self.live.thread.peer(), &self.live.thread.view.cwd);
                    last = match self.live.witness.unless_left(&mut self.live.wishes, looking).await? {
                        Some(exists) => {
                            exists?;
                            self.one(&text).await?
                        }
                        None => self.unsent(&text, "")?,
                    };
                    prompts.push(text);
                }
                Typed::Interrupt | Typed::End => return Ok(last),
            }
            if last.left {
                return Ok(last);
            }
        }
    }
}
