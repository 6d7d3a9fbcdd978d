//! TOML files that people edit by hand: read with line and column, edited without touching what was not meant.

use std::fs::TryLockError;
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use toml_edit::{Document, DocumentMut};

use crate::failure::{Code, Failure};
use crate::paths;

/// A TOML file as read, which knows its path for error messages.
#[derive(Debug)]
pub struct TomlFile<'a> {
    path: &'a Path,
    code: Code,
    text: Option<String>,
}

impl<'a> TomlFile<'a> {
    /// Reads a file; a missing one is an empty document. `code` is what its failures are called.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is not UTF-8.
    pub fn read(path: &'a Path, code: Code) -> Result<Self, Failure> {
        let bytes = match paths::read_bytes(path) {
            Ok(bytes) => Some(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                let hint = "move it away, or make it a text file that you may read";
                return Err(Failure::new(code, format!("read {}", path.display())).said(e).hint(hint));
            }
        };
        let text = bytes.map(|bytes| utf8(path, code, bytes)).transpose()?;
        Ok(Self { path, code, text })
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// The text; empty for a missing file.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// The document, with spans.
    ///
    /// # Errors
    /// When it is not TOML, with line and column.
    pub fn parse(&self) -> Result<Document<&str>, Failure> {
        Document::parse(self.text()).map_err(|e| self.wrong(e.span(), one_line(e.message())))
    }

    /// A failure at a place of this file: `FILE:LINE:COLUMN`.
    #[must_use]
    pub fn wrong(&self, at: Option<Range<usize>>, said: impl std::fmt::Display) -> Failure {
        let (line, column) = position(self.text(), at.map_or(0, |span| span.start));
        let hint = format!("mend line {line} of {}; it is left as it is until then", self.path.display());
        Failure::new(self.code, format!("{}:{line}:{column}", self.path.display())).said(said).hint(hint)
    }

    /// What the file would be after an edit: line endings, byte-order mark and every line that the edit left alone stay.
    ///
    /// # Errors
    /// When it is not TOML, or the edit refuses.
    pub fn edited(&self, edit: impl FnOnce(&mut DocumentMut) -> Result<(), Failure>) -> Result<String, Failure> {
        self.parse()?;
        let bare = self.text().trim_start_matches('\u{feff}');
        let plain = bare.replace("\r\n", "\n");
        let mut document = match plain.parse::<DocumentMut>() {
            Ok(document) => document,
            Err(e) => return Err(self.wrong(e.span(), one_line(e.message()))),
        };
        edit(&mut document)?;
        let mark = if bare.len() < self.text().len() { "\u{feff}" } else { "" };
        Ok(format!("{mark}{}", with_endings_of(bare, &document.to_string())))
    }

    /// Writes new content to where it was read from.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, content: &str) -> Result<(), Failure> {
        paths::write_private(self.path, content.as_bytes())
            .map_err(|e| Failure::new(self.code, format!("write {}", self.path.display())).said(e))
    }
}

/// Edits one of our own files; whoever edits a file of the same folder at the same time waits, so that no edit is lost.
///
/// # Errors
/// When it cannot be read, is not TOML, or cannot be written.
pub fn edit(path: &Path, code: Code, edit: impl FnOnce(&mut DocumentMut)) -> Result<(), Failure> {
    let _turn = lock(path).map_err(|e| Failure::new(code, format!("write {}", path.display())).said(e))?;
    let file = TomlFile::read(path, code)?;
    let text = file.edited(|document| {
        edit(document);
        Ok(())
    })?;
    if text == file.text() { Ok(()) } else { file.write(&text) }
}

/// How long a lock that somebody else holds is waited for; an edit takes milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(5);
/// Between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Beside the file, because the file itself is replaced by each edit. Where there are no locks, edits go without.
fn lock(path: &Path) -> io::Result<Option<std::fs::File>> {
    let folder = path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no parent"))?;
    paths::own_dir(folder)?;
    let path = folder.join(".lock");
    let file = std::fs::OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) if began.elapsed() > LOCK_LIMIT => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, format!("another program holds {}", path.display())));
            }
            Err(TryLockError::WouldBlock) => pause(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "nothing tells that a lock is free, save a call that waits for ever")]
fn pause() {
    std::thread::sleep(LOCK_PAUSE);
}

