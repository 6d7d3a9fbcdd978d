//! The one exec: sends the script, reads the answer, hands the stream on.

use std::io::Cursor;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout_at;

use super::facts::Fields;
use super::frame::{Event, Frames};
use super::judge::{self, Silence};
use super::script::{self, Way, Words};
use super::{Framing, How, Limits, Link, Remote, Want, refusal};
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
    /// How long.
    pub limits: Limits,
}

/// What became of one way.
enum Outcome {
    Answered(Box<Answer>, Exec),
    Silent(Silence),
}

/// What was read so far.
struct Answer {
    frames: Frames,
    fields: Fields,
    /// The script runs; before that, only the login shell did.
    script_runs: bool,
    began: Instant,
    shell_took: Option<std::time::Duration>,
}

impl Errand<'_> {
    /// Tries one way after the other.
    pub async fn run(&self, watch: &dyn Watch) -> Result<Remote, Failure> {
        watch.progress(Progress::Began(Step::LoginShell));
        let mut silences = Vec::new();
        for way in Way::ALL {
            match self.attempt(way, watch).await? {
                Outcome::Answered(answer, exec) => return conclude(*answer, exec, watch),
                Outcome::Silent(silence) => silences.push(silence),
            }
        }
        Err(judge::silent(&silences))
    }

    async fn attempt(&self, way: Way, watch: &dyn Watch) -> Result<Outcome, Failure> {
        let words = Words::random();
        let began = Instant::now();
        let mut exec = self.session.exec(&script::command(way, &words, self.settings)?).await?;
        let input = script::input(&words, self.settings, self.want);
        // A shell that has already ended has closed its input; what it printed tells more than the write error.
        let _ = exec.stdin.write_all(&input).await;
        let _ = exec.stdin.flush().await;
        let mut answer = Answer::new(&words.marker(), began);
        let ended = self.listen(&mut exec, &mut answer, watch).await?;
        if ended {
            return Ok(Outcome::Answered(Box::new(answer), exec));
        }
        self.unanswered(way, answer, exec).await
    }

    /// Reads until the last frame (true) or the end of the output (false).
    async fn listen(&self, exec: &mut Exec, answer: &mut Answer, watch: &dyn Watch) -> Result<bool, Failure> {
        let mut buffer = vec![0_u8; 16 * 1024];
        loop {
            let limit = if answer.script_runs { self.limits.shell + self.limits.answer } else { self.limits.shell };
            let read = timeout_at((answer.began + limit).into(), exec.stdout.read(&mut buffer)).await;
            let bytes = match read {
                Err(_) => return Err(answer.too_slow(limit, exec)),
                Ok(Ok(0) | Err(_)) => return Ok(false),
                Ok(Ok(n)) => buffer.get(..n).unwrap_or_default(),
            };
            let ran = answer.script_runs;
            let ended = answer.take(bytes, watch)?;
            if answer.script_runs && !ran && !self.want.early.is_empty() {
                // Not sooner: a shell that replaced the login shell would read these bytes as commands.
                let _ = exec.stdin.write_all(&self.want.early).await;
                let _ = exec.stdin.flush().await;
            }
            if ended {
                return Ok(true);
            }
        }
    }

    async fn unanswered(&self, way: Way, answer: Answer, exec: Exec) -> Result<Outcome, Failure> {
        let script_ran = answer.script_runs;
        let (_, noise) = answer.frames.finish();
        let Exec { stdin, stdout, stderr, status } = exec;
        drop((stdin, stdout));
        let status = match tokio::time::timeout(self.limits.answer, status).await {
            Ok(Ok(status)) => status,
            _ => ExitStatus::Unknown,
        };
        let silence = Silence { tried: way.as_str(), printed: noise.text(), complained: stderr.text(), status };
        if script_ran {
            let words = judge::quoted(&silence.complained);
            return Err(Failure::new(Code::FactsBroken, "run the script; it ended before its answer was complete").said(words));
        }
        Ok(Outcome::Silent(silence))
    }
}

impl Answer {
    fn new(marker: &str, began: Instant) -> Self {
        Self { frames: Frames::new(marker), fields: Fields::default(), script_runs: false, began, shell_took: None }
    }

    /// Takes bytes; true when the last frame has ended.
    fn take(&mut self, bytes: &[u8], watch: &dyn Watch) -> Result<bool, Failure> {
        let too_much = |_| Failure::new(Code::FactsBroken, "read the answer of the script").said("it does not end");
        for event in self.frames.push(bytes).map_err(too_much)? {
            match event {
                Event::End => return Ok(true),
                Event::Field(key, value) => self.field(key, &value, watch),
            }
        }
        Ok(false)
    }

    fn field(&mut self, key: String, value: &[u8], watch: &dyn Watch) {
        if key == "at" {
            match value {
                b"sh" => self.script_runs = true,
                b"starting" => return,
                _ => self.shell_took = Some(self.began.elapsed()),
            }
        }
        if key == "shell" {
            let took = self.shell_took.unwrap_or_default();
            watch.progress(Progress::Done { step: Step::LoginShell, detail: String::from_utf8_lossy(value).into_owned(), took });
            watch.progress(Progress::Began(Step::Codex));
        }
        self.fields.add(key, value);
    }

    fn too_slow(&self, limit: std::time::Duration, exec: &Exec) -> Failure {
        let seconds = limit.as_secs();
        let words = judge::quoted(&exec.stderr.text());
        if self.fields.get("shell").is_some() {
            return Failure::new(Code::ServerSilent, format!("wait {seconds} s for codex")).said(words);
        }
        Failure::new(Code::ShellTimeout, format!("wait {seconds} s for the start-up files of the login shell"))
            .said(words)
            .hint("look what they wait for:  ssh HOST 'time true'")
    }
}

/// Start-up files that take longer than this are worth a word.
const SLOW_SHELL: std::time::Duration = std::time::Duration::from_secs(2);

fn conclude(answer: Answer, exec: Exec, watch: &dyn Watch) -> Result<Remote, Failure> {
    let Answer { frames, fields, shell_took, began, .. } = answer;
    let mut facts = fields.facts();
    facts.shell_took = shell_took.unwrap_or_default();
    if let Some(error) = fields.get("error") {
        return Err(refusal::refused(&fields, error));
    }
    if facts.shell_took > SLOW_SHELL {
        let text = format!("shell start-up took {:.1} s", facts.shell_took.as_secs_f32());
        let hint = "look what its start-up files do before they know that nobody is at a terminal".to_owned();
        watch.progress(Progress::Warning { step: Step::LoginShell, text, hint });
    }
    let (how, framing) = match fields.get("how") {
        Some("joined") => (How::Joined, Framing::WebSocket),
        Some("started") => (How::Started, Framing::WebSocket),
        Some("attached") => (How::Attached, Framing::Lines),
        other => {
            return Err(Failure::new(Code::FactsBroken, "read the answer of the script")
                .said(format!("how={}", other.unwrap_or_default())));
        }
    };
    let detail = facts.codex.as_ref().map(|c| c.path.clone()).unwrap_or_default();
    watch.progress(Progress::Done { step: Step::Codex, detail, took: began.elapsed().saturating_sub(facts.shell_took) });
    let (rest, _) = frames.finish();
    let Exec { stdin, stdout, stderr, status } = exec;
    let stream = Box::new(tokio::io::join(Cursor::new(rest).chain(stdout), stdin));
    Ok(Remote { facts, server: Link { stream, framing, how, stderr, status } })
}
