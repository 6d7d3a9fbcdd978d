//! `outpost shell`: a shell or a command on a host, as `ssh` gives one.
//!
//! Here and only here the remote's bytes reach the terminal as they are: that is what a shell is for.

mod join;
mod terminal;

use std::process::Stdio;

use clap::{ArgAction, Args};

use super::run::signals::{self, Wishes};
use super::spinner::Spinner;
use super::{Context, report};
use crate::failure::{Code, Exit, Failure};
use crate::name::Place;
use crate::project;
use crate::remote;
use crate::remote::enter::{self, Errand, Where};
use crate::ssh::exec::Piped;
use crate::ssh::session::{Alone, Session, Terminal};
use crate::ssh::shell::Control;
use join::Joined;

/// Open a shell on a host or in a project's folder, or run a command there.
///
/// One COMMAND word is a line for the account's shell there; several are a program and its arguments, which arrive as they
/// are. The exit status is the command's; 255 means that it was not run, or that the link was lost. On a terminal of its own
/// Ctrl-C is the command's. Without one we leave with exit code 130, and the server is asked to end the command too; it may
/// run on where the server refuses that (root, a ForceCommand), behind a ProxyCommand, and with `--carrier ssh`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  outpost shell devbox\n  outpost shell shop 'npm test 2>&1 | tail'\n  \
                  outpost shell devbox:/srv/app git commit -m \"two words\"\n  \
                  outpost shell devbox:/srv 'tar cz app' > app.tgz\n  \
                  while read -r d; do outpost shell -n \"devbox:$d\" git pull; done < folders")]
pub struct Shell {
    /// The host, a folder on it, or a project.
    #[arg(value_name = "HOST|PROJECT|HOST:PATH")]
    place: String,
    /// What to run instead of a login shell.
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Give a command a terminal too.
    #[arg(short = 't', action = ArgAction::SetTrue, overrides_with = "no_terminal")]
    terminal: bool,
    /// Read nothing here: its standard input is empty, as with `ssh -n` (for a loop that reads lines, a job in the background).
    #[arg(short = 'n', action = ArgAction::SetTrue, conflicts_with = "terminal")]
    no_input: bool,
    /// Give nothing a terminal.
    #[arg(short = 'T', action = ArgAction::SetTrue, overrides_with = "terminal")]
    no_terminal: bool,
}

/// What `ssh` ends with when the command was not run.
const NOT_RUN: Exit = Exit::Passed(255);

impl Shell {
    /// Runs it to its end; what kept it from running is told here, because it ends with ssh's own code.
    ///
    /// # Errors
    /// What the person can see without a host: usage, and Ctrl-C at a question.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match self.on_host(context).await {
            Err(failure) if ![Exit::Usage, Exit::Interrupted].contains(&failure.code.exit()) => {
                // A reader of our output that went away is told nothing and is no failure.
                Ok(if report::exit(&context.screen, Err(failure)) == Exit::Done { Exit::Done } else { NOT_RUN })
            }
            ended => ended,
        }
    }

    async fn on_host(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let place = context.place_or_host(&self.place)?;
        let wants_terminal = self.wants_terminal();
        let what = if wants_terminal { Alone::Terminal } else { Alone::Data };
        let spinner = Spinner::new(context, place.alias.as_str(), context.screen.interactive);
        let mut wishes = signals::listen()?;
        let asked = context.behind(&spinner);
        let login = async {
            let (session, settings) = project::login_alone(&asked, &place.alias, what).await?;
            let environment = remote::environment(&session, &settings).await.map_err(|e| e.at(&place.alias))?;
            Ok((session, settings, environment))
        };
        let Some(ready) = signals::or_wished(login, &mut wishes).await else { return Ok(Exit::Interrupted) };
        let (session, settings, environment) = ready?;
        drop(spinner);
        let at = Where { alias: &place.alias, settings: &settings, environment: environment.as_deref(), folder: &place.path };
        let text = enter::text(at, self.errand())?;
        let there = There { context, place: &place, session: &session, input: !self.no_input };
        let text = text.as_deref();
        let ended =
            if wants_terminal { there.on_terminal(text, &mut wishes).await } else { there.on_pipes(text, &mut wishes).await };
        session.close().await;
        ended
    }

    fn errand(&self) -> Errand<'_> {
        match self.command.as_slice() {
            [] => Errand::Shell,
            [line] => Errand::Line(line),
            words => Errand::Words(words),
        }
    }

    fn wants_terminal(&self) -> bool {
        self.terminal || (!self.no_terminal && !self.no_input && self.command.is_empty() && terminal::is_there())
    }
}

/// A host that we are logged in to for this alone.
struct There<'a> {
    context: &'a Context,
    place: &'a Place,
    session: &'a Session,
    /// Whether our standard input is the command's.
    input: bool,
}

impl There<'_> {
    async fn on_terminal(&self, text: Option<&str>, wishes: &mut Wishes) -> Result<Exit, Failure> {
        let pty = terminal::pty(&self.context.local);
        let begun = signals::or_wished(self.session.terminal(&pty, text), wishes).await;
        let Some(begun) = begun else { return Ok(Exit::Interrupted) };
        match begun.map_err(|e| e.at(&self.place.alias))? {
            Terminal::Streams(shell) => {
                let raw = terminal::Raw::take();
                let ended = self.joined(shell.piped, Some(shell.control)).run().await;
                drop(raw);
                self.told(ended)
            }
            Terminal::Program(mut program) => {
                let failed = |e: std::io::Error| Failure::new(Code::CarrierFailed, "run the system ssh").said(e);
                let _kept = super::ask::TerminalMode::kept();
                // Signals are for the program on the terminal, and we end when it does.
                program.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
                let ended = program.status().await.map_err(failed)?;
                Ok(ended.code().and_then(|code| u8::try_from(code).ok()).map_or(NOT_RUN, Exit::Passed))
            }
        }
    }

    async fn on_pipes(&self, text: Option<&str>, wishes: &mut Wishes) -> Result<Exit, Failure> {
        let begun = signals::or_wished(self.session.pipe(text), wishes).await;
        let Some(begun) = begun else { return Ok(Exit::Interrupted) };
        let (piped, control) = begun.map_err(|e| e.at(&self.place.alias))?;
        self.told(self.joined(piped, control).run().await)
    }

    fn joined(&self, piped: Piped, control: Option<Control>) -> Joined<'_> {
        Joined { piped, control, session: self.session, input: self.input }
    }

    /// How a command that ran has ended: what this machine refused by then is no matter of ssh's.
    fn told(&self, ended: Result<Exit, Failure>) -> Result<Exit, Failure> {
        match ended {
            Err(here) if here.code == Code::LocalIo => Ok(report::exit(&self.context.screen, Err(here))),
            Err(lost) if lost.code == Code::LinkLost => {
                Err(lost.hint("run it again; what it has done by then stays done").at(&self.place.alias))
            }
            ended => ended.map_err(|e| e.at(&self.place.alias)),
        }
    }
}