fn utf8(path: &Path, code: Code, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|e| {
        let good = String::from_utf8_lossy(e.as_bytes().get(..e.utf8_error().valid_up_to()).unwrap_or_default()).into_owned();
        let (line, column) = position(&good, good.len());
        Failure::new(code, format!("{}:{line}:{column}", path.display())).said("not UTF-8").hint("save the file as UTF-8")
    })
}

/// Line and column of a byte offset, both from 1, the column in characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before.get(start..).unwrap_or_default().trim_start_matches('\u{feff}').chars().count() + 1)
}

fn one_line(message: &str) -> String {
    message.trim().replace('\n', ", ")
}

/// `new` (with bare newlines) with the line endings of `old`: the lines that both begin and both end with keep their bytes,
/// what is between takes the ending that most of the file has.
fn with_endings_of(old: &str, new: &str) -> String {
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    let same = |a: &&&str, b: &&&str| a.trim_end_matches(['\r', '\n']) == b.trim_end_matches('\n');
    let head = old_lines.iter().zip(&new_lines).take_while(|(a, b)| same(a, b)).count();
    let rest = old_lines.len().min(new_lines.len()) - head;
    let tail = old_lines.iter().rev().zip(new_lines.iter().rev()).take(rest).take_while(|(a, b)| same(a, b)).count();
    let ending = if old.matches("\r\n").count() * 2 > old.matches('\n').count() { "\r\n" } else { "\n" };
    let mut out = String::with_capacity(new.len() + 64);
    for (at, line) in new_lines.iter().enumerate() {
        let kept = if at < head {
            old_lines.get(at)
        } else if at >= new_lines.len() - tail {
            old_lines.get(at + old_lines.len() - new_lines.len())
        } else {
            None
        };
        match kept {
            Some(kept) if kept.ends_with('\n') => out.push_str(kept),
            Some(_) | None => {
                out.push_str(line.trim_end_matches('\n'));
                out.push_str(ending);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_at_the_same_time_are_all_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("ours/file.toml");
        std::thread::scope(|scope| {
            for n in 0..20 {
                let path = &path;
                scope.spawn(move || {
                    edit(path, Code::SettingsBroken, |document| drop(document.insert(&format!("k{n}"), toml_edit::value(n))))
                });
            }
        });
        let text = std::fs::read_to_string(&path).expect("written");
        assert_eq!(text.lines().count(), 20, "{text}");
    }

    #[test]
    fn a_lock_that_is_held_is_not_waited_for_for_ever() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("ours/file.toml");
        std::fs::create_dir(dir.path().join("ours")).expect("a folder of everybody");
        let held = lock(&path).expect("free").expect("locks");
        let refused = edit(&path, Code::SettingsBroken, |_| {}).expect_err("held");
        assert!(refused.said.starts_with("another program holds ") && refused.said.ends_with("/.lock"), "{refused:?}");
        drop(held);
        edit(&path, Code::SettingsBroken, |document| drop(document.insert("k", toml_edit::value(1)))).expect("free");
        let mode = |path: &Path| std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("there").permissions()) & 0o777;
        assert_eq!((mode(&dir.path().join("ours")), mode(&dir.path().join("ours/.lock"))), (0o700, 0o600));
    }

    #[test]
    fn positions_count_characters_from_one() {
        for (text, offset, want) in [("", 0, (1, 1)), ("a\nbö=", 5, (2, 3)), ("a\r\nb", 3, (2, 1)), ("a", 9, (1, 2))] {
            assert_eq!(position(text, offset), want, "{text:?} {offset}");
        }
    }

    #[test]
    fn endings_stay() {
        for (old, new, want) in [
            ("a\r\nb\r\n", "a\nx\nb\n", "a\r\nx\r\nb\r\n"),
            ("a\nb\r\nc\n", "a\nb\nc\nd\n", "a\nb\r\nc\nd\n"),
            ("a\r\nb\r\n", "a\nB\n", "a\r\nB\r\n"),
            ("", "a\n", "a\n"),
            ("a", "a\nb\n", "a\nb\n"),
            ("a\r\nb", "a\nb\nc\n", "a\r\nb\r\nc\r\n"),
        ] {
            assert_eq!(with_endings_of(old, new), want, "{old:?} {new:?}");
        }
    }
}
