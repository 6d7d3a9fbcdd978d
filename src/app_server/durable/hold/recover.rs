//! Links that come and go: what is repeated, what is asked, and in which order the client is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::prompts::{Prompt, prompt_id, shows_ids};
use super::{Hold, Notes, Out, PATIENCE, Phase, Whose};
use crate::app_server::durable::catch_up::{self, AGAIN, CatchUp, Step};
use crate::app_server::durable::event::{Event, Server};
use crate::app_server::durable::replay::Harvest;
use crate::app_server::durable::say;
use crate::failure::{Code, Failure};
use crate::rpc::message::{Message, OVERLOADED, RpcError};

/// Threads that are caught up with at once: a server that has just started reads each from its disk.
const AT_ONCE: usize = 8;

impl Hold {
    /// A link stands. `epoch` names the server process behind it, when that is known.
    pub fn up(&mut self, epoch: Option<String>, now: Duration, out: &mut Out) {
        self.server = is_to(self.known.as_ref(), epoch.as_ref().or(self.about.as_ref()));
        self.epoch = epoch;
        self.heard = now;
        for (_, id) in self.lost_prompts() {
            self.prompts.stands(&id, now);
        }
        let Some(params) = self.initialize.clone() else { return self.go_live(now, out) };
        self.phase = Phase::Greeting;
        let ephemeral = self.threads.values().filter(|t| t.ephemeral).map(|t| (t.id.clone(), t.spoken_to));
        for (thread, spoken_to) in ephemeral.collect::<Vec<_>>() {
            if spoken_to && self.notes != Notes::Quiet {
                out.to_client.push(say::thread_is_gone(&thread, "it is ephemeral, and ended with the link"));
            }
            self.give_back_promised(&thread, out);
            self.close(&thread, out);
            self.passed.insert(thread);
        }
        for thread in self.threads.keys().cloned().collect::<Vec<_>>() {
            self.begin_catch_up(&thread);
        }
        self.ask((Whose::Greeting, "initialize", params), out);
    }

    /// The link was lost.
    pub fn down(&mut self, now: Duration) {
        if self.phase == Phase::Down {
            return;
        }
        self.phase = Phase::Down;
        self.returned = true;
        self.lost_at.get_or_insert(now);
        self.later.clear();
        self.settle_at = None;
        (self.greet_at, self.refusals) = (None, 0);
        for (thread, asking) in std::mem::take(&mut self.catching_up) {
            if let Some(track) = self.threads.get_mut(&thread) {
                track.refusals = asking.refusals();
            }
        }
        self.asked.retain(|_, asked| match &mut asked.whose {
            Whose::Client { lost, .. } | Whose::SentAgain { lost, .. } => {
                if let Some(id) = prompt_id(&asked.params).filter(|_| !*lost) {
                    self.prompts.lost(id);
                }
                *lost = true;
                true
            }
            Whose::Greeting | Whose::CatchUp(_) | Whose::Baseline(_) | Whose::Lookup(_) => false,
        });
        let waiting = self.questions.cut();
        self.threads.values_mut().for_each(|track| track.cut(&waiting));
    }

    pub(super) fn begin_catch_up(&mut self, thread: &str) {
        let refusals = self.threads.get_mut(thread).map_or(0, |track| std::mem::take(&mut track.refusals));
        self.catching_up.insert(thread.to_owned(), CatchUp::new(thread).after(refusals));
    }

    /// The first prompt of a thread was answered on a connection that could not resume it before.
    pub(super) fn catch_up_late(&mut self, thread: &str, out: &mut Out) {
        self.catching_up.insert(thread.to_owned(), CatchUp::patient(thread));
        self.ask_about(thread, out);
    }

    pub(super) fn greeted(&mut self, result: Result<Value, RpcError>, at: (Duration, &mut Out)) {
        let (now, out) = at;
        let value = match result {
            Ok(value) => value,
            Err(e) if e.code == OVERLOADED => {
                self.refusals += 1;
                self.greet_at = Some(now + AGAIN * self.refusals.min(8));
                return;
            }
            Err(e) => {
                out.stop = Some(Failure::new(Code::ServerRefused, "repeat initialize").said(e.message));
                return;
            }
        };
        let home = say::text(&value, &["codexHome"]).map(str::to_owned);
        if self.codex_home.is_some() && self.codex_home != home {
            let said = format!("CODEX_HOME was {} and is {}", shown(self.codex_home.as_deref()), shown(home.as_deref()));
            out.stop = Some(Failure::new(Code::OtherMachine, "go on where the lost link left off").said(said));
            return;
        }
        self.codex_home = home;
        self.shows_ids = shows_ids(&value);
        self.answer_initialize(&value, out);
        if self.initialized {
            out.to_server.push(Message::notification("initialized", Value::Null));
        }
        self.phase = Phase::CatchingUp;
        out.to_client.extend(self.questions.barrier(None, &[]));
        self.begin_some(out);
        self.all_caught(now, out);
    }

