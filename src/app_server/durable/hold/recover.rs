//! Links that come and go: what is repeated, what is asked, and in which order the client is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::prompts::{self, Prompt, prompt_id};
use super::{Hold, Notes, Out, Phase, Whose};
use crate::app_server::durable::catch_up::{self, CatchUp, Step};
use crate::app_server::durable::event::{Event, Server};
use crate::app_server::durable::method::{self, Kind};
use crate::app_server::durable::replay::Harvest;
use crate::app_server::durable::say;
use crate::app_server::durable::track::Track;
use crate::failure::{Code, Failure};
use crate::rpc::message::{Message, RpcError};

/// How long after its link went a prompt that was on its way may take to show up on the server that got it.
const SETTLE: Duration = Duration::from_secs(1);
/// Items that are searched for a prompt; it can only be among the newest.
const SEARCHED: usize = 50;

impl Hold {
    /// A link stands. `epoch` names the server process behind it, when that is known.
    pub fn up(&mut self, epoch: Option<String>, now: Duration, out: &mut Out) {
        self.server = is_to(self.known.as_ref(), epoch.as_ref());
        self.epoch = epoch;
        let Some(params) = self.initialize.clone() else { return self.go_live(now, out) };
        self.phase = Phase::Greeting;
        let ephemeral: Vec<String> = self.threads.values().filter(|t| t.ephemeral).map(|t| t.id.clone()).collect();
        for thread in ephemeral {
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
        for (thread, asking) in std::mem::take(&mut self.catching_up) {
            if let Some(track) = self.threads.get_mut(&thread) {
                track.refusals = asking.refusals();
            }
        }
        self.asked.retain(|_, asked| match &mut asked.whose {
            Whose::Client { lost, .. } | Whose::SentAgain { lost, .. } => {
                if let Some(id) = prompt_id(&asked.params).filter(|_| !*lost) {
                    self.prompts.lost(id, now);
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
        self.answer_initialize(&value, out);
        if self.initialized {
            out.to_server.push(Message::notification("initialized", Value::Null));
        }
        self.phase = Phase::CatchingUp;
        out.to_client.extend(self.questions.barrier(None));
        for thread in self.catching_up.keys().cloned().collect::<Vec<_>>() {
            self.ask_about(&thread, out);
        }
        self.all_caught(now, out);
    }

    /// The client's own `initialize`, when the link went before its answer.
    fn answer_initialize(&mut self, value: &Value, out: &mut Out) {
        let lost = self.asked.iter().find(|(_, a)| a.method == "initialize").map(|(number, _)| *number);
        if let Some(Whose::Client { id, .. }) = lost.and_then(|number| self.asked.remove(&number)).map(|a| a.whose) {
            out.to_client.push(Message::response(id, Ok(value.clone())));
        }
    }

    pub(super) fn ask_about(&mut self, thread: &str, out: &mut Out) {
        if let Some(Step::Ask(method, params)) = self.catching_up.get(thread).map(CatchUp::question) {
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
        self.all_caught(now, out);
    }

    /// The server will not resume a thread.
    fn refused(&mut self, thread: &str, error: &RpcError, out: &mut Out) {
        if catch_up::unprompted(error) {
            self.tell(thread, &Harvest::default(), out);
            if let Some(track) = self.threads.get_mut(thread) {
                track.unprompted = true;
            }
            return;
        }
        let code = if error.message.contains("active writer") { Code::ActiveWriter } else { Code::ServerRefused };
        let why = Failure::new(code, "resume the thread after the link was lost").said(&error.message);
        out.to_client.push(say::thread_is_gone(thread, &error.message));
        out.events.push(Event::ThreadGone { thread: thread.to_owned(), why });
        self.catching_up.remove(thread);
        self.give_back_promised(thread, out);
        self.close(thread, out);
    }

    fn close(&mut self, thread: &str, out: &mut Out) {
        self.threads.remove(thread);
        out.to_client.extend(self.questions.barrier(Some(thread)));
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
        if let Some(track) = self.threads.get_mut(thread) {
            out.to_client.extend(track.commands_lost(harvest).then(say::commands_are_not_kept));
            track.replay(harvest, &mut out.to_client);
        }
        let over = harvest.turns.iter().filter(|t| !say::runs(t)).filter_map(|t| say::text(t, &["id"]));
        over.for_each(|turn| self.turn_over(turn, out));
        for message in self.catching_up.remove(thread).map(|c| c.held).unwrap_or_default() {
            self.hand_on(message, out);
        }
        out.to_client.extend(self.questions.barrier(Some(thread)));
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

    fn settle(&mut self, number: i64, out: &mut Out) {
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
                Some(turn) => self.seen(id, turn, out),
                None => self.not_found(id, out),
            },
            Err(_) if method == "thread/items/list" => {
                let params = json!({"threadId": thread, "includeTurns": true});
                self.ask((Whose::Lookup(id.to_owned()), "thread/read", params), out);
            }
            // A thread without any prompt cannot be read.
            Err(_) => self.not_found(id, out),
        }
        self.all_settled(now, out);
    }

    /// It is not there: it never arrived, unless its link went so shortly before that it may still be on its way, or a turn runs.
    /// Codex shows words for a running turn when it asks the model next, and an open approval may keep it from that for hours:
    /// they are looked for again when the turn is over.
    fn not_found(&mut self, id: &str, out: &mut Out) {
        let Some(prompt) = self.prompts.get(id).cloned() else { return };
        let restarted = is_to(prompt.server.as_ref(), self.epoch.as_ref()) == Server::Restarted;
        let late = prompt.lost + SETTLE;
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

    fn go_live(&mut self, now: Duration, out: &mut Out) {
        self.phase = Phase::Live;
        self.known = self.epoch.clone().or(self.known.take());
        self.passed.clear();
        if let Some(lost) = self.lost_at.take() {
            let away = now.saturating_sub(lost);
            out.events.push(Event::Back { away, server: self.server });
            if let (true, Notes::Warn(host)) = (std::mem::take(&mut self.warned), &self.notes) {
                out.to_client.push(say::link_is_back(host, self.outages, away));
            }
        }
        for message in std::mem::take(&mut self.queue) {
            self.client(message, out);
        }
    }
}

/// What a server process is to one that was there before.
fn is_to(was: Option<&String>, is: Option<&String>) -> Server {
    match (was, is) {
        (Some(was), Some(is)) if was == is => Server::Same,
        (Some(_), Some(_)) => Server::Restarted,
        (None, _) | (_, None) => Server::Unknown,
    }
}

fn shown(home: Option<&str>) -> &str {
    home.unwrap_or("not told")
}
