//! Patterns: OpenSSH's `match_pattern` for host words, and `fnmatch` for the parts of an Include path.

/// Whether `text` matches a pattern of `*`, `?` and plain bytes, as OpenSSH's `match_pattern` says.
#[must_use]
pub fn matches(text: &[u8], pattern: &[u8]) -> bool {
    wild(text, pattern, |pattern| match pattern.split_first() {
        Some((b'?', rest)) => Some((Token::Any, rest)),
        Some((byte, rest)) => Some((Token::Byte(*byte), rest)),
        None => None,
    })
}

/// OpenSSH's `match_pattern_list`: patterns between commas; a negated one that matches decides.
#[must_use]
pub fn in_list(text: &[u8], list: &[u8]) -> bool {
    let mut found = false;
    for pattern in list.split(|b| *b == b',') {
        match pattern.strip_prefix(b"!") {
            Some(pattern) if matches(text, pattern) => return false,
            Some(_) => {}
            None => found |= matches(text, pattern),
        }
    }
    found
}

/// Whether a file name matches a part of a glob: `*`, `?`, `[…]`, `\x`; a leading dot must be written.
#[must_use]
pub fn file_matches(name: &[u8], pattern: &[u8]) -> bool {
    let hidden = name.starts_with(b".") && !pattern.starts_with(b".") && !pattern.starts_with(b"\\.");
    !hidden && wild(name, pattern, file_token)
}

/// Whether a part of a glob has to be looked up in a folder.
#[must_use]
pub fn is_glob(pattern: &[u8]) -> bool {
    pattern.iter().any(|b| b"*?[".contains(b))
}

/// A part of a glob that is none, without its escapes.
#[must_use]
pub fn unescaped(pattern: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(if byte == b'\\' { bytes.next().unwrap_or(b'\\') } else { byte });
    }
    plain
}

enum Token<'p> {
    Any,
    Byte(u8),
    Set { members: &'p [u8], negated: bool },
}

impl Token<'_> {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Self::Any => true,
            Self::Byte(wanted) => *wanted == byte,
            Self::Set { members, negated } => in_set(members, byte) != *negated,
        }
    }
}

fn file_token(pattern: &[u8]) -> Option<(Token<'_>, &[u8])> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some((Token::Any, rest)),
        [b'\\', byte, rest @ ..] => Some((Token::Byte(*byte), rest)),
        [b'[', rest @ ..] => set(rest).or(Some((Token::Byte(b'['), rest))),
        [byte, rest @ ..] => Some((Token::Byte(*byte), rest)),
    }
}

/// What stands behind a `[`, if it is closed; a `]` at the first place is a member.
fn set(text: &[u8]) -> Option<(Token<'_>, &[u8])> {
    let negated = text.starts_with(b"!") || text.starts_with(b"^");
    let text = text.get(usize::from(negated)..)?;
    let close = text.iter().skip(1).position(|b| *b == b']')? + 1;
    Some((Token::Set { members: text.get(..close)?, negated }, text.get(close + 1..)?))
}

fn in_set(members: &[u8], byte: u8) -> bool {
    match members {
        [] => false,
        [low, b'-', high, rest @ ..] => (*low..=*high).contains(&byte) || in_set(rest, byte),
        [member, rest @ ..] => *member == byte || in_set(rest, byte),
    }
}

/// Matching with `*`, going back to the last star only: never more than `text × pattern` steps.
fn wild<'p>(text: &[u8], pattern: &'p [u8], token: impl Fn(&'p [u8]) -> Option<(Token<'p>, &'p [u8])>) -> bool {
    let (mut text, mut pattern) = (text, pattern);
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            star = Some((rest, text));
            pattern = rest;
            continue;
        }
        match (text.split_first(), token(pattern)) {
            (None, None) => return true,
            (Some((byte, left)), Some((token, rest))) if token.takes(*byte) => (text, pattern) = (left, rest),
            (_, _) => match star.and_then(|(rest, from)| from.split_first().map(|(_, from)| (rest, from))) {
                Some((rest, from)) => {
                    star = Some((rest, from));
                    (pattern, text) = (rest, from);
                }
                None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_patterns() {
        for (text, pattern, want) in [
            ("a", "a", true),
            ("a", "A", false),
            ("web1", "web?", true),
            ("web", "web?", false),
            ("a.b.c", "*.c", true),
            ("abab", "*ab", true),
            ("", "*", true),
            ("", "", true),
            ("a", "", false),
            ("[x]", "[x]", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*a*a*a*a*a*a*a*a*c", false),
        ] {
            assert_eq!(matches(text.as_bytes(), pattern.as_bytes()), want, "{text} {pattern}");
        }
        assert!(in_list(b"a", b"b,a"));
        assert!(!in_list(b"a", b"*,!a"));
    }

    #[test]
    fn file_patterns() {
        for (name, pattern, want) in [
            ("10-a.conf", "*.conf", true),
            (".conf", "*.conf", false),
            (".conf", ".*", true),
            ("a", "[a-c]", true),
            ("d", "[a-c]", false),
            ("d", "[!a-c]", true),
            ("]", "[]]", true),
            ("*", "\\*", true),
            ("x", "\\*", false),
            ("[a", "[a", true),
        ] {
            assert_eq!(file_matches(name.as_bytes(), pattern.as_bytes()), want, "{name} {pattern}");
        }
        assert_eq!(unescaped(b"a\\*b\\"), b"a*b\\");
    }
}
