//! The Unix socket of an endpoint: 0600, in a folder that is ours alone.

mod stale;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
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
    inode: u64,
}

impl Door {
    /// Opens a socket for a host, under a name of its own.
    ///
    /// # Errors
    /// [`Code::LocalFolderForeign`] when the folder is not ours alone; [`Code::LocalIo`].
    pub async fn open(local: &Local, host: &str) -> Result<Self, Failure> {
        let name = format!("{}-{:08x}.sock", word(host), rand::random::<u32>());
        let dir = folder(local, name.len())?;
        stale::sweep(&dir).await;
        Self::put(dir.join(name))
    }

    /// Opens a socket at a path that a person chose; one that nobody serves any more is replaced.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Code::LocalSocketTaken`].
    pub async fn at(path: &Path) -> Result<Self, Failure> {
        let path = std::path::absolute(path).map_err(|e| failed(path, e))?;
        let dir = path.parent().unwrap_or(Path::new("/"));
        private_dir(dir).map_err(|e| failed(dir, e))?;
        ours_alone(dir)?;
        let taken = |said: &str| {
            let failure = Failure::new(Code::LocalSocketTaken, format!("serve at {}", path.display())).said(said);
            failure.hint("end the other one, or choose another path")
        };
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(failed(&path, e)),
            Ok(there) if !there.file_type().is_socket() => return Err(taken("what is there is no socket")),
            Ok(_) if stale::is_served(&path).await => return Err(taken("somebody serves there already")),
            Ok(_) => {}
        }
        Self::put(path)
    }

    /// Listens under a passing name first: whoever finds a socket at the path finds it served, and for us alone.
    fn put(path: PathBuf) -> Result<Self, Failure> {
        let passing = path.with_file_name(format!(".{:08x}", rand::random::<u32>()));
        if passing.as_os_str().len().max(path.as_os_str().len()) > MAX_PATH {
            let said = format!("the path is longer than the {MAX_PATH} bytes that a socket's may have");
            return Err(failed(&path, said).hint("choose a shorter path"));
        }
        let listener = UnixListener::bind(&passing).map_err(|e| failed(&path, e))?;
        let inode = || {
            fs::set_permissions(&passing, fs::Permissions::from_mode(0o600))?;
            fs::rename(&passing, &path)?;
            fs::symlink_metadata(&path).map(|meta| meta.ino())
        };
        let inode = inode().map_err(|e| {
            drop(fs::remove_file(&passing));
            failed(&path, e)
        })?;
        Ok(Self { listener, path, inode })
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
            let (stream, _) = match self.listener.accept().await {
                Err(gone) if gone.kind() == ErrorKind::ConnectionAborted => continue,
                accepted => accepted.map_err(|e| failed(&self.path, e))?,
            };
            let ours = nix::unistd::getuid().as_raw();
            if stream.peer_cred().is_ok_and(|peer| peer.uid() == ours) {
                return Ok(Box::new(stream));
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Another endpoint may have taken its place.
        if fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A host's name in that of a file: an alias may hold what a file's name cannot.
pub fn word(host: &str) -> String {
    host.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(24).collect()
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
        Failure::new(Code::LocalFolderForeign, format!("use the folder {}", dir.display()))
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

fn failed(path: &Path, e: impl std::fmt::Display) -> Failure {
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
        let door = Door::open(&local(dir.path()), "dev/../box").await.expect("open");
        let path = door.path().to_owned();
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        assert!(path.starts_with(dir.path().join("outpost")));
        drop(door);
        assert!(!path.exists());
    }

    async fn refused(local: &Local) -> Option<Code> {
        Door::open(local, "x").await.err().map(|e| e.code)
    }

    #[tokio::test]
    async fn a_folder_that_others_may_use_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("outpost");
        fs::create_dir(&folder).expect("made");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("set");
        assert_eq!(refused(&local(dir.path())).await, Some(Code::LocalFolderForeign));
        assert_eq!(Door::at(&folder.join("x")).await.err().map(|e| e.code), Some(Code::LocalFolderForeign));
        fs::remove_dir(&folder).expect("removed");
        std::os::unix::fs::symlink("/tmp", &folder).expect("a link");
        assert_eq!(refused(&local(dir.path())).await, Some(Code::LocalFolderForeign));
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_for_a_socket_is_left_or_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let long = dir.path().join("x".repeat(90));
        let door = Door::open(&local(&long), "devbox").await.expect("open");
        assert!(door.path().to_string_lossy().starts_with("/tmp/outpost-"), "{door:?}");
        let told = Door::at(&long.join("s")).await.expect_err("too long");
        assert!(told.said.contains("longer than") && told.hint == "choose a shorter path", "{told:?}");
    }

    #[tokio::test]
    async fn what_a_killed_endpoint_left_goes_and_what_lives_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let local = local(dir.path());
        let living = Door::open(&local, "living").await.expect("open");
        let folder = living.path().parent().expect("a folder").to_owned();
        let web = super::super::web::Web::open(&local, "living", 0).await.expect("open");
        let gone = |name: &str| {
            let path = folder.join(name);
            drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
            path
        };
        let (left, others) = (gone("devbox-0123abcd.sock"), gone("of-another-program"));
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let token = folder.join(format!("devbox-{port}.token"));
        fs::write(&token, "x").expect("written");
        let door = Door::open(&local, "next").await.expect("open");
        assert!(!left.exists() && !token.exists());
        assert!(others.exists() && living.path().exists() && web.token_file().exists() && door.path().exists());
    }

    #[tokio::test]
    async fn a_chosen_path_is_served_by_one_at_a_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("made/for/codex.sock");
        let door = Door::at(&path).await.expect("open");
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        let taken = Door::at(&path).await.expect_err("taken");
        assert_eq!((taken.code, taken.said.as_str()), (Code::LocalSocketTaken, "somebody serves there already"));
        drop(door);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        let door = Door::at(&path).await.expect("a stale one is replaced");
        // One that came in our place is not ours to remove.
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "theirs").expect("written");
        drop(door);
        assert_eq!(fs::read_to_string(&path).expect("read"), "theirs");
        assert_eq!(Door::at(&path).await.expect_err("a file").said, "what is there is no socket");
    }
}
