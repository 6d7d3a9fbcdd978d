//! The terminal as a full screen: taken, drawn on, and given back as it was whatever happens.

use std::io::{self, Stderr};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, EventStream};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

use crate::failure::{Code, Failure};

/// The full screen, on standard error: standard output is for the answer.
pub struct Full {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    /// What is pressed.
    pub keys: EventStream,
    _given_back: GivesBack,
}

/// Gives the terminal back.
struct GivesBack;

impl Drop for GivesBack {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        drop(execute!(io::stderr(), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show));
        drop(disable_raw_mode());
    }
}

impl Full {
    /// Takes the terminal.
    ///
    /// # Errors
    /// [`Code::LocalIo`] when it cannot be had.
    pub fn begin() -> Result<Self, Failure> {
        enable_raw_mode().map_err(|e| fail(&e))?;
        let given_back = GivesBack;
        execute!(io::stderr(), EnterAlternateScreen, EnableBracketedPaste).map_err(|e| fail(&e))?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stderr())).map_err(|e| fail(&e))?;
        Ok(Self { terminal, keys: EventStream::new(), _given_back: given_back })
    }

    /// How many lines it has; the usual number where nobody knows.
    #[must_use]
    pub fn height(&self) -> u16 {
        self.terminal.size().map_or(24, |size| size.height)
    }

    /// Draws; only what changed is written.
    ///
    /// # Errors
    /// [`Code::LocalIo`] when it cannot be written.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        self.terminal.draw(picture).map(drop).map_err(|e| fail(&e))
    }
}

fn fail(error: &io::Error) -> Failure {
    Failure::new(Code::LocalIo, "use the terminal as a full screen").said(error)
}
