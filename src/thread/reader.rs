//! From the messages of one thread to what a person sees: pure, one message in, events out.
//!
//! Pieces that were never sent come out of the finished item, so that each item is told whole and once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::event::{Approval, Change, End, Event, TurnEnd};
use crate::app_server::protocol::approval::Asked;
use crate::app_server::protocol::item::Item;
use crate::app_server::protocol::note::{Delta, Note, thread_of};
use crate::app_server::protocol::thread::{Turn, TurnStatus};
use crate::name::ThreadId;
use crate::rpc::message::RequestId;
use crate::rpc::peer::Incoming;

/// Reads the messages of one thread.
#[derive(Debug)]
pub struct Reader {
    thread: ThreadId,
    /// How many bytes of a running item's text were told.
    told: HashMap<String, usize>,
    /// The running items whose beginning was heard.
    begun: HashSet<String>,
    /// The changes of running file changes, for the approval that shows them.
    changes: HashMap<String, Vec<Change>>,
}

impl Reader {
    /// A reader for one thread; messages of others are passed over.
    #[must_use]
    pub fn new(thread: ThreadId) -> Self {
        Self { thread, told: HashMap::new(), begun: HashSet::new(), changes: HashMap::new() }
    }

    /// Whether a message belongs to this thread, or to the whole server.
    #[must_use]
    pub fn concerns(&self, message: &Incoming) -> bool {
        let (Incoming::Request { params, .. } | Incoming::Notification { params, .. }) = message;
        thread_of(params).is_none_or(|thread| thread == self.thread.as_str())
    }

    /// What a message means; nothing for most.
    pub fn read(&mut self, message: &Incoming) -> Vec<Event> {
        if !self.concerns(message) {
            return Vec::new();
        }
        match message {
            Incoming::Request { id, method, params } => self.asked(id, method, params).into_iter().collect(),
            Incoming::Notification { method, params } => self.note(Note::read(method, params)),
        }
    }

    fn asked(&self, id: &RequestId, method: &str, params: &Value) -> Option<Event> {
        let asked = Asked::read(method, params)?;
        let changes = match &asked {
            Asked::FileChange(about) => self.changes.get(&about.item_id).cloned().unwrap_or_default(),
            Asked::Command(_) | Asked::Permissions(_) | Asked::Questions(_) | Asked::Elicitation(_) => Vec::new(),
        };
        Some(Event::Asked(Approval { id: id.clone(), asked, changes }))
    }

    fn note(&mut self, note: Note) -> Vec<Event> {
        match note {
            Note::TurnStarted(turn) => vec![Event::TurnStarted(turn.id)],
            Note::TurnCompleted(turn) => self.ended(turn),
            Note::ItemStarted(item) => {
                self.begun.extend(item.id().map(str::to_owned));
                self.started(item)
            }
            Note::ItemCompleted(item) => self.completed(item),
            Note::Text(delta) => self.piece(delta, |item, piece| Event::Said { item, piece }),
            Note::Reasoning(delta) => self.piece(delta, |item, piece| Event::Thought { item, piece }),
            Note::Output(delta) => self.piece(delta, |item, piece| Event::Output { item, piece }),
            Note::Patch(patch) => {
                self.changes.insert(patch.item_id, patch.changes);
                Vec::new()
            }
            Note::Diff(diff) => vec![Event::Diff(diff)],
            Note::Plan(plan) => vec![Event::Plan(plan.plan.into_iter().map(|s| (s.status, s.step)).collect())],
            Note::Error(error) => vec![Event::Error { text: error.error.message, will_retry: error.will_retry }],
            Note::Warning(text) => vec![Event::Warning(text)],
            Note::Resolved(id) => vec![Event::Resolved(id)],
            Note::Closed => vec![Event::Closed],
            Note::Other => Vec::new(),
        }
    }

    /// Of an item whose beginning was before our time there are only the later pieces: that is seen by the dots before them.
    fn piece(&mut self, delta: Delta, event: impl FnOnce(String, String) -> Event) -> Vec<Event> {
        let missed = !self.begun.contains(&delta.item_id) && !self.told.contains_key(&delta.item_id);
        *self.told.entry(delta.item_id.clone()).or_default() += delta.delta.len();
        let piece = if missed { format!("… {}", delta.delta) } else { delta.delta };
        vec![event(delta.item_id, piece)]
    }

