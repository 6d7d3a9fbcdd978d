//! Newtypes for the words that come from outside; a value of one of them has been checked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a word is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing was given.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The word begins with `-` and a program would take it for an option.
    #[error("{what} '{word}' begins with '-'")]
    Option {
        /// What the word should have been.
        what: &'static str,
        /// The word.
        word: String,
    },
    /// The word holds a character that cannot stand there.
    #[error("{what} '{}' holds the character {character:?}", word.escape_debug())]
    Character {
        /// What the word should have been.
        what: &'static str,
        /// The word.
        word: String,
        /// The first offending character.
        character: char,
    },
    /// The word is not `HOST:PATH`.
    #[error("'{0}' is not HOST:PATH")]
    NotAPlace(String),
}

fn checked(what: &'static str, word: &str, bad: impl Fn(char) -> bool) -> Result<String, BadName> {
    if word.is_empty() {
        return Err(BadName::Empty(what));
    }
    if word.starts_with('-') {
        return Err(BadName::Option { what, word: word.to_owned() });
    }
    match word.chars().find(|c| bad(*c)) {
        Some(character) => Err(BadName::Character { what, word: word.to_owned(), character }),
        None => Ok(word.to_owned()),
    }
}

/// A concrete word of a `Host` line: no pattern, no blank, no control character, no leading `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Alias(String);

impl Alias {
    /// The word as written in the ssh configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Alias {
    type Err = BadName;
    fn from_str(word: &str) -> Result<Self, BadName> {
        checked("host", word, |c| c.is_control() || c.is_whitespace() || "*?!,\"'".contains(c)).map(Self)
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path on a remote as the app-server protocol can carry it: UTF-8, absolute, without NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RemotePath(String);

impl RemotePath {
    /// The path as text; it begins with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of an entry of this folder.
    #[must_use]
    pub fn join(&self, entry: &str) -> Self {
        Self(format!("{}/{entry}", self.0.trim_end_matches('/')))
    }
}

impl FromStr for RemotePath {
    type Err = BadName;
    fn from_str(word: &str) -> Result<Self, BadName> {
        let word = checked("path", word, |c| c == '\0')?;
        if word.starts_with('/') { Ok(Self(word)) } else { Err(BadName::NotAPlace(word)) }
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `HOST:PATH` as scp writes it; the path may still be `~/…` or relative to the remote home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The host.
    pub alias: Alias,
    /// What stands behind the colon, unresolved; empty means the home folder.
    pub path: String,
}

impl FromStr for Place {
    type Err = BadName;
    fn from_str(word: &str) -> Result<Self, BadName> {
        let (host, path) = word.split_once(':').ok_or_else(|| BadName::NotAPlace(word.to_owned()))?;
        if path.contains('\0') {
            return Err(BadName::Character { what: "path", word: path.to_owned(), character: '\0' });
        }
        Ok(Self { alias: host.parse()?, path: path.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.alias, self.path)
    }
}

/// The id of a Codex thread: letters, digits, `-` and `_`. Servers make it, and people put it on command lines; what a shell would
/// read otherwise than as a word is no id, whoever says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ThreadId(String);

impl ThreadId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ThreadId {
    type Err = BadName;
    fn from_str(word: &str) -> Result<Self, BadName> {
        checked("thread", word, |c| !c.is_ascii_alphanumeric() && !"-_".contains(c)).map(Self)
    }
}

impl TryFrom<String> for ThreadId {
    type Error = BadName;
    fn try_from(word: String) -> Result<Self, BadName> {
        word.parse()
    }
}

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of one turn of a thread, as the server gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnId(pub String);

/// The slips of the fingers that a word of so many letters may hold.
fn slips(letters: usize) -> usize {
    match letters {
        0..3 => 0,
        3..6 => 1,
        _ => 2,
    }
}

/// The words nearest to `wanted`, best first, at most three; nothing that is merely of the same length.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let lower = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .filter_map(|word| {
            let known = word.to_lowercase();
            let score = strsim::jaro_winkler(&lower, &known);
            let slipped = || strsim::damerau_levenshtein(&lower, &known) <= slips(lower.chars().count());
            (score > 0.8 || slipped()).then_some((score, word))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, word)| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_concrete_words() {
        for good in ["devbox", "dev.box-1", "user@host", "größe"] {
            assert_eq!(good.parse::<Alias>().map(|a| a.0), Ok(good.to_owned()));
        }
        for bad in ["", "-oProxyCommand=x", "*", "web?", "!no", "a b", "a\u{1b}[0m"] {
            assert!(bad.parse::<Alias>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_of_threads_are_words_to_any_shell() {
        for good in ["01990001-5c1e-7000-8000-000000000000", "thread_1", "t"] {
            assert_eq!(good.parse::<ThreadId>().map(|id| id.0), Ok(good.to_owned()));
        }
        for bad in ["", "-rf", "01a2$(touch${IFS}/tmp/x)", "a b", "a;b", "a`b", "*", "../x", "ä", "a\n"] {
            assert!(bad.parse::<ThreadId>().is_err(), "{bad:?}");
            assert!(serde_json::from_value::<ThreadId>(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn places_split_at_the_first_colon() {
        let place: Place = "devbox:~/a:b".parse().expect("a place");
        assert_eq!((place.alias.as_str(), place.path.as_str()), ("devbox", "~/a:b"));
        assert_eq!("devbox".parse::<Place>(), Err(BadName::NotAPlace("devbox".into())));
        assert!(":x".parse::<Place>().is_err());
    }

    #[test]
    fn near_words_come_best_first() {
        assert_eq!(nearest("devbx", ["prod", "devbox", "devbox2"]), ["devbox", "devbox2"]);
        assert!(nearest("zzz", ["prod"]).is_empty());
        assert_eq!(nearest("dve", ["prod", "dev", "web"]), ["dev"]);
        assert_eq!(nearest("edvbxo", ["prod", "devbox"]), ["devbox"]);
        assert!(nearest("ab", ["xb"]).is_empty());
    }
}
