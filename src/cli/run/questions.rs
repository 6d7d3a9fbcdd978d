//! What a person types: single keys at an approval, lines at a question or a prompt.

use std::sync::{Arc, Mutex, PoisonError};

use crossterm::event::EventStream;
use crossterm::terminal;
use rustyline::ExternalPrinter;
use rustyline::error::ReadlineError;

use crate::app_server::protocol::approval::{AgentQuestion, QuestionsAsked};
use crate::cli::ask::Unanswered;
use crate::cli::plain;
use crate::cli::screen::Screen;
use crate::failure::{Code, Failure};
use crate::ssh::ask::Secret;

/// Single keys from the terminal; dropping it gives the terminal back as it was.
pub struct RawKeys {
    /// The keys.
    pub stream: EventStream,
}

impl RawKeys {
    /// Takes the terminal.
    ///
    /// # Errors
    /// [`Code::LocalIo`] when it cannot be had.
    pub fn begin() -> Result<Self, Failure> {
        terminal::enable_raw_mode().map_err(|e| Failure::new(Code::LocalIo, "read keys from the terminal").said(e))?;
        Ok(Self { stream: EventStream::new() })
    }
}

impl Drop for RawKeys {
    fn drop(&mut self) {
        drop(terminal::disable_raw_mode());
    }
}

/// What came of asking a person to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed<T = String> {
    /// What was typed.
    Given(T),
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-\, or the terminal is gone.
    Leave,
    /// Ctrl-D.
    End,
}

/// Reads a line; whoever stops waiting for it gets the terminal back as it was.
pub async fn line(prompt: &str) -> Typed {
    from(crate::cli::ask::line(prompt, true).await)
}

fn from(typed: Result<Secret, Unanswered>) -> Typed {
    match typed {
        Ok(line) => Typed::Given(line.reveal().to_owned()),
        Err(Unanswered::Interrupted) => Typed::Interrupt,
        Err(Unanswered::Quit | Unanswered::NobodyThere) => Typed::Leave,
        Err(Unanswered::Refused) => Typed::End,
    }
}

/// Reads a prompt with the usual keys for editing it, and lines that were typed before for the key that brings them back.
///
/// # Errors
/// [`Code::LocalIo`] when the terminal cannot be read.
/// What is told while a person types stands above the line, which is drawn again.
#[derive(Clone, Default)]
pub struct Above(Arc<Mutex<Option<Box<dyn ExternalPrinter + Send>>>>);

impl Above {
    /// Tells it.
    pub fn note(&self, screen: &Screen, text: &str) {
        let mut printer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = printer.as_mut().is_some_and(|printer| printer.print(format!("{text}\n")).is_ok());
        if !told {
            screen.note(text);
        }
    }

    fn by(&self, printer: impl ExternalPrinter + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(printer));
    }
}

/// As [`line()`], with lines that were typed before for the key that brings them back.
///
/// # Errors
/// As [`line()`].
pub async fn line_after(prompt: &str, before: &[String], above: &Above) -> Result<Typed, Failure> {
    let (prompt, before, above) = (prompt.to_owned(), before.to_vec(), above.clone());
    // Whoever stops waiting for the line gets the terminal back as it was.
    let _terminal = crate::cli::ask::TerminalMode::kept();
    let fail = |said: String| Failure::new(Code::LocalIo, "read a line from the terminal").said(said);
    let read = tokio::task::spawn_blocking(move || {
        let mut editor = rustyline::DefaultEditor::new()?;
        // Where there is no terminal to draw on, notes are told as ever.
        if let Ok(printer) = editor.create_external_printer() {
            above.by(printer);
        }
        for line in before {
            editor.add_history_entry(line)?;
        }
        editor.readline(&prompt)
    });
    match read.await.map_err(|e| fail(e.to_string()))? {
        Ok(line) => Ok(Typed::Given(line)),
        Err(ReadlineError::Interrupted) => Ok(Typed::Interrupt),
        Err(ReadlineError::Eof) => Ok(Typed::End),
        Err(error) => Err(fail(error.to_string())),
    }
}

/// Whether a person agrees; nobody there means no.
pub async fn agreed(screen: &Screen, what: &str) -> Typed<bool> {
    if !screen.interactive {
        return Typed::Given(false);
    }
    match line(&format!("{what} [y/N] ")).await {
        Typed::Given(word) => Typed::Given(matches!(word.trim(), "y" | "Y" | "yes")),
        Typed::Interrupt => Typed::Interrupt,
        Typed::Leave => Typed::Leave,
        Typed::End => Typed::End,
    }
}

/// Asks the agent's questions one after the other.
///
/// # Errors
/// None; the form of a question that has some.
pub async fn ask(asked: &QuestionsAsked, screen: &Screen) -> Result<Typed<Vec<(String, Vec<String>)>>, Failure> {
    let mut given = Vec::new();
    for question in &asked.questions {
        screen.note(&text(question));
        let (prompt, echo) = if question.is_secret { ("  answer (not shown): ", false) } else { ("  answer: ", true) };
        match from(crate::cli::ask::line(prompt, echo).await) {
            Typed::Given(typed) => given.push((question.id.clone(), vec![chosen(question, typed.trim())])),
            Typed::Interrupt => return Ok(Typed::Interrupt),
            Typed::Leave => return Ok(Typed::Leave),
            Typed::End => return Ok(Typed::End),
        }
    }
    Ok(Typed::Given(given))
}

/// A question with its options.
#[must_use]
pub fn text(question: &AgentQuestion) -> String {
    let mut text = format!("\n? {}", plain::text(&question.question));
    for (number, option) in question.options.iter().flatten().enumerate() {
        let description = plain::line(&option.description);
        text.push_str(&format!("\n  {}. {}  {description}", number + 1, plain::line(&option.label)));
    }
    text
}

/// A number stands for the option of that number, anything else for itself.
#[must_use]
pub fn chosen(question: &AgentQuestion, typed: &str) -> String {
    let options = question.options.as_deref().unwrap_or_default();
    let picked = typed.parse::<usize>().ok().and_then(|number| options.get(number.checked_sub(1)?));
    picked.map_or_else(|| typed.to_owned(), |option| option.label.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_server::protocol::view;
    use serde_json::json;

    #[test]
    fn a_number_picks_an_option() {
        let asked =
            json!({"id":"q","question":"Which?","options":[{"label":"main","description":"the default"},{"label":"dev"}]});
        let question: AgentQuestion = view(&asked).expect("read");
        insta::assert_snapshot!(text(&question), @r"

        ? Which?
          1. main  the default
          2. dev
        ");
        for (typed, answer) in [("1", "main"), ("2", "dev"), ("3", "3"), ("0", "0"), ("other", "other")] {
            assert_eq!(chosen(&question, typed), answer);
        }
    }
}
