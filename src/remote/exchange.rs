//! The one exec: sends the script, reads the answer, hands the stream on.

use std::io::Cursor;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::answer::{Answer, Reached};
use super::judge::{self, Silence};
use super::refusal::READS_INPUT;
use super::script::{Texts, Way, Words};
use super::{Framing, How, Link, Remote, Want};
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::ssh::exec::{Exec, ExitStatus};
use crate::ssh::session::Session;
use crate::step::{Progress, Step, Watch};

/// One bring-up.
pub struct Errand<'a> {
    /// Where.
    pub session: &'a Session,
    /// With which settings.
    pub settings: &'a HostSettings,
    /// What for.
    pub want: &'a Want,
}

/// What became of one way.
enum Outcome {
    Answered(Box<Answer>, Exec),
    Silent(Silence),
}

impl Errand<'_> {
    /// Tries one way after the other.
    pub async fn run(&self, watch: &dyn Watch) -> Result<Remote, Failure> {
        watch.progress(Progress::Began(Step::LoginShell));
        if !self.settings.run_through.is_empty() {
            return match self.attempt(Way::Through, watch).await? {
                Outcome::Answered(answer, exec) => over_exec(*answer, exec, watch),
                Outcome::Silent(silence) => Err(judge::silent(&[silence])),
            };
        }
        let first = match self.patiently(watch).await? {
            Ok(remote) => return Ok(remote),
            Err(silence) => silence,
        };
        match self.attempt(Way::Plain, watch).await? {
            Outcome::Answered(answer, exec) => over_exec(*answer, exec, watch),
            Outcome::Silent(second) => Err(judge::silent(&[first, second])),
        }
    }

    /// The usual way, and after a while the one with a closed input beside it: from outside, start-up files that read all of
    /// their input look like slow ones.
    async fn patiently(&self, watch: &dyn Watch) -> Result<Result<Remote, Silence>, Failure> {
        let mut usual = std::pin::pin!(self.attempt(Way::Exec, watch));
        let usual_outcome = match timeout(self.want.limits.patience, usual.as_mut()).await {
            Ok(outcome) => outcome?,
            Err(_) => {
                let mut deaf = std::pin::pin!(self.attempt(Way::Deaf, watch));
                tokio::select! {
                    outcome = usual.as_mut() => outcome?,
                    outcome = deaf.as_mut() => match outcome {
                        Ok(Outcome::Answered(answer, _)) => return self.over_socket(*answer, watch).await.map(Ok),
                        Ok(Outcome::Silent(silence)) => return Err(judge::silent(&[silence])),
                        // A host that opens no second channel: the first one is all there is.
                        Err(_) => usual.await?,
                    },
                }
            }
        };
        match usual_outcome {
            Outcome::Answered(answer, exec) => over_exec(*answer, exec, watch).map(Ok),
            Outcome::Silent(silence) => Ok(Err(silence)),
        }
    }

    async fn attempt(&self, way: Way, watch: &dyn Watch) -> Result<Outcome, Failure> {
        let words = Words::random();
        let texts = Texts { way, words: &words, settings: self.settings, want: self.want };
        let mut answer = Answer::new(&words.marker());
        let mut exec = self.session.exec(&texts.command()?).await?;
        if way == Way::Deaf {
            // A shell that has already ended has closed its input; what it printed tells more than the error.
            let _ = exec.stdin.shutdown().await;
        }
        send(&mut exec, &texts.opening()).await;
        if way != Way::Through {
            send(&mut exec, &texts.body()).await;
        }
        while self.hear(&mut exec, &mut answer, watch).await? {
            match (answer.reached, way) {
                (Reached::End, _) => return Ok(Outcome::Answered(Box::new(answer), exec)),
                (Reached::Outer, Way::Through) => send(&mut exec, &texts.body()).await,
                _ => {}
            }
        }
        self.unanswered(way, answer, exec).await
    }

    /// Reads until something new was reached (true) or the output ended (false).
    async fn hear(&self, exec: &mut Exec, answer: &mut Answer, watch: &dyn Watch) -> Result<bool, Failure> {
        let before = answer.reached;
        let mut buffer = vec![0_u8; 16 * 1024];
        while answer.reached == before {
            let more = if before >= Reached::Script { self.want.limits.answer } else { Duration::ZERO };
            let limit = self.want.limits.shell + more;
            let bytes = match timeout_at((answer.began + limit).into(), exec.stdout.read(&mut buffer)).await {
                Err(_) => return Err(answer.too_slow(limit, &exec.stderr.text())),
                Ok(Ok(0) | Err(_)) => return Ok(false),
                Ok(Ok(n)) => buffer.get(..n).unwrap_or_default(),
            };
            answer.take(bytes, watch)?;
        }
        if before < Reached::Script && answer.reached >= Reached::Script {
            // Not sooner: a shell that replaced the login shell would read these bytes as commands.
            send(exec, &self.want.early).await;
        }
        Ok(true)
    }

    async fn unanswered(&self, way: Way, answer: Answer, exec: Exec) -> Result<Outcome, Failure> {
        let script_ran = answer.reached >= Reached::Script;
        let printed = answer.noise().text();
        let Exec { stdin, stdout, stderr, status } = exec;
        drop((stdin, stdout));
        let status = timeout(self.want.limits.answer, status).await.ok().and_then(Result::ok).unwrap_or(ExitStatus::Unknown);
        let silence = Silence { tried: way.as_str(), printed, complained: stderr.text(), status };
        if script_ran {
            let words = judge::quoted(&silence.complained);
            return Err(Failure::new(Code::FactsBroken, "run the script; it ended before its answer was complete").said(words));
        }
        Ok(Outcome::Silent(silence))
    }

    /// The standard input of the exec is closed: the server's socket must be reached by a channel of its own.
    async fn over_socket(&self, answer: Answer, watch: &dyn Watch) -> Result<Remote, Failure> {
        let (facts, how, _) = answer.conclude(watch)?;
        let socket = facts.socket.clone().unwrap_or_default();
        let reads = |failure: Failure| {
            let said = format!(
                "a start-up file of the login shell reads all of standard input, and the socket is out of reach: {failure}"
            );
            Failure::new(Code::ShellReadsInput, "open a way to the app-server").said(said).hint(READS_INPUT)
        };
        let stream = self.session.unix_socket(&socket).await.map_err(reads)?;
        let text = "a start-up file of the login shell reads all of standard input".to_owned();
        watch.progress(Progress::Warning { step: Step::LoginShell, text, hint: READS_INPUT.to_owned() });
        let (_, status) = tokio::sync::oneshot::channel();
        let server = Link { stream, framing: Framing::WebSocket, how, stderr: Default::default(), status, early_sent: false };
        Ok(Remote { facts, server })
    }
}

/// Sends bytes; a shell that has already ended has closed its input, and what it printed tells more than the error.
async fn send(exec: &mut Exec, bytes: &[u8]) {
    if !bytes.is_empty() {
        let _ = exec.stdin.write_all(bytes).await;
        let _ = exec.stdin.flush().await;
    }
}

fn over_exec(answer: Answer, exec: Exec, watch: &dyn Watch) -> Result<Remote, Failure> {
    let (facts, how, rest) = answer.conclude(watch)?;
    let framing = if how == How::Attached { Framing::Lines } else { Framing::WebSocket };
    let Exec { stdin, stdout, stderr, status } = exec;
    let stream = Box::new(tokio::io::join(Cursor::new(rest).chain(stdout), stdin));
    Ok(Remote { facts, server: Link { stream, framing, how, stderr, status, early_sent: true } })
}
