//! A terminal on the remote: the account's shell, or a command, on a pseudo-terminal.

use std::sync::Arc;

use russh::client::Msg;
use russh::{ChannelWriteHalf, Sig};

use super::channel::Running;
use super::connection::{Connection, Open};
use super::exec::Piped;
pub use super::modes::Modes;
use crate::failure::Failure;

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Its width in characters.
    pub columns: u16,
    /// Its height in characters.
    pub rows: u16,
    /// Its width in pixels; 0 when that is not known.
    pub width: u16,
    /// Its height in pixels; 0 when that is not known.
    pub height: u16,
}

/// A pseudo-terminal to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pty {
    /// `TERM`.
    pub term: String,
    /// The size to begin with.
    pub size: Size,
    /// Its line discipline.
    pub modes: Modes,
}

/// A running shell; what it writes is one stream, as a terminal shows it.
pub struct Shell {
    /// Its streams and status; what is on the terminal comes as standard output.
    pub piped: Piped,
    /// What can be told to it.
    pub control: Control,
}

/// Tells a shell what is no byte of its input.
#[derive(Clone)]
pub struct Control {
    channel: Arc<ChannelWriteHalf<Msg>>,
}

impl Control {
    /// Tells the size of the terminal; a channel that is gone does not care.
    pub async fn resize(&self, size: Size) {
        let Size { columns, rows, width, height } = size;
        drop(self.channel.window_change(columns.into(), rows.into(), width.into(), height.into()).await);
    }

    /// Asks the server to send the command SIGINT; one that cannot ignores it.
    pub async fn interrupt(&self) {
        drop(self.channel.signal(Sig::INT).await);
    }
}

/// Opens the account's shell, or runs a command, on a pseudo-terminal. The connection must be this shell's alone.
pub(crate) async fn open(connection: &Connection, pty: &Pty, command: Option<&str>) -> Result<Shell, Failure> {
    let channel = connection.open(Open::Session).await?;
    let Size { columns, rows, width, height } = pty.size;
    let (columns, rows, width, height) = (columns.into(), rows.into(), width.into(), height.into());
    let asked = channel.request_pty(true, &pty.term, columns, rows, width, height, pty.modes.as_slice()).await;
    asked.map_err(|_| connection.lost())?;
    begin(connection, channel, (command, vec!["a terminal"])).await
}

/// Runs a command, or the account's shell, without a terminal; its streams are whole. The connection must be its alone.
pub(crate) async fn pipe(connection: &Connection, command: Option<&str>) -> Result<Shell, Failure> {
    let channel = connection.open(Open::Session).await?;
    begin(connection, channel, (command, Vec::new())).await
}

async fn begin(
    connection: &Connection,
    channel: russh::Channel<Msg>,
    (command, mut asked): (Option<&str>, Vec<&'static str>),
) -> Result<Shell, Failure> {
    connection.prepare(&channel).await?;
    let started = match command {
        Some(command) => channel.exec(true, command).await,
        None => channel.request_shell(true).await,
    };
    started.map_err(|_| connection.lost())?;
    asked.push(if command.is_some() { "to run a command" } else { "a shell" });
    let running = Running::alone(channel, asked);
    let control = Control { channel: running.control() };
    Ok(Shell { piped: running.piped(), control })
}
