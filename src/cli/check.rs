//! `outpost check`: whether a thread could be run on a host, step by step.

pub mod steps;

use clap::Args;
use futures_util::future::join_all;

use super::Context;
use crate::failure::{Code, Exit, Failure};
use crate::host::alias::Listing;
use crate::project;
use steps::{Recorder, Report};

/// Check whether Codex threads can run on hosts.
///
/// Connects once to each host and shows every step on the way, with what to do about the one that failed. Nothing is
/// started or changed there.
#[derive(Debug, Args)]
pub struct Check {
    /// The hosts, as your ssh configuration names them.
    #[arg(value_name = "HOST", required = true)]
    hosts: Vec<String>,
    /// Print one JSON array, an object for each host.
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Checks all hosts at once.
    ///
    /// # Errors
    /// When the gate is off, the ssh configuration cannot be read, or the answer cannot be written.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let listing = crate::host::alias::list(&context.local)?;
        let checked = join_all(self.hosts.iter().map(|word| one(context, &listing, word))).await;
        let worst = checked.iter().filter_map(|(_, code)| *code).map(Code::exit).max_by_key(|exit| badness(*exit));
        let reports: Vec<&Report> = checked.iter().map(|(report, _)| report).collect();
        if self.json {
            context.screen.json(&reports)?;
        } else {
            let texts: Vec<String> = reports.iter().map(|report| report.text()).collect();
            context.screen.answer(&texts.join("\n"))?;
        }
        Ok(worst.unwrap_or(Exit::Done))
    }
}

/// A name that is not known fails at the first step, like everything else that is wrong with a host.
async fn one(context: &Context, listing: &Listing, word: &str) -> (Report, Option<Code>) {
    let recorder = Recorder::default();
    let result = match crate::host::alias::find(listing, word) {
        Ok(listed) => project::check(&context.session(&recorder), &listed.alias).await,
        Err(failure) => Err(failure),
    };
    let code = result.as_ref().err().map(|failure| failure.code);
    (recorder.report(word, result), code)
}

/// Of several hosts the worst decides.
fn badness(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Failed | Exit::Usage | Exit::GateOff | Exit::Interrupted => 1,
        Exit::Remote => 2,
        Exit::Config => 3,
        Exit::Ssh => 4,
    }
}
