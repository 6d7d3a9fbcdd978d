//! `outpost login`: signs the codex of a host in or out.

use std::io::{IsTerminal, Read, stdin};

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::spinner::Spinner;
use super::{Context, plain};
use crate::failure::{Code, Exit, Failure};
use crate::name::Alias;
use crate::project;
use crate::remote::{self, Said, job::SignIn};
use crate::ssh::ask::{NoAnswer, Question, Secret, interrupted};
use crate::ssh::quote::if_needed;

/// Sign the codex of a host in, see who is signed in, or sign it out.
///
/// Without an option a person opens the address that is shown, on any machine, and enters the code. A key or a token is read
/// from standard input and goes to the remote codex alone; on a terminal it is asked for.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("way").args(["device_auth", "with_api_key", "with_access_token", "action"]),
    after_help = "Examples:\n  outpost login devbox\n  printenv OPENAI_API_KEY | outpost login devbox --with-api-key\n  \
                  outpost login devbox status\n  outpost login devbox logout"
)]
pub struct Login {
    /// The host, as your ssh configuration names it, or a project on it.
    #[arg(value_name = "HOST|PROJECT")]
    host: String,
    /// Something else than signing in.
    #[arg(value_enum)]
    action: Option<Action>,
    /// Show an address and a code (the default).
    #[arg(long)]
    device_auth: bool,
    /// Read an API key from standard input.
    #[arg(long)]
    with_api_key: bool,
    /// Read an access token from standard input.
    #[arg(long)]
    with_access_token: bool,
    /// With `status`: print one JSON object.
    #[arg(long)]
    json: bool,
    /// Sign in with another issuer; for tests.
    #[arg(long = "experimental_issuer", value_name = "URL", hide = true)]
    issuer: Option<String>,
}

/// What can be done besides signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Say who is signed in; exit code 6 when nobody is.
    Status,
    /// Sign out: remove what codex keeps there.
    Logout,
}

/// What codex says where nobody is signed in.
const NOBODY: &str = "Not logged in";

/// The largest key or token, in bytes; a larger input is something else.
const LARGEST: u64 = 64 * 1024;

impl Login {
    /// Does it.
    ///
    /// # Errors
    /// [`Code::LoginFailed`], [`Code::NotSignedIn`] (of `status`); what stands in the way of the host.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let action = self.sign_in();
        if self.json && action != SignIn::Status {
            let failure = Failure::new(Code::Usage, "login --json").said("only who is signed in is told as JSON");
            return Err(failure.hint(format!("outpost login {} status --json", if_needed(&self.host))));
        }
        let alias = context.place_or_host(&self.host)?.alias;
        let secret = match action {
            SignIn::ApiKey => Some(secret(context, &alias, "API key").await?),
            SignIn::AccessToken => Some(secret(context, &alias, "access token").await?),
            SignIn::Device | SignIn::Status | SignIn::Logout => None,
        };
        let spinner = Spinner::new(context, alias.as_str(), context.screen.interactive && !self.json);
        let (session, settings) = project::login(&context.behind(&spinner), &alias).await?;
        let asked = remote::sign_in((&session, &settings), action, self.issuer.clone(), &spinner).await;
        let (said, nonce) = asked.map_err(|e| e.at(&alias))?;
        drop(spinner);
        let runs = said.running;
        let show = action != SignIn::Status;
        let (words, status) = hand_over(context, said, (secret, &nonce), show).await?;
        session.close().await;
        if action == SignIn::Status {
            return self.status(context, &alias, (&words, status));
        }
        match status {
            Some(0) if action == SignIn::Logout && words.lines().any(|line| line.trim() == NOBODY) => {
                context.screen.note(&format!("{alias}: nobody was signed in there"));
                Ok(Exit::Done)
            }
            Some(0) if runs => {
                let note = "an app-server runs there and keeps the sign-in it began with; this lets it finish its turns and end:";
                context.screen.note(&format!("{alias}: {note}\n  outpost stop {alias}"));
                Ok(Exit::Done)
            }
            Some(0) => Ok(Exit::Done),
            _ => Err(Failure::new(Code::LoginFailed, "sign codex in or out").said(ended(status)).at(&alias)),
        }
    }

    fn sign_in(&self) -> SignIn {
        match (self.action, self.with_api_key, self.with_access_token) {
            (Some(Action::Status), _, _) => SignIn::Status,
            (Some(Action::Logout), _, _) => SignIn::Logout,
            (None, true, _) => SignIn::ApiKey,
            (None, false, true) => SignIn::AccessToken,
            (None, false, false) => SignIn::Device,
        }
    }

    fn status(&self, context: &Context, alias: &Alias, (words, status): (&str, Option<i32>)) -> Result<Exit, Failure> {
        let detail = detail(words);
        match status {
            Some(code @ (0 | 1)) if self.json => {
                context.screen.json(&json!({"host": alias, "signed_in": code == 0, "detail": detail}))?;
                Ok(if code == 0 { Exit::Done } else { Exit::Remote })
            }
            Some(0) => context.screen.line(&plain::line(&format!("{alias}: {detail}"))).map(|()| Exit::Done),
            Some(1) if detail == NOBODY => Err(Failure::new(Code::NotSignedIn, "ask codex who is signed in")
                .said(detail)
                .hint("outpost login HOST")
                .at(alias)),
            _ => Err(Failure::new(Code::LoginFailed, "ask codex who is signed in").said(words.trim()).at(alias)),
        }
    }
}

