//! Asks the server about one thread after a cut: resume it, list its turns, list their items. One question at a time,
//! because each answer must be younger than the one before it.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::replay::{Harvest, Listed};
use super::say;
use super::track::Track;
use crate::rpc::message::{Message, OVERLOADED, RpcError};

/// Turns a page; mostly the first holds what the client knows.
const TURNS: usize = 20;
/// Items a page: small enough for one message, as items can be large.
const ITEMS: usize = 50;
/// Pages asked for at most: a server that never ends its list must not hold the client for ever.
const PAGES: usize = 2_000;
/// The pause before an overloaded server, or one that has not stored a thread yet, is asked again.
pub const AGAIN: Duration = Duration::from_millis(300);
/// How often such a question is repeated.
pub const TRIES: u32 = 20;

/// How often a thread is asked for that the server may still be storing: 3 s in all.
pub const STORING_TRIES: u32 = 5;

/// How often a thread is asked for that another process has open: 14 s in all. After a server was killed its successor may find the
/// thread with one that is still going down, or that another client started beside it and that is about to give way.
const HELD_TRIES: u32 = 10;

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Ask this.
    Ask(&'static str, Value),
    /// Ask the same again after a pause.
    Later(Duration),
    /// The server will not have this thread resumed.
    Refused(RpcError),
    /// All is known.
    Done(Box<Harvest>),
}

#[derive(Debug)]
enum Stage {
    Resume,
    Turns {
        cursor: Value,
    },
    Items {
        turn: usize,
        cursor: Value,
    },
    /// For releases that cannot list: the thread as a whole. `thread/resume` gives of a running turn all that is finished;
    /// `thread/read` leaves the commands out.
    Whole,
    /// The server puts open requests again some time after the answer to `thread/resume`, but before that to the next one: a
    /// thread's resumes are worked off one after the other. (Under load other answers overtake the requests.)
    Barrier,
    /// Where a turn has ended unseen, the commands that go on behind the end of theirs.
    Terminals {
        cursor: Value,
    },
}

/// The state of the asking.
#[derive(Debug)]
pub struct CatchUp {
    thread: String,
    stage: Stage,
    harvest: Harvest,
    pages: usize,
    tries: u32,
    /// Whether a thread that is not stored yet is worth waiting for.
    patient: bool,
    /// Whether all older turns are none of the client's.
    passed: bool,
    /// Whether a turn that the client knows was listed.
    met: bool,
    /// Whether it was asked for.
    pub begun: bool,
    /// Notifications that came meanwhile; they are younger than all that is asked for.
    pub held: Vec<Message>,
}

impl CatchUp {
    /// Begins.
    #[must_use]
    pub fn new(thread: &str) -> Self {
        Self {
            thread: thread.to_owned(),
            stage: Stage::Resume,
            harvest: Harvest::default(),
            pages: 0,
            tries: 0,
            patient: false,
            passed: false,
            met: false,
            begun: false,
            held: Vec::new(),
        }
    }

    /// Begins for a thread that was just given its first prompt, and that the server may still be storing.
    #[must_use]
    pub fn patient(thread: &str) -> Self {
        Self { patient: true, ..Self::new(thread) }
    }

    /// Goes on with the count of another, whose link went: short links shall not make it ask for ever.
    #[must_use]
    pub fn after(self, refusals: u32) -> Self {
        Self { tries: refusals, ..self }
    }

    /// How often in a row it was refused.
    #[must_use]
    pub fn refusals(&self) -> u32 {
        self.tries
    }

    /// The question that stands now.
    #[must_use]
    pub fn question(&self) -> Step {
        let thread = &self.thread;
        match &self.stage {
            Stage::Resume | Stage::Barrier => Step::Ask("thread/resume", json!({"threadId": thread, "excludeTurns": true})),
            Stage::Turns { cursor } => Step::Ask(
                "thread/turns/list",
                json!({"threadId": thread, "cursor": cursor, "limit": TURNS, "sortDirection": "desc", "itemsView": "notLoaded"}),
            ),
            Stage::Items { turn, cursor } => {
                let turn = self.harvest.turns.get(*turn).and_then(|t| t.get("id"));
                let params =
                    json!({"threadId": thread, "turnId": turn, "cursor": cursor, "limit": ITEMS, "sortDirection": "asc"});
                Step::Ask("thread/items/list", params)
            }
            Stage::Terminals { cursor } => {
                Step::Ask("thread/backgroundTerminals/list", json!({"threadId": thread, "cursor": cursor}))
            }
            Stage::Whole => Step::Ask("thread/resume", json!({"threadId": thread})),
        }
    }