    /// What of the whole text was not told yet.
    fn rest(&mut self, item: &str, whole: &str) -> Option<String> {
        let told = match (self.told.remove(item), self.begun.remove(item)) {
            // All that came since.
            (Some(_), false) => return None,
            (told, _) => told.unwrap_or_default(),
        };
        whole.get(told..).filter(|rest| !rest.is_empty()).map(str::to_owned)
    }

    fn started(&mut self, item: Item) -> Vec<Event> {
        match item {
            Item::CommandExecution { id, command, cwd, .. } => vec![Event::Command { item: id, command, cwd }],
            Item::FileChange { id, changes, .. } => {
                self.changes.insert(id, changes);
                Vec::new()
            }
            Item::McpToolCall { server, tool, .. } => vec![Event::Did(format!("{server}.{tool}"))],
            Item::UserMessage { client_id, content, .. } => {
                vec![Event::Prompted { message_id: client_id, text: text_of(&content) }]
            }
            Item::AgentMessage { .. }
            | Item::Reasoning { .. }
            | Item::Plan { .. }
            | Item::WebSearch { .. }
            | Item::ExitedReviewMode { .. }
            | Item::Other => Vec::new(),
        }
    }

    /// What an item means, told from its beginning as far as it is there: for reading a conversation back.
    pub fn whole(&mut self, item: Item) -> Vec<Event> {
        if item.runs() {
            return self.started(item);
        }
        self.begun.extend(item.id().map(str::to_owned));
        self.started(item.clone()).into_iter().chain(self.completed(item)).collect()
    }

    fn completed(&mut self, item: Item) -> Vec<Event> {
        match item {
            Item::AgentMessage { id, text } => {
                let rest = self.rest(&id, &text).map(|piece| Event::Said { item: id.clone(), piece });
                rest.into_iter().chain([Event::SaidAll { item: id, text }]).collect()
            }
            Item::Reasoning { id, summary } => {
                let rest = self.rest(&id, &summary.join("\n"));
                rest.map(|piece| Event::Thought { item: id, piece }).into_iter().collect()
            }
            Item::CommandExecution { id, command, cwd, aggregated_output, status, exit_code, duration_ms } => {
                let missed = !self.begun.contains(&id);
                let command = missed.then(|| Event::Command { item: id.clone(), command, cwd });
                let rest = self.rest(&id, aggregated_output.as_deref().unwrap_or_default());
                let rest = rest.map(|piece| Event::Output { item: id.clone(), piece });
                let ran = Event::Ran { item: id, end: end(&status), exit_code, took: duration_ms.map(Duration::from_millis) };
                command.into_iter().chain(rest).chain([ran]).collect()
            }
            Item::FileChange { id, changes, status } => {
                self.changes.remove(&id);
                vec![Event::Changed { item: id, end: end(&status), changes }]
            }
            Item::WebSearch { query, .. } => vec![Event::Did(format!("searched the web: {query}"))],
            Item::ExitedReviewMode { review, .. } => vec![Event::Told(review)],
            Item::UserMessage { .. } | Item::Plan { .. } | Item::McpToolCall { .. } | Item::Other => Vec::new(),
        }
    }

    fn ended(&mut self, turn: Turn) -> Vec<Event> {
        self.told.clear();
        self.begun.clear();
        self.changes.clear();
        let end = turn_end(&turn);
        vec![Event::TurnEnded(turn.id, end)]
    }
}

/// How a turn that is over ended.
#[must_use]
pub fn turn_end(turn: &Turn) -> TurnEnd {
    match turn.status {
        TurnStatus::Completed => TurnEnd::Completed,
        TurnStatus::Interrupted => TurnEnd::Interrupted,
        TurnStatus::Failed | TurnStatus::InProgress | TurnStatus::Other => {
            TurnEnd::Failed(turn.error.as_ref().map(|error| error.message.clone()).unwrap_or_default())
        }
    }
}

/// The words of a prompt; what is not text is named.
fn text_of(content: &[Value]) -> String {
    let part = |part: &Value| match part.get("text").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => format!("[{}]", part.get("type").and_then(Value::as_str).unwrap_or("something")),
    };
    content.iter().map(part).collect::<Vec<_>>().join("\n")
}

