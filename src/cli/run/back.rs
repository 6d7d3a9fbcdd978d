//! A conversation read back: its items, and how its turns ended.

use std::collections::{HashMap, HashSet};

use super::events::Body;
use super::paint::Painter;
use super::turn::Stage;
use crate::app_server::protocol::thread::TurnStatus;
use crate::failure::Failure;
use crate::name::{ThreadId, TurnId};
use crate::rpc::peer::Peer;
use crate::thread::catalog::{self, Entry};
use crate::thread::event::{Event, TurnEnd};
use crate::thread::reader::{Reader, turn_end};

/// What was read back of a thread.
#[derive(Debug)]
pub struct Back {
    thread: ThreadId,
    entries: Vec<Entry>,
    ends: HashMap<TurnId, TurnEnd>,
}

impl Back {
    /// All of it.
    ///
    /// # Errors
    /// As [`catalog::items`].
    pub async fn all(peer: &Peer, thread: &ThreadId) -> Result<Self, Failure> {
        let entries = catalog::items(peer, thread, None).await?;
        Ok(Self { thread: thread.clone(), entries, ends: ends(peer, thread).await? })
    }

    /// Its last turn; empty where there is none.
    ///
    /// # Errors
    /// As [`catalog::items`].
    pub async fn last_turn(peer: &Peer, thread: &ThreadId) -> Result<Self, Failure> {
        let last = catalog::turns(peer, thread, 1).await?.pop();
        let entries = match &last {
            Some(last) => catalog::items(peer, thread, Some(&last.id)).await?,
            None => Vec::new(),
        };
        let over = last.filter(|turn| turn.status != TurnStatus::InProgress).map(|turn| (turn.id.clone(), turn_end(&turn)));
        Ok(Self { thread: thread.clone(), entries, ends: over.into_iter().collect() })
    }

    /// The items that were over when they were read.
    #[must_use]
    pub fn shown(&self) -> HashSet<String> {
        let over = |entry: &Entry| Some(entry.view()).filter(|item| !item.runs())?.id().map(str::to_owned);
        self.entries.iter().filter_map(over).collect()
    }

    /// As a person reads it.
    pub fn paint(&self, painter: &mut Painter) -> String {
        let mut reader = Reader::new(self.thread.clone());
        let mut text = String::new();
        self.each(|entry, end| {
            let events = reader.whole(entry.view()).into_iter();
            let end = end.map(|end| Event::TurnEnded(entry.turn_id.clone(), end.clone()));
            events.chain(end).for_each(|event| text.push_str(&painter.paint(&event)));
            Ok(())
        })
        .unwrap_or_default();
        text + &painter.pause()
    }

    /// As a program reads it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn lines(&self, stage: &Stage) -> Result<(), Failure> {
        let resume = format!("outpost thread resume {}:{}", stage.host, self.thread);
        self.each(|entry, end| {
            let turn = &entry.turn_id.0;
            stage.line(Body::Item { turn, item: &entry.item })?;
            end.map_or(Ok(()), |end| {
                let (outcome, why) = outcome(end);
                stage.line(Body::Ended { turn, outcome, why, resume: &resume })
            })
        })
    }

    /// Each item, the last one of a turn that is over with its end.
    fn each(&self, mut tell: impl FnMut(&Entry, Option<&TurnEnd>) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut rest = self.entries.iter().peekable();
        while let Some(entry) = rest.next() {
            let last = rest.peek().is_none_or(|next| next.turn_id != entry.turn_id);
            tell(entry, self.ends.get(&entry.turn_id).filter(|_| last))?;
        }
        Ok(())
    }
}

/// How the turns ended. The server (0.169) lists one that died with its predecessor as in progress: only the last can be.
async fn ends(peer: &Peer, thread: &ThreadId) -> Result<HashMap<TurnId, TurnEnd>, Failure> {
    let newest_first = catalog::turns(peer, thread, usize::MAX).await?;
    let ends = newest_first.into_iter().enumerate().filter_map(|(number, turn)| match (turn.status, number) {
        (TurnStatus::InProgress, 0) => None,
        (TurnStatus::InProgress, _) => Some((turn.id, TurnEnd::Interrupted)),
        (_, _) => Some((turn.id.clone(), turn_end(&turn))),
    });
    Ok(ends.collect())
}

/// How a turn ended, and why, in the words of `--json`.
#[must_use]
pub fn outcome(end: &TurnEnd) -> (&'static str, &str) {
    match end {
        TurnEnd::Completed => ("completed", ""),
        TurnEnd::Interrupted => ("interrupted", ""),
        TurnEnd::Failed(why) => ("failed", why),
    }
}
