//! Requests whose answers were lost with their link: what is asked again, and how a prompt is looked for.

use std::time::Duration;

use serde_json::{Value, json};

use super::prompts::{self, prompt_id};
use super::recover::is_to;
use super::{Hold, Out, Phase, Whose};
use crate::app_server::durable::catch_up::{self, AGAIN, STORING_TRIES, TRIES};
use crate::app_server::durable::event::Server;
use crate::app_server::durable::method::{self, Kind};
use crate::app_server::durable::say;
use crate::app_server::durable::track::Track;
use crate::rpc::message::{Message, RpcError};

/// How long after the first link that stood since a prompt that was on its way may take to show up on the server that got it.
const SETTLE: Duration = Duration::from_secs(1);
/// Items that are searched for a prompt; it can only be among the newest.
const SEARCHED: usize = 50;

impl Hold {
    pub(super) fn settle(&mut self, number: i64, out: &mut Out) {
        let Some(asked) = self.asked.get(&number) else { return };
        let passed = say::text(&asked.params, &["threadId"]).is_some_and(|thread| self.passed.contains(thread));
        let prompt = self.shows_ids && !passed && prompt_id(&asked.params).is_some_and(|id| self.prompts.get(id).is_some());
        match method::kind(&asked.method) {
            Kind::Prompt if prompt => {}
            Kind::Read | Kind::Interrupt => self.repeat(number, out),
            Kind::Prompt | Kind::Effect => self.not_known(number, out),
        }
    }

    fn repeat(&mut self, number: i64, out: &mut Out) {
        let Some(asked) = self.asked.remove(&number) else { return };
        let whose = match asked.whose {
            Whose::Client { id, .. } => Whose::Client { id, lost: false, again: true },
            Whose::SentAgain { message, .. } => Whose::SentAgain { message, lost: false },
            Whose::Greeting | Whose::CatchUp(_) | Whose::Baseline(_) | Whose::Lookup(_) => return,
        };
        self.ask((whose, &asked.method, asked.params), out);
    }

    /// The lost prompts that are still to be found.
    pub(super) fn lost_prompts(&self) -> Vec<(i64, String)> {
        let lost = self.asked.iter().filter(|(_, a)| a.whose.lost());
        lost.filter_map(|(number, a)| Some((*number, prompt_id(&a.params)?.to_owned()))).collect()
    }

    pub(super) fn look_for_prompts(&mut self, now: Duration, out: &mut Out) {
        for (_, id) in self.lost_prompts() {
            let Some(prompt) = self.prompts.get(&id) else { continue };
            prompt.looked = now;
            let thread = prompt.thread.clone();
            let params = json!({"threadId": thread, "limit": SEARCHED, "sortDirection": "desc"});
            self.ask((Whose::Lookup(id), "thread/items/list", params), out);
        }
    }

    /// The newest items of a thread, or the whole of it where the server cannot list them.
    pub(super) fn looked(&mut self, asked: (&str, &str), result: Result<Value, RpcError>, at: (Duration, &mut Out)) {
        let ((id, method), (now, out)) = (asked, at);
        let Some(thread) = self.prompts.get(id).map(|p| p.thread.clone()) else { return self.all_settled(now, out) };
        match result {
            Ok(value) => match prompts::find(&value, id) {
                Some(turn) => {
                    self.seen(id, turn, out);
                    self.follow(&thread, turn, out);
                }
                None => self.not_found(id, out),
            },
            Err(e) if method == "thread/items/list" && !catch_up::passes(&e) => {
                let params = json!({"threadId": thread, "includeTurns": true});
                self.ask((Whose::Lookup(id.to_owned()), "thread/read", params), out);
            }
            // A thread without any prompt cannot be read.
            Err(e) if catch_up::absent(&e) => self.not_found(id, out),
            // Nor, in other words, one that was read before it had one. For a moment it is so where the prompt has just arrived.
            Err(e) if catch_up::empty(&e) && self.never_prompted(&thread) && self.tries(id) >= STORING_TRIES => {
                self.not_found(id, out);
            }
            Err(_) => self.look_later(id, now, out),
        }
        self.all_settled(now, out);
    }

