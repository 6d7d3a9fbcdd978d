//! `outpost demo`: the whole way on a host of its own, by the same commands that a person would type.

use std::time::Instant;

use clap::{Args, Parser};
use tokio::sync::broadcast;

use super::run::signals::{self, Wish};
use super::{Cli, Context, plain};
use crate::demo::script::PROMPT;
use crate::demo::stage::Stage;
use crate::failure::{Code, Exit, Failure};

/// Show what Outpost does, on a host of its own.
///
/// Starts an SSH server inside this process, with a home folder of its own, and walks the whole way there: hosts, check, project,
/// and a thread that runs a command, changes a file and asks for an approval. Codex is the one on your PATH with a scripted model,
/// else a built-in stand-in. Your own files are not touched, and nothing is left behind.
#[derive(Debug, Args)]
pub struct Demo {
    /// Answer the approval with yes, without asking.
    #[arg(long)]
    yes: bool,
}

impl Demo {
    /// Shows it.
    ///
    /// # Errors
    /// What the commands say.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let began = Instant::now();
        let wishes = signals::listen()?;
        let program = std::env::current_exe().map_err(|e| Failure::new(Code::LocalIo, "find the outpost program").said(e))?;
        let stage = Stage::set(&context.local, &program).await?;
        let exit = self.walk(context, &stage, wishes).await;
        // Ends what still runs there.
        drop(stage);
        if exit == Ok(Exit::Done) {
            let took = began.elapsed().as_secs_f64();
            context
                .screen
                .line(&format!("\nThat was all of it, in {took:.1} s; nothing is left of it. Now your own hosts:\n{OWN}"))?;
        } else {
            // `run` has told how to come back to its thread, as it does on a person's own host.
            context.screen.note("the demonstration's host is gone now, and its thread with it: there is nothing to come back to");
        }
        exit
    }

    async fn walk(&self, person: &Context, stage: &Stage, mut wishes: broadcast::Receiver<Wish>) -> Result<Exit, Failure> {
        person.screen.line(&opening(stage))?;
        let context = Context { local: stage.local.clone(), screen: person.screen.clone(), ask: person.ask.clone() };
        let before: [&[&str]; 3] = [&["hosts"], &["check", "devbox"], &["projects", "add", "devbox:~/hello"]];
        for words in before {
            let exit = tokio::select! {
                exit = command(&context, words) => exit?,
                Ok(_) = wishes.recv() => Exit::Interrupted,
            };
            if exit != Exit::Done {
                return Ok(exit);
            }
        }
        // From here on `run` itself minds the signals.
        let asks = context.screen.interactive && !self.yes;
        let words: &[&str] = if asks { &["run", "hello", PROMPT] } else { &["run", "--approve", "always", "hello", PROMPT] };
        command(&context, words).await
    }
}

/// What a person types for a host of their own.
const OWN: &str = "  outpost enable
  outpost hosts
  outpost check HOST
  outpost run HOST:~/FOLDER \"what the agent shall do\"";

fn opening(stage: &Stage) -> String {
    let codex = match &stage.codex {
        Some(path) => format!("the codex of your PATH ({}) with a scripted model", plain::line(&path.to_string_lossy())),
        None => "a built-in stand-in, because there is none on your PATH".to_owned(),
    };
    format!(
        "An SSH server runs in this process, on 127.0.0.1 port {}; the folder of it all is\n{}. Codex is {codex}.",
        stage.port,
        plain::line(&stage.path().to_string_lossy())
    )
}

/// Runs a command line as if it was typed.
async fn command(context: &Context, words: &[&str]) -> Result<Exit, Failure> {
    let shown: Vec<String> =
        words.iter().map(|word| if word.contains(' ') { format!("\"{word}\"") } else { (*word).to_owned() }).collect();
    context.screen.line(&format!("\n› outpost {}", shown.join(" ")))?;
    let typed = std::iter::once("outpost").chain(words.iter().copied());
    let cli = Cli::try_parse_from(typed).map_err(|e| Failure::new(Code::Usage, "read the demonstration's own words").said(e))?;
    Box::pin(super::run(cli.command, context)).await
}
