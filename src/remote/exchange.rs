//! The one exec: sends the script, reads the answer, hands the stream on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::Limits;
use super::answer::{Answer, Reached};
use super::job::Job;
use super::judge::{self, Silence};
use super::script::{Texts, Way, Words};
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::ssh::exec::{Exec, ExitStatus};
use crate::ssh::session::Session;
use crate::step::{Progress, Step, Watch};

/// One run of a script on a remote.
pub struct Errand<'a> {
    /// Where.
    pub session: &'a Session,
    /// With which settings.
    pub settings: &'a HostSettings,
    /// What for.
    pub job: &'a Job,
    /// How long its parts may take.
    pub limits: Limits,
}

/// A run that was answered.
pub struct Heard {
    /// What it said.
    pub answer: Answer,
    /// Where it runs on; none when its input had to be closed.
    pub exec: Option<Exec>,
}

/// Passes on what is told, and notes when the login shell has done its part.
struct PastTheShell<'a> {
    watch: &'a dyn Watch,
    is: AtomicBool,
}

impl Watch for PastTheShell<'_> {
    fn progress(&self, progress: Progress) {
        if matches!(progress, Progress::Done { step: Step::LoginShell, .. }) {
            self.is.store(true, Ordering::Relaxed);
        }
        self.watch.progress(progress);
    }
}

/// What became of one way.
enum Outcome {
    Heard(Box<Heard>),
    Silent(Silence),
}

