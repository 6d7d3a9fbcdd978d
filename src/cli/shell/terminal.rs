//! The local terminal of a remote shell: its size, its modes, and raw while the shell runs.

use std::io::{IsTerminal, stdin};

use crossterm::terminal::window_size;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::paths::Local;
use crate::ssh::shell::{Modes, Pty, Size};

/// Whether standard input is a terminal.
pub(super) fn is_there() -> bool {
    stdin().is_terminal()
}

/// What to ask the remote for.
pub(super) fn pty(local: &Local) -> Pty {
    let term = local.var("TERM").and_then(|t| t.to_str()).unwrap_or("dumb").to_owned();
    let modes = tcgetattr(stdin()).map(|modes| Modes::of(&modes)).unwrap_or_default();
    Pty { term, size: size(), modes }
}

/// The size as it is now.
pub(super) fn size() -> Size {
    let usual = Size { columns: 80, rows: 24, ..Size::default() };
    window_size().map_or(usual, |now| Size { columns: now.columns, rows: now.rows, width: now.width, height: now.height })
}

/// Standard input as a raw terminal; dropping it puts the old modes back.
pub(super) struct Raw {
    before: Termios,
}

impl Raw {
    /// Makes it raw; nothing when standard input is no terminal.
    pub(super) fn take() -> Option<Self> {
        let before = tcgetattr(stdin()).ok()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(stdin(), SetArg::TCSADRAIN, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no modes.
        let _gone = tcsetattr(stdin(), SetArg::TCSADRAIN, &self.before);
    }
}
