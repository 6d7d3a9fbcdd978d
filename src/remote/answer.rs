//! What was heard of one run so far, and what it comes to.

use std::time::{Duration, Instant};

use super::facts::{Facts, Fields};
use super::frame::{Event, Frames, Noise};
use super::{How, concern, judge, refusal, remedy};
use crate::failure::{Code, Failure};
use crate::rpc::SILENT;
use crate::step::{Progress, Step, Watch};

/// What was read so far.
pub struct Answer {
    frames: Frames,
    fields: Fields,
    /// When the command was sent.
    pub began: Instant,
    /// How far it has come.
    pub reached: Reached,
    shell_took: Duration,
    slow: Duration,
    /// Whether the interactive shell was started and has not run our script yet.
    interactive: bool,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Nothing of ours was heard.
    Nothing,
    /// The run-through command has started a `/bin/sh` of ours.
    Outer,
    /// The script runs.
    Script,
    /// It runs in the environment that codex will have.
    Environment,
    /// The last frame has come.
    End,
}

impl Answer {
    /// Nothing heard yet.
    pub fn new(marker: &str, slow: Duration) -> Self {
        let (frames, fields) = (Frames::new(marker), Fields::default());
        let (began, reached, shell_took) = (Instant::now(), Reached::Nothing, Duration::ZERO);
        Self { frames, fields, began, reached, shell_took, slow, interactive: false }
    }

    /// Takes bytes as they come.
    pub fn take(&mut self, bytes: &[u8], watch: &dyn Watch) -> Result<(), Failure> {
        let too_much = |_| Failure::new(Code::FactsBroken, "read the answer of the script").said("it does not end");
        for event in self.frames.push(bytes).map_err(too_much)? {
            match event {
                Event::End => self.reached = Reached::End,
                Event::Field(key, value) => self.field(key, &value, watch),
            }
        }
        Ok(())
    }

    fn field(&mut self, key: String, value: &[u8], watch: &dyn Watch) {
        match (key.as_str(), value) {
            ("at", b"outer") => self.reached = Reached::Outer,
            ("at", b"sh") => self.reached = Reached::Script,
            ("at", b"stopping") => return watch.progress(Progress::Waiting("waiting for its turns to end (--now does not)")),
            ("at", b"starting") => return watch.progress(Progress::Began(Step::AppServer)),
            ("waits", who) => self.interactive = who == b"interactive",
            ("at", b"doctor") => return watch.progress(Progress::Waiting("waiting for codex doctor")),
            ("at", b"sandbox") => return watch.progress(Progress::Waiting("starting codex's sandbox")),
            ("at", _) => {
                self.interactive = false;
                if self.reached < Reached::Environment {
                    self.reached = Reached::Environment;
                    self.shell_took = self.began.elapsed();
                }
            }
            ("shell", _) => self.shell_is_done(value, watch),
            _ => {}
        }
        self.fields.add(key, value);
    }

    fn shell_is_done(&self, shell: &[u8], watch: &dyn Watch) {
        let detail = String::from_utf8_lossy(shell).into_owned();
        watch.progress(Progress::Done { step: Step::LoginShell, detail: detail.clone(), took: self.shell_took });
        if self.shell_took > self.slow {
            let text = format!("shell start-up took {:.1} s", self.shell_took.as_secs_f32());
            let hint = remedy::traced(&detail, false);
            watch.progress(Progress::Warning { step: Step::LoginShell, code: Some(Code::ShellSlow), text, hint });
        }
        watch.progress(Progress::Began(Step::Codex));
    }

    /// Whether what comes next is up to a shell's start-up files, and not to codex.
    pub fn waits_for_a_shell(&self) -> bool {
        self.reached < Reached::Environment || self.interactive
    }

    /// The failure when nothing more came in time.
    pub fn too_slow(&self, limit: Duration, stderr: &str) -> Failure {
        let (seconds, words) = (limit.as_secs(), judge::quoted(stderr));
        let shell = self.fields.get("shell").or(self.fields.get("starts")).unwrap_or_default();
        if self.interactive {
            let tried =
                format!("wait {seconds} s for the interactive shell, because there is no codex on the PATH of the login shell");
            let hint =
                format!("{}\nor name the codex there: outpost hosts set HOST codex=/path/to/codex", remedy::traced(shell, true));
            return Failure::new(Code::ShellTimeout, tried).said(words).hint(hint);
        }
        if self.reached >= Reached::Environment {
            return Failure::new(Code::ServerSilent, format!("wait {seconds} s for codex")).said(words).hint(SILENT);
        }
        Failure::new(Code::ShellTimeout, format!("wait {seconds} s for the start-up files of the login shell"))
            .said(words)
            .hint(remedy::traced(shell, false))
    }

    /// A field of the answer.
    pub fn word(&self, key: &str) -> Option<&str> {
        self.fields.get(key)
    }

    /// The facts of the answer.
    pub fn facts(&self) -> Facts {
        self.fields.facts()
    }

    /// The failure that the answer names.
    pub fn refused(&self) -> Failure {
        refusal::refused(&self.fields, self.fields.get("error").unwrap_or_default())
    }

    /// The bytes that came behind the last frame.
    pub fn rest(self) -> Vec<u8> {
        self.frames.finish().0
    }

    /// The noise, when there was nothing else.
    pub fn noise(self) -> Noise {
        self.frames.finish().1
    }

    fn codex_is_done(&self, facts: &Facts, watch: &dyn Watch) {
        let took = self.began.elapsed().saturating_sub(self.shell_took);
        watch.progress(Progress::Done { step: Step::Codex, detail: facts.codex_in_words(), took });
    }

    /// What is the matter with the app-server, or with its socket, is none of codex.
    fn codex_is_found(&self, watch: &dyn Watch) {
        if refusal::is_of_server(self.fields.get("error").unwrap_or_default()) {
            self.codex_is_done(&self.fields.facts(), watch);
            watch.progress(Progress::Began(Step::AppServer));
        }
    }

    /// Facts, the way to the server, and the bytes that already came from it.
    ///
    /// # Errors
    /// What the script says it stopped for.
    pub fn conclude(self, watch: &dyn Watch) -> Result<(Facts, How, Vec<u8>), Failure> {
        if self.fields.get("error").is_some() {
            self.codex_is_found(watch);
            return Err(self.refused());
        }
        let how = match self.fields.get("how") {
            Some("joined") => How::Joined,
            Some("started") => How::Started,
            Some("attached") => How::Attached,
            other => {
                let words = format!("how={}", other.unwrap_or_default());
                return Err(Failure::new(Code::FactsBroken, "read the answer of the script").said(words));
            }
        };
        let mut facts = self.fields.facts();
        facts.shell_took = self.shell_took;
        self.codex_is_done(&facts, watch);
        for warning in concern::of(&facts) {
            watch.progress(warning);
        }
        Ok((facts, how, self.frames.finish().0))
    }
}
