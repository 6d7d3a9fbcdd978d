//! What the app-server that was joined or started is, beside the codex that is on the disk.

use crate::failure::Code;
use crate::remote::Facts;
use crate::step::{Progress, Step};

/// Whether the running server is of another release than the `codex` on the disk: an update does not reach a running server, and
/// what follows looks like other errors.
#[must_use]
pub fn is_skewed(facts: &Facts, running: &str) -> bool {
    let disk = facts.codex.as_ref().and_then(|codex| codex.version.as_deref());
    disk.is_some_and(|disk| !running.is_empty() && disk != running)
}

/// The warning for that. A restart is offered only while nothing runs there; `at_work` is none when the server does not tell.
#[must_use]
pub fn skew(facts: &Facts, running: &str, at_work: Option<usize>) -> Option<Progress> {
    if !is_skewed(facts, running) {
        return None;
    }
    let disk = facts.codex.as_ref().and_then(|codex| codex.version.as_deref()).unwrap_or_default();
    let text = format!("the running app-server is {running}, the codex on the disk is {disk}");
    let hint = match (at_work, facts.ours) {
        (Some(0), true) => format!("nothing runs there now: outpost stop HOST  ends it, and the next one is {disk}"),
        (Some(0), false) => format!("nothing runs there now: whoever started it can restart it as {disk}"),
        (Some(1), _) => "a thread is at work there: leave the server alone until it is done".to_owned(),
        (Some(n), _) => format!("{n} threads are at work there: leave the server alone until they are done"),
        (None, _) => format!("outpost stop HOST  lets it finish its turns and end; the next one is {disk}"),
    };
    Some(Progress::Warning { step: Step::AppServer, code: Some(Code::VersionSkew), text, hint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::facts::Candidate;

    fn facts(version: Option<&str>, ours: bool) -> Facts {
        let codex = Candidate { path: "/usr/bin/codex".into(), version: version.map(str::to_owned) };
        Facts { codex: Some(codex), ours, ..Facts::default() }
    }

    #[test]
    fn a_restart_is_offered_while_nothing_runs() {
        let hint = |ours, at_work| match skew(&facts(Some("2.0"), ours), "1.0", at_work) {
            Some(Progress::Warning { text, hint, .. }) if text.contains("1.0") && text.contains("2.0") => hint,
            other => panic!("{other:?}"),
        };
        assert!(hint(true, Some(0)).contains("outpost stop HOST"));
        assert!(hint(false, Some(0)).contains("whoever started it"));
        for busy in [hint(true, Some(1)), hint(true, Some(3)), hint(false, Some(1))] {
            assert!(busy.contains("leave the server alone"), "{busy}");
        }
    }

    #[test]
    fn the_same_release_and_an_unknown_one_are_no_news() {
        for same in [
            skew(&facts(Some("2.0"), true), "2.0", None),
            skew(&facts(None, true), "2.0", None),
            skew(&facts(Some("2.0"), true), "", None),
        ] {
            assert_eq!(same, None);
        }
    }
}
