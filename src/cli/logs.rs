//! `outpost logs`: what the app-server that we started says.

use clap::Args;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::spinner::Spinner;
use super::{Context, pager, plain};
use crate::failure::{Code, Exit, Failure};
use crate::project;
use crate::remote::{self, job::Job};

/// Show the log of the app-server that Outpost started on a host.
#[derive(Debug, Args)]
pub struct Logs {
    /// The host, as your ssh configuration names it.
    host: String,
    /// How many of its last lines.
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: u32,
    /// Go on with what is written from now on, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
}

impl Logs {
    /// Prints the log.
    ///
    /// # Errors
    /// [`Code::LogMissing`]; as `outpost run`, up to the login shell.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let alias = self.host.parse().map_err(|e| Failure::new(Code::Usage, "logs").said(e))?;
        let spinner = Spinner::new(context, &self.host, context.screen.interactive);
        let (session, settings) = project::login(&context.behind(&spinner), &alias).await?;
        let job = Job::Logs { lines: self.lines, follow: self.follow };
        let said = remote::logs(&session, &settings, job, &spinner).await.map_err(|e| e.at(&alias))?;
        drop(spinner);
        let shown =
            if self.follow { show(context, said.text).await } else { pager::show(context, &harmless(said.text).await).await };
        drop(said.input);
        session.close().await;
        shown.map(|()| Exit::Done)
    }
}

/// Shows remote text, made harmless, as it comes.
pub(super) async fn show(context: &Context, mut text: impl AsyncRead + Unpin) -> Result<(), Failure> {
    let (mut plain, mut buffer, mut cut) = (plain::Plain::default(), vec![0_u8; 16 * 1024], Vec::new());
    while let Ok(n @ 1..) = text.read(&mut buffer).await {
        cut.extend_from_slice(buffer.get(..n).unwrap_or_default());
        context.screen.answer(&plain.push(&whole(&mut cut)))?;
    }
    context.screen.answer(&plain.push(&String::from_utf8_lossy(&cut)))?;
    context.screen.answer(&plain.finish())
}

/// The most of a log that is shown at once, in bytes.
const MOST: u64 = 64 * 1024 * 1024;

/// Remote text, made harmless, to its end.
async fn harmless(text: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    // What came before a link was lost is shown.
    drop(text.take(MOST).read_to_end(&mut bytes).await);
    let mut plain = plain::Plain::default();
    plain.push(&String::from_utf8_lossy(&bytes)) + &plain.finish()
}

/// Takes what is complete from bytes that may end in the middle of a character.
fn whole(bytes: &mut Vec<u8>) -> String {
    let end = match std::str::from_utf8(bytes) {
        Err(e) if e.error_len().is_none() => e.valid_up_to(),
        _ => bytes.len(),
    };
    let rest = bytes.split_off(end);
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = rest;
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_character_waits_for_its_rest() {
        let mut bytes = "aä".as_bytes()[..2].to_vec();
        assert_eq!((whole(&mut bytes).as_str(), bytes.len()), ("a", 1));
        bytes.extend_from_slice(&"ä".as_bytes()[1..]);
        assert_eq!(whole(&mut bytes), "ä");
        let mut odd = vec![b'x', 0xff, b'y'];
        assert_eq!(whole(&mut odd), "x\u{fffd}y");
    }
}
