//! The files of known host keys, and what they hold for a name.

use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::ssh_key::public::KeyData;

use super::line::{self, Line, Marker};
use super::pattern::{self, Match};

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct KnownFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is the person's own (UserKnownHostsFile) or the system's.
    pub own: bool,
    /// What it holds; nothing when it does not exist.
    pub content: Arc<Vec<u8>>,
}

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A line that means the host and holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it says of the key.
    pub marker: Marker,
    /// The key; it may stand in a certificate.
    pub key: KeyData,
    /// Where it stands.
    pub place: Place,
    /// Whether it stands in one of the person's own files.
    pub own: bool,
    /// Whether it names the host or takes it in by a wildcard.
    pub matched: Match,
}

impl Entry {
    /// Whether it is this very key; a certificate in a known_hosts file is no plain key.
    #[must_use]
    pub fn is(&self, key: &KeyData) -> bool {
        self.key == *key
    }

    /// Whether it is this key, in a certificate or not.
    #[must_use]
    pub fn means(&self, key: &KeyData) -> bool {
        line::plain(&self.key) == line::plain(key)
    }
}

/// What the files hold for `name`, in their order. A malformed line costs only itself.
#[must_use]
pub fn entries(files: &[KnownFile], name: &str) -> Vec<Entry> {
    let entry = |(file, number, line): (&KnownFile, usize, Line<'_>)| {
        let matched = Some(pattern::matches(name, line.hosts)).filter(|m| *m != Match::No)?;
        let place = Place { file: file.path.clone(), line: number };
        Some(Entry { marker: line.marker, key: line::key(line.key)?, place, own: file.own, matched })
    };
    parsed(files).filter_map(entry).collect()
}

/// A line about some other host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Where it stands.
    pub place: Place,
    /// Whether the file is the person's own.
    pub own: bool,
    /// Its names as written, or that they are hashed.
    pub names: String,
}

/// The lines that hold this key under some other name than `name`.
#[must_use]
pub fn other_names(files: &[KnownFile], name: &str, key: &KeyData) -> Vec<Elsewhere> {
    let other = |line: &Line<'_>| line.marker == Marker::Key && pattern::matches(name, line.hosts) == Match::No;
    let found = parsed(files).filter(|(_, _, line)| other(line) && line::key(line.key).as_ref() == Some(key));
    let tell = |(file, number, line): (&KnownFile, usize, Line<'_>)| Elsewhere {
        place: Place { file: file.path.clone(), line: number },
        own: file.own,
        names: if line.hosts.starts_with(b"|") {
            "[hashed name]".to_owned()
        } else {
            String::from_utf8_lossy(line.hosts).into_owned()
        },
    };
    found.map(tell).collect()
}

fn parsed(files: &[KnownFile]) -> impl Iterator<Item = (&KnownFile, usize, Line<'_>)> {
    let of = |file| move |(number, text)| line::parse(text).map(|line| (file, number, line));
    files.iter().flat_map(move |file| line::lines(&file.content).filter_map(of(file)))
}
