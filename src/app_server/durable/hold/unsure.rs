//! Prompts that cannot be delivered, and requests of which nobody knows whether they were carried out: they are the person's
//! again. A front end of ours hears of it by an event, the people behind a stock client by a `warning` or an error.

use serde_json::Value;

use super::prompts::prompt_id;
use super::{Hold, Notes, Out, Phase, Whose};
use crate::app_server::durable::event::Event;
use crate::app_server::durable::method::{self, Kind};
use crate::app_server::durable::say;
use crate::rpc::message::{Message, RpcError};
use crate::rpc::pending::NOT_KNOWN;

impl Hold {
    /// A prompt will not arrive any more.
    pub(super) fn give_back(&mut self, id: &str, out: &mut Out) {
        if let Some(prompt) = self.prompts.done(id) {
            self.returned((prompt.id, prompt.params), false, out);
        }
    }

    /// A thread is closed: what was answered there and not yet seen.
    pub(super) fn give_back_promised(&mut self, thread: &str, out: &mut Out) {
        for prompt in self.prompts.promised(thread) {
            self.give_back(&prompt.id, out);
        }
    }

    /// The connection ends: prompts that the server is not known to have are given back, those that were never sent too.
    pub fn give_up(&mut self, out: &mut Out) {
        let lost: Vec<String> = self.lost_prompts().into_iter().map(|(_, id)| id).collect();
        // One that was answered is in good hands where the link stands; where a server shows no ids nothing more is known.
        let unseen = self.shows_ids && self.phase != Phase::Live;
        for prompt in self.prompts.take().into_iter().filter(|p| unseen || lost.contains(&p.id)) {
            self.returned((prompt.id, prompt.params), true, out);
        }
        self.queue_bytes = 0;
        for message in std::mem::take(&mut self.queue) {
            if let Message::Request { method, params, .. } = message
                && method::kind(&method) == Kind::Prompt
            {
                self.returned((prompt_id(&params).unwrap_or_default().to_owned(), params), false, out);
            }
        }
    }

    /// The answer of a request is lost, and nothing tells whether it was carried out.
    pub(super) fn not_known(&mut self, number: i64, out: &mut Out) {
        if let Some(asked) = self.asked.remove(&number) {
            let thread = say::text(&asked.params, &["threadId"]).map(str::to_owned);
            let said =
                format!("the link was lost before the answer to {} came: it is not known whether it happened", asked.method);
            if let Some(prompt) = prompt_id(&asked.params) {
                drop(self.prompts.done(prompt));
            }
            if let Whose::Client { id, .. } = asked.whose {
                out.to_client.push(Message::response(id, Err(RpcError::new(NOT_KNOWN, said))));
            }
            out.events.push(Event::NotKnown { method: asked.method, thread });
        }
    }

    pub(super) fn returned(&mut self, (message, params): (String, Value), sent: bool, out: &mut Out) {
        let Some(thread) = say::text(&params, &["threadId"]).map(str::to_owned) else { return };
        // What a client asks for without an id on such a thread is its own (a title), not a person's words.
        let passing = self.passed.contains(&thread) || self.threads.get(&thread).is_some_and(|track| track.ephemeral);
        if passing && message.is_empty() {
            return;
        }
        if self.notes != Notes::Quiet {
            self.handed_back += 1;
            out.to_client.push(say::given_back(&params, sent, self.handed_back));
        }
        out.events.push(Event::GivenBack { thread, message, params, sent });
    }
}