/// How an item ended; a status we do not know is a failure, never a success.
fn end(status: &str) -> End {
    match status {
        "completed" => End::Done,
        "declined" => End::Declined,
        _ => End::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::TurnId;
    use serde_json::json;

    fn note(reader: &mut Reader, method: &str, params: Value) -> Vec<Event> {
        reader.read(&Incoming::Notification { method: method.into(), params })
    }

    #[test]
    fn an_item_is_told_whole_and_once() {
        let mut reader = Reader::new("t".parse().expect("an id"));
        let begun = json!({"threadId":"t","item":{"type":"agentMessage","id":"i","text":""}});
        assert_eq!(note(&mut reader, "item/started", begun), []);
        let said = note(&mut reader, "item/agentMessage/delta", json!({"threadId":"t","itemId":"i","delta":"Hel"}));
        assert_eq!(said, [Event::Said { item: "i".into(), piece: "Hel".into() }]);
        let done = json!({"threadId":"t","item":{"type":"agentMessage","id":"i","text":"Hello"}});
        let rest = note(&mut reader, "item/completed", done);
        let all = Event::SaidAll { item: "i".into(), text: "Hello".into() };
        assert_eq!(rest, [Event::Said { item: "i".into(), piece: "lo".into() }, all]);
    }

    #[test]
    fn of_an_item_that_began_before_us_there_is_what_comes_and_no_more() {
        let mut reader = Reader::new("t".parse().expect("an id"));
        let mut delta =
            |delta: &str| note(&mut reader, "item/agentMessage/delta", json!({"threadId":"t","itemId":"i","delta":delta}));
        assert_eq!(delta("lo, "), [Event::Said { item: "i".into(), piece: "… lo, ".into() }]);
        assert_eq!(delta("you"), [Event::Said { item: "i".into(), piece: "you".into() }]);
        let done = json!({"threadId":"t","item":{"type":"agentMessage","id":"i","text":"Hello, you"}});
        let all = Event::SaidAll { item: "i".into(), text: "Hello, you".into() };
        assert_eq!(note(&mut reader, "item/completed", done), [all]);
        // One of which nothing was heard is told whole.
        let done = json!({"threadId":"t","item":{"type":"agentMessage","id":"j","text":"Bye"}});
        assert_eq!(note(&mut reader, "item/completed", done)[0], Event::Said { item: "j".into(), piece: "Bye".into() });
    }

    #[test]
    fn a_command_that_began_before_us_is_named_when_it_ends() {
        let mut reader = Reader::new("t".parse().expect("an id"));
        let output = json!({"threadId":"t","itemId":"c","delta":"end"});
        assert_eq!(note(&mut reader, "item/commandExecution/outputDelta", output).len(), 1);
        let done = json!({"type":"commandExecution","id":"c","command":"ls","aggregatedOutput":"begin end","status":"completed"});
        let told = note(&mut reader, "item/completed", json!({"threadId":"t","item":done}));
        assert!(matches!(&told[..], [Event::Command { .. }, Event::Ran { .. }]), "{told:?}");
        let told = reader.whole(serde_json::from_value(done).expect("an item"));
        assert!(matches!(&told[..], [Event::Command { .. }, Event::Output { .. }, Event::Ran { .. }]), "{told:?}");
    }

    #[test]
    fn other_threads_are_passed_over() {
        let mut reader = Reader::new("t".parse().expect("an id"));
        assert_eq!(note(&mut reader, "turn/completed", json!({"threadId":"u","turn":{"id":"x","status":"completed"}})), []);
        assert_eq!(note(&mut reader, "warning", json!({"threadId":null,"message":"w"})), [Event::Warning("w".into())]);
    }

    #[test]
    fn an_approval_shows_the_changes_it_is_about() {
        let mut reader = Reader::new("t".parse().expect("an id"));
        let change = json!({"path":"/a","kind":{"type":"add"},"diff":"x\n"});
        let item = json!({"type":"fileChange","id":"f","changes":[change],"status":"inProgress"});
        assert_eq!(note(&mut reader, "item/started", json!({"threadId":"t","item":item})), []);
        let params = json!({"threadId":"t","turnId":"u","itemId":"f"});
        let method = "item/fileChange/requestApproval".into();
        let asked = reader.read(&Incoming::Request { id: RequestId::Number(0), method, params });
        assert!(matches!(&asked[..], [Event::Asked(approval)] if approval.changes[0].path == "/a"), "{asked:?}");
    }

    #[test]
    fn a_status_of_a_later_release_is_no_success() {
        let mut reader = Reader::new("t".parse().expect("an id"));
        let ended = note(&mut reader, "turn/completed", json!({"threadId":"t","turn":{"id":"x","status":"vanished"}}));
        assert_eq!(ended, [Event::TurnEnded(TurnId("x".into()), TurnEnd::Failed(String::new()))]);
        assert_eq!(end("teleported"), End::Failed);
    }
}
