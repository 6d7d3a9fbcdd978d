//! The terminal of this process, whatever its standard streams lead to.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

use super::line::{Line, Typed};
use super::{Unanswered, typed};
use crate::ssh::ask::Secret;

/// How often a prompt that waits looks whether it is still wanted, in milliseconds.
const LOOK_UP: u16 = 50;

/// Whether there is a terminal to ask on.
pub(super) fn exists() -> bool {
    open().is_ok()
}

fn open() -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty")
}

/// Shows a prompt and reads a line. When the future is dropped the terminal is given back as it was.
pub(super) async fn ask(prompt: String, echo: bool) -> Result<Secret, Unanswered> {
    let (ended, end) = mpsc::channel::<()>();
    let wanted = Wanted { still: Arc::new(AtomicBool::new(true)), end };
    let still = Arc::clone(&wanted.still);
    let reading = tokio::task::spawn_blocking(move || {
        let _ended = ended;
        read(&prompt, echo, &still)
    });
    let bytes = reading.await.map_err(|_| Unanswered::NobodyThere)?;
    drop(wanted);
    typed(bytes?)
}

/// Tells the reading thread that nobody waits for the answer any more, and waits until it has given the terminal back: whoever
/// takes it next must not find it in this one's state.
struct Wanted {
    still: Arc<AtomicBool>,
    /// Nothing ever comes here; it is over when the thread is.
    end: mpsc::Receiver<()>,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.still.store(false, Ordering::Relaxed);
        let _over = self.end.recv_timeout(Duration::from_millis(u64::from(10 * LOOK_UP)));
    }
}

/// The settings of the terminal as they are now; dropping it puts them back.
pub struct TerminalMode(Option<(File, Termios)>);

impl TerminalMode {
    /// Remembers them; without a terminal there is nothing to remember.
    #[must_use]
    pub fn kept() -> Self {
        Self(open().ok().and_then(|tty| tcgetattr(&tty).ok().map(|mode| (tty, mode))))
    }
}

impl Drop for TerminalMode {
    fn drop(&mut self) {
        if let Some((tty, mode)) = &self.0 {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(tty, SetArg::TCSANOW, mode);
        }
    }
}

/// The terminal with its line discipline off; dropping it puts the old settings back.
struct Raw {
    tty: File,
    before: Termios,
}

impl Raw {
    fn take(tty: File) -> nix::Result<Self> {
        let before = tcgetattr(&tty)?;
        let mut raw = before.clone();
        // Signals are off too: Ctrl-C must give the terminal back before it ends anything.
        raw.local_flags &= !(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        raw.input_flags |= InputFlags::ICRNL;
        let byte_by_byte = [(SpecialCharacterIndices::VMIN, 1), (SpecialCharacterIndices::VTIME, 0)];
        for (index, value) in byte_by_byte {
            if let Some(slot) = raw.control_chars.get_mut(index as usize) {
                *slot = value;
            }
        }
        tcsetattr(&tty, SetArg::TCSAFLUSH, &raw)?;
        Ok(Self { tty, before })
    }

    /// The next byte; nothing when the terminal is gone or nobody wants the answer.
    fn byte(&mut self, wanted: &AtomicBool) -> Option<u8> {
        while wanted.load(Ordering::Relaxed) {
            let mut ready = [PollFd::new(self.tty.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::from(LOOK_UP)) {
                Ok(0) | Err(nix::errno::Errno::EINTR) => {}
                Ok(_) => {
                    let mut byte = [0];
                    return matches!(self.tty.read(&mut byte), Ok(1)).then_some(byte[0]);
                }
                Err(_) => return None,
            }
        }
        None
    }

    fn show(&mut self, text: &[u8]) {
        drop(self.tty.write_all(text));
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no settings.
        let _gone = tcsetattr(&self.tty, SetArg::TCSAFLUSH, &self.before);
    }
}

fn read(prompt: &str, echo: bool, wanted: &AtomicBool) -> Result<Vec<u8>, Unanswered> {
    let gone = |_| Unanswered::NobodyThere;
    let mut raw = open().map_err(gone).and_then(|tty| Raw::take(tty).map_err(|_| Unanswered::NobodyThere))?;
    raw.show(prompt.as_bytes());
    let mut line = Line::default();
    let ended = loop {
        let Some(byte) = raw.byte(wanted) else { break Some(Unanswered::Refused) };
        match line.key(byte) {
            Typed::Added(byte) if echo => raw.show(&[byte]),
            Typed::Erased(columns) if echo => raw.show("\u{8} \u{8}".repeat(columns).as_bytes()),
            Typed::Added(_) | Typed::Erased(_) | Typed::Nothing => {}
            Typed::Done => break None,
            Typed::Refused => break Some(Unanswered::Refused),
            Typed::Interrupted => break Some(Unanswered::Interrupted),
            Typed::Quit => break Some(Unanswered::Quit),
        }
    };
    raw.show(b"\n");
    ended.map_or_else(|| Ok(line.finish()), Err)
}
