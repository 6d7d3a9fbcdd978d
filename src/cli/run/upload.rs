//! Pictures for a prompt: written to the host in pieces, removed when the turn is over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::files::Picture;
use crate::failure::{Code, Failure};
use crate::name::RemotePath;
use crate::rpc::peer::Peer;

/// One piece, in bytes: as base64 it stays well below the 16 MiB of a message.
const PIECE: usize = 4 * 1024 * 1024;
/// Files of ours on the host.
#[derive(Debug)]
pub struct Uploaded {
    folder: RemotePath,
    /// The pictures, in the order they were given.
    pub files: Vec<RemotePath>,
}

impl Uploaded {
    /// A fresh folder below the server's CODEX_HOME, which is made once there is something to upload.
    ///
    /// # Errors
    /// [`Code::ServerProtocol`] when the server's CODEX_HOME is no path.
    pub fn at(codex_home: &str) -> Result<Self, Failure> {
        let folder = format!("{codex_home}/outpost/uploads/{:016x}", rand::random::<u64>());
        let folder = folder.parse().map_err(|e| Failure::new(Code::ServerProtocol, "use the server's CODEX_HOME").said(e))?;
        Ok(Self { folder, files: Vec::new() })
    }

    /// Uploads pictures.
    ///
    /// # Errors
    /// What the server or the link says. Whatever was uploaded by then stays until [`Self::remove`].
    pub async fn upload(&mut self, peer: &Peer, pictures: &[Picture]) -> Result<(), Failure> {
        if !pictures.is_empty() {
            call(peer, "fs/createDirectory", json!({ "path": self.folder, "recursive": true })).await?;
        }
        for (number, picture) in pictures.iter().enumerate() {
            let target = self.folder.join(&format!("{number}.{}", picture.extension));
            // Known before it is there: what is begun is removed too.
            self.files.push(target.clone());
            write(peer, &target, &picture.bytes).await?;
        }
        Ok(())
    }

    /// Removes what was uploaded; that it stays is no failure.
    pub async fn remove(self, peer: &Peer) {
        drop(peer.call("fs/remove", json!({ "path": self.folder, "recursive": true, "force": true })).await);
    }
}

/// Small files in one message; larger ones in pieces that are put together on the host.
async fn write(peer: &Peer, target: &RemotePath, bytes: &[u8]) -> Result<(), Failure> {
    if bytes.len() <= PIECE {
        return put(peer, target.as_str(), bytes).await;
    }
    let mut pieces = Vec::new();
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        let path = format!("{target}.{number:03}");
        put(peer, &path, piece).await?;
        pieces.push(path);
    }
    let script = "target=$1; shift; cat -- \"$@\" > \"$target\" && rm -f -- \"$@\"";
    let command: Vec<&str> =
        ["/bin/sh", "-c", script, "sh", target.as_str()].into_iter().chain(pieces.iter().map(String::as_str)).collect();
    let params = json!({ "command": command, "sandboxPolicy": { "type": "dangerFullAccess" } });
    let ended = call(peer, "command/exec", params).await?;
    if ended.get("exitCode").and_then(serde_json::Value::as_i64) == Some(0) {
        return Ok(());
    }
    let said = ended.get("stderr").and_then(serde_json::Value::as_str).unwrap_or_default();
    Err(Failure::new(Code::ServerRefused, format!("put {target} together")).said(said))
}

async fn put(peer: &Peer, path: &str, bytes: &[u8]) -> Result<(), Failure> {
    call(peer, "fs/writeFile", json!({ "path": path, "dataBase64": STANDARD.encode(bytes) })).await.map(drop)
}

async fn call(peer: &Peer, method: &str, params: serde_json::Value) -> Result<serde_json::Value, Failure> {
    peer.call(method, params).await.map_err(|e| e.failure(format!("upload a picture ({method})")))
}
