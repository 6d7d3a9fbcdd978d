//! The line that is being typed at a prompt, key by key.

use unicode_width::UnicodeWidthStr;

/// A line that is being typed.
#[derive(Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    escape: Escape,
}

/// How far a key that sends several bytes (an arrow) has come: it does nothing here.
#[derive(Default, PartialEq)]
enum Escape {
    #[default]
    None,
    Begun,
    Within,
}

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// A character was added; these bytes of it may be shown.
    Added(u8),
    /// Characters of so many columns went.
    Erased(usize),
    /// The line is finished.
    Done,
    /// The person does not want to answer.
    Refused,
    /// The person wants all of it to end: Ctrl-C.
    Interrupted,
    /// As that, by Ctrl-\.
    Quit,
    /// Nothing.
    Nothing,
}

/// The longest answer, in bytes, as in OpenSSH.
const LONGEST: usize = 1023;

impl Line {
    /// Takes one byte from the terminal.
    pub(super) fn key(&mut self, byte: u8) -> Typed {
        if self.escaped(byte) {
            return Typed::Nothing;
        }
        match byte {
            b'\n' | b'\r' => Typed::Done,
            // Ctrl-C
            3 => Typed::Interrupted,
            // Ctrl-\
            28 => Typed::Quit,
            // Ctrl-D on an empty line
            4 if self.bytes.is_empty() => Typed::Refused,
            8 | 127 => Typed::Erased(self.erase().unwrap_or_default()),
            // Ctrl-U
            21 => Typed::Erased(std::iter::from_fn(|| self.erase()).sum()),
            0..32 => Typed::Nothing,
            _ if self.bytes.len() < LONGEST => {
                self.bytes.push(byte);
                Typed::Added(byte)
            }
            _ => Typed::Nothing,
        }
    }

    /// Whether a byte belongs to a key that sends several: the escape, `[` or `O`, and what follows up to a letter or `~`.
    fn escaped(&mut self, byte: u8) -> bool {
        let (now, belongs) = match (&self.escape, byte) {
            (_, 27) => (Escape::Begun, true),
            (Escape::Begun, b'[' | b'O') => (Escape::Within, true),
            (Escape::Within, b' '..=b'?') => (Escape::Within, true),
            (Escape::Within, b'@'..=b'~') => (Escape::None, true),
            (Escape::None | Escape::Begun | Escape::Within, _) => (Escape::None, false),
        };
        self.escape = now;
        belongs
    }

    /// Takes the last character away and gives its columns; none when there is no character.
    fn erase(&mut self) -> Option<usize> {
        let start = self.bytes.iter().rposition(|b| b & 0xc0 != 0x80)?;
        let character = self.bytes.split_off(start);
        Some(std::str::from_utf8(&character).map_or(1, UnicodeWidthStr::width))
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        for (keys, end, left) in [
            ("secret\n", Typed::Done, "secret"),
            ("secrets\u{7f}\r", Typed::Done, "secret"),
            ("größ\u{7f}\u{7f}o\n", Typed::Done, "gro"),
            ("wrong\u{15}right\n", Typed::Done, "right"),
            ("\u{7f}\u{7f}a\n", Typed::Done, "a"),
            ("half\u{3}", Typed::Interrupted, "half"),
            ("half\u{1c}", Typed::Quit, "half"),
            ("\u{4}", Typed::Refused, ""),
            ("a\u{1b}[Db\u{1b}[3~\u{1b}OAc\n", Typed::Done, "abc"),
            ("字\u{7f}", Typed::Erased(2), ""),
            ("a\u{4}b\n", Typed::Done, "ab"),
            ("\u{1b}x\n", Typed::Done, "x"),
        ] {
            let mut line = Line::default();
            let last = keys.bytes().map(|b| line.key(b)).last();
            assert_eq!((last, String::from_utf8(line.finish()).expect("text").as_str()), (Some(end), left), "{keys:?}");
        }
    }

    #[test]
    fn a_line_does_not_grow_for_ever() {
        let mut line = Line::default();
        let added = (0..5000).filter(|_| line.key(b'x') == Typed::Added(b'x')).count();
        assert_eq!(added, LONGEST);
        assert_eq!(line.finish().len(), LONGEST);
    }
}
