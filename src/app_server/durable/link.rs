//! What is known of the link, the server and the agent, for whoever shows it: three states, never one.

use std::time::Duration;

use tokio::time::Instant;

use super::event::{Agent, Server};
use crate::failure::{Failure, Remedy};

/// The link to the host.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// It stands.
    Up,
    /// It was lost; we dial for ever.
    Lost {
        /// When that was noticed.
        since: Instant,
        /// When we dial again; none while we are dialling.
        again: Option<Instant>,
        /// The loss, or why the last dial failed.
        why: Failure,
    },
    /// It was lost and will not be dialled again.
    Ended(Failure),
}

/// The three states.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The link.
    pub link: Link,
    /// The server that the last link led to.
    pub server: Server,
    /// The agent, as last told.
    pub agent: Agent,
}

impl State {
    /// The state in a line for people: "link lost 12 s ago, trying again in 4 s; the turn was running".
    #[must_use]
    pub fn words(&self, now: Instant) -> String {
        let (link, was) = match &self.link {
            Link::Up => (format!("link up{}", self.server_words()), false),
            Link::Lost { since, again, why } => {
                let ago = whole_seconds(now.saturating_duration_since(*since));
                let next = match again.map(|at| at.saturating_duration_since(now)) {
                    Some(left) if !left.is_zero() => format!("trying again in {} s", whole_seconds(left).max(1)),
                    Some(_) | None => "trying now".to_owned(),
                };
                let why = if why.code.remedy() == Remedy::Person { format!(" ({why})") } else { String::new() };
                (format!("link lost {ago} s ago{why}, {next}"), true)
            }
            Link::Ended(why) => (format!("link lost: {why}"), true),
        };
        match (self.agent, was) {
            (Agent::Idle, _) => link,
            (Agent::Working, false) => format!("{link}; the turn is running"),
            (Agent::Working, true) => format!("{link}; the turn was running"),
            (Agent::Waiting, false) => format!("{link}; the turn waits for an answer"),
            (Agent::Waiting, true) => format!("{link}; the turn was waiting for an answer"),
        }
    }

    /// Of the first server there is nothing to say.
    fn server_words(&self) -> &'static str {
        match self.server {
            Server::Same => "; the same server",
            Server::Restarted => "; the server was restarted",
            Server::Unknown => "",
        }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Code;

    #[test]
    fn the_three_states_are_said_apart() {
        let now = Instant::now() + Duration::from_secs(60);
        let why = Failure::new(Code::LinkLost, "x");
        let missing = Failure::new(Code::CodexMissing, "look for codex").said("it is not there");
        let lost = |again| Link::Lost { since: now - Duration::from_secs(12), again, why: why.clone() };
        for (link, agent, want) in [
            (Link::Up, Agent::Idle, "link up; the same server"),
            (Link::Up, Agent::Waiting, "link up; the same server; the turn waits for an answer"),
            (
                lost(Some(now + Duration::from_millis(3_700))),
                Agent::Working,
                "link lost 12 s ago, trying again in 4 s; the turn was running",
            ),
            (lost(None), Agent::Idle, "link lost 12 s ago, trying now"),
            // Why the network does not carry us mends itself; what a person can mend is said.
            (
                Link::Lost { since: now - Duration::from_secs(12), again: None, why: missing },
                Agent::Idle,
                "link lost 12 s ago (look for codex: it is not there), trying now",
            ),
        ] {
            assert_eq!(State { link, server: Server::Same, agent }.words(now), want);
        }
    }
}
