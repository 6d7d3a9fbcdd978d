//! Adding lines to known_hosts: appended under a lock; nobody's lines are rewritten (but see [`super::replace`]).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;
use tokio::sync::oneshot;

use super::fingerprint;
use super::line::{self, Marker};
use super::pattern::{self, Match};
use crate::paths;

/// Keys to add for a host.
#[derive(Debug, Clone)]
pub struct Addition {
    /// Its names: the host's, and with CheckHostIP its address.
    pub names: Vec<String>,
    /// The keys.
    pub keys: Vec<KeyData>,
    /// HashKnownHosts.
    pub hash: bool,
}

/// How long a lock that somebody else holds is waited for; writing takes milliseconds.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// Writes on a thread of its own, because a lock may have to be waited for and an event loop must not.
///
/// # Errors
/// Why not, for a person.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || sender.send(work()).is_ok());
    match tokio::time::timeout(LOCK_LIMIT, receiver).await {
        Ok(Ok(outcome)) => outcome.map_err(|e| e.to_string()),
        Ok(Err(_)) => Err("the writer ended".to_owned()),
        Err(_) => Err("another program holds its lock".to_owned()),
    }
}

/// Appends on a thread of its own.
///
/// # Errors
/// A warning for a person.
pub async fn append_apart(path: PathBuf, addition: Addition) -> Result<String, String> {
    let names = addition.names.join(",");
    let file = path.display().to_string();
    match apart(move || append(&path, &addition)).await {
        Ok(types) if types.is_empty() => Ok(format!("'{names}' is in {file} already.")),
        Ok(types) => Ok(format!("Permanently added '{names}' ({}) to {file}.", types.join(", "))),
        Err(why) => Err(format!("could not add the host key of '{names}' to {file}: {why}")),
    }
}

/// Appends what is not there yet; the types that were added come back.
///
/// # Errors
/// What the system says.
pub fn append(path: &Path, addition: &Addition) -> io::Result<Vec<&'static str>> {
    if let Some(dir) = path.parent() {
        paths::private_dir(dir)?;
    }
    if std::fs::metadata(path).is_ok_and(|meta| meta.is_dir() || meta.file_type().is_fifo()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut file = locked(path)?;
    let regular = file.metadata()?.is_file();
    let mut before = Vec::new();
    if regular {
        file.seek(SeekFrom::Start(0))?;
        (&*file).take(paths::MAX_CONFIG_BYTES).read_to_end(&mut before)?;
    }
    write_missing(&mut file, &before, addition)
}

/// The file, locked; not one that somebody has replaced while we waited.
pub(super) fn locked(path: &Path) -> io::Result<Flock<File>> {
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| io::Error::from(errno))?;
        let (held, named) = (file.metadata()?, std::fs::metadata(path)?);
        if (held.dev(), held.ino()) == (named.dev(), named.ino()) {
            return Ok(file);
        }
    }
}

/// One write for all lines, so that a reader without the lock sees whole lines.
fn write_missing(file: &mut File, before: &[u8], addition: &Addition) -> io::Result<Vec<&'static str>> {
    let missing: Vec<&KeyData> = addition.keys.iter().filter(|key| !holds(before, &addition.names, key)).collect();
    let mut text = String::new();
    if before.last().is_some_and(|b| *b != b'\n') {
        text.push('\n');
    }
    for key in &missing {
        text.push_str(&lines(addition, key)?);
    }
    if !missing.is_empty() {
        file.write_all(text.as_bytes())?;
        file.sync_data().or_else(|e| if e.kind() == io::ErrorKind::InvalidInput { Ok(()) } else { Err(e) })?;
    }
    Ok(missing.into_iter().map(fingerprint::kind).collect())
}

/// The lines for a key; a hashed name needs a line of its own.
pub(super) fn lines(addition: &Addition, key: &KeyData) -> io::Result<String> {
    let key = PublicKey::new(key.clone(), "").to_openssh().map_err(|e| io::Error::other(e.to_string()))?;
    let names: Vec<String> = addition.names.iter().map(|n| n.to_ascii_lowercase()).collect();
    let names = if addition.hash { names.iter().map(|n| pattern::hash(n)).collect() } else { vec![names.join(",")] };
    Ok(names.into_iter().map(|name| format!("{name} {key}\n")).collect())
}

fn holds(content: &[u8], names: &[String], key: &KeyData) -> bool {
    let named = |hosts: &[u8], name: &String| pattern::matches(name, hosts) != Match::No;
    let on_a_line = |name: &String| {
        let mut parsed = line::lines(content).filter_map(|(_, text)| line::parse(text));
        parsed.any(|l| l.marker == Marker::Key && named(l.hosts, name) && line::key(l.key).as_ref() == Some(key))
    };
    names.iter().all(on_a_line)
}
