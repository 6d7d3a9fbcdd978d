//! Approvals: what is shown of one, and the keys that answer it.

use clap::ValueEnum;
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::paint::{Painter, bare, head};
use super::{forms, questions};
use crate::app_server::protocol::approval::{Asked, ElicitationAsked};
use crate::cli::plain;
use crate::thread::event::{Approval, Decision, End};

/// What is done about an approval request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Approve {
    /// Decline all.
    Never,
    /// Ask on the terminal; without one decline, unless somebody else began the turn: then wait.
    #[default]
    Ask,
    /// Leave it to another terminal, and tell how it is answered there.
    Wait,
    /// Accept all.
    Always,
}

/// What a key means at an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// It decides.
    Decide(Decision),
    /// Show all that is known.
    More,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-\ or Ctrl-D: leave without an answer.
    Leave,
}

/// The meaning of a key; none for others, and for decisions that are not offered.
#[must_use]
pub fn key(event: KeyEvent, offered: &[Decision]) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let letter = match event.code.as_char() {
        None if event.code == KeyCode::Esc => 'c',
        letter => letter?,
    };
    if event.modifiers.contains(KeyModifiers::CONTROL) {
        return match letter {
            'c' => Some(Key::Interrupt),
            '\\' | '4' | 'd' => Some(Key::Leave),
            _ => None,
        };
    }
    let decision = match letter {
        'm' => return Some(Key::More),
        'y' => Decision::Accept,
        's' => Decision::AcceptForSession,
        'n' => Decision::Decline,
        'c' => Decision::Cancel,
        _ => return None,
    };
    offered.contains(&decision).then_some(Key::Decide(decision))
}

/// The question in a few lines.
#[must_use]
pub fn question(approval: &Approval) -> String {
    let (what, reason) = match &approval.asked {
        Asked::Command(asked) => {
            let command = plain::line(&bare(asked.command.as_deref().unwrap_or("(a command)")));
            let cwd = asked.cwd.as_deref().map_or(String::new(), |cwd| format!("\n  in {}", plain::line(cwd)));
            (format!("run a command\n  $ {command}{cwd}"), asked.reason.as_deref())
        }
        Asked::FileChange(asked) => {
            let files: Vec<String> = approval.changes.iter().map(|c| format!("\n  {}", head(c, End::Done))).collect();
            let root = asked.grant_root.as_deref().map_or(String::new(), |r| format!("\n  and write below {}", plain::line(r)));
            (format!("change files{}{root}", files.concat()), asked.reason.as_deref())
        }
        Asked::Permissions(asked) => {
            (format!("get more permissions\n  {}", plain::json(&asked.permissions)), asked.reason.as_deref())
        }
        Asked::Questions(_) => ("know something".to_owned(), None),
        Asked::Elicitation(asked) => return elicitation(asked),
    };
    let reason = reason.map_or(String::new(), |reason| format!("\n  because: {}", plain::line(reason)));
    format!("? The agent asks to {what}{reason}")
}

fn elicitation(asked: &ElicitationAsked) -> String {
    let url = asked.url.as_deref().map_or(String::new(), |url| format!("\n  {}", plain::line(url)));
    let message = if asked.message.is_empty() { &asked.title } else { &asked.message };
    let (from, fields) = (plain::line(&asked.server_name), forms::shown(&asked.fields()));
    format!("? The MCP server {from} asks\n  {}{url}{fields}", plain::line(message))
}

/// The question with all that answering it takes.
#[must_use]
pub fn full(approval: &Approval) -> String {
    match &approval.asked {
        Asked::Questions(asked) => asked.questions.iter().map(questions::text).collect::<String>().trim_start().to_owned(),
        Asked::Command(_) | Asked::FileChange(_) | Asked::Permissions(_) | Asked::Elicitation(_) => question(approval),
    }
}

/// What one does from another terminal to say yes to it: `outpost thread` this.
#[must_use]
pub fn way(approval: &Approval) -> &'static str {
    if approval.asked.wants_words() { "answer" } else { "approve" }
}

/// The question in a line, for a person who looks elsewhere.
#[must_use]
pub fn short(approval: &Approval) -> String {
    if let Asked::Questions(asked) = &approval.asked {
        return asked.questions.iter().map(|question| plain::line(&question.question)).collect::<Vec<_>>().join(" · ");
    }
    let text = question(approval);
    let lines: Vec<&str> = text.trim_start_matches("? ").lines().map(str::trim).take(2).collect();
    lines.join(": ")
}

