//! The steps of one host as `check` shows them: recorded while they happen, then shown or written as JSON.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::plain;
use crate::cli::run::paint::GREEN;
use crate::cli::screen::{RED_BOLD, YELLOW_BOLD, painted};
use crate::failure::{self, Code, Failure};
use crate::step::{Progress, Step, Watch};

/// One step, as it stands in `check --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Which.
    pub step: Step,
    /// Whether it succeeded.
    pub ok: bool,
    /// What was found, or what was tried and what came back.
    pub detail: String,
    /// What to do now; empty when nothing is to be done.
    pub hint: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The stable code of what went wrong, or null.
    pub code: Option<&'static str>,
    /// What a person should know though the step succeeded.
    pub warnings: Vec<Warning>,
}

/// A warning of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The stable code of what was found, or null for news.
    pub code: Option<&'static str>,
    /// What is the matter.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

/// One host, as it stands in `check --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The alias, as it was given.
    pub host: String,
    /// Whether a thread could be run there now.
    pub ready: bool,
    /// The steps in the order they were taken; the first that failed is the last.
    pub steps: Vec<Row>,
}

/// Records what happens to one host.
#[derive(Default)]
pub struct Recorder(Mutex<Recording>);

#[derive(Default)]
struct Recording {
    rows: Vec<Row>,
    warnings: Vec<(Step, Warning)>,
    running: Option<(Step, Instant)>,
    /// When the last step ended.
    ended: Option<Instant>,
}

impl Recording {
    /// The step that takes a failure, and when it began: the one that runs, or the one that would have come next.
    fn failed(&mut self) -> (Step, Instant) {
        let next = || self.rows.last().map_or(Step::Resolved, |row| row.step.next());
        self.running.take().unwrap_or_else(|| (next(), self.ended.unwrap_or_else(Instant::now)))
    }
}

impl Watch for Recorder {
    fn progress(&self, progress: Progress) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Began(step) => at.running = Some((step, Instant::now())),
            Progress::Waiting(_) | Progress::Aside { .. } | Progress::Asks(_) => {}
            Progress::Done { step, detail, took } => {
                at.running = None;
                at.ended = Some(Instant::now());
                at.rows.push(row(step, true, detail, took));
            }
            Progress::Warning { step, code, text, hint } => {
                at.warnings.push((step, Warning { code: code.map(Code::as_str), text, hint }));
            }
            Progress::Remark { step, text, hint } => {
                at.warnings.push((step, Warning { code: None, text, hint }));
            }
        }
    }
}

fn row(step: Step, ok: bool, detail: String, took: Duration) -> Row {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Row { step, ok, detail, hint: String::new(), ms, code: None, warnings: Vec::new() }
}

impl Recorder {
    /// The report, once the bring-up has ended; a failure belongs to the step that was running, or was next.
    #[must_use]
    pub fn report(&self, host: &str, result: Result<(), Failure>) -> Report {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (step, began) = at.failed();
        let mut steps = std::mem::take(&mut at.rows);
        let ready = result.is_ok();
        if let Err(failure) = result.map_err(|failure| failure.at(host)) {
            let detail = failure.to_string();
            let detail = detail.strip_prefix(&format!("{host}: ")).map_or(detail.clone(), str::to_owned);
            let failed = row(step, false, detail, began.elapsed());
            steps.push(Row { hint: failure.hint, code: Some(failure.code.as_str()), ..failed });
        }
        for (step, mut warning) in at.warnings.drain(..) {
            warning.hint = failure::naming(&warning.hint, host);
            if let Some(row) = steps.iter_mut().find(|row| row.step == step) {
                row.warnings.push(warning);
            }
        }
        Report { host: host.to_owned(), ready, steps }
    }
}

