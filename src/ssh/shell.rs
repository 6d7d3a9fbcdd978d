//! A terminal on the remote: the account's shell, or a command, on a pseudo-terminal.

use std::sync::Arc;

use russh::ChannelWriteHalf;
use russh::client::Msg;

use super::channel::Running;
use super::connection::{Connection, Open};
use super::exec::Exec;
use crate::failure::Failure;

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Its width.
    pub columns: u16,
    /// Its height.
    pub rows: u16,
}

/// A pseudo-terminal to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pty {
    /// `TERM`.
    pub term: String,
    /// The size to begin with.
    pub size: Size,
}

/// A running shell; what it writes is one stream, as a terminal shows it.
pub struct Shell {
    /// Its streams and status.
    pub exec: Exec,
    /// Tells it about a new size.
    pub resize: Resize,
}

/// Tells a shell the size of its terminal.
#[derive(Clone)]
pub struct Resize {
    channel: Arc<ChannelWriteHalf<Msg>>,
}

impl Resize {
    /// Tells the size; a channel that is gone does not care.
    pub async fn to(&self, size: Size) {
        drop(self.channel.window_change(size.columns.into(), size.rows.into(), 0, 0).await);
    }
}

/// Opens the account's shell, or runs a command, on a pseudo-terminal.
pub(crate) async fn open(connection: &Connection, pty: &Pty, command: Option<&str>) -> Result<Shell, Failure> {
    let channel = connection.open(Open::Session).await?;
    let (columns, rows) = (pty.size.columns.into(), pty.size.rows.into());
    let asked = channel.request_pty(false, &pty.term, columns, rows, 0, 0, &[]).await;
    asked.map_err(|_| connection.lost())?;
    connection.prepare(&channel).await?;
    let started = match command {
        Some(command) => channel.exec(true, command).await,
        None => channel.request_shell(true).await,
    };
    started.map_err(|_| connection.lost())?;
    let running = Running::start(channel);
    let resize = Resize { channel: running.control() };
    Ok(Shell { exec: running.exec(), resize })
}
