//! `outpost open`: the stock Codex TUI on a remote project.

use clap::Args;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::endpoint::{endpoint, hold};
use super::run::signals;
use super::{Context, plain};
use crate::endpoint::door::Door;
use crate::failure::{Code, Exit, Failure};
use crate::ssh::quote::if_needed;

/// Open the Codex TUI on a project.
///
/// Runs the codex of this machine against the host's app-server. It lives through lost links; what you type meanwhile is sent
/// when the link is back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  outpost open shop\n  outpost open devbox:~/app -- --model gpt-5")]
pub struct Open {
    /// The project, or the host and a folder on it; a host alone means the home folder there.
    #[arg(value_name = "PROJECT|HOST[:PATH]")]
    place: String,
    /// Give the TUI up after this many seconds without a link, instead of never.
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
    /// What else codex shall be told.
    #[arg(last = true, value_name = "CODEX ARGS")]
    args: Vec<String>,
}

impl Open {
    /// Runs codex to its end.
    ///
    /// # Errors
    /// [`Code::LocalCodexMissing`]; what stands in the way of the host.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let place = context.place_or_host(&self.place)?;
        let codex = codex(context)?;
        // Ctrl-C is for the TUI.
        let _wishes = signals::listen()?;
        let held = hold(context, &place).await?;
        let door = Door::open(&context.local, place.alias.as_str())?;
        let mut command = Command::new(&codex);
        command.arg("--remote").arg(format!("unix://{}", door.path().display()));
        command.arg("-C").arg(held.folder.as_str()).args(&self.args).kill_on_drop(true);
        let endpoint = endpoint(held, &place, self.limit);
        let (sender, _news) = mpsc::channel(1);
        let failed = |e: std::io::Error| Failure::new(Code::LocalIo, format!("run {}", codex.display())).said(e);
        let mut child = command.spawn().map_err(failed)?;
        let ended = tokio::select! {
            served = endpoint.serve(door, None, sender) => return served.map(|()| Exit::Failed),
            ended = child.wait() => ended.map_err(failed)?,
        };
        endpoint.keeper.close().await;
        // The TUI names the address, which has gone with it.
        let way = format!("outpost open {} -- resume ID", if_needed(&self.place));
        context.screen.note(&plain::line(&format!("that address has ended; to come back to a thread: {way}")));
        Ok(if ended.success() { Exit::Done } else { Exit::Failed })
    }
}

fn codex(context: &Context) -> Result<std::path::PathBuf, Failure> {
    let path = context.local.var("PATH").map(std::ffi::OsStr::to_owned).unwrap_or_default();
    which::which_in("codex", Some(path), &context.local.home).map_err(|_| {
        Failure::new(Code::LocalCodexMissing, "find codex on this machine")
            .said("there is none on your PATH")
            .hint("npm install -g @openai/codex; or work without it: outpost run HOST:PATH")
    })
}
