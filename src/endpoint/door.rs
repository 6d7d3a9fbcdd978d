//! The Unix socket of an endpoint: 0600, in a folder that is ours alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::failure::{Code, Failure};
use crate::paths::{Local, private_dir};
use crate::ssh::ByteStream;

/// The longest path that a socket can have on every system, in bytes (macOS: 104 with the closing zero).
const MAX_PATH: usize = 103;

/// The socket; its file goes when this does.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Opens a socket for a host.
    ///
    /// # Errors
    /// [`Code::SocketForeign`] when the folder is not ours alone; [`Code::LocalIo`].
    pub fn open(local: &Local, host: &str) -> Result<Self, Failure> {
        let random: u32 = rand::random();
        // An alias may hold what a file name cannot.
        let word: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(24).collect();
        let name = format!("{word}-{random:08x}.sock");
        let path = folder(local, name.len())?.join(name);
        let listener = UnixListener::bind(&path).map_err(|e| failed(&path, e))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(|e| failed(&path, e))?;
        Ok(Self { listener, path })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next client of this user.
    ///
    /// # Errors
    /// [`Code::LocalIo`] when the system gives no more connections.
    pub async fn next(&mut self) -> Result<ByteStream, Failure> {
        loop {
            let (stream, _) = self.listener.accept().await.map_err(|e| failed(&self.path, e))?;
            let ours = nix::unistd::getuid().as_raw();
            if stream.peer_cred().is_ok_and(|peer| peer.uid() == ours) {
                return Ok(Box::new(stream));
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// The folder of sockets and tokens: in the runtime directory, or in the temporary one when there is none or its name is too
/// long for a socket's.
///
/// # Errors
/// As [`Door::open`].
pub fn folder(local: &Local, name: usize) -> Result<PathBuf, Failure> {
    let runtime = local.var("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("outpost"));
    let fits = |dir: &PathBuf| dir.is_absolute() && dir.as_os_str().len() + 1 + name <= MAX_PATH;
    let temporary = || PathBuf::from("/tmp").join(format!("outpost-{}", nix::unistd::getuid()));
    let dir = runtime.filter(fits).unwrap_or_else(temporary);
    private_dir(&dir).map_err(|e| failed(&dir, e))?;
    ours_alone(&dir)?;
    Ok(dir)
}

/// Somebody may have made the folder before us.
fn ours_alone(dir: &Path) -> Result<(), Failure> {
    let meta = fs::symlink_metadata(dir).map_err(|e| failed(dir, e))?;
    let foreign = |said: String| {
        Failure::new(Code::SocketForeign, format!("use the folder {}", dir.display()))
            .said(said)
            .hint(format!("remove it, or make it yours: chmod 700 {}", dir.display()))
    };
    match () {
        () if !meta.is_dir() => Err(foreign("it is no folder".into())),
        () if meta.uid() != nix::unistd::getuid().as_raw() => Err(foreign(format!("it belongs to uid {}", meta.uid()))),
        () if meta.mode() & 0o077 != 0 => Err(foreign(format!("others may use it: mode {:o}", meta.mode() & 0o777))),
        () => Ok(()),
    }
}

fn failed(path: &Path, e: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, format!("serve at {}", path.display())).said(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(runtime: &Path) -> Local {
        let vars = [("XDG_RUNTIME_DIR".into(), runtime.as_os_str().to_owned())].into_iter().collect();
        Local { home: "/".into(), user: "me".into(), codex_home: "/".into(), ssh_config: None, vars }
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("there").mode() & 0o777
    }

    #[tokio::test]
    async fn the_socket_and_its_folder_are_ours_alone_and_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let door = Door::open(&local(dir.path()), "dev/../box").expect("open");
        let path = door.path().to_owned();
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        assert!(path.starts_with(dir.path().join("outpost")));
        drop(door);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_folder_that_others_may_use_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("outpost");
        fs::create_dir(&folder).expect("made");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("set");
        assert_eq!(Door::open(&local(dir.path()), "x").map(|_| ()).map_err(|e| e.code), Err(Code::SocketForeign));
        fs::remove_dir(&folder).expect("removed");
        std::os::unix::fs::symlink("/tmp", &folder).expect("a link");
        assert_eq!(Door::open(&local(dir.path()), "x").map(|_| ()).map_err(|e| e.code), Err(Code::SocketForeign));
    }
}
