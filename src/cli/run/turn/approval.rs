//! An approval on the screen: keys, or the answer that needs nobody.

use futures_util::StreamExt;

use super::{Followed, Happens, Part, Turn};
use crate::app_server::protocol::approval::Asked;
use crate::cli::notify::News as Notice;
use crate::cli::run::approve::{self, Approve, Key};
use crate::cli::run::events::Body;
use crate::cli::run::questions::Typed;
use crate::cli::run::signals::Wish;
use crate::cli::run::{forms, questions};
use crate::failure::{Code, Failure};
use crate::name::TurnId;
use crate::thread::News;
use crate::thread::event::{Approval, Decision, Event};

/// What happens while an approval is on the screen.
enum AtApproval {
    Key(Option<Key>),
    Other(Happens),
}

/// What came of asking a person for words.
enum Words<T> {
    Given(T),
    /// They are not wanted, or not any more; how following the turn ended with that, if it did.
    Over(Option<Followed>),
    /// The person is done with the words, not with the question.
    Back,
}

impl Turn<'_, '_> {
    pub(super) async fn approval(&mut self, approval: &Approval) -> Result<Option<Followed>, Failure> {
        let (approve, interactive) = (self.live.stage.approve, self.live.stage.screen.interactive);
        match approve {
            Approve::Ask if interactive => {}
            Approve::Ask if self.part == Part::Began => return self.without_asking(approval).await,
            Approve::Ask | Approve::Wait => return self.left_open(approval).await,
            Approve::Never | Approve::Always => return self.without_asking(approval).await,
        }
        let text = self.painter.pause();
        self.live.stage.screen.answer(&text)?;
        self.notify(Notice::Asked(&approve::short(approval))).await;
        match &approval.asked {
            Asked::Questions(asked) => {
                let screen = self.live.stage.screen.clone();
                let given = match self.words(approval, questions::ask(asked, &screen)).await? {
                    Words::Given(given) => given,
                    Words::Over(followed) => return Ok(followed),
                    Words::Back => return Ok(Some(Followed::Left)),
                };
                self.live.thread.reply(approval, &given).await?;
                self.live.stage.line(Body::Approval { decision: "answered", by: "person" })?;
                Ok(None)
            }
            Asked::Command(_) | Asked::FileChange(_) | Asked::Permissions(_) | Asked::Elicitation(_) => self.ask(approval).await,
        }
    }

    /// Asks for words until they are there, a person has enough, or somebody else has answered.
    async fn words<T>(
        &mut self,
        approval: &Approval,
        asking: impl Future<Output = Result<Typed<T>, Failure>>,
    ) -> Result<Words<T>, Failure> {
        let mut asking = Box::pin(asking);
        let before = self.live.witness.restarts();
        loop {
            let happened = tokio::select! {
                typed = &mut asking => match typed? {
                    Typed::Given(given) => return Ok(Words::Given(given)),
                    Typed::Interrupt => Happens::Wish(Wish::Interrupt),
                    Typed::Leave => Happens::Wish(Wish::Leave),
                    Typed::End => return Ok(Words::Back),
                },
                happened = self.happens() => happened,
            };
            match happened {
                Happens::Wish(wish) => {
                    drop(asking);
                    return self.obey(wish).await.map(Words::Over);
                }
                Happens::Link(happened) => drop(self.link(happened)?),
                Happens::News(None) => return Err(self.live.thread.why_ended()),
                Happens::News(Some(news)) => {
                    let over = over(&news, approval, &self.id);
                    self.held.push_back(news);
                    if let Some(over) = over {
                        drop(asking);
                        self.live.stage.screen.note(&format!("  {}", over.words(self.live.witness.restarts() > before)));
                        return Ok(Words::Over(None));
                    }
                }
            }
        }
    }

    /// Tells that it waits, and how it is answered from another terminal.
    async fn left_open(&mut self, approval: &Approval) -> Result<Option<Followed>, Failure> {
        let text = self.painter.pause();
        self.live.stage.screen.answer(&text)?;
        self.notify(Notice::Asked(&approve::short(approval))).await;
        let thread = format!("{}:{}", self.live.stage.host, self.live.thread.id());
        let way = approve::way(approval);
        let note = format!("{}\n  waits for another terminal: outpost thread {way} {thread}", approve::full(approval));
        self.live.stage.note(&note);
        Ok(None)
    }

    async fn without_asking(&mut self, approval: &Approval) -> Result<Option<Followed>, Failure> {
        let offered = approval.asked.decisions();
        let wants_words = approval.asked.wants_words();
        // A yes alone would not answer it: nobody is there who knows the words.
        let approve = if wants_words { Approve::Never } else { self.live.stage.approve };
        let Some(decision) = approve::without_asking(approve, &offered) else {
            return Err(Failure::new(Code::ServerRefused, "answer an approval request")
                .said("the server offers no decision of this kind")
                .hint("answer it on a terminal: `outpost run --approve ask`"));
        };
        self.live.thread.decide(approval, decision).await?;
        self.live.stage.line(Body::Approval { decision: decision.as_str(), by: "option" })?;
        let why = match (self.live.stage.approve, decision) {
            (Approve::Always, Decision::Accept | Decision::AcceptForSession) => "--approve always",
            (Approve::Never, _) => "--approve never",
            (Approve::Ask | Approve::Wait | Approve::Always, _) if wants_words => "it wants words, and nobody is there to ask",
            (Approve::Ask | Approve::Wait | Approve::Always, _) => "nobody is there to ask; --approve always would accept",
        };
        self.live.stage.note(&format!("{}\n  {} ({why})", approve::question(approval), approve::word(decision)));
        Ok(None)
    }

