//! The process: reads the environment once, runs the command, maps a failure to an exit code.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::FromArgMatches;
use clap::error::ErrorKind;
use outpost::cli::ask::Person;
use outpost::cli::{self, Cli, Context, completions, pager, report, screen::Screen};
use outpost::failure::{Code, Exit, Failure};
use outpost::paths::Local;

fn main() -> ExitCode {
    let screen = Screen::of_process();
    let result = local()
        .and_then(|local| if completions::answer(&local, std::env::args_os())? { Ok(Exit::Done) } else { start(local, &screen) });
    ExitCode::from(report::exit(&screen, result).code())
}

fn start(mut local: Local, screen: &Screen) -> Result<Exit, Failure> {
    let read = cli::examples::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let args = match read {
        Ok(args) => args,
        Err(help) if help.kind() == ErrorKind::DisplayHelp && screen.out_is_terminal => return page(local, screen, &help),
        Err(error) => error.exit(),
    };
    local.ssh_config = args.ssh_config;
    if let Some(carrier) = args.carrier {
        local.vars.insert(outpost::paths::CARRIER.into(), carrier.into());
    }
    if args.no_pager {
        local.vars.insert(outpost::paths::PAGER.into(), "cat".into());
    }
    let context = context(local, screen);
    let runtime = runtime()?;
    let result = runtime.block_on(cli::run(args.command, &context));
    // Whatever still runs for us ends with its task; a prompt that is still being read must not keep the process.
    runtime.shutdown_timeout(PARTING);
    result
}

/// How long the tasks may take to be dropped.
const PARTING: Duration = Duration::from_millis(100);

/// Shows a help text, through the pager where it is long.
fn page(mut local: Local, screen: &Screen, help: &clap::Error) -> Result<Exit, Failure> {
    // The line was not read to its end.
    if std::env::args_os().any(|arg| arg == "--no-pager") {
        local.vars.insert(outpost::paths::PAGER.into(), "cat".into());
    }
    let text = help.render();
    let text = if screen.colour { text.ansi().to_string() } else { text.to_string() };
    runtime()?.block_on(pager::show(&context(local, screen), &text)).map(|()| Exit::Done)
}

fn context(local: Local, screen: &Screen) -> Context {
    let ask = Person::of_process(&local);
    Context { local, screen: screen.clone(), ask: Arc::new(ask) }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new().map_err(|e| Failure::new(Code::LocalIo, "start the runtime").said(e))
}

/// Reads this machine: the account from the password database, the rest from the environment.
fn local() -> Result<Local, Failure> {
    let vars: std::collections::HashMap<_, _> = std::env::vars_os().collect();
    let fail = |said: String| Failure::new(Code::LocalIo, "read the account from the password database").said(said);
    let account = nix::unistd::User::from_uid(nix::unistd::getuid())
        .map_err(|e| fail(e.to_string()))?
        .ok_or_else(|| fail(format!("there is no entry for uid {}", nix::unistd::getuid())))?;
    let set = |name: &str| vars.get(std::ffi::OsStr::new(name)).filter(|v| !v.is_empty()).map(PathBuf::from);
    let codex_home = set("CODEX_HOME").unwrap_or_else(|| set("HOME").unwrap_or_else(|| account.dir.clone()).join(".codex"));
    let codex_home = std::path::absolute(codex_home).map_err(|e| fail(e.to_string()))?;
    Ok(Local { home: account.dir, user: account.name, codex_home, ssh_config: None, vars })
}
