//! The lines of `run --json`: `docs/EVENTS.md` describes them, a test holds the two together.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::app_server::durable::event::{Agent, Server};
use crate::app_server::durable::link::{Link, State};
use crate::failure::Failure;

/// The version of this form. A field may be added without a new one.
const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line<'a> {
    v: u32,
    host: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    place: &'a str,
    #[serde(flatten)]
    body: Body<'a>,
}

impl<'a> Line<'a> {
    /// A line about a host, and about a place on it (`HOST:PATH`) where that is known.
    #[must_use]
    pub fn new((host, place): (&'a str, &'a str), body: Body<'a>) -> Self {
        Self { v: VERSION, host, place, body }
    }
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body<'a> {
    /// A message of the app-server, exactly as it came.
    Codex {
        /// The message.
        message: &'a Value,
    },
    /// An item of a conversation that is read back (`thread log`), and while that is followed each one that is completed.
    Item {
        /// The turn it belongs to.
        turn: &'a str,
        /// The item, exactly as the server has it.
        item: &'a Value,
    },
    /// The state of the link to the host.
    Link {
        /// "up", "lost" or "ended".
        state: &'a str,
        /// In words.
        detail: &'a str,
        /// How long ago it was lost, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        lost_ms: Option<u64>,
        /// In how many milliseconds it is dialled again; none while it is being dialled.
        #[serde(skip_serializing_if = "Option::is_none")]
        again_ms: Option<u64>,
        /// The server that the last link led to, against the one before: "same", "restarted" or "unknown".
        #[serde(skip_serializing_if = "Option::is_none")]
        server: Option<&'a str>,
        /// The agent, as last told: "idle", "working" or "waiting".
        #[serde(skip_serializing_if = "Option::is_none")]
        agent: Option<&'a str>,
    },
    /// The app-server that the thread runs on.
    Server {
        /// "joined", "started" or "attached".
        state: &'a str,
        /// The version of the running server, if it told.
        version: Option<&'a str>,
        /// Its CODEX_HOME.
        codex_home: &'a str,
    },
    /// The thread.
    Thread {
        /// Its id.
        thread: &'a str,
        /// Its folder.
        cwd: &'a str,
        /// Its model.
        model: &'a str,
    },
    /// A git worktree was made for the thread.
    Worktree {
        /// Its top folder.
        path: &'a str,
        /// Its branch.
        branch: &'a str,
        /// How many changes of the folder are in no commit, and therefore not in it.
        uncommitted: u32,
        /// The command that removes it.
        remove: &'a str,
    },
    /// A turn was begun with a prompt of ours.
    Turn {
        /// Its id.
        turn: &'a str,
        /// The id the prompt was sent with.
        message_id: &'a str,
    },
    /// A prompt of ours was taken in and is kept by the server.
    Delivered {
        /// The id it was sent with.
        message_id: &'a str,
    },
    /// A prompt of ours waits in the thread's queue for the end of the turn that runs.
    Queued {
        /// The id it was sent with.
        message_id: &'a str,
    },
    /// A prompt of ours had not arrived when the link was lost, and was sent again.
    SentAgain {
        /// The id it was sent with.
        message_id: &'a str,
    },
    /// A prompt of ours is not known to have been delivered.
    GivenBack {
        /// The id it was sent with.
        message_id: &'a str,
        /// Whether it was on its way: then it may have arrived.
        sent: bool,
    },
    /// The answer of a request was lost with the link: whether it was carried out is not known.
    NotKnown {
        /// Its method.
        method: &'a str,
    },
    /// The link is back, and what was missed has been told, each item once.
    Back {
        /// How long it was gone, in milliseconds.
        away_ms: u64,
        /// The server: "same", "restarted" or "unknown".
        server: &'a str,
    },
    /// An approval was answered here.
    Approval {
        /// The decision: "accept", "acceptForSession", "decline", "cancel", or "answered" for questions.
        decision: &'a str,
        /// Who took it: "person", or "option" when `--approve` or the lack of a terminal did.
        by: &'a str,
    },
    /// The last line of a turn.
    Ended {
        /// The turn, where there is one.
        #[serde(skip_serializing_if = "str::is_empty")]
        turn: &'a str,
        /// "completed", "failed", "interrupted" or "left".
        outcome: &'a str,
        /// Why, when it failed.
        why: &'a str,
        /// How to take the thread up again.
        resume: &'a str,
    },
    /// The command failed; the last line.
    Failure {
        /// The stable code.
        code: &'a str,
        /// What was tried, and what came back.
        error: &'a str,
        /// What to do now.
        hint: &'a str,
    },
}