    /// Takes the answer; the track says where the client's knowledge ends.
    pub fn answer(&mut self, result: Result<Value, RpcError>, track: &Track) -> Step {
        self.pages += 1;
        let taken = match result {
            Ok(value) => self.take(&value, track),
            Err(e) => return self.refused(e, track),
        };
        self.tries = 0;
        if taken || self.pages > PAGES { self.done() } else { self.question() }
    }

    fn done(&mut self) -> Step {
        Step::Done(Box::new(std::mem::take(&mut self.harvest)))
    }

    fn refused(&mut self, error: RpcError, track: &Track) -> Step {
        self.tries += 1;
        let storing = half_stored(&error) || unprompted(&error) && (self.patient || track.working());
        let most = match () {
            () if error.code == OVERLOADED => TRIES,
            () if held_elsewhere(&error) => HELD_TRIES,
            () if storing => STORING_TRIES,
            () => 0,
        };
        if self.tries < most {
            return Step::Later(AGAIN * self.tries.min(8));
        }
        match self.stage {
            Stage::Resume | Stage::Whole => Step::Refused(error),
            Stage::Barrier | Stage::Terminals { .. } => self.done(),
            Stage::Turns { .. } | Stage::Items { .. } => {
                self.harvest.turns.clear();
                self.harvest.items.clear();
                (self.passed, self.met, self.harvest.boundary) = (false, false, None);
                self.stage = Stage::Whole;
                self.question()
            }
        }
    }

    /// Takes one page; true when it was the last.
    fn take(&mut self, value: &Value, track: &Track) -> bool {
        let cursor = value.get("nextCursor").cloned().unwrap_or_default();
        match self.stage {
            Stage::Resume => {
                self.harvest.status = value.get("thread").and_then(|t| t.get("status")).cloned();
                self.stage = Stage::Turns { cursor: Value::Null };
                false
            }
            Stage::Turns { .. } => {
                let end = self.take_turns(list(value, "data"), track);
                let stage = if end || cursor.is_null() { self.first_items(track) } else { Stage::Turns { cursor } };
                self.stage = stage;
                self.finished(track)
            }
            Stage::Items { turn, .. } => {
                self.take_items(turn, list(value, "data"));
                self.stage = Stage::Items { turn: if cursor.is_null() { turn + 1 } else { turn }, cursor };
                self.finished(track)
            }
            Stage::Whole => {
                // It was resumed for this answer, too: what is open has been put.
                self.take_whole(value, track);
                true
            }
            Stage::Barrier => self.nothing_in_doubt(track),
            Stage::Terminals { .. } => {
                let ids = list(value, "data").iter().filter_map(|t| say::text(t, &["itemId"]).map(str::to_owned));
                self.harvest.terminals.extend(ids);
                self.stage = Stage::Terminals { cursor: cursor.clone() };
                cursor.is_null()
            }
        }
    }

    /// Whether all is listed, and nothing can be open.
    fn finished(&mut self, track: &Track) -> bool {
        let listed = matches!(self.stage, Stage::Items { turn, .. } if turn >= self.harvest.turns.len());
        let idle = self.harvest.status.as_ref().and_then(|s| say::text(s, &["type"])) == Some("idle");
        if listed && !idle {
            self.stage = Stage::Barrier;
        }
        listed && idle && self.nothing_in_doubt(track)
    }

    /// Whether no turn has ended unseen; else the next question is what goes on behind its end.
    fn nothing_in_doubt(&mut self, track: &Track) -> bool {
        let mut over = self.harvest.turns.iter().filter(|t| !say::runs(t)).filter_map(|t| say::text(t, &["id"]));
        let ended = over.any(|turn| !track.settled(turn));
        if ended {
            self.stage = Stage::Terminals { cursor: Value::Null };
        }
        !ended
    }

    fn first_items(&mut self, track: &Track) -> Stage {
        self.only_what_is_new(track);
        self.harvest.turns.reverse();
        say::end_the_dead(&mut self.harvest.turns);
        Stage::Items { turn: 0, cursor: Value::Null }
    }

