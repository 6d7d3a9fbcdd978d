//! Where a command's words go: the answer to standard output, everything for people to standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::plain;
use crate::failure::{Code, Failure};

/// A place to write to, shared.
type Sink = Arc<Mutex<dyn Write + Send>>;

/// What was written to a stream that is kept in memory.
pub type Written = Arc<Mutex<Vec<u8>>>;

/// The two streams of a command. Clones write to the same places.
#[derive(Clone)]
pub struct Screen {
    out: Sink,
    err: Sink,
    /// Whether standard output is a terminal.
    pub out_is_terminal: bool,
    /// Whether a person sits at both standard input and standard error.
    pub interactive: bool,
    /// Whether to colour what goes to standard output.
    pub colour: bool,
    /// Whether to colour what goes to standard error.
    pub err_colour: bool,
}

impl Screen {
    /// The process's own streams; colours as `NO_COLOR`, `CLICOLOR_FORCE` and the terminal say.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            out: Arc::new(Mutex::new(io::stdout())),
            err: Arc::new(Mutex::new(io::stderr())),
            out_is_terminal: io::stdout().is_terminal(),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            colour: anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
            err_colour: anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
        }
    }

    /// Streams that are kept in memory: standard output, then standard error.
    #[must_use]
    pub fn captured() -> (Self, Written, Written) {
        let (out, err) = (Written::default(), Written::default());
        let (out_to, err_to): (Sink, Sink) = (out.clone(), err.clone());
        let screen =
            Self { out: out_to, err: err_to, out_is_terminal: false, interactive: false, colour: false, err_colour: false };
        (screen, out, err)
    }

    /// The same streams for one of several that write at once: whole lines only, each behind its name. Nobody can be asked
    /// there, because several would ask at once.
    #[must_use]
    pub fn prefixed(&self, name: &str) -> Self {
        let sink = |to: &Sink| -> Sink {
            Arc::new(Mutex::new(Prefixed { to: to.clone(), prefix: format!("[{name}] "), line: Vec::new() }))
        };
        Self { out: sink(&self.out), err: sink(&self.err), interactive: false, ..self.clone() }
    }

    /// How many columns a line of the answer has; none where nobody looks at it.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        let size = self.out_is_terminal.then(crossterm::terminal::size)?;
        size.ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0)
    }

    /// Writes a piece of the answer as it is and flushes it. The text must already be harmless (see [`plain`]).
    ///
    /// # Errors
    /// [`Code::LocalIo`] when it cannot be written; `main` counts a broken pipe as success.
    pub fn answer(&self, text: &str) -> Result<(), Failure> {
        put(&self.out, text).map_err(|e| broken(&e))
    }

    /// Writes a line of the answer.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        self.answer(&format!("{text}\n"))
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&plain::json(value))
    }

    /// Tells people something; that nobody reads it is no failure.
    pub fn note(&self, text: &str) {
        drop(put(&self.err, &format!("{text}\n")));
    }

    /// Warns people of something, in one harmless line.
    pub fn warn(&self, text: &str) {
        self.note(&format!("{}: {text}", painted("warning", YELLOW_BOLD, self.err_colour)));
    }

    /// Writes to standard error without a line's end.
    pub fn note_piece(&self, text: &str) {
        drop(put(&self.err, text));
    }
}

/// Holds back an unfinished line, and writes finished ones behind a prefix.
struct Prefixed {
    to: Sink,
    prefix: String,
    line: Vec<u8>,
}

impl Write for Prefixed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = [self.prefix.as_bytes(), &std::mem::take(&mut self.line)].concat();
                self.to.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl Drop for Prefixed {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            drop(self.write(b"\n"));
        }
    }
}

/// As clap and the Codex TUI colour what went wrong, and what to look at.
pub(in crate::cli) const RED_BOLD: Style = AnsiColor::Red.on_default().bold();
pub(in crate::cli) const YELLOW_BOLD: Style = AnsiColor::Yellow.on_default().bold();

/// A text in a style, where colours are wanted.
#[must_use]
pub(in crate::cli) fn painted(text: &str, style: Style, colour: bool) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

fn put(sink: &Sink, text: &str) -> io::Result<()> {
    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    sink.write_all(text.as_bytes())?;
    sink.flush()
}

/// What [`Failure::said`] holds when the reader of our output went away.
pub const BROKEN_PIPE: &str = "the reader went away";

fn broken(error: &io::Error) -> Failure {
    let failure = Failure::new(Code::LocalIo, "write to standard output");
    if error.kind() == io::ErrorKind::BrokenPipe { failure.said(BROKEN_PIPE) } else { failure.said(error) }
}