impl Errand<'_> {
    /// Tries one way after the other.
    pub async fn run(&self, watch: &dyn Watch) -> Result<Heard, Failure> {
        watch.progress(Progress::Began(Step::LoginShell));
        if !self.settings.run_through.is_empty() {
            return match self.attempt(Way::Through, watch).await? {
                Outcome::Heard(heard) => Ok(*heard),
                Outcome::Silent(silence) => Err(self.not_through(judge::said(&silence))),
            };
        }
        let first = match self.patiently(watch).await? {
            Outcome::Heard(heard) => return Ok(*heard),
            Outcome::Silent(silence) => silence,
        };
        match self.attempt(Way::Plain, watch).await? {
            Outcome::Heard(heard) => Ok(*heard),
            Outcome::Silent(second) => Err(self.silent(&[first, second])),
        }
    }

    /// The usual way, and after a while in the start-up files the one with a closed input beside it: from outside, start-up files
    /// that read all of their input look like slow ones.
    async fn patiently(&self, watch: &dyn Watch) -> Result<Outcome, Failure> {
        let watch = &PastTheShell { watch, is: AtomicBool::new(false) };
        let mut usual = std::pin::pin!(self.attempt(Way::Exec, watch));
        if let Ok(outcome) = timeout(self.limits.patience, usual.as_mut()).await {
            return outcome;
        }
        // The start-up files left the input alone; it is codex that takes its time.
        if watch.is.load(Ordering::Relaxed) {
            return usual.await;
        }
        let mut deaf = std::pin::pin!(self.attempt(Way::Deaf, watch));
        tokio::select! {
            outcome = usual.as_mut() => outcome,
            outcome = deaf.as_mut() => match outcome {
                Ok(Outcome::Silent(silence)) => Err(self.silent(&[silence])),
                Ok(heard @ Outcome::Heard(_)) => Ok(heard),
                // A host that opens no second channel: the first one is all there is.
                Err(_) => usual.await,
            },
        }
    }

    async fn attempt(&self, way: Way, watch: &dyn Watch) -> Result<Outcome, Failure> {
        let words = Words::random();
        let texts = Texts { way, words: &words, settings: self.settings, job: self.job };
        let mut answer = Answer::new(&words.marker(), self.limits.slow);
        let mut exec = self.session.exec(&texts.command()?).await?;
        if way == Way::Deaf {
            // A shell that has already ended has closed its input; what it printed tells more than the error.
            let _ = exec.stdin.shutdown().await;
        }
        let body = [texts.body(), self.early(way)].concat();
        if way == Way::Through {
            send(&mut exec, &texts.opening()).await;
        } else {
            send(&mut exec, &[texts.opening(), body.clone()].concat()).await;
        }
        while self.hear(&mut exec, &mut answer, watch).await.map_err(|late| self.late(way, &answer, late))? {
            match (answer.reached, way) {
                (Reached::End, _) => {
                    let exec = Some(exec).filter(|_| way != Way::Deaf);
                    return Ok(Outcome::Heard(Box::new(Heard { answer, exec })));
                }
                (Reached::Outer, Way::Through) => send(&mut exec, &body).await,
                _ => {}
            }
        }
        self.unanswered(way, answer, exec).await
    }

    /// A `run_through` command that does not come to our shell has no start-up files to look at.
    fn late(&self, way: Way, answer: &Answer, failure: Failure) -> Failure {
        if way != Way::Through || answer.reached > Reached::Nothing || failure.code != Code::ShellTimeout {
            return failure;
        }
        self.not_through(format!("it did not run our shell within {} s\n{}", self.limits.shell.as_secs(), failure.said))
    }

    fn silent(&self, tried: &[Silence]) -> Failure {
        judge::silent(tried, &self.session.facts().account)
    }

    fn not_through(&self, said: String) -> Failure {
        let tried = format!("run a script through the host's run_through command ({})", self.settings.run_through.join(" "));
        let hint = "see what it does: outpost shell HOST echo works\nor do without: outpost hosts set HOST run_through=";
        Failure::new(Code::RunThroughFailed, tried).said(said.trim_end()).hint(hint)
    }

    /// Reads until something new was reached (true) or the output ended (false).
    async fn hear(&self, exec: &mut Exec, answer: &mut Answer, watch: &dyn Watch) -> Result<bool, Failure> {
        let before = answer.reached;
        let mut buffer = vec![0_u8; 16 * 1024];
        while answer.reached == before {
            let more = if answer.waits_for_a_shell() { Duration::ZERO } else { self.limits.answer };
            let limit = self.limits.shell + more;
            let bytes = match timeout_at((answer.began + limit).into(), exec.stdout.read(&mut buffer)).await {
                Err(_) => return Err(answer.too_slow(limit, &exec.stderr.text())),
                Ok(Ok(0) | Err(_)) => return Ok(false),
                Ok(Ok(n)) => buffer.get(..n).unwrap_or_default(),
            };
            answer.take(bytes, watch)?;
        }
        Ok(true)
    }

    /// What the server is to be told goes behind the script at once: to wait until the script runs would cost a round trip. A shell
    /// that replaced the login shell and has not become ours by then would not take it for anything that it could do.
    fn early(&self, way: Way) -> Vec<u8> {
        if let Job::BringUp(want) = self.job
            && way != Way::Deaf
        {
            return want.early.clone();
        }
        Vec::new()
    }

    async fn unanswered(&self, way: Way, answer: Answer, exec: Exec) -> Result<Outcome, Failure> {
        let script_ran = answer.reached >= Reached::Script;
        // What was printed before the script ran is no news once it ran.
        let printed = if script_ran { String::new() } else { answer.noise().text() };
        // The status follows the end of the output, and a channel whose two ends are dropped does not wait for it.
        let Exec { mut stdin, stdout, stderr, status } = exec;
        let _ = stdin.shutdown().await;
        let status = timeout(self.limits.answer, status).await.ok().and_then(Result::ok).unwrap_or(ExitStatus::Unknown);
        drop((stdin, stdout));
        let silence = Silence { tried: way.as_str(), printed, complained: stderr.text(), status };
        if script_ran {
            let failure = Failure::new(Code::FactsBroken, "run the script; it ended before its answer was complete");
            return Err(failure.said(judge::said(&silence)));
        }
        Ok(Outcome::Silent(silence))
    }
}

/// Sends bytes; a shell that has already ended has closed its input, and what it printed tells more than the error.
pub async fn send(exec: &mut Exec, bytes: &[u8]) {
    if !bytes.is_empty() {
        let _ = exec.stdin.write_all(bytes).await;
        let _ = exec.stdin.flush().await;
    }
}
