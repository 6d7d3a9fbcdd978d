//! Making known_hosts hold the keys that a server has now, and no others for it: what UpdateHostKeys does.
//!
//! As OpenSSH does it: in the first file the keys that are missing are added, and everywhere each plain line of the host goes whose
//! key the server no longer has (in the further files: each). Lines of other hosts, of authorities and revocations, comments and
//! what cannot be read stay as they are, in their order. The file is replaced by a rename, under the lock that appending takes.

use std::io;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::public::KeyData;

use super::line::{self, Marker};
use super::pattern::{self, Match};
use super::write::{self, Addition};
use crate::paths;

/// What the files are to hold for a host.
#[derive(Debug, Clone)]
pub struct Change {
    /// The host's name there.
    pub name: String,
    /// All its keys.
    pub keys: Vec<KeyData>,
    /// HashKnownHosts.
    pub hash: bool,
}

/// Replaces on a thread of its own; the files in the order of UserKnownHostsFile.
///
/// # Errors
/// A warning for a person.
pub async fn replace_apart(files: Vec<PathBuf>, change: Change) -> Result<(), String> {
    let name = change.name.clone();
    let outcome = write::apart(move || replace(&files, &change)).await;
    outcome.map_err(|why| format!("could not update the host keys of '{name}': {why}"))
}

fn replace(files: &[PathBuf], change: &Change) -> io::Result<()> {
    for (number, path) in files.iter().enumerate() {
        let keys: &[KeyData] = if number == 0 { &change.keys } else { &[] };
        if path.is_file() {
            one(path, change, keys)?;
        }
    }
    Ok(())
}

fn one(path: &Path, change: &Change, keys: &[KeyData]) -> io::Result<()> {
    let _lock = write::locked(path)?;
    let before = paths::read_bytes(path)?;
    let after = rewritten(&before, change, keys)?;
    if after == before { Ok(()) } else { paths::write_private(path, &after) }
}

fn rewritten(before: &[u8], change: &Change, keys: &[KeyData]) -> io::Result<Vec<u8>> {
    let (mut after, mut found) = (Vec::with_capacity(before.len()), Vec::new());
    for text in before.split_inclusive(|b| *b == b'\n') {
        match key_of(text, &change.name) {
            Some(key) if !keys.contains(&key) => {}
            key => {
                after.extend_from_slice(text);
                found.extend(key);
            }
        }
    }
    if after.last().is_some_and(|b| *b != b'\n') {
        after.push(b'\n');
    }
    let addition = Addition { names: vec![change.name.clone()], keys: Vec::new(), hash: change.hash };
    for key in keys.iter().filter(|key| !found.contains(key)) {
        after.extend_from_slice(write::lines(&addition, key)?.as_bytes());
    }
    Ok(after)
}

/// The key of a plain line about the host.
fn key_of(text: &[u8], name: &str) -> Option<KeyData> {
    let (_, text) = line::lines(text).next()?;
    let line = line::parse(text).filter(|l| l.marker == Marker::Key && pattern::matches(name, l.hosts) != Match::No)?;
    line::key(line.key)
}
