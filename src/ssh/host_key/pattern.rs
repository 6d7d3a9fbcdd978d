//! Whether the names of a known_hosts line mean a host: OpenSSH's patterns and hashed names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The longest single pattern that OpenSSH looks at, in bytes.
const MAX_PATTERN: usize = 1022;

/// How the names of a line stand to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// They do not mean it.
    No,
    /// They name it, hashed or not, without wildcards.
    Name,
    /// A wildcard takes it in.
    Wildcard,
}

/// Whether `hosts` means `name`; `name` is in lower case, the patterns may have any.
#[must_use]
pub fn matches(name: &str, hosts: &[u8]) -> Match {
    if hosts.first() == Some(&b'|') {
        return if hash_matches(name, hosts) { Match::Name } else { Match::No };
    }
    match in_list(name.as_bytes(), hosts) {
        false => Match::No,
        true if hosts.iter().any(|b| matches!(b, b'*' | b'?')) => Match::Wildcard,
        true => Match::Name,
    }
}

/// A comma list of patterns; one that is negated and matches ends the matter.
fn in_list(name: &[u8], list: &[u8]) -> bool {
    let mut found = false;
    for pattern in list.split(|b| *b == b',') {
        let (negated, pattern) = pattern.strip_prefix(b"!").map_or((false, pattern), |p| (true, p));
        if pattern.len() > MAX_PATTERN {
            return false;
        }
        match (glob(name, &pattern.to_ascii_lowercase()), negated) {
            (true, true) => return false,
            (true, false) => found = true,
            (false, _) => {}
        }
    }
    found
}

/// `*` and `?`, nothing else; linear in the product of the lengths, whatever the stars.
#[must_use]
pub fn glob(name: &[u8], pattern: &[u8]) -> bool {
    let (mut n, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((n, p));
                p += 1;
            }
            Some(c) if *c == b'?' || c == byte => (n, p) = (n + 1, p + 1),
            _ => match star {
                Some((from, at)) => {
                    star = Some((from + 1, at));
                    (n, p) = (from + 1, at + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_none_or(|rest| rest.iter().all(|b| *b == b'*'))
}

/// A hashed name for a line of our own.
#[must_use]
pub fn hash(name: &str) -> String {
    hash_with(name, &rand::random::<[u8; 20]>())
}

fn hash_with(name: &str, salt: &[u8; 20]) -> String {
    // HMAC takes a key of any length, so this cannot fail.
    let digest = Hmac::<Sha1>::new_from_slice(salt).map(|mut mac| {
        mac.update(name.as_bytes());
        mac.finalize().into_bytes()
    });
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(digest.unwrap_or_default()))
}

/// Hashes again with the salt of the line and compares the texts, as OpenSSH does.
fn hash_matches(name: &str, hosts: &[u8]) -> bool {
    let salt = hosts.strip_prefix(b"|1|").and_then(|rest| rest.split(|b| *b == b'|').next());
    let salt = salt.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| <[u8; 20]>::try_from(bytes).ok());
    salt.is_some_and(|salt| hash_with(name, &salt).as_bytes() == hosts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (hosts, expected) in [
            ("box.example", Match::Name),
            ("BOX.Example", Match::Name),
            ("other,box.example", Match::Name),
            ("box.example,", Match::Name),
            ("", Match::No),
            ("box", Match::No),
            ("*.example", Match::Wildcard),
            ("*", Match::Wildcard),
            ("b?x.example", Match::Wildcard),
            ("box.example?", Match::No),
            ("*.example,!box.example", Match::No),
            ("!box.example,*.example", Match::No),
            ("!other,*.example", Match::Wildcard),
            ("!other", Match::No),
            ("[box.example]", Match::No),
            ("[box.example]:22", Match::No),
            ("b**x*e", Match::Wildcard),
        ] {
            assert_eq!(matches("box.example", hosts.as_bytes()), expected, "{hosts:?}");
        }
        assert_eq!(matches("[box]:2222", b"[box]:2222"), Match::Name);
        assert_eq!(matches("[box]:2222", b"[*]:2222"), Match::Wildcard);
        let long = format!("{},box", "a".repeat(1023));
        assert_eq!(matches("box", long.as_bytes()), Match::No, "OpenSSH gives up at a pattern that is too long");
    }

    #[test]
    fn a_line_of_ssh_keygen() {
        let hosts = b"|1|LaQJWZRtR3GKlbKcGBZTU+gkmM8=|OaYGckVmFNmlNHMfGMCMEMcmzAE=";
        assert_eq!(matches("nobody", hosts), Match::No);
        assert_eq!(matches("box", b"|1||"), Match::No);
        assert_eq!(matches("box", b"|2|AAAA|AAAA"), Match::No);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(name in "[a-z.:\\[\\]0-9]{0,20}", hosts in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = matches(&name, &hosts);
        }

        #[test]
        fn hashing_goes_round(name in "[a-z0-9.:\\[\\]-]{1,40}", other in "[A-Z]{1,8}") {
            let hosts = hash(&name);
            prop_assert_eq!(matches(&name, hosts.as_bytes()), Match::Name);
            prop_assert_eq!(matches(&other, hosts.as_bytes()), Match::No);
        }

        #[test]
        fn globs_agree_with_the_plain_definition(name in "[ab]{0,8}", pattern in "[ab*?]{0,8}") {
            fn slow(n: &[u8], p: &[u8]) -> bool {
                match (p.split_first(), n.split_first()) {
                    (None, _) => n.is_empty(),
                    (Some((b'*', p)), _) => (0..=n.len()).any(|i| slow(&n[i..], p)),
                    (Some((c, p)), Some((b, n))) => (*c == b'?' || c == b) && slow(n, p),
                    (Some(_), None) => false,
                }
            }
            prop_assert_eq!(glob(name.as_bytes(), pattern.as_bytes()), slow(name.as_bytes(), pattern.as_bytes()));
        }
    }
}
