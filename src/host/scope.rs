//! For which hosts a line of an ssh configuration counts: the `Host` or `Match` it stands under, and those around the Include
//! that led to its file.

use super::pattern;

/// What a line stands under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Nothing yet: the line counts for every host.
    Top,
    /// The words of a `Host` line.
    Host(Vec<Vec<u8>>),
    /// The `originalhost` lists of a `Match` line, each with whether it is negated. Every other condition may hold: to know
    /// it would mean running commands or resolving names.
    Match(Vec<(bool, Vec<u8>)>),
}

impl Block {
    /// From the words of a `Match` line.
    #[must_use]
    pub fn of_match(words: &[Vec<u8>]) -> Self {
        let mut parts = words.iter().flat_map(|word| word.splitn(2, |b| *b == b'=')).filter(|part| !part.is_empty());
        let mut lists = Vec::new();
        while let Some(criterion) = parts.next() {
            let (negated, name) = criterion.strip_prefix(b"!").map_or((false, criterion), |name| (true, name));
            match name.to_ascii_lowercase().as_slice() {
                b"all" | b"canonical" | b"final" => {}
                b"originalhost" => lists.extend(parts.next().map(|list| (negated, list.to_vec()))),
                _ => drop(parts.next()),
            }
        }
        Self::Match(lists)
    }

    /// Whether the lines under it can count for a host of this name.
    #[must_use]
    pub fn covers(&self, host: &[u8]) -> bool {
        match self {
            Self::Top => true,
            Self::Host(words) => covered(words, host),
            Self::Match(lists) => lists.iter().all(|(negated, list)| pattern::in_list(host, list) != *negated),
        }
    }
}

/// One word must match, and no negated one may.
fn covered(words: &[Vec<u8>], host: &[u8]) -> bool {
    let mut found = false;
    for word in words {
        match word.strip_prefix(b"!") {
            Some(word) if pattern::matches(host, word) => return false,
            Some(_) => {}
            None => found = found || pattern::matches(host, word),
        }
    }
    found
}

/// The blocks around a file, from the inside out.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The block that the Include stands under.
    pub block: &'a Block,
    /// What is around that one's file.
    pub around: Option<&'a Self>,
}

impl Scope<'_> {
    /// Whether lines here can count for a host of this name.
    #[must_use]
    pub fn covers(&self, host: &[u8]) -> bool {
        self.block.covers(host) && self.around.is_none_or(|around| around.covers(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<u8>> {
        text.split(' ').map(|w| w.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_negated_word_wins() {
        for (line, host, want) in [("a b", "b", true), ("* !b", "b", false), ("!b *", "a", true), ("!b", "a", false)] {
            assert_eq!(Block::Host(words(line)).covers(host.as_bytes()), want, "{line} {host}");
        }
    }

    #[test]
    fn match_counts_unless_originalhost_says_otherwise() {
        for (line, host, want) in [
            ("all", "a", true),
            ("exec false", "a", true),
            ("host b", "a", true),
            ("originalhost b,c", "a", false),
            ("final OriginalHost=a user x", "a", true),
            ("!originalhost a", "a", false),
            ("user originalhost", "a", true),
        ] {
            assert_eq!(Block::of_match(&words(line)).covers(host.as_bytes()), want, "{line} {host}");
        }
    }
}
