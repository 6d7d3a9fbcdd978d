//! Text from a remote, made harmless for the terminal it is shown on.
//!
//! C0 (save newline and tab), DEL, C1 and bidirectional controls are replaced by visible stand-ins, so that remote text
//! cannot move the cursor, set a title, write the clipboard or reorder a line. Colours (`ESC [ … m`) are dropped whole,
//! because nothing is lost with them.

/// Neutralises text that arrives in pieces; a sequence may be cut anywhere.
#[derive(Debug, Default)]
pub struct Plain {
    held: String,
}

/// A colour sequence longer than this, in bytes, is not one.
const LONGEST_COLOUR: usize = 64;

impl Plain {
    /// The harmless form of the next piece.
    pub fn push(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        for c in piece.chars() {
            self.step(c, &mut out);
        }
        out
    }

    /// What was held back when the text has ended.
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        self.flush(&mut out);
        out
    }

    fn step(&mut self, c: char, out: &mut String) {
        match (self.held.as_str(), c) {
            ("", '\u{1b}' | '\r') => self.held.push(c),
            ("", _) => show(c, out),
            ("\r", '\n') => {
                self.held.clear();
                out.push('\n');
            }
            ("\u{1b}", '[') => self.held.push(c),
            (held, '0'..='9' | ';' | ':') if held.starts_with("\u{1b}[") && held.len() < LONGEST_COLOUR => self.held.push(c),
            (held, 'm') if held.starts_with("\u{1b}[") => self.held.clear(),
            (_, _) => {
                self.flush(out);
                self.step(c, out);
            }
        }
    }

    fn flush(&mut self, out: &mut String) {
        for c in std::mem::take(&mut self.held).chars() {
            show(c, out);
        }
    }
}

/// The harmless form of a whole text; lines stay lines.
#[must_use]
pub fn text(remote: &str) -> String {
    let mut plain = Plain::default();
    let mut out = plain.push(remote);
    out.push_str(&plain.finish());
    out
}

/// The harmless form of a text that must stay on one line.
#[must_use]
pub fn line(remote: &str) -> String {
    text(remote.trim_end()).replace('\n', "␊").replace('\t', " ")
}

/// JSON with every character that could drive a terminal written as an escape; it reads back as the same value.
#[must_use]
pub fn json(value: &impl serde::Serialize) -> String {
    let raw = serde_json::to_string(value).unwrap_or_else(|e| format!("{{\"error\":\"not serialisable: {e}\"}}"));
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        if drives(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn show(c: char, out: &mut String) {
    match c {
        '\n' | '\t' => out.push(c),
        '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('�')),
        '\u{7f}' => out.push('␡'),
        c if drives(c) => out.push('�'),
        c => out.push(c),
    }
}

/// Whether a character can do something to a terminal, or reorder what stands around it.
fn drives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_drives_a_terminal_becomes_visible() {
        for (remote, shown) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}", "␛]0;title␇"),
            ("\u{1b}[2J", "␛[2J"),
            ("a\r\nb\rc", "a\nb␍c"),
            ("\u{9b}2J\u{202e}x", "�2J�x"),
            ("tail\u{1b}", "tail␛"),
        ] {
            assert_eq!(text(remote), shown, "{remote:?}");
        }
    }

    #[test]
    fn a_line_stays_one() {
        assert_eq!(line("a\nb\n"), "a␊b");
    }

    proptest! {
        #[test]
        fn nothing_that_drives_is_left(remote in "\\PC*|[\u{0}-\u{ff}\u{200e}-\u{206f}m;\\[]*", cut in 0_usize..40) {
            let cut = remote.char_indices().map(|(i, _)| i).nth(cut).unwrap_or(remote.len());
            let mut plain = Plain::default();
            let pieces = format!("{}{}{}", plain.push(&remote[..cut]), plain.push(&remote[cut..]), plain.finish());
            prop_assert_eq!(&pieces, &text(&remote));
            prop_assert!(!pieces.chars().any(|c| drives(c) && c != '\n' && c != '\t'));
        }

        #[test]
        fn json_reads_back(remote in "\\PC*|[\u{0}-\u{ff}\u{200e}-\u{206f}]*") {
            let shown = json(&remote);
            prop_assert!(!shown.chars().any(drives));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).expect("valid"), remote);
        }
    }
}