/// All that is known: the whole command, the whole diff.
#[must_use]
pub fn more(approval: &Approval, painter: &Painter) -> String {
    let mut text = match &approval.asked {
        Asked::Command(asked) => plain::text(asked.command.as_deref().unwrap_or_default()),
        Asked::Permissions(asked) => plain::json(&asked.permissions),
        Asked::FileChange(_) | Asked::Questions(_) | Asked::Elicitation(_) => String::new(),
    };
    for change in &approval.changes {
        text.push_str(&format!("\n{}\n{}", head(change, End::Done), painter.diff(change)));
    }
    if text.is_empty() { "  (nothing more is known)".to_owned() } else { text }
}

/// The keys that are offered.
#[must_use]
pub fn keys(offered: &[Decision]) -> String {
    let words = offered.iter().map(|decision| match decision {
        Decision::Accept => "[y] yes, once",
        Decision::AcceptForSession => "[s] yes, for the session",
        Decision::Decline => "[n] no",
        Decision::Cancel => "[c] no, and end the turn",
    });
    words.chain(["[m] show more"]).collect::<Vec<_>>().join("  ")
}

/// The decision that is taken without asking anybody; none when the server offers nothing of the kind.
#[must_use]
pub fn without_asking(approve: Approve, offered: &[Decision]) -> Option<Decision> {
    let wanted: &[Decision] = match approve {
        Approve::Always => &[Decision::Accept, Decision::AcceptForSession],
        Approve::Never | Approve::Ask | Approve::Wait => &[Decision::Decline, Decision::Cancel],
    };
    wanted.iter().copied().find(|decision| offered.contains(decision))
}

/// The word for a decision that was taken.
#[must_use]
pub fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Accept => "accepted",
        Decision::AcceptForSession => "accepted for the session",
        Decision::Decline => "declined",
        Decision::Cancel => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::message::RequestId;
    use crate::thread::event::{Change, ChangeKind};
    use serde_json::json;

    fn approval(method: &str, params: serde_json::Value) -> Approval {
        let change = Change { path: "/w/a".into(), kind: ChangeKind::Add, diff: "x\n".into() };
        Approval { id: RequestId::Number(0), asked: Asked::read(method, &params).expect("read"), changes: vec![change] }
    }

    #[test]
    fn a_question_names_what_is_asked() {
        let command = json!({"command":"rm -rf x\u{1b}[2J","cwd":"/w","reason":"cleanup"});
        let command = approval("item/commandExecution/requestApproval", command);
        let files = approval("item/fileChange/requestApproval", json!({}));
        let schema = json!({"required":["it"],"properties":{"it":{"type":"string"}}});
        let form = json!({"serverName":"asker","mode":"form","message":"which one?","requestedSchema":schema});
        let form = approval("mcpServer/elicitation/request", form);
        assert_eq!((way(&command), way(&form)), ("approve", "answer"));
        let more_of_it = more(&files, &Painter::new(false));
        let all =
            [question(&command), question(&files), question(&form), short(&form), keys(&files.asked.decisions()), more_of_it]
                .join("\n---\n");
        insta::assert_snapshot!(all, @r"
        ? The agent asks to run a command
          $ rm -rf x␛[2J
          in /w
          because: cleanup
        ---
        ? The agent asks to change files
          added /w/a (+1 -0)
        ---
        ? The MCP server asker asks
          which one?
          · it: a text
        ---
        The MCP server asker asks: which one?
        ---
        [y] yes, once  [s] yes, for the session  [n] no  [c] no, and end the turn  [m] show more
        ---

        added /w/a (+1 -0)
          +x
        ");
    }

    #[test]
    fn only_offered_keys_count() {
        let press = |c, m| KeyEvent::new(KeyCode::Char(c), m);
        let offered = [Decision::Accept, Decision::Cancel];
        assert_eq!(key(press('y', KeyModifiers::NONE), &offered), Some(Key::Decide(Decision::Accept)));
        assert_eq!(key(press('n', KeyModifiers::NONE), &offered), None);
        assert_eq!(key(press('c', KeyModifiers::CONTROL), &offered), Some(Key::Interrupt));
        assert_eq!(key(press('c', KeyModifiers::NONE), &offered), Some(Key::Decide(Decision::Cancel)));
    }

    #[test]
    fn nobody_asked_means_no() {
        let all = [Decision::Accept, Decision::AcceptForSession, Decision::Decline, Decision::Cancel];
        assert_eq!(without_asking(Approve::Ask, &all), Some(Decision::Decline));
        assert_eq!(without_asking(Approve::Never, &[Decision::Accept, Decision::Cancel]), Some(Decision::Cancel));
        assert_eq!(without_asking(Approve::Always, &all), Some(Decision::Accept));
        assert_eq!(without_asking(Approve::Always, &[Decision::Decline]), None);
    }
}