impl<'a> Body<'a> {
    /// The line of the three states, `detail` in words.
    #[must_use]
    pub fn link(state: &State, detail: &'a str, now: Instant) -> Self {
        let (word, lost) = match &state.link {
            Link::Up => ("up", None),
            Link::Lost { since, again, .. } => ("lost", Some((now.saturating_duration_since(*since), *again))),
            Link::Ended(_) => ("ended", Some((Duration::ZERO, None))),
        };
        let again_ms = lost.and_then(|(_, again)| again).map(|at| ms(at.saturating_duration_since(now)));
        let (server, agent) = (Some(server_word(state.server)), Some(agent_word(state.agent)));
        Self::Link { state: word, detail, lost_ms: lost.map(|(ago, _)| ms(ago)), again_ms, server, agent }
    }

    /// The line of a failure; `error` is its text.
    #[must_use]
    pub fn failure(failure: &'a Failure, error: &'a str) -> Self {
        Self::Failure { code: failure.code.as_str(), error, hint: &failure.hint }
    }
}

/// In milliseconds.
pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A server against the one before.
pub(super) fn server_word(server: Server) -> &'static str {
    match server {
        Server::Same => "same",
        Server::Restarted => "restarted",
        Server::Unknown => "unknown",
    }
}

fn agent_word(agent: Agent) -> &'static str {
    match agent {
        Agent::Idle => "idle",
        Agent::Working => "working",
        Agent::Waiting => "waiting",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    /// A line of each type, with all its fields.
    fn all(failure: &Failure) -> Vec<Body<'_>> {
        let one = Some("same");
        vec![
            Body::Codex { message: &Value::Null },
            Body::Item { turn: "t", item: &Value::Null },
            Body::Link { state: "lost", detail: "", lost_ms: Some(1), again_ms: Some(1), server: one, agent: one },
            Body::Server { state: "joined", version: one, codex_home: "/c" },
            Body::Thread { thread: "t", cwd: "/w", model: "m" },
            Body::Worktree { path: "/w", branch: "b", uncommitted: 1, remove: "" },
            Body::Turn { turn: "t", message_id: "m" },
            Body::Delivered { message_id: "m" },
            Body::Queued { message_id: "m" },
            Body::SentAgain { message_id: "m" },
            Body::GivenBack { message_id: "m", sent: true },
            Body::NotKnown { method: "m" },
            Body::Back { away_ms: 1, server: "same" },
            Body::Approval { decision: "accept", by: "person" },
            Body::Ended { turn: "t", outcome: "completed", why: "", resume: "" },
            Body::failure(failure, "e"),
        ]
    }

    #[test]
    fn the_document_names_every_type_and_field() {
        let document = include_str!("../../../docs/EVENTS.md");
        let rows: Vec<(&str, &str)> = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | ")).collect();
        let failure = Failure::new(Code::Usage, "x");
        let mut told: Vec<String> = Vec::new();
        for body in all(&failure) {
            let line = serde_json::to_value(Line::new(("h", "h:/w"), body)).expect("JSON");
            let kind = line["type"].as_str().expect("a type");
            let fields = rows.iter().find(|(name, _)| *name == kind).map(|(_, fields)| *fields).unwrap_or_default();
            for key in line.as_object().expect("an object").keys() {
                let everywhere = ["v", "host", "place", "type"].contains(&key.as_str());
                let named = if everywhere { document.split('|').next().expect("a head") } else { fields };
                assert!(named.contains(&format!("`{key}`")), "docs/EVENTS.md says nothing of {key} of {kind}");
            }
            told.push(kind.to_owned());
        }
        let written: Vec<&str> = rows.iter().map(|(name, _)| *name).filter(|name| *name != "type").collect();
        told.sort_unstable();
        let mut written: Vec<String> = written.into_iter().map(str::to_owned).collect();
        written.sort_unstable();
        assert_eq!(written, told);
    }
}
