//! The steps from an alias to a running app-server, as `check` lists them and a spinner names them.

use std::time::Duration;

use serde::Serialize;

use crate::failure::Code;

/// One step of bringing a host up, in the order they are taken. The names are part of `check --json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Step {
    /// The alias became a target.
    #[serde(rename = "resolved")]
    Resolved,
    /// A byte stream to the host stands.
    #[serde(rename = "connected")]
    Connected,
    /// The host proved who it is.
    #[serde(rename = "host key")]
    HostKey,
    /// We proved who we are.
    #[serde(rename = "logged in")]
    LoggedIn,
    /// The login shell ran our script.
    #[serde(rename = "login shell")]
    LoginShell,
    /// A `codex` was found.
    #[serde(rename = "codex")]
    Codex,
    /// The app-server runs and answered `initialize`, or could be started.
    #[serde(rename = "app-server")]
    AppServer,
    /// The remote Codex has an account, or needs none.
    #[serde(rename = "signed in")]
    SignedIn,
}

impl Step {
    /// The one after it; the last has none and is its own.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Resolved => Self::Connected,
            Self::Connected => Self::HostKey,
            Self::HostKey => Self::LoggedIn,
            Self::LoggedIn => Self::LoginShell,
            Self::LoginShell => Self::Codex,
            Self::Codex => Self::AppServer,
            Self::AppServer | Self::SignedIn => Self::SignedIn,
        }
    }

    /// The name as it stands in `check`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Connected => "connected",
            Self::HostKey => "host key",
            Self::LoggedIn => "logged in",
            Self::LoginShell => "login shell",
            Self::Codex => "codex",
            Self::AppServer => "app-server",
            Self::SignedIn => "signed in",
        }
    }
}

/// What a [`Watch`] is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A step was begun.
    Began(Step),
    /// What the step that runs waits for now.
    Waiting(&'static str),
    /// A step succeeded.
    Done {
        /// Which.
        step: Step,
        /// What was found, for people; may hold remote text.
        detail: String,
        /// How long it took.
        took: Duration,
    },
    /// Something a person should know though the step succeeded ("not post-quantum", "the server stops with this session").
    Warning {
        /// The step it belongs to.
        step: Step,
        /// The stable code of what was found; none for what is only news (the banner of a server, a key that was added).
        code: Option<Code>,
        /// The text; may hold remote text.
        text: String,
        /// What to do about it; empty when there is nothing.
        hint: String,
    },
    /// Words of a helper that still runs (a ProxyCommand, the system's `ssh`): they may be what a person waits for, so they are
    /// shown at once.
    Aside {
        /// The step that waits for it.
        step: Step,
        /// The words.
        text: String,
    },
    /// From now until the step has ended another program may ask the person on the terminal (a ProxyCommand, the system's `ssh`):
    /// nothing else may draw there.
    Asks(Step),
    /// A warning for where one looks at the steps: it holds each time and would only tire whoever wants to work.
    Remark {
        /// The step it belongs to.
        step: Step,
        /// The text; may hold remote text.
        text: String,
        /// What to do about it; empty when there is nothing.
        hint: String,
    },
}

impl Progress {
    /// News that a person should read and need not act upon.
    #[must_use]
    pub fn news(step: Step, text: impl Into<String>) -> Self {
        Self::Warning { step, code: None, text: text.into(), hint: String::new() }
    }
}

/// Is told how a bring-up goes: a spinner, `check`, or nobody.
pub trait Watch: Send + Sync {
    /// Takes one piece of news; must not block.
    fn progress(&self, progress: Progress);
}

/// A [`Watch`] that does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Watch for Nobody {
    fn progress(&self, _: Progress) {}
}

/// Runs one step under a clock and tells `watch`; a failure is told by the caller, who knows the whole of it.
pub struct Clock<'a> {
    watch: &'a dyn Watch,
    step: Step,
    began: std::time::Instant,
}

impl<'a> Clock<'a> {
    /// Begins a step.
    pub fn begin(watch: &'a dyn Watch, step: Step) -> Self {
        watch.progress(Progress::Began(step));
        Self { watch, step, began: std::time::Instant::now() }
    }

    /// Ends the step well.
    pub fn done(self, detail: impl Into<String>) {
        self.watch.progress(Progress::Done { step: self.step, detail: detail.into(), took: self.began.elapsed() });
    }
}
