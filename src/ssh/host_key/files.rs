//! Which files hold host keys, by the words of `ssh -G`, and reading them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::known::KnownFile;
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::{self, Local};
use crate::ssh::tokens::{Tokens, tilde};

/// The files of UserKnownHostsFile and GlobalKnownHostsFile, in this order.
///
/// # Errors
/// A file that is too large to be one. Like `ssh`, a file that is missing, a folder or not readable counts as empty.
pub fn known_hosts(target: &Target, local: &Local) -> Result<Vec<KnownFile>, Failure> {
    let own = words(target, "userknownhostsfile", &["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]);
    let global = words(target, "globalknownhostsfile", &["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]);
    let own = paths_of(&own, local).into_iter().map(|path| (path, true));
    let global = paths_of(&global, local).into_iter().map(|path| (path, false));
    own.chain(global).map(|(path, own)| read(path, own)).collect()
}

fn read(path: PathBuf, own: bool) -> Result<KnownFile, Failure> {
    let content = match paths::read_bytes(&path) {
        Ok(content) => content,
        Err(e) if e.kind() == ErrorKind::InvalidData && !path.is_dir() => return Err(too_large(&path, &e)),
        Err(_) => Vec::new(),
    };
    Ok(KnownFile { path, own, content: Arc::new(content) })
}

/// `ssh` would read on; to leave a line out that revokes would be worse than to stop.
fn too_large(path: &Path, why: &std::io::Error) -> Failure {
    Failure::new(Code::HostKeyFiles, format!("read the known host keys in {}", path.display()))
        .said(why)
        .hint("Make the file smaller; ssh-keygen -R NAME takes a host out of it.")
}

fn words(target: &Target, keyword: &str, default: &[&str]) -> Vec<String> {
    match target.first(keyword) {
        Some(value) => value.split(' ').map(str::to_owned).collect(),
        None => default.iter().map(|w| (*w).to_owned()).collect(),
    }
}

/// `ssh -G` prints names with blanks unquoted: a run of words that together name an existing file is one name.
fn paths_of(words: &[String], local: &Local) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let joined = |n: usize| rest.get(..n).map(|w| home(&w.join(" "), local));
        let length = (2..=rest.len()).rev().find(|n| joined(*n).is_some_and(|p| p.is_file())).unwrap_or(1);
        found.extend(joined(length).filter(|p| p.as_os_str() != "none" && !p.as_os_str().is_empty()));
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

/// `~/` is the account's home, whatever `$HOME` says; a `~user` that there is not names no file.
fn home(word: &str, local: &Local) -> PathBuf {
    tilde(word, &local.home).map_or_else(|| PathBuf::from(word), PathBuf::from)
}

/// The file of RevokedHostKeys, if one is set. `ssh -G` prints this one as it was written.
///
/// # Errors
/// When its name has a token that cannot be expanded: to take it for a missing file would be to accept what is revoked.
pub fn revoked(target: &Target, local: &Local) -> Result<Option<PathBuf>, Failure> {
    let word = target.first("revokedhostkeys").filter(|w| *w != "none");
    word.map(|word| Tokens::new(target, local).path(word)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(home: &Path) -> Local {
        Local {
            home: home.to_owned(),
            user: "me".into(),
            codex_home: home.to_owned(),
            ssh_config: None,
            vars: Default::default(),
        }
    }

    #[test]
    fn names_with_blanks_are_put_together_where_the_file_exists() {
        let dir = tempfile::tempdir().unwrap();
        let blank = dir.path().join("a b");
        std::fs::write(&blank, "").unwrap();
        let value = format!("~/x {} /y none ~root/z", blank.display());
        let words: Vec<String> = value.split(' ').map(str::to_owned).collect();
        let found = paths_of(&words, &local(Path::new("/home/me")));
        assert_eq!(found, [Path::new("/home/me/x"), &blank, Path::new("/y"), Path::new("/root/z")]);
    }

    #[test]
    fn a_file_of_200_megabytes_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("known");
        std::fs::File::create(&path).unwrap().set_len(200 << 20).unwrap();
        let printed = format!("userknownhostsfile {}\nglobalknownhostsfile /dev/null\n", path.display());
        let target = Target::from_ssh_g("box".parse().unwrap(), &printed, "");
        let failure = known_hosts(&target, &local(dir.path())).unwrap_err();
        assert_eq!(failure.code, Code::HostKeyFiles);
        let told = format!("{failure}\n{}", failure.hint).replace(&*dir.path().to_string_lossy(), "[DIR]");
        insta::assert_snapshot!(told, @r"
        read the known host keys in [DIR]/known: it has 209715200 bytes; at most 16777216 are read
        Make the file smaller; ssh-keygen -R NAME takes a host out of it.
        ");
    }
}
