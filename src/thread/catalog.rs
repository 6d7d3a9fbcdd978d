//! The threads of a server: listed, read back, named, put away. Nothing here subscribes to one.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{broken, refused};
use crate::app_server::protocol::item::Item;
use crate::app_server::protocol::thread::{Status, Thread as View, ThreadAnswer, Turn};
use crate::app_server::protocol::{is_unknown_method, view};
use crate::failure::{Code, Failure};
use crate::name::{ThreadId, TurnId};
use crate::rpc::message::{INVALID_REQUEST, METHOD_NOT_FOUND, RpcError, weight};
use crate::rpc::peer::Peer;
use crate::rpc::pending::CallError;

/// Everything that a person or a program of theirs started; not the helpers that a thread spawns.
const SOURCES: &[&str] = &["cli", "vscode", "exec", "appServer", "unknown"];
/// Threads, turns or items in one answer: small enough that no message nears the 16 MiB limit.
const PAGE: usize = 50;
/// The most pages that are read of anything: a server that never ends its list does not hold us for ever.
const MOST_PAGES: usize = 2_000;
/// The most that all pages of anything may take here, in bytes: more than the longest thread that was seen, by far.
const MOST_BYTES: usize = 512 * 1024 * 1024;

/// An item and the turn it belongs to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The turn.
    pub turn_id: TurnId,
    /// The item as it came.
    pub item: Value,
}

impl Entry {
    /// Its view.
    #[must_use]
    pub fn view(&self) -> Item {
        view(&self.item).unwrap_or(Item::Other)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    data: Vec<Value>,
    #[serde(default)]
    next_cursor: Option<Value>,
}

/// What a thread waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// For a prompt.
    Idle,
    /// It works.
    Working,
    /// For an approval.
    WaitsForApproval,
    /// For an answer to a question.
    WaitsForAnswer,
    /// It is on disk only, and can be taken up.
    Stored,
    /// Another process of the host has it open, and nobody else can write to it.
    OpenElsewhere,
    /// The server says it is broken.
    Broken,
}

impl State {
    /// From the server's word.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        match status {
            Status::Idle => Self::Idle,
            Status::NotLoaded => Self::Stored,
            Status::SystemError | Status::Other => Self::Broken,
            Status::Active { active_flags } => {
                let waits = |flag: &str| active_flags.iter().any(|f| f == flag);
                match (waits("waitingOnApproval"), waits("waitingOnUserInput")) {
                    (true, _) => Self::WaitsForApproval,
                    (false, true) => Self::WaitsForAnswer,
                    (false, false) => Self::Working,
                }
            }
        }
    }

    /// Whether a person is waited for.
    #[must_use]
    pub fn waits(self) -> bool {
        matches!(self, Self::WaitsForApproval | Self::WaitsForAnswer)
    }

    /// In a word or two.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::WaitsForApproval => "needs approval",
            Self::WaitsForAnswer => "needs an answer",
            Self::Stored => "stored",
            Self::OpenElsewhere => "open elsewhere",
            Self::Broken => "broken",
        }
    }
}

/// Which threads are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of these folders; none means all.
    pub cwds: Vec<String>,
    /// Those that were put away, instead of the others.
    pub archived: bool,
    /// At most this many, the most recent ones; none means all.
    pub limit: Option<usize>,
}

/// The threads of the server, the most recently used first.
///
/// # Errors
/// What the server or the link says.
pub async fn list(peer: &Peer, filter: &Filter) -> Result<Vec<View>, Failure> {
    let mut params =
        json!({ "sourceKinds": SOURCES, "modelProviders": [], "sortKey": "updated_at", "archived": filter.archived });
    if let (false, Some(object)) = (filter.cwds.is_empty(), params.as_object_mut()) {
        object.insert("cwd".into(), json!(filter.cwds));
    }
    let pages = Pages { peer, method: "thread/list", params };
    pages.read::<View>(filter.limit).await.map_err(|e| refused("thread/list", e))
}

/// One thread, without its turns.
///
/// # Errors
/// As [`list`]; [`crate::failure::Code::NameUnknown`] when there is no such thread.
pub async fn get(peer: &Peer, id: &ThreadId) -> Result<View, Failure> {
    let answer = peer.read("thread/read", json!({ "threadId": id })).await.map_err(|e| refused("thread/read", e))?;
    Ok(view::<ThreadAnswer>(&answer).ok_or_else(|| broken("thread/read"))?.thread)
}

/// All items of a thread from its beginning, or those of one turn: paged where the server can, else read as a whole.
///
/// # Errors
/// As [`get`].
pub async fn items(peer: &Peer, id: &ThreadId, turn: Option<&TurnId>) -> Result<Vec<Entry>, Failure> {
    let params = json!({ "threadId": id, "sortDirection": "asc", "turnId": turn });
    let mut items = match (Pages { peer, method: "thread/items/list", params }).read::<Entry>(None).await {
        Err(CallError::Refused(error)) if is_unknown(&error) => whole(peer, id).await?,
        read => read.map_err(|e| refused("thread/items/list", e))?,
    };
    items.retain(|entry| turn.is_none_or(|turn| entry.turn_id == *turn));
    Ok(items)
}

