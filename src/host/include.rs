//! What an Include line means: the files, in the order ssh reads them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::pattern;
use crate::paths::Local;

/// Whose configuration a file belongs to: `~` and relative paths mean something else in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// `~/.ssh/config`, a file named with `-F`, and what they include.
    Person,
    /// `/etc/ssh/ssh_config` and what it includes.
    System,
}

/// Why a path of an Include line cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadInclude {
    /// ssh refuses an empty word.
    #[error("keyword include empty argument")]
    Empty,
    /// ssh refuses `~` in the system's file.
    #[error("bad include path {0}")]
    HomeInSystemFile(String),
    /// `~user` needs the password database.
    #[error("cannot tell the home folder of {0}")]
    OtherHome(String),
}

/// The files that a word of an Include line leads to, sorted by name; none when nothing matches, as ssh has it.
///
/// # Errors
/// What ssh would refuse.
pub fn files(word: &[u8], owner: Owner, local: &Local) -> Result<Vec<PathBuf>, BadInclude> {
    let path = anchored(word, owner, local)?;
    let mut found = vec![PathBuf::from(if path.starts_with(b"/") { "/" } else { "" })];
    for part in path.split(|b| *b == b'/').filter(|part| !part.is_empty()) {
        found = found.iter().flat_map(|dir| step(dir, part)).collect();
    }
    found.retain(|file| file.exists());
    Ok(found)
}

/// Measured: ssh takes `$HOME` here, though its own `~/.ssh/config` is under the home of the password database.
fn anchored(word: &[u8], owner: Owner, local: &Local) -> Result<Vec<u8>, BadInclude> {
    let home = || local.var("HOME").map_or_else(|| local.home.clone().into_os_string(), OsStr::to_owned).into_vec();
    match (word, owner) {
        ([], _) => Err(BadInclude::Empty),
        ([b'/', ..], _) => Ok(word.to_vec()),
        ([b'~', ..], Owner::System) => Err(BadInclude::HomeInSystemFile(String::from_utf8_lossy(word).into_owned())),
        ([b'~'], Owner::Person) => Ok(home()),
        ([b'~', b'/', rest @ ..], Owner::Person) => Ok([&home(), b"/".as_slice(), rest].concat()),
        ([b'~', rest @ ..], Owner::Person) => other_home(rest),
        (_, Owner::Person) => Ok([&home(), b"/.ssh/".as_slice(), word].concat()),
        (_, Owner::System) => Ok([b"/etc/ssh/", word].concat()),
    }
}

fn other_home(rest: &[u8]) -> Result<Vec<u8>, BadInclude> {
    let user = rest.split(|b| *b == b'/').next().unwrap_or_default();
    let name = String::from_utf8_lossy(user).into_owned();
    match nix::unistd::User::from_name(&name) {
        Ok(Some(account)) => {
            Ok([account.dir.into_os_string().into_vec().as_slice(), rest.get(user.len()..).unwrap_or_default()].concat())
        }
        Ok(None) | Err(_) => Err(BadInclude::OtherHome(name)),
    }
}

/// One part of the path further: the entry it names, or those it matches.
fn step(dir: &Path, part: &[u8]) -> Vec<PathBuf> {
    if !pattern::is_glob(part) {
        return vec![dir.join(OsString::from_vec(pattern::unescaped(part)))];
    }
    let at = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let mut names: Vec<OsString> = std::fs::read_dir(at)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name()))
        .filter(|name| pattern::file_matches(name.as_bytes(), part))
        .collect();
    names.sort();
    names.into_iter().map(|name| dir.join(name)).collect()
}
