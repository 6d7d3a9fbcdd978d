//! The spinner that names the step a bring-up is at, on a terminal; the notes that stay.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Context, plain};
use crate::ssh::ask::{Answer, Ask, NoAnswer, Question, Secret};
use crate::step::{Progress, Step, Watch};

/// Shows one bring-up. Dropping it takes it off the screen; while a person is asked it steps aside.
pub struct Spinner {
    bar: ProgressBar,
    host: String,
    ask: Arc<dyn Ask>,
    /// The hosts on whose behalf another program may be asking on the terminal.
    away_for: Mutex<HashSet<String>>,
}

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(100);

impl Spinner {
    /// A spinner on standard error; hidden when there is no terminal. Warnings are told in both cases.
    #[must_use]
    pub fn new(context: &Context, host: &str, shown: bool) -> Self {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TURN);
        Self { bar, host: plain::line(host), ask: Arc::clone(&context.ask), away_for: Mutex::default() }
    }

    /// Says what is done now, where no step says it.
    pub fn doing(&self, what: &str) {
        self.says(&self.host, what);
    }

    /// Lets something else write to the screen.
    pub fn aside(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Shows what happens on one of several hosts, and none of the warnings.
    pub fn shows(&self, host: &str, progress: &Progress) {
        match progress {
            Progress::Asks(_) => self.steps_aside(host),
            Progress::Began(step) => self.says(&plain::line(host), doing(*step)),
            Progress::Waiting(what) => self.says(&plain::line(host), what),
            Progress::Aside { text, .. } => self.passes_on(&plain::line(host), text),
            Progress::Done { .. } => self.comes_back(host),
            Progress::Remark { .. } | Progress::Warning { .. } => {}
        }
    }

    /// Whether there is a terminal to show anything on.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// The words of a helper, each line with whose it is.
    fn passes_on(&self, host: &str, words: &str) {
        let lines: Vec<String> = plain::text(words).lines().map(|line| format!("{host}: {line}")).collect();
        self.bar.suspend(|| anstream::eprintln!("{}", lines.join("\n")));
    }

    fn steps_aside(&self, host: &str) {
        self.away_for.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }

    fn comes_back(&self, host: &str) {
        let mut away_for = self.away_for.lock().unwrap_or_else(PoisonError::into_inner);
        if away_for.remove(host) && away_for.is_empty() {
            self.bar.reset();
            self.bar.enable_steady_tick(TURN);
        }
    }

    /// Leaves the terminal to a question.
    async fn stands_aside(&self, asking: Answer<'_>) -> Result<Secret, NoAnswer> {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
        let answer = asking.await;
        self.bar.reset();
        self.bar.enable_steady_tick(TURN);
        answer
    }

    fn says(&self, host: &str, what: &str) {
        self.bar.set_message(format!("{host}: {what}"));
    }
}

impl Ask for Spinner {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(self.stands_aside(self.ask.ask(question)))
    }

    fn permit<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(self.stands_aside(self.ask.permit(question)))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Watch for Spinner {
    fn progress(&self, progress: Progress) {
        match progress {
            Progress::Began(_)
            | Progress::Waiting(_)
            | Progress::Done { .. }
            | Progress::Asks(_)
            | Progress::Remark { .. }
            | Progress::Aside { .. } => {
                self.shows(&self.host, &progress);
            }
            Progress::Warning { code, text, hint, .. } => {
                let hint = crate::failure::naming(&hint, &self.host);
                let hint = if hint.is_empty() { hint } else { format!("\n{}: try:  {}", self.host, plain::line(&hint)) };
                let code = code.map(|code| format!("  [{}]", code.as_str())).unwrap_or_default();
                let text = format!("{}: note: {}{code}{hint}", self.host, plain::line(&text));
                self.bar.suspend(|| anstream::eprintln!("{text}"));
            }
        }
    }
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Resolved => "reading the ssh configuration",
        Step::Connected => "connecting",
        Step::HostKey => "checking the host key",
        Step::LoggedIn => "logging in",
        Step::LoginShell => "waiting for the login shell",
        Step::Codex => "looking for codex",
        Step::AppServer => "starting or joining the app-server",
        Step::SignedIn => "asking who is signed in",
    }
}