/// Whether the server does not know the method: the older releases say so in words alone.
pub(super) fn is_unknown(error: &RpcError) -> bool {
    error.code == METHOD_NOT_FOUND || is_unknown_method(&error.message)
}

/// The way of releases before 0.153.
async fn whole(peer: &Peer, id: &ThreadId) -> Result<Vec<Entry>, Failure> {
    let params = json!({ "threadId": id, "includeTurns": true });
    let answer = peer.read("thread/read", params).await.map_err(|e| refused("thread/read", e))?;
    let turns = view::<ThreadAnswer>(&answer).ok_or_else(|| broken("thread/read"))?.thread.turns;
    Ok(turns.into_iter().flat_map(entries).collect())
}

fn entries(turn: Turn) -> impl Iterator<Item = Entry> {
    turn.items.into_iter().map(move |item| Entry { turn_id: turn.id.clone(), item })
}

/// The turns of a thread without their items, the newest first, at most `limit`.
///
/// # Errors
/// As [`get`].
pub async fn turns(peer: &Peer, id: &ThreadId, limit: usize) -> Result<Vec<Turn>, Failure> {
    let params = json!({ "threadId": id, "itemsView": "notLoaded" });
    let pages = Pages { peer, method: "thread/turns/list", params };
    match pages.read::<Turn>(Some(limit)).await {
        Err(CallError::Refused(error)) if is_unknown(&error) => {
            let params = json!({ "threadId": id, "includeTurns": true });
            let answer = peer.read("thread/read", params).await.map_err(|e| refused("thread/read", e))?;
            let mut turns = view::<ThreadAnswer>(&answer).ok_or_else(|| broken("thread/read"))?.thread.turns;
            turns.reverse();
            turns.truncate(limit);
            Ok(turns)
        }
        read => read.map_err(|e| refused("thread/turns/list", e)),
    }
}

/// What can be done to a thread with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Give it a name.
    Rename(String),
    /// Put it away.
    Archive,
    /// Take it out again.
    Unarchive,
    /// Delete it for good.
    Delete,
}

/// Does something to a thread.
///
/// # Errors
/// As [`get`].
pub async fn act(peer: &Peer, id: &ThreadId, act: &Act) -> Result<(), Failure> {
    let (method, params) = match act {
        Act::Rename(name) => ("thread/name/set", json!({ "threadId": id, "name": name })),
        Act::Archive => ("thread/archive", json!({ "threadId": id })),
        Act::Unarchive => ("thread/unarchive", json!({ "threadId": id })),
        Act::Delete => ("thread/delete", json!({ "threadId": id })),
    };
    peer.call(method, params).await.map(drop).map_err(|e| refused(method, e))
}

/// Whether a thread is put away, or is not, as it should be: the server refuses to do it twice.
pub async fn is_so(peer: &Peer, id: &ThreadId, act: &Act) -> bool {
    let wanted = match act {
        Act::Archive => true,
        Act::Unarchive => false,
        Act::Rename(_) | Act::Delete => return false,
    };
    let archived = list(peer, &Filter { archived: true, ..Filter::default() }).await;
    archived.is_ok_and(|archived| archived.iter().any(|view| view.id == *id) == wanted)
}

/// A copy of a thread with all it holds; its id.
///
/// # Errors
/// As [`get`].
pub async fn fork(peer: &Peer, id: &ThreadId) -> Result<View, Failure> {
    let params = json!({ "threadId": id, "excludeTurns": true });
    let answer = peer.call("thread/fork", params).await.map_err(|e| refused("thread/fork", e))?;
    Ok(view::<ThreadAnswer>(&answer).ok_or_else(|| broken("thread/fork"))?.thread)
}

/// A list that comes in pages.
struct Pages<'a> {
    peer: &'a Peer,
    method: &'a str,
    params: Value,
}

impl Pages<'_> {
    async fn read<T: DeserializeOwned>(mut self, limit: Option<usize>) -> Result<Vec<T>, CallError> {
        let wanted = limit.unwrap_or(usize::MAX);
        let (mut all, mut bytes) = (Vec::new(), 0);
        self.set("limit", json!(wanted.min(PAGE)));
        for _ in 0..MOST_PAGES {
            let answer = self.peer.read(self.method, self.params.clone()).await?;
            bytes += weight(&answer);
            if bytes > MOST_BYTES {
                let too_large = Failure::new(Code::MessageTooLarge, format!("read all of {}", self.method));
                return Err(CallError::Ended(too_large.said(format!("it does not end within {MOST_BYTES} bytes"))));
            }
            let Some(page) = view::<Page>(&answer) else { break };
            let end = page.data.is_empty();
            all.extend(page.data.iter().filter_map(view::<T>));
            if all.is_empty() && !end {
                return Err(CallError::Refused(RpcError::new(INVALID_REQUEST, "nothing of the answer can be read")));
            }
            match page.next_cursor {
                Some(cursor) if !cursor.is_null() && !end && all.len() < wanted => self.set("cursor", cursor),
                Some(_) | None => break,
            }
        }
        all.truncate(wanted);
        Ok(all)
    }

    fn set(&mut self, key: &str, value: Value) {
        if let Some(object) = self.params.as_object_mut() {
            object.insert(key.to_owned(), value);
        }
    }
}