    /// Takes turns, newest first; true when the client knows all that is older.
    fn take_turns(&mut self, turns: &[Value], track: &Track) -> bool {
        for turn in turns {
            self.met |= track.tells_of(turn);
            if self.passed || track.reaches(turn) {
                self.harvest.boundary = Some(turn.clone());
                return true;
            }
            if track.wants(turn) {
                self.harvest.turns.push(turn.clone());
            }
            self.passed |= track.begins_with(turn);
        }
        turns.is_empty()
    }

    /// Where all turns that the client knows were rolled back, what is left is older, unless it runs.
    fn only_what_is_new(&mut self, track: &Track) {
        if track.has_turns() && !self.met {
            self.harvest.turns.retain(|turn| say::runs(turn) || track.awaits(turn));
        }
    }

    fn take_items(&mut self, turn: usize, entries: &[Value]) {
        let wanted = self.harvest.turns.get(turn).and_then(|t| say::text(t, &["id"])).map(str::to_owned);
        for entry in entries {
            // A server that does not know the filter lists all turns.
            let Some(turn) = say::text(entry, &["turnId"]).filter(|t| Some(*t) == wanted.as_deref()) else { continue };
            let item = entry.get("item").cloned().unwrap_or_default();
            let began = entry.get("startedAtMs").cloned().unwrap_or_default();
            self.harvest.items.push(Listed { turn: turn.to_owned(), item, began });
        }
    }

    fn take_whole(&mut self, value: &Value, track: &Track) {
        self.harvest.whole = true;
        self.harvest.status = value.get("thread").and_then(|t| t.get("status")).cloned();
        self.drop_what_it_holds();
        let turns = value.get("thread").map(|t| list(t, "turns")).unwrap_or_default();
        let newest_first: Vec<Value> = turns.iter().rev().cloned().collect();
        self.take_turns(&newest_first, track);
        self.only_what_is_new(track);
        self.harvest.turns.reverse();
        say::end_the_dead(&mut self.harvest.turns);
        for turn in &self.harvest.turns {
            let id = say::text(turn, &["id"]).unwrap_or_default();
            let listed = |item: &Value| Listed { turn: id.to_owned(), item: item.clone(), began: Value::Null };
            self.harvest.items.extend(list(turn, "items").iter().map(listed));
        }
    }

    /// What was finished since the thread was first resumed is in the whole, maybe under another id. (What has a status has its
    /// own id, and may have been declined: that is nowhere else.)
    fn drop_what_it_holds(&mut self) {
        let completed = self.held.iter().filter(|m| m.method() == Some("item/completed")).filter_map(Message::params);
        let finished = completed.filter(|p| say::text(p, &["item", "status"]).is_none());
        let finished: HashSet<String> = finished.filter_map(say::item_of).map(str::to_owned).collect();
        self.held.retain(|m| m.params().and_then(say::item_of).is_none_or(|id| !finished.contains(id)));
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether a refusal means that the server (0.169) is storing the thread for the first time: its file is there and still empty, or
/// its entry in the database is not there yet. Resuming, listing and reading then fail alike.
fn half_stored(error: &RpcError) -> bool {
    empty(error) || error.message.contains("failed to read session metadata") && error.message.ends_with(" is empty")
}

/// Whether a refusal means that another process of the host writes to the thread.
pub fn held_elsewhere(error: &RpcError) -> bool {
    error.message.contains("active writer")
}

/// Whether a refusal means that the thread's file holds no turn: for a moment while it is stored for the first time, and as long as it
/// has no prompt if it was read before (0.169: a `thread/read` makes the file).
pub fn empty(error: &RpcError) -> bool {
    error.message.contains("list_turns is not supported yet")
}

/// Whether a refusal means nothing but that the same may be asked again later.
pub fn passes(error: &RpcError) -> bool {
    error.code == OVERLOADED || half_stored(error)
}

/// Whether a refusal means that the server has nothing of the thread.
pub fn absent(error: &RpcError) -> bool {
    let words = ["not materialized", "thread not found", "thread not loaded"];
    unprompted(error) || words.iter().any(|words| error.message.contains(words))
}

/// Whether a refusal of `thread/resume` means that the thread has no prompt yet.
#[must_use]
pub fn unprompted(error: &RpcError) -> bool {
    error.message.contains("no rollout found")
}
