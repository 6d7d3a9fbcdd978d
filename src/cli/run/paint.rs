//! A turn as text: the agent's words as they come, commands with their output, file changes as diffs.
//!
//! Pure: events in, text out. All remote text goes through [`Plain`].

mod words;

use std::collections::HashMap;

use anstyle::{AnsiColor, Style};

use crate::cli::plain::{self, Plain};
use crate::thread::event::{Change, End, Event, TurnEnd};
pub use words::{bare, head};
use words::{diff_lines, mark, outcome};

pub(in crate::cli) const DIM: Style = Style::new().dimmed();
pub(in crate::cli) const BOLD: Style = Style::new().bold();
pub(in crate::cli) const GREEN: Style = AnsiColor::Green.on_default();
pub(in crate::cli) const RED: Style = AnsiColor::Red.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Turns events into text.
#[derive(Debug, Default)]
pub struct Painter {
    colour: bool,
    out: String,
    open: Option<Block>,
    plain: Plain,
    /// Whether the last character written was not a line's end.
    within_line: bool,
    /// Whether anything was written at all.
    begun: bool,
    commands: HashMap<String, String>,
    /// The result of a review, until the agent has said something: it says it once more.
    told: String,
}

/// What is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    Said(String),
    Thought(String),
    Output(String),
}

impl Painter {
    /// A painter, with or without colours.
    #[must_use]
    pub fn new(colour: bool) -> Self {
        Self { colour, ..Self::default() }
    }

    /// The text of an event; empty for what is not shown.
    pub fn paint(&mut self, event: &Event) -> String {
        match event {
            Event::Prompted { text, .. } => {
                let text = plain::text(text.trim_end()).replace('\n', "\n  ");
                self.block(&self.style(BOLD, &format!("› {text}")));
            }
            Event::Said { item, piece } => {
                if std::mem::take(&mut self.told) != piece.trim() {
                    self.piece(Block::Said(item.clone()), piece);
                }
            }
            Event::Thought { item, piece } => self.piece(Block::Thought(item.clone()), piece),
            Event::Output { item, piece } => self.piece(Block::Output(item.clone()), piece),
            Event::Command { item, command, .. } => self.command(item, command),
            Event::Ran { item, end, exit_code, took } => self.ran(item, &outcome(*end, *exit_code, *took), *end),
            Event::Changed { end, changes, .. } => self.changed(*end, changes),
            Event::Plan(steps) => self.plan(steps),
            Event::Did(what) => self.block(&self.style(CYAN, &format!("• {}", plain::line(what)))),
            Event::Told(text) => {
                text.trim().clone_into(&mut self.told);
                self.block(plain::text(text).trim_end());
            }
            Event::Warning(text) => self.block(&self.style(YELLOW, &format!("warning: {}", plain::line(text)))),
            Event::Error { text, will_retry } => {
                let again = if *will_retry { " (the server tries again)" } else { "" };
                self.block(&self.style(RED, &format!("error: {}{again}", plain::line(text))));
            }
            Event::TurnEnded(_, end) => self.turn_ended(end),
            Event::TurnStarted(_)
            | Event::SaidAll { .. }
            | Event::Diff(_)
            | Event::Asked(_)
            | Event::Resolved(_)
            | Event::Closed => {}
        }
        std::mem::take(&mut self.out)
    }

    /// Ends an unfinished line, before somebody else writes.
    pub fn pause(&mut self) -> String {
        self.close();
        std::mem::take(&mut self.out)
    }

    fn style(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn put(&mut self, text: &str) {
        if !text.is_empty() {
            self.begun = true;
            self.within_line = !text.ends_with('\n');
            self.out.push_str(text);
        }
    }

    fn close(&mut self) {
        let held = self.plain.finish();
        self.put(&held);
        self.open = None;
        if self.within_line {
            self.put("\n");
        }
    }

    /// A piece of text of its own, with an empty line before it.
    fn block(&mut self, text: &str) {
        self.close();
        if self.begun {
            self.put("\n");
        }
        self.put(text);
        self.put("\n");
    }

    fn piece(&mut self, block: Block, piece: &str) {
        if self.open.as_ref() != Some(&block) {
            self.close();
            match &block {
                Block::Output(item) => {
                    if let Some(command) = self.commands.get(item).map(|c| format!("$ {c} (goes on)")) {
                        self.block(&self.style(DIM, &command));
                    }
                }
                Block::Said(_) | Block::Thought(_) if self.begun => self.put("\n"),
                Block::Said(_) | Block::Thought(_) => {}
            }
            self.open = Some(block.clone());
        }
        let text = self.plain.push(piece);
        match block {
            Block::Said(_) => self.put(&text),
            Block::Thought(_) | Block::Output(_) => self.indented(&text),
        }
    }

    fn indented(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            if !self.within_line {
                self.put("  ");
            }
            let shown = self.style(DIM, line.trim_end_matches('\n'));
            self.put(&shown);
            if line.ends_with('\n') {
                self.put("\n");
            }
        }
    }

    fn command(&mut self, item: &str, command: &str) {
        let command = plain::line(&bare(command));
        let shown = format!("{} {}", self.style(CYAN, "$"), self.style(BOLD, &command));
        self.block(&shown);
        self.open = Some(Block::Output(item.to_owned()));
        self.commands.insert(item.to_owned(), command);
    }

