//! Questions to a person, as ssh asks them: on the terminal without echo, or through SSH_ASKPASS where there is none.

mod askpass;
mod line;
mod tty;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use tokio::sync::Mutex;

pub use tty::TerminalMode;

use super::plain;
use crate::paths::Local;
use crate::ssh::ask::{Answer, Ask, NoAnswer, Question, Secret};

/// Asks whoever sits at this process; one question at a time, whatever number of hosts want to ask.
pub struct Person {
    way: Way,
    /// How ssh asks for leave: never on the terminal.
    leave: Way,
    vars: HashMap<OsString, OsString>,
    turn: Mutex<()>,
}

/// How a person can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Terminal,
    Askpass(PathBuf),
    Nobody,
}

/// Where Debian and most others link the program that asks in a window.
const USUAL_ASKPASS: &str = "/usr/bin/ssh-askpass";

impl Person {
    /// Whoever sits at this process, or nobody.
    #[must_use]
    pub fn of_process(local: &Local) -> Self {
        let (way, leave) = (Way::of(local, tty::exists()), Way::of(local, false));
        Self { way, leave, vars: local.vars.clone(), turn: Mutex::new(()) }
    }
}

impl Way {
    /// ssh's rules: a program only where there is a display, unless SSH_ASKPASS_REQUIRE forces it; a terminal goes before it, unless
    /// the program is preferred.
    fn of(local: &Local, terminal: bool) -> Self {
        let program = || Self::Askpass(local.var("SSH_ASKPASS").map_or_else(|| USUAL_ASKPASS.into(), PathBuf::from));
        let required = local.var("SSH_ASKPASS_REQUIRE").and_then(|v| v.to_str()).unwrap_or_default().to_ascii_lowercase();
        let display = local.var("DISPLAY").is_some() || local.var("WAYLAND_DISPLAY").is_some();
        match (required.as_str(), terminal, display) {
            ("force", _, _) | ("prefer", _, true) => program(),
            (_, true, _) => Self::Terminal,
            ("never", false, _) | (_, false, false) => Self::Nobody,
            (_, false, true) => program(),
        }
    }
}

impl Ask for Person {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            match &self.way {
                Way::Terminal => Ok(tty::ask(shown(question), question.echo).await?),
                Way::Askpass(program) => askpass::ask(program, &self.vars, &shown(question)).await,
                Way::Nobody => Err(NoAnswer::NobodyThere),
            }
        })
    }

    fn permit<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            let Way::Askpass(program) = &self.leave else { return Err(NoAnswer::NobodyThere) };
            let hint = [("SSH_ASKPASS_PROMPT".into(), "confirm".into())];
            let vars = self.vars.clone().into_iter().chain(hint).collect();
            askpass::ask(program, &vars, &shown(question)).await
        })
    }
}

/// Why a person gave no answer on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// There is no terminal, or it is gone.
    NobodyThere,
    /// Ctrl-D.
    Refused,
    /// Ctrl-C.
    Interrupted,
    /// Ctrl-\.
    Quit,
}

impl From<Unanswered> for NoAnswer {
    fn from(why: Unanswered) -> Self {
        match why {
            Unanswered::NobodyThere => Self::NobodyThere,
            Unanswered::Refused => Self::Refused,
            Unanswered::Interrupted | Unanswered::Quit => Self::Interrupted,
        }
    }
}

/// Reads a line on the terminal, with or without showing it; the prompt is ours. Whoever stops waiting for it gets the terminal
/// back at once.
///
/// # Errors
/// Why there is none.
pub async fn line(prompt: &str, echo: bool) -> Result<Secret, Unanswered> {
    tty::ask(prompt.to_owned(), echo).await
}

/// What is shown: what came from the remote is made harmless.
fn shown(question: &Question) -> String {
    let prompt = plain::text(&question.prompt);
    if question.preface.is_empty() { prompt } else { format!("{}\n{prompt}", plain::text(&question.preface)) }
}

/// What was typed, unless it is no text.
fn typed(bytes: Vec<u8>) -> Result<Secret, Unanswered> {
    String::from_utf8(bytes).map(Secret::new).map_err(|_| Unanswered::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(vars: &[(&str, &str)], terminal: bool) -> Way {
        let vars = vars.iter().map(|(n, v)| (n.into(), v.into())).collect();
        Way::of(&Local { home: "/".into(), user: "u".into(), codex_home: "/c".into(), ssh_config: None, vars }, terminal)
    }

    #[test]
    fn a_person_is_asked_where_ssh_would_ask() {
        let askpass = || Way::Askpass("/bin/ask".into());
        let program = ("SSH_ASKPASS", "/bin/ask");
        for (vars, terminal, expected) in [
            (vec![], true, Way::Terminal),
            (vec![], false, Way::Nobody),
            (vec![program], false, Way::Nobody),
            (vec![program, ("DISPLAY", ":0")], false, askpass()),
            (vec![program, ("DISPLAY", ":0")], true, Way::Terminal),
            (vec![program, ("WAYLAND_DISPLAY", "w")], false, askpass()),
            (vec![program, ("SSH_ASKPASS_REQUIRE", "force")], true, askpass()),
            (vec![program, ("SSH_ASKPASS_REQUIRE", "prefer")], true, Way::Terminal),
            (vec![program, ("SSH_ASKPASS_REQUIRE", "prefer")], false, Way::Nobody),
            (vec![program, ("SSH_ASKPASS_REQUIRE", "Prefer"), ("DISPLAY", ":0")], true, askpass()),
            (vec![program, ("SSH_ASKPASS_REQUIRE", "never"), ("DISPLAY", ":0")], false, Way::Nobody),
            (vec![("DISPLAY", ":0")], false, Way::Askpass(USUAL_ASKPASS.into())),
        ] {
            assert_eq!(way(&vars, terminal), expected, "{vars:?} {terminal}");
        }
    }

    #[test]
    fn what_a_remote_asks_cannot_drive_the_terminal() {
        let question = Question { prompt: "\u{1b}]0;x\u{7}Code: ".into(), echo: true, preface: "a\u{1b}[2Jb".into() };
        assert_eq!(shown(&question), "a␛[2Jb\n␛]0;x␇Code: ");
    }
}