    fn tries(&mut self, id: &str) -> u32 {
        self.prompts.get(id).map_or(0, |prompt| prompt.tries)
    }

    /// Its turn is told, if the thread is not followed yet or the client cannot have been told of it.
    fn follow(&mut self, thread: &str, turn: &str, out: &mut Out) {
        let Some(track) = self.threads.get_mut(thread) else { return };
        let told = !track.reclaim(turn) && !std::mem::take(&mut track.unprompted);
        if !told && !self.catching_up.contains_key(thread) {
            self.catch_up_late(thread, out);
        }
    }

    /// The server would not say whether it is there. It is asked again; in the end nobody knows.
    fn look_later(&mut self, id: &str, now: Duration, out: &mut Out) {
        let Some(prompt) = self.prompts.get(id) else { return };
        prompt.tries += 1;
        let at = now + AGAIN * prompt.tries.min(8);
        if prompt.tries < TRIES {
            self.settle_at = Some(self.settle_at.map_or(at, |other| at.max(other)));
        } else if let Some((number, _)) = self.lost_prompts().into_iter().find(|(_, p)| p == id) {
            self.not_known(number, out);
        }
    }

    /// It is not there: it never arrived, unless its link went so shortly before that it may still be on its way, or a turn runs.
    /// Codex shows words for a running turn when it asks the model next, and an open approval may keep it from that for hours:
    /// they are looked for again when the turn is over.
    fn not_found(&mut self, id: &str, out: &mut Out) {
        let Some(prompt) = self.prompts.get(id).cloned() else { return };
        let restarted = is_to(prompt.server.as_ref(), self.epoch.as_ref()) == Server::Restarted;
        let late = prompt.stood.unwrap_or(prompt.looked) + SETTLE;
        if prompt.looked < late && !restarted {
            self.settle_at = Some(self.settle_at.map_or(late, |at| at.max(late)));
            return;
        }
        if restarted || !self.threads.get(&prompt.thread).is_some_and(Track::active) {
            let number = self.lost_prompts().into_iter().find(|(_, p)| p == id).map(|(number, _)| number);
            number.into_iter().for_each(|number| self.repeat(number, out));
        }
    }

    /// A turn is over, or its thread is gone: prompts that may have been taken into it are there now, or never will be.
    pub(super) fn look_again(&mut self, thread: &str) {
        let lost = self.lost_prompts();
        let waits = lost.iter().any(|(_, id)| self.prompts.get(id).is_some_and(|p| p.thread == thread));
        if waits && matches!(self.phase, Phase::Live | Phase::Settling) {
            self.settle_at = Some(Duration::ZERO);
        }
    }

    /// The answer to a prompt was lost, but the prompt is there.
    pub(super) fn answer_lost(&mut self, id: &str, turn: &str, out: &mut Out) {
        let Some((number, _)) = self.lost_prompts().into_iter().find(|(_, p)| p == id) else { return };
        let Some(asked) = self.asked.remove(&number) else { return };
        if let Whose::Client { id, .. } = asked.whose {
            let answer = match asked.method.as_str() {
                "turn/steer" => json!({"turnId": turn}),
                _ => json!({"turn": {"id": turn, "items": [], "status": "inProgress", "error": null}}),
            };
            out.to_client.push(Message::response(id, Ok(answer)));
        }
    }

    pub(super) fn all_settled(&mut self, now: Duration, out: &mut Out) {
        let looking = self.asked.values().any(|a| matches!(a.whose, Whose::Lookup(_)));
        if self.phase == Phase::Settling && !looking && self.settle_at.is_none() {
            self.go_live(now, out);
        }
    }
}
