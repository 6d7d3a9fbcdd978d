//! `outpost check`: whether a thread could be run on a host, step by step.

pub mod steps;

use clap::Args;
use futures_util::future::join_all;

use super::Context;
use super::spinner::Spinner;
use crate::failure::{Code, Exit, Failure};
use crate::host::alias::Listing;
use crate::project;
use crate::ssh::session;
use crate::step::{Progress, Watch};
use steps::{Recorder, Report, coloured};

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
    /// When the answer cannot be written, or the gate is off and no JSON is wanted; what is wrong with a host is in its report.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let ready = crate::config::gate::require(&context.local).and_then(|()| crate::host::alias::list(&context.local));
        if let (false, Err(failure)) = (self.json, &ready) {
            return Err(failure.clone());
        }
        let spinner = Spinner::new(context, "", context.screen.interactive);
        let checked = join_all(self.hosts.iter().map(|word| one((context, &spinner), &ready, word))).await;
        drop(spinner);
        let worst = checked.iter().filter_map(|(_, code)| *code).map(Code::exit).max_by_key(|exit| badness(*exit));
        let reports: Vec<&Report> = checked.iter().map(|(report, _)| report).collect();
        if self.json {
            context.screen.json(&reports)?;
        } else {
            let texts: Vec<String> = reports.iter().map(|report| report.text()).collect();
            let text = texts.join("\n");
            context.screen.answer(&if context.screen.colour { coloured(&text) } else { text })?;
        }
        Ok(worst.unwrap_or(Exit::Done))
    }
}

/// Records a host, and shows on a terminal what is being waited for.
struct Seen<'a> {
    recorder: &'a Recorder,
    spinner: &'a Spinner,
    host: &'a str,
}

impl Watch for Seen<'_> {
    fn progress(&self, progress: Progress) {
        // Where nobody reads along it stands in the report.
        if let (Progress::Aside { step, text }, false) = (&progress, self.spinner.is_seen()) {
            return self.recorder.progress(Progress::news(*step, text));
        }
        self.spinner.shows(self.host, &progress);
        self.recorder.progress(progress);
    }
}

/// The gate and a name that is not known fail at the first step: `--json` has a report for each host in every case.
async fn one((context, spinner): (&Context, &Spinner), ready: &Result<Listing, Failure>, word: &str) -> (Report, Option<Code>) {
    let recorder = Recorder::default();
    let unknown = |failure| crate::config::projects::or_meant(&context.local, word, failure);
    let found = ready.as_ref().map_err(Clone::clone).and_then(|listing| crate::host::alias::find(listing, word).map_err(unknown));
    let result = match found {
        Ok(listed) => {
            let watch = Seen { recorder: &recorder, spinner, host: word };
            project::check(&session::Context { local: &context.local, ask: spinner, watch: &watch }, &listed.alias).await
        }
        Err(failure) => Err(failure),
    };
    let code = result.as_ref().err().map(|failure| failure.code);
    (recorder.report(word, result), code)
}

/// Of several hosts the worst decides.
fn badness(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Failed | Exit::Usage | Exit::GateOff | Exit::Interrupted | Exit::Passed(_) => 1,
        Exit::Remote => 2,
        Exit::Config => 3,
        Exit::Ssh => 4,
    }
}