    /// Begins to ask about threads, as many as may be asked about at once.
    fn begin_some(&mut self, out: &mut Out) {
        let busy = self.catching_up.values().filter(|c| c.begun).count();
        let waiting = self.catching_up.iter().filter(|(_, c)| !c.begun).map(|(thread, _)| thread.clone());
        for thread in waiting.take(AT_ONCE.saturating_sub(busy)).collect::<Vec<_>>() {
            self.ask_about(&thread, out);
        }
    }

    /// The client's own `initialize`, when the link went before its answer.
    fn answer_initialize(&mut self, value: &Value, out: &mut Out) {
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        let lost = self.asked.iter().find(|(_, a)| a.method == "initialize" && a.whose.lost()).map(|(number, _)| *number);
        if let Some(Whose::Client { id, .. }) = lost.and_then(|number| self.asked.remove(&number)).map(|a| a.whose) {
            out.to_client.push(Message::response(id, Ok(value.clone())));
        }
    }

    pub(super) fn ask_about(&mut self, thread: &str, out: &mut Out) {
        let Some(catch_up) = self.catching_up.get_mut(thread) else { return };
        catch_up.begun = true;
        if let Step::Ask(method, params) = catch_up.question() {
            self.ask((Whose::CatchUp(thread.to_owned()), method, params), out);
        }
    }

    /// An answer about a thread.
    pub(super) fn caught(&mut self, thread: &str, result: Result<Value, RpcError>, at: (Duration, &mut Out)) {
        let (now, out) = at;
        let Some((catch_up, track)) = self.catching_up.get_mut(thread).zip(self.threads.get(thread)) else { return };
        match catch_up.answer(result, track) {
            Step::Ask(method, params) => self.ask((Whose::CatchUp(thread.to_owned()), method, params), out),
            Step::Later(pause) => self.later.push((now + pause, thread.to_owned())),
            Step::Refused(e) => self.refused(thread, &e, out),
            Step::Done(harvest) => self.tell(thread, &harvest, out),
        }
        if self.phase == Phase::CatchingUp {
            self.begin_some(out);
        }
        self.all_caught(now, out);
    }

    /// The server will not resume a thread.
    fn refused(&mut self, thread: &str, error: &RpcError, out: &mut Out) {
        if catch_up::unprompted(error) || catch_up::empty(error) && self.never_prompted(thread) {
            self.tell(thread, &Harvest::default(), out);
            if self.server == Server::Restarted && self.notes != Notes::Quiet {
                out.to_client.push(say::thread_is_gone(thread, "it had no prompt yet, and its server was restarted"));
            }
            if let Some(track) = self.threads.get_mut(thread) {
                track.unprompted = true;
            }
            return;
        }
        let code = if catch_up::held_elsewhere(error) { Code::ActiveWriter } else { Code::ServerRefused };
        let why = Failure::new(code, "resume the thread after the link was lost").said(&error.message);
        out.to_client.push(say::thread_is_gone(thread, &error.message));
        out.events.push(Event::ThreadGone { thread: thread.to_owned(), why });
        self.catching_up.remove(thread);
        self.give_back_promised(thread, out);
        self.close(thread, out);
    }

    /// Whether the thread has no turn that anybody was told of, and none that was answered.
    pub(super) fn never_prompted(&self, thread: &str) -> bool {
        self.threads.get(thread).is_some_and(|track| !track.has_turns()) && self.prompts.promised(thread).is_empty()
    }

    fn close(&mut self, thread: &str, out: &mut Out) {
        self.threads.remove(thread);
        out.to_client.extend(self.questions.barrier(Some(thread), &[]));
        out.to_client.push(Message::notification("thread/closed", json!({"threadId": thread})));
        self.look_again(thread);
    }

    /// Tells the client what it missed of a thread, then what came meanwhile.
    fn tell(&mut self, thread: &str, harvest: &Harvest, out: &mut Out) {
        for entry in &harvest.items {
            if let Some(message) = say::client_id(&entry.item) {
                self.seen(message, &entry.turn, out);
            }
        }
        let promised = self.promised(thread, harvest);
        let held = self.catching_up.remove(thread).map(|c| c.held).unwrap_or_default();
        // What was settled meanwhile was settled before its turn ended.
        out.to_client.extend(self.questions.barrier(Some(thread), &held));
        if let Some(track) = self.threads.get_mut(thread) {
            out.to_client.extend(track.commands_lost(harvest).then(say::commands_are_not_kept));
            let before = out.to_client.len();
            track.replay(harvest, &mut out.to_client);
            let told = out.to_client.iter().skip(before).filter(|m| m.method() == Some("turn/completed"));
            self.interrupted |= told.filter_map(|m| m.params()?.get("turn")).any(say::interrupted);
        }
        let over = harvest.turns.iter().filter(|t| !say::runs(t)).filter_map(|t| say::text(t, &["id"]));
        over.for_each(|turn| self.turn_over(turn, out));
        for message in held {
            self.hand_on(message, out);
        }
        for prompt in promised {
            self.send_again(prompt, harvest, out);
        }
    }

