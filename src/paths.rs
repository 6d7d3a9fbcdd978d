//! Where things live on this machine, and how our own files are written.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What Outpost takes from the machine it runs on; `main` reads it once and hands it down.
#[derive(Debug, Clone)]
pub struct Local {
    /// The account's home from the password database: ssh ignores `$HOME`, and `~/.ssh` is under this one.
    pub home: PathBuf,
    /// The account's name, ssh's default user.
    pub user: String,
    /// `$CODEX_HOME`, by default `~/.codex` under `$HOME`.
    pub codex_home: PathBuf,
    /// `-F FILE` or `OUTPOST_SSH_CONFIG`; none means the person's and the system's files.
    pub ssh_config: Option<PathBuf>,
    /// The environment, for SendEnv, the agent's socket, askpass, PATH and child processes.
    pub vars: HashMap<OsString, OsString>,
}

impl Local {
    /// One variable of the environment; an empty one counts as unset.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|v| !v.is_empty())
    }

    /// Codex's configuration, which holds the gate.
    #[must_use]
    pub fn config_toml(&self) -> PathBuf {
        self.codex_home.join("config.toml")
    }

    /// The folder of our own files.
    #[must_use]
    pub fn outpost_dir(&self) -> PathBuf {
        self.codex_home.join("outpost")
    }
}

/// The variable that picks the carrier of all sessions; `--carrier` sets it.
pub const CARRIER: &str = "OUTPOST_CARRIER";

/// The variable that names the pager; `--no-pager` sets it to `cat`.
pub const PAGER: &str = "OUTPOST_PAGER";

/// The largest configuration file that is read, in bytes; a larger one is not a configuration.
pub const MAX_CONFIG_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a text file of at most [`MAX_CONFIG_BYTES`].
///
/// # Errors
/// `NotFound` as it is; a folder or a pipe as `InvalidInput`, a larger file or bytes that are not UTF-8 as `InvalidData`, with words for a
/// person.
pub fn read_text(path: &Path) -> io::Result<String> {
    let bytes = read_bytes(path)?;
    String::from_utf8(bytes).map_err(|e| {
        let line = e.as_bytes().iter().take(e.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count() + 1;
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
    })
}

/// Reads a file of at most [`MAX_CONFIG_BYTES`].
///
/// # Errors
/// As [`read_text`], save for the encoding.
pub fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a directory, not a file"));
    }
    // Opening one waits for somebody who writes, perhaps for ever.
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe (FIFO), not a file"));
    }
    if meta.len() > MAX_CONFIG_BYTES {
        let text = format!("it has {} bytes; at most {MAX_CONFIG_BYTES} are read", meta.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    io::Read::read_to_end(&mut io::Read::take(file, MAX_CONFIG_BYTES + 1), &mut bytes)?;
    if bytes.len() as u64 > MAX_CONFIG_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it does not end within {MAX_CONFIG_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Makes a folder and its parents; the new ones are 0700.
///
/// # Errors
/// What the system says.
pub fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// As [`private_dir`] for a folder that is ours alone: one that was open to others is closed to them. A link stays what it is.
///
/// # Errors
/// What the system says.
pub fn own_dir(path: &Path) -> io::Result<()> {
    private_dir(path)?;
    let meta = std::fs::symlink_metadata(path)?;
    let open = meta.is_dir() && std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 != 0;
    if open { std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)) } else { Ok(()) }
}

/// The folder for sockets that live as long as a process: `$XDG_RUNTIME_DIR/outpost`, else one of our own in `/tmp`. Nobody
/// else can have made it, or can look into it.
///
/// # Errors
/// What the system says, or that the folder is somebody else's or open to others.
pub fn runtime_dir(local: &Local) -> io::Result<PathBuf> {
    let uid = nix::unistd::getuid();
    let dir = match local.var("XDG_RUNTIME_DIR").map(Path::new).filter(|d| d.is_absolute()) {
        Some(base) => base.join("outpost"),
        None => Path::new("/tmp").join(format!("outpost-{uid}")),
    };
    private_dir(&dir)?;
    let meta = std::fs::symlink_metadata(&dir)?;
    let (owner, mode) = (std::os::unix::fs::MetadataExt::uid(&meta), std::os::unix::fs::MetadataExt::mode(&meta) & 0o777);
    if !meta.is_dir() || owner != uid.as_raw() || mode & 0o077 != 0 {
        let why = format!("{} is not a folder of yours with mode 0700 (owner {owner}, mode {mode:o})", dir.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(dir)
}

/// Replaces a file's content by a rename, so that a reader sees the old or the new one. A link is followed and stays a
/// link, the mode of an existing file stays, a new file is 0600.
///
/// # Errors
/// What the system says; the old content is then untouched.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let target = follow_links(path)?;
    let dir = target.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path has no parent"))?;
    private_dir(dir)?;
    let mut file = tempfile::Builder::new().prefix(".outpost-").tempfile_in(dir)?;
    file.write_all(content)?;
    if let Ok(meta) = std::fs::metadata(&target) {
        file.as_file().set_permissions(meta.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|e| e.error)?;
    Ok(())
}

/// Follows links by hand, because the last one may dangle and then names the file to make.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..40 {
        match std::fs::read_link(&at) {
            Ok(next) if next.is_absolute() => at = next,
            Ok(next) => at = at.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(at),
        }
    }
    Err(io::Error::other("too many links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_no_file_and_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("config");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        assert_eq!(read_bytes(&path).expect_err("no file").to_string(), "it is a pipe (FIFO), not a file");
        assert!(read_bytes(Path::new("/dev/null")).expect("empty").is_empty());
    }
}
