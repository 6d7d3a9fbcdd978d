//! What the app-server that was joined or started is, beside the codex that is on the disk.

use crate::remote::Facts;
use crate::step::{Progress, Step};

/// The warning for a server that is of another release than the `codex` on the disk: an update does not reach a running
/// server, and what follows looks like other errors.
#[must_use]
pub fn skew(facts: &Facts, running: &str) -> Option<Progress> {
    let disk = facts.codex.as_ref()?.version.as_deref()?;
    if running.is_empty() || disk == running {
        return None;
    }
    let text = format!("the running app-server is {running}, the codex on the disk is {disk}");
    let hint = "outpost stop HOST  lets it finish its turns and end; the next one is the new one".to_owned();
    Some(Progress::Warning { step: Step::AppServer, text, hint })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::facts::Candidate;

    #[test]
    fn field_65_disk_and_memory_are_told_apart() {
        let facts = |version: Option<&str>| Facts {
            codex: Some(Candidate { path: "/usr/bin/codex".into(), version: version.map(str::to_owned) }),
            ..Facts::default()
        };
        assert!(
            matches!(skew(&facts(Some("2.0")), "1.0"), Some(Progress::Warning { text, .. }) if text.contains("1.0") && text.contains("2.0"))
        );
        for same in [skew(&facts(Some("2.0")), "2.0"), skew(&facts(None), "2.0"), skew(&facts(Some("2.0")), "")] {
            assert_eq!(same, None);
        }
    }
}
