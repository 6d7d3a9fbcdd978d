//! What the remote listens on for us: the master connects each arrival to a local socket of ours.

use std::path::PathBuf;

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::SystemSsh;
use crate::ssh::ByteStream;
use crate::ssh::forward::{Listener, WAITING};

/// Takes what arrives until the listener is dropped.
pub(super) fn listening(ssh: SystemSsh, (door, here): (UnixListener, PathBuf), (forward, port): (String, u16)) -> Listener {
    // A taker that is busy: the further ones wait in the socket's own queue, and beyond that are refused.
    let (sender, incoming) = mpsc::channel::<ByteStream>(WAITING);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = take(door, sender) => {}
            () = stopped.cancelled() => {}
        }
        let inner = &ssh.inner;
        drop(inner.ssh.control(inner.master.socket(), &["-O", "cancel", "-R", &forward]).await);
        drop(std::fs::remove_file(&here));
    });
    let end: DropGuard = stop.drop_guard();
    Listener::new(port, incoming, end)
}

async fn take(door: UnixListener, to: mpsc::Sender<ByteStream>) {
    while let Ok((stream, _)) = door.accept().await {
        if to.send(Box::new(stream)).await.is_err() {
            return;
        }
    }
}