impl Report {
    /// The lines for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}\n", plain::line(&self.host), if self.ready { "ready" } else { "not ready" });
        for row in &self.steps {
            let mark = if row.ok { '✓' } else { '✗' };
            let mut detail = plain::text(row.detail.trim_end());
            if let Some(code) = row.code {
                detail.push_str(&format!("  [{code}]"));
            }
            let mut lines = detail.lines();
            let first = lines.next().unwrap_or_default();
            text.push_str(&format!("  {mark} {:<12} {:>6} ms  {first}\n", row.step.as_str(), row.ms));
            lines.for_each(|line| text.push_str(&format!("{:28}{line}\n", "")));
            for warning in &row.warnings {
                let code = warning.code.map(|code| format!("  [{code}]")).unwrap_or_default();
                more(&mut text, "note:", &format!("{}{code}", warning.text.trim_end()));
                more(&mut text, "try: ", &warning.hint);
            }
            more(&mut text, "try: ", &row.hint);
        }
        text
    }
}

/// A report's lines with its marks in colour.
#[must_use]
pub fn coloured(text: &str) -> String {
    let paint = |line: &str| match () {
        () if line.starts_with("  ✓") => line.replacen('✓', &painted("✓", GREEN, true), 1),
        () if line.starts_with("  ✗") => line.replacen('✗', &painted("✗", RED_BOLD, true), 1),
        () if line.starts_with(&format!("{:28}note:", "")) => line.replacen("note", &painted("note", YELLOW_BOLD, true), 1),
        () if line.starts_with(&format!("{:28}try:", "")) => line.replacen("try", &painted("try", GREEN, true), 1),
        () => line.to_owned(),
    };
    text.split('\n').map(paint).collect::<Vec<String>>().join("\n")
}

fn more(text: &mut String, label: &str, content: &str) {
    for (number, line) in plain::text(content.trim_end()).lines().enumerate() {
        let label = if number == 0 { label } else { "     " };
        text.push_str(&format!("{:28}{label} {line}\n", ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(recorder: &Recorder, step: Step, detail: &str) {
        recorder.progress(Progress::Began(step));
        recorder.progress(Progress::Done { step, detail: detail.into(), took: Duration::from_millis(12) });
    }

    #[test]
    fn between_two_steps_the_next_one_takes_the_failure() {
        let recorder = Recorder::default();
        let lost = || Err(Failure::new(Code::KeywordUnsupported, "x").hint("outpost hosts set HOST carrier=ssh"));
        assert_eq!(recorder.report("devbox", lost()).steps.last().expect("a row").step, Step::Resolved);
        done(&recorder, Step::Resolved, "me@10.0.0.7 port 22");
        let hint = "outpost stop HOST".to_owned();
        recorder.progress(Progress::Warning { step: Step::Resolved, code: None, text: "old".into(), hint });
        let report = recorder.report("devbox", lost());
        assert_eq!(report.steps.iter().map(|row| row.step).collect::<Vec<_>>(), [Step::Resolved, Step::Connected]);
        assert_eq!(report.steps.last().expect("a row").hint, "outpost hosts set devbox carrier=ssh");
        assert_eq!(report.steps.first().expect("a row").warnings.first().expect("one").hint, "outpost stop devbox");
    }

    #[test]
    fn the_running_step_takes_the_failure() {
        let recorder = Recorder::default();
        done(&recorder, Step::Resolved, "me@10.0.0.7 port 22");
        done(&recorder, Step::Connected, "10.0.0.7:22");
        let code = Some(Code::ShellSlow);
        recorder.progress(Progress::Warning { step: Step::Connected, code, text: "slow".into(), hint: "wait".into() });
        recorder.progress(Progress::Began(Step::HostKey));
        let failure =
            Failure::new(Code::HostKeyUnknown, "check the host key").said("unknown\nSHA256:x").hint("look").at("devbox");
        let mut report = recorder.report("devbox", Err(failure));
        report.steps.iter_mut().for_each(|row| row.ms = 12);
        insta::assert_snapshot!(report.text(), @r"
        devbox: not ready
          ✓ resolved         12 ms  me@10.0.0.7 port 22
          ✓ connected        12 ms  10.0.0.7:22
                                    note: slow  [shell-slow]
                                    try:  wait
          ✗ host key         12 ms  check the host key: unknown
                                    SHA256:x  [host-key-unknown]
                                    try:  look
        ");
        insta::assert_json_snapshot!(report.steps.last(), @r#"
        {
          "step": "host key",
          "ok": false,
          "detail": "check the host key: unknown\nSHA256:x",
          "hint": "look",
          "ms": 12,
          "code": "host-key-unknown",
          "warnings": []
        }
        "#);
    }
}