    fn ran(&mut self, item: &str, outcome: &str, end: End) {
        let command = self.commands.remove(item);
        let current = self.open == Some(Block::Output(item.to_owned()));
        self.close();
        if !current && let Some(command) = command {
            self.block(&self.style(DIM, &format!("$ {command}")));
        }
        let colour = if end == End::Done { DIM } else { RED };
        let line = format!("  {}\n", self.style(colour, outcome));
        self.put(&line);
    }

    fn changed(&mut self, end: End, changes: &[Change]) {
        self.close();
        for change in changes {
            let head = head(change, end);
            // As Codex's own screen shows it: the verb bold, the counts in their colours.
            let (verb, rest) = head.split_once(' ').unwrap_or((&head, ""));
            let (name, counts) = rest.rsplit_once(" (").unwrap_or((rest, ""));
            let (plus, minus) = counts.trim_end_matches(')').split_once(' ').unwrap_or_default();
            let counts = format!("({} {})", self.style(GREEN, plus), self.style(RED, minus));
            self.block(&format!("{} {name} {counts}", self.style(BOLD, verb)));
            let diff = self.diff(change);
            self.put(&diff);
        }
    }

    /// The lines of a change, coloured, indented by two.
    #[must_use]
    pub fn diff(&self, change: &Change) -> String {
        let mut out = String::new();
        for (sign, line) in diff_lines(change) {
            let text = format!("{sign}{}", plain::line(line));
            let shown = match sign {
                '+' => self.style(GREEN, &text),
                '-' => self.style(RED, &text),
                _ if line.starts_with("@@") => self.style(DIM, &text),
                _ => text,
            };
            out.push_str(&format!("  {shown}\n"));
        }
        out
    }

    fn plan(&mut self, steps: &[(String, String)]) {
        let lines: Vec<String> = steps.iter().map(|(state, step)| format!("{} {}", mark(state), plain::line(step))).collect();
        self.block(&self.style(CYAN, &format!("plan\n  {}", lines.join("\n  "))));
    }

    fn turn_ended(&mut self, end: &TurnEnd) {
        self.close();
        self.commands.clear();
        match end {
            TurnEnd::Completed => {}
            TurnEnd::Interrupted => self.block(&self.style(YELLOW, "the turn was interrupted")),
            TurnEnd::Failed(why) => self.block(&self.style(RED, &format!("the turn failed: {}", plain::line(why)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::name::TurnId;
    use crate::thread::event::ChangeKind;

    fn said(piece: &str) -> Event {
        Event::Said { item: "a".into(), piece: piece.into() }
    }

    fn output(item: &str, piece: &str) -> Event {
        Event::Output { item: item.into(), piece: piece.into() }
    }

    fn command(item: &str, command: &str) -> Event {
        Event::Command { item: item.into(), command: command.into(), cwd: "/".into() }
    }

    fn ran(item: &str, end: End, exit_code: Option<i64>) -> Event {
        Event::Ran { item: item.into(), end, exit_code, took: Some(Duration::from_millis(1234)) }
    }

    fn paint(events: &[Event]) -> String {
        let mut painter = Painter::new(false);
        events.iter().map(|event| painter.paint(event)).collect()
    }

    #[test]
    fn a_turn_reads_well() {
        let update = "@@ -1,2 +1,2 @@\n one\n-two\n+2\n";
        let changes = vec![
            Change { path: "/w/a".into(), kind: ChangeKind::Update { move_path: None }, diff: update.into() },
            Change { path: "/w/new".into(), kind: ChangeKind::Add, diff: "x\n".into() },
        ];
        let text = paint(&[
            said("I will \u{1b}[31mlook"),
            said(".\n"),
            command("c", "ls -l"),
            output("c", "a\nb"),
            output("c", "\n\u{1b}]0;evil\u{7}\n"),
            ran("c", End::Done, Some(0)),
            Event::Changed { item: "f".into(), end: End::Done, changes },
            said("Done."),
            Event::TurnEnded(TurnId("t".into()), TurnEnd::Completed),
        ]);
        insta::assert_snapshot!(text, @r"
        I will look.

        $ ls -l
          a
          b
          ␛]0;evil␇
          exit 0 · 1.2 s

        edited /w/a (+1 -1)
           @@ -1,2 +1,2 @@
           one
          -two
          +2

        added /w/new (+1 -0)
          +x

        Done.
        ");
    }

    #[test]
    fn commands_that_overlap_stay_apart() {
        let text = paint(&[
            command("c", "one"),
            command("d", "two"),
            output("c", "from one\n"),
            ran("d", End::Failed, Some(7)),
            ran("c", End::Declined, None),
            Event::TurnEnded(TurnId("t".into()), TurnEnd::Failed("it broke".into())),
        ]);
        insta::assert_snapshot!(text, @r"
        $ one

        $ two

        $ one (goes on)
          from one

        $ two
          exit 7 · 1.2 s

        $ one
          declined, not run · 1.2 s

        the turn failed: it broke
        ");
    }

    #[test]
    fn the_result_of_a_review_is_told_once() {
        let review = "- [P1] Two\n  lines of it\n";
        let told = Event::Told(review.to_owned());
        assert_eq!(paint(&[told.clone(), said(review), said("And more.")]), format!("{review}\nAnd more."));
        assert_eq!(paint(&[told, said("Else."), said(review)]), format!("{review}\nElse.{review}"));
    }
}
