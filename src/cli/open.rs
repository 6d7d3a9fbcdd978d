//! `outpost open`: the stock Codex TUI on a remote project.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::endpoint::{endpoint, hold};
use super::run::signals;
use super::run::witness::given_back;
use super::{Context, plain};
use crate::endpoint::News;
use crate::endpoint::door::Door;
use crate::failure::{Code, Exit, Failure};
use crate::ssh::quote::if_needed;

/// Open the Codex TUI on a project.
///
/// Runs the codex of this machine against the host's app-server. It lives through lost links; what you type meanwhile is sent
/// when the link is back. The exit status is codex's, unless the TUI was given up; Ctrl-C is its too, once it is there.
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
        able(&codex).await?;
        // Ctrl-C is for the TUI, once there is one.
        let mut wishes = signals::listen()?;
        let Some(held) = signals::or_wished(hold(context, &place), &mut wishes).await else { return Ok(Exit::Interrupted) };
        let held = held?;
        let door = Door::open(&context.local, place.alias.as_str()).await?;
        let mut command = Command::new(&codex);
        command.arg("--remote").arg(format!("unix://{}", door.path().display()));
        command.arg("-C").arg(held.folder.as_str()).args(&self.args).kill_on_drop(true);
        let endpoint = endpoint(held, &place, self.limit);
        // While the TUI has the terminal news are taken at once; more than these are lost, but what is given back waits.
        let (sender, mut news) = mpsc::channel(64);
        let failed = |e: std::io::Error| Failure::new(Code::LocalIo, format!("run {}", codex.display())).said(e);
        let mut child = command.spawn().map_err(failed)?;
        let mut heard = Heard::default();
        let mut serving = std::pin::pin!(endpoint.serve(door, None, sender));
        let ended = loop {
            tokio::select! {
                served = &mut serving => return served.map(|()| Exit::Failed),
                ended = child.wait() => break ended.map_err(failed)?,
                Some(news) = news.recv() => heard.take(news),
            }
        };
        // What it leaves undelivered is known when its connections are over.
        while heard.clients > 0
            && let Ok(Some(news)) = tokio::time::timeout(OVER, either(&mut serving, news.recv())).await
        {
            heard.take(news);
        }
        endpoint.keeper.close().await;
        heard.given_back.iter().for_each(|told| context.screen.note(told));
        // The TUI names the address, which has gone with it.
        if heard.came {
            let way = format!("outpost open {} -- resume ID", if_needed(&self.place));
            context.screen.note(&plain::line(&format!("that address has ended; to come back to a thread: {way}")));
        }
        heard.why.map_or(Ok(passed(ended)), |why| Err(why.at(&place.alias)))
    }
}

/// How long a connection may take to end once the TUI is gone.
const OVER: Duration = Duration::from_secs(5);

/// What the person is told when the terminal is theirs again.
#[derive(Debug, Default)]
struct Heard {
    clients: usize,
    /// Whether there was ever one.
    came: bool,
    /// Each as it is told.
    given_back: Vec<String>,
    /// Why the TUI was given up.
    why: Option<Failure>,
}

impl Heard {
    fn take(&mut self, news: News) {
        match news {
            News::Came(clients) => (self.clients, self.came) = (clients, true),
            News::Went(clients, why) => {
                self.clients = clients;
                self.why = why.or(self.why.take());
            }
            News::GivenBack { words, sent } => self.given_back.push(given_back(&words, sent)),
            News::State(_) | News::Refused(_) => {}
        }
    }
}

/// News, as long as somebody makes them.
async fn either(serving: impl Future<Output = Result<(), Failure>>, news: impl Future<Output = Option<News>>) -> Option<News> {
    tokio::select! {
        news = news => news,
        _ = serving => None,
    }
}

/// Its status as shells count it.
fn passed(ended: std::process::ExitStatus) -> Exit {
    let signal = || std::os::unix::process::ExitStatusExt::signal(&ended).map(|number| number.saturating_add(128));
    match ended.code().or_else(signal).and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Exit::Done,
        Some(code) => Exit::Passed(code),
        None => Exit::Failed,
    }
}

/// How long codex may take to print its help.
const HELP: Duration = Duration::from_secs(20);

/// Whether a codex can use a socket: 0.133 is the first, and says so in its help.
async fn able(codex: &Path) -> Result<(), Failure> {
    let asked = Command::new(codex).arg("--help").stdin(Stdio::null()).kill_on_drop(true).output();
    let tried = format!("look whether {} can use a host", codex.display());
    let said = match tokio::time::timeout(HELP, asked).await {
        Err(_) => {
            return Err(Failure::new(Code::LocalIo, tried).said(format!("`codex --help` said nothing for {} s", HELP.as_secs())));
        }
        Ok(asked) => asked.map_err(|e| Failure::new(Code::LocalIo, tried.clone()).said(e))?,
    };
    if String::from_utf8_lossy(&said.stdout).contains("unix://") {
        return Ok(());
    }
    Err(Failure::new(Code::LocalCodexTooOld, tried)
        .said("its --remote takes no unix:// address")
        .hint("npm install -g @openai/codex@latest; or work without it: outpost run HOST:PATH"))
}

fn codex(context: &Context) -> Result<std::path::PathBuf, Failure> {
    let path = context.local.var("PATH").map(std::ffi::OsStr::to_owned).unwrap_or_default();
    which::which_in("codex", Some(path), &context.local.home).map_err(|_| {
        Failure::new(Code::LocalCodexMissing, "find codex on this machine")
            .said("there is none on your PATH")
            .hint("npm install -g @openai/codex; or work without it: outpost run HOST:PATH")
    })
}