/// What is shown of a remote codex that says these words, in every way.
#[cfg(test)]
pub(super) fn shown(words: &str, host: &str) -> Vec<String> {
    let state = plain::line(&format!("{host}: {}", detail(words)));
    let failed = Failure::new(Code::LoginFailed, "sign in").said(plain::text(words)).at(host);
    vec![plain::text(words), state, super::report::failure(&failed)]
}

/// The first line of what codex says of its state.
fn detail(words: &str) -> &str {
    words.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("WARNING")).unwrap_or_default()
}

fn ended(status: Option<i32>) -> String {
    status.map_or_else(|| "it ended without a word".to_owned(), |status| format!("codex ended with status {status}"))
}

/// Reads the secret: from standard input, or from the person where that is a terminal.
async fn secret(context: &Context, alias: &Alias, what: &str) -> Result<Secret, Failure> {
    let tried = format!("read the {what} from standard input");
    let usage = |said: String| Failure::new(Code::Usage, tried.clone()).said(said).hint("printenv NAME | outpost login …");
    let text = if stdin().is_terminal() {
        let prompt = format!("{what} for {alias}: ");
        let question = Question { prompt, echo: false, preface: String::new() };
        let answer = context.ask.ask(&question).await.map_err(|why| match why {
            NoAnswer::Interrupted => interrupted(tried.clone()),
            NoAnswer::Refused | NoAnswer::NobodyThere | NoAnswer::NoProgram(_) => {
                Failure::new(Code::AuthCancelled, tried.clone()).hint("run it again")
            }
        })?;
        answer.reveal().to_owned()
    } else {
        let reading = tokio::task::spawn_blocking(|| {
            let mut text = String::new();
            stdin().lock().take(LARGEST + 1).read_to_string(&mut text).map(|_| text)
        });
        reading.await.map_err(|e| usage(e.to_string()))?.map_err(|e| usage(e.to_string()))?
    };
    match text.trim() {
        "" => Err(usage("it is empty".to_owned())),
        _ if text.len() as u64 > LARGEST => Err(usage(format!("it is longer than {LARGEST} bytes"))),
        // Codex would take the first line, or all of it: neither is what was meant.
        secret if secret.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            Err(usage(format!("it is no {what}: it has blanks or line ends in it")))
        }
        secret => Ok(Secret::new(secret.to_owned())),
    }
}

/// Gives codex the secret and reads its words, harmless, to its status; shows them as they come where that is wanted.
async fn hand_over(
    context: &Context,
    said: Said,
    (secret, nonce): (Option<Secret>, &str),
    show: bool,
) -> Result<(String, Option<i32>), Failure> {
    let Said { mut text, mut input, .. } = said;
    if let Some(secret) = secret {
        // One that ends without reading says why.
        let _ = input.write_all(format!("{}\n", secret.reveal()).as_bytes()).await;
        let _ = input.shutdown().await;
    }
    let (mut words, mut buffer) = (String::new(), Vec::new());
    while let Some(line) = line(&mut text, &mut buffer).await {
        if let Some(status) = line.trim_end().strip_prefix(nonce).and_then(|rest| rest.strip_prefix('=')) {
            return Ok((words, status.parse().ok()));
        }
        let line = plain::text(&line);
        if show && !line.trim().is_empty() {
            context.screen.answer(&line)?;
        }
        words.push_str(&line);
    }
    Ok((words, None))
}

/// How much of a line is kept; codex writes no longer ones.
const LINE: usize = 64 * 1024;

/// The next line with its end; the last may lack one.
async fn line(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<String> {
    let mut more = vec![0_u8; 4096];
    loop {
        let end = buffer.iter().position(|b| *b == b'\n').map(|at| at + 1);
        if let Some(end) = end.or_else(|| (buffer.len() > LINE).then_some(buffer.len())) {
            let rest = buffer.split_off(end);
            return Some(String::from_utf8_lossy(&std::mem::replace(buffer, rest)).into_owned());
        }
        match from.read(&mut more).await {
            Ok(n @ 1..) => buffer.extend_from_slice(more.get(..n).unwrap_or_default()),
            Ok(0) | Err(_) if buffer.is_empty() => return None,
            Ok(0) | Err(_) => return Some(String::from_utf8_lossy(&std::mem::take(buffer)).into_owned()),
        }
    }
}