    /// Prompts that were answered with a turn which died with its server before they were in it; they are taken out.
    fn promised(&mut self, thread: &str, harvest: &Harvest) -> Vec<Prompt> {
        let runs = harvest.status.as_ref().is_some_and(|s| say::text(s, &["type"]) == Some("active"));
        let listed = |p: &Prompt| p.turn.as_deref().is_some_and(|turn| harvest.turn(turn).is_some());
        let died = |p: &Prompt| match is_to(p.server.as_ref(), self.epoch.as_ref()) {
            Server::Same => false,
            // A turn may be stored before its prompt is; a server that shows no ids does not tell.
            Server::Restarted => self.shows_ids || !listed(p),
            Server::Unknown => !runs && !listed(p),
        };
        let died: Vec<String> = self.prompts.promised(thread).iter().filter(|p| died(p)).map(|p| p.id.clone()).collect();
        died.iter().filter_map(|id| self.prompts.done(id)).collect()
    }

    /// It is sent to the next server, or given back.
    fn send_again(&mut self, prompt: Prompt, harvest: &Harvest, out: &mut Out) {
        if harvest.status.is_none() || prompt.method != "turn/start" {
            return self.returned((prompt.id, prompt.params), false, out);
        }
        out.events.push(Event::SentAgain { thread: prompt.thread, message: prompt.id.clone(), instead_of: prompt.turn });
        let whose = Whose::SentAgain { message: prompt.id, lost: false };
        self.ask((whose, &prompt.method, prompt.params), out);
    }

    /// A turn is over: what was promised to be in it is seen by now, or will never be. Where a server shows
    /// ids it is given back.
    pub(super) fn turn_over(&mut self, turn: &str, out: &mut Out) {
        for id in self.prompts.of_turn(turn) {
            if self.shows_ids {
                self.give_back(&id, out);
            } else {
                drop(self.prompts.done(&id));
            }
        }
    }

    /// Once no thread is being caught up with, the requests whose answers were lost are seen to.
    fn all_caught(&mut self, now: Duration, out: &mut Out) {
        if self.phase != Phase::CatchingUp || !self.catching_up.is_empty() {
            return;
        }
        self.phase = Phase::Settling;
        let lost = self.asked.iter().filter(|(_, a)| a.whose.lost());
        for number in lost.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.settle(number, out);
        }
        self.look_for_prompts(now, out);
        self.all_settled(now, out);
    }

    pub(super) fn go_live(&mut self, now: Duration, out: &mut Out) {
        self.phase = Phase::Live;
        self.known = self.epoch.clone().or(self.about.clone()).or(self.known.take());
        self.patience = PATIENCE;
        self.passed.clear();
        if let Some(lost) = self.lost_at.take() {
            let away = now.saturating_sub(lost);
            out.events.push(Event::Back { away, server: self.server });
            self.say_what_went(out);
            if let (true, Notes::Warn(host)) = (std::mem::take(&mut self.warned), &self.notes) {
                out.to_client.push(say::link_is_back(host, self.outages, away));
            }
        }
        self.queue_bytes = 0;
        for message in std::mem::take(&mut self.queue) {
            self.client(message, out);
        }
    }

    /// A front end of ours has it by [`Event::Back`].
    fn say_what_went(&mut self, out: &mut Out) {
        let (restarted, interrupted) = (self.server == Server::Restarted, std::mem::take(&mut self.interrupted));
        if let (true, Notes::Warn(host)) = (restarted || interrupted, &self.notes) {
            self.restarts += 1;
            out.to_client.push(say::server_was_lost(host, self.restarts, (restarted, interrupted)));
        }
    }
}

/// What a server process is to one that was there before.
pub(super) fn is_to(was: Option<&String>, is: Option<&String>) -> Server {
    match (was, is) {
        (Some(was), Some(is)) if was == is => Server::Same,
        (Some(_), Some(_)) => Server::Restarted,
        (None, _) | (_, None) => Server::Unknown,
    }
}

fn shown(home: Option<&str>) -> &str {
    home.unwrap_or("not told")
}
