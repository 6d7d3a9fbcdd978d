//! The line that is being typed at a prompt, key by key.

/// A line that is being typed.
#[derive(Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
}

/// What a key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Typed {
    /// A character was added; these bytes of it may be shown.
    Added(u8),
    /// So many characters went.
    Erased(usize),
    /// The line is finished.
    Done,
    /// The person does not want to answer.
    Refused,
    /// The person wants all of it to end.
    Interrupted,
    /// Nothing.
    Nothing,
}

/// The longest answer, in bytes, as in OpenSSH.
const LONGEST: usize = 1023;

impl Line {
    /// Takes one byte from the terminal.
    pub(super) fn key(&mut self, byte: u8) -> Typed {
        match byte {
            b'\n' | b'\r' => Typed::Done,
            // Ctrl-C, Ctrl-\
            3 | 28 => Typed::Interrupted,
            // Ctrl-D on an empty line
            4 if self.bytes.is_empty() => Typed::Refused,
            8 | 127 => Typed::Erased(usize::from(self.erase())),
            // Ctrl-U
            21 => Typed::Erased(std::iter::from_fn(|| self.erase().then_some(())).count()),
            0..32 => Typed::Nothing,
            _ if self.bytes.len() < LONGEST => {
                self.bytes.push(byte);
                Typed::Added(byte)
            }
            _ => Typed::Nothing,
        }
    }

    /// Takes the last character away; false when there is none.
    fn erase(&mut self) -> bool {
        let start = self.bytes.iter().rposition(|b| b & 0xc0 != 0x80);
        self.bytes.truncate(start.unwrap_or(0));
        start.is_some()
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
            ("\u{4}", Typed::Refused, ""),
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
