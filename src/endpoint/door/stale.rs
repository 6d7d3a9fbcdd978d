//! What an endpoint leaves behind that is killed: its socket, and the file with its token.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use tokio::net::{TcpStream, UnixStream};

/// Removes what nobody serves any more; that it cannot is no failure.
pub(super) async fn sweep(dir: &Path) {
    let ours = nix::unistd::getuid().as_raw();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        let stale = match name.rsplit_once('-').and_then(|(_, end)| end.split_once('.')) {
            Some((number, "sock")) => meta.file_type().is_socket() && is_hex(number) && !is_served(&path).await,
            Some((port, "token")) => meta.is_file() && is_closed(port).await,
            _ => false,
        };
        if stale && meta.uid() == ours {
            drop(fs::remove_file(&path));
        }
    }
}

/// Whether a word is the number in a socket's name.
fn is_hex(word: &str) -> bool {
    word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit())
}

/// Whether somebody takes connections there; only a refusal says that nobody does.
pub(super) async fn is_served(path: &Path) -> bool {
    !UnixStream::connect(path).await.is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}

async fn is_closed(port: &str) -> bool {
    let Ok(port) = port.parse::<u16>() else { return false };
    TcpStream::connect(("127.0.0.1", port)).await.is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}