    async fn ask(&mut self, approval: &Approval) -> Result<Option<Followed>, Failure> {
        let offered = approval.asked.decisions();
        self.live.stage.screen.note(&format!("\n{}\n{}", approve::question(approval), approve::keys(&offered)));
        let mut keys = questions::RawKeys::begin()?;
        let before = self.live.witness.restarts();
        loop {
            let happened = tokio::select! {
                key = keys.stream.next() => AtApproval::Key(read(key, &offered)),
                other = self.happens() => AtApproval::Other(other),
            };
            match happened {
                AtApproval::Key(Some(Key::Decide(decision))) => {
                    drop(keys);
                    if let Words::Over(followed) = self.decide(approval, decision).await? {
                        return Ok(followed);
                    }
                    self.live.stage.screen.note(&approve::keys(&offered));
                    keys = questions::RawKeys::begin()?;
                }
                AtApproval::Key(Some(Key::More)) => {
                    drop(keys);
                    self.live.stage.screen.note(&format!(
                        "{}\n{}",
                        approve::more(approval, &self.painter),
                        approve::keys(&offered)
                    ));
                    keys = questions::RawKeys::begin()?;
                }
                AtApproval::Key(Some(Key::Leave)) | AtApproval::Other(Happens::Wish(Wish::Leave)) => {
                    return Ok(Some(Followed::Left));
                }
                AtApproval::Key(Some(Key::Interrupt)) | AtApproval::Other(Happens::Wish(Wish::Interrupt)) => {
                    drop(keys);
                    return self.obey(Wish::Interrupt).await;
                }
                AtApproval::Key(None) => {}
                AtApproval::Other(Happens::Link(happened)) => {
                    drop(keys);
                    self.link(happened)?;
                    keys = questions::RawKeys::begin()?;
                }
                AtApproval::Other(Happens::News(None)) => return Err(self.live.thread.why_ended()),
                AtApproval::Other(Happens::News(Some(news))) => {
                    let over = over(&news, approval, &self.id);
                    self.held.push_back(news);
                    if let Some(over) = over {
                        drop(keys);
                        self.live.stage.screen.note(&format!("  {}", over.words(self.live.witness.restarts() > before)));
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Answers it, unless the person leaves the form that goes with a yes.
    async fn decide(&mut self, approval: &Approval, decision: Decision) -> Result<Words<()>, Failure> {
        let fields = match (&approval.asked, decision) {
            (Asked::Elicitation(asked), Decision::Accept) => asked.fields(),
            _ => Vec::new(),
        };
        if fields.is_empty() {
            self.live.thread.decide(approval, decision).await?;
        } else {
            let screen = self.live.stage.screen.clone();
            let content = match self.words(approval, forms::ask(&fields, &screen)).await? {
                Words::Given(content) => content,
                Words::Over(followed) => return Ok(Words::Over(followed)),
                Words::Back => return Ok(Words::Back),
            };
            self.live.thread.fill(approval, content).await?;
        }
        self.live.stage.line(Body::Approval { decision: decision.as_str(), by: "person" })?;
        self.live.stage.screen.note(&format!("  {}", approve::word(decision)));
        Ok(Words::Over(None))
    }
}

/// The meaning of what the terminal sent; a terminal that is gone means to leave.
fn read(event: Option<std::io::Result<crossterm::event::Event>>, offered: &[Decision]) -> Option<Key> {
    match event {
        Some(Ok(crossterm::event::Event::Key(event))) => approve::key(event, offered),
        Some(Ok(_)) => None,
        Some(Err(_)) | None => Some(Key::Leave),
    }
}

/// Why an approval needs no answer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// Somebody answered it.
    Answered,
    /// Its turn has ended, and nobody did.
    Withdrawn,
}

impl Over {
    fn words(self, restarted: bool) -> &'static str {
        match self {
            // What goes with its server is settled too, by nobody.
            Self::Answered | Self::Withdrawn if restarted => "withdrawn: the server ended",
            Self::Answered => "answered elsewhere",
            Self::Withdrawn => "withdrawn: the turn has ended",
        }
    }
}

/// Whether it needs no answer any more.
fn over(news: &News, approval: &Approval, turn: &TurnId) -> Option<Over> {
    let resolved = Event::Resolved(approval.id.clone());
    let why = |event: &Event| {
        let ended = matches!(event, Event::TurnEnded(id, _) if id == turn);
        if *event == resolved { Some(Over::Answered) } else { ended.then_some(Over::Withdrawn) }
    };
    news.events.iter().find_map(why)
}
