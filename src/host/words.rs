//! The words of a line of an ssh configuration, cut as OpenSSH cuts them (`strdelim` and `argv_split` of its misc.c).
//!
//! Lines are bytes: OpenSSH does not ask for UTF-8, and neither may we before a word has to be shown.

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// The keyword, in lower case.
    pub keyword: String,
    /// What stands behind it.
    pub rest: &'a [u8],
}

/// Why a line cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid quotes")]
pub struct BadQuotes;

const BLANK: &[u8] = b" \t\r\n";

fn is_blank(byte: u8) -> bool {
    BLANK.contains(&byte)
}

/// The keyword of a line and what follows; none for a line that is empty, a comment, or begins with an open quote (which
/// OpenSSH passes over).
#[must_use]
pub fn line(raw: &[u8]) -> Option<Line<'_>> {
    // To OpenSSH a line is a C string: a NUL ends it. A form feed may stand at the end only.
    let raw = raw.split(|b| *b == 0).next().unwrap_or_default();
    let end = raw.iter().rposition(|b| !is_blank(*b) && *b != b'\x0c').map_or(0, |at| at + 1);
    let raw = raw.get(..end.max(1)).unwrap_or_default();
    let (mut keyword, mut rest) = first_word(raw)?;
    if keyword.is_empty() {
        (keyword, rest) = first_word(rest)?;
    }
    if keyword.is_empty() || keyword.starts_with(b"#") {
        return None;
    }
    let at = rest.iter().position(|b| !is_blank(*b)).unwrap_or(rest.len());
    let keyword = String::from_utf8_lossy(&keyword).to_ascii_lowercase();
    Some(Line { keyword, rest: rest.get(at..).unwrap_or_default() })
}

/// `strdelim`: the text up to a blank, an `=` or a quote; one `=` between keyword and value is passed over.
fn first_word(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(at) = text.iter().position(|b| is_blank(*b) || *b == b'"' || *b == b'=') else {
        return Some((text.to_vec(), &[]));
    };
    let (word, rest) = text.split_at(at);
    let (end, rest) = rest.split_first()?;
    if *end == b'"' {
        // OpenSSH removes the quote in place and takes everything before the next one.
        let close = rest.iter().position(|b| *b == b'"')?;
        let quoted = rest.get(..close).unwrap_or_default();
        return Some(([word, quoted].concat(), skip_blanks(rest.get(close + 1..).unwrap_or_default())));
    }
    let rest = skip_blanks(rest);
    match rest.split_first() {
        Some((b'=', behind)) if *end != b'=' => Some((word.to_vec(), skip_blanks(behind))),
        _ => Some((word.to_vec(), rest)),
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let at = text.iter().position(|b| !is_blank(*b)).unwrap_or(text.len());
    text.get(at..).unwrap_or_default()
}

/// `argv_split`: words between blanks and tabs, with both kinds of quotes and the escapes `\'`, `\"`, `\\` and `\ `; a `#` at
/// the start of a word ends the line.
///
/// # Errors
/// When a quote is not closed.
pub fn split(rest: &[u8]) -> Result<Vec<Vec<u8>>, BadQuotes> {
    let mut words = Vec::new();
    let mut left = rest;
    loop {
        let at = left.iter().position(|b| *b != b' ' && *b != b'\t').unwrap_or(left.len());
        left = left.get(at..).unwrap_or_default();
        if left.is_empty() || left.starts_with(b"#") {
            return Ok(words);
        }
        let (word, behind) = one(left)?;
        words.push(word);
        left = behind;
    }
}

fn one(text: &[u8]) -> Result<(Vec<u8>, &[u8]), BadQuotes> {
    let mut word = Vec::new();
    let mut quote = None;
    let mut bytes = text.iter().copied().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) => {
                let escaped = |next: u8| matches!(next, b'\'' | b'"' | b'\\') || (quote.is_none() && next == b' ');
                let next = bytes.next_if(|(_, next)| escaped(*next));
                word.push(next.map_or(byte, |(_, next)| next));
            }
            (b' ' | b'\t', None) => return Ok((word, text.get(at..).unwrap_or_default())),
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if open == byte => quote = None,
            (_, _) => word.push(byte),
        }
    }
    if quote.is_some() { Err(BadQuotes) } else { Ok((word, &[])) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(raw: &str) -> Option<(String, Result<Vec<String>, BadQuotes>)> {
        let line = line(raw.as_bytes())?;
        let words = split(line.rest).map(|w| w.into_iter().map(|w| String::from_utf8_lossy(&w).into_owned()).collect());
        Some((line.keyword, words))
    }

    #[test]
    fn lines_are_cut_as_openssh_does() {
        for (raw, keyword, words) in [
            ("Host a b", "host", &["a", "b"][..]),
            ("\tHOST\ta\t b \r", "host", &["a", "b"]),
            ("host=a", "host", &["a"]),
            ("host = a", "host", &["a"]),
            ("host == a", "host", &["=", "a"]),
            ("Host a # b", "host", &["a"]),
            ("Host a#b", "host", &["a#b"]),
            ("Host \"a b\" 'c d'", "host", &["a b", "c d"]),
            (r"Host a\ b \'c \\ d\e", "host", &["a b", "'c", "\\", "d\\e"]),
            (r#"Host "a\"b" 'c\'d' "e\ f""#, "host", &["a\"b", "c'd", "e\\ f"]),
            ("Host a''b \"\"", "host", &["ab", ""]),
            ("\"Host\" a", "host", &["a"]),
            ("Ho\"st\" a", "host", &["a"]),
            ("Host\"a\"", "hosta", &[]),
            ("Host", "host", &[]),
            ("Host \x0c", "host", &[]),
            ("Host a\0b", "host", &["a"]),
            ("=Host a", "host", &["a"]),
            ("Host a\rb", "host", &["a\rb"]),
        ] {
            let words = words.iter().map(|w| (*w).to_owned()).collect();
            assert_eq!(cut(raw), Some((keyword.to_owned(), Ok(words))), "{raw:?}");
        }
    }

    #[test]
    fn lines_that_say_nothing() {
        for raw in ["", " ", "# Host a", "  # x", "\"Host a", "\r", "\x0c", "\0Host a"] {
            assert!(cut(raw).is_none_or(|(keyword, _)| keyword == "\x0c"), "{raw:?}");
        }
        assert_eq!(cut("Host 'a").map(|(_, words)| words), Some(Err(BadQuotes)));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_cut(raw in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(line) = line(&raw) {
                let _ = split(line.rest);
            }
        }
    }
}
