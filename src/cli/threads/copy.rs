//! What was last listed of each host, kept for when it is away: `$CODEX_HOME/outpost/threads/HOST.json`, for its owner alone.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Row, Wanted};
use crate::name::{Alias, ThreadId};
use crate::paths::{self, Local};

/// The most threads that are kept of a host.
const MOST: usize = 200;

/// The threads of a host as they were.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Copy {
    /// When, in Unix seconds.
    pub(super) as_of: i64,
    pub(super) threads: Vec<Row>,
}

fn path(local: &Local, host: &Alias) -> PathBuf {
    // An alias may hold a slash.
    let name: String = host
        .as_str()
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b == b'-' { char::from(b).to_string() } else { format!("_{b:02x}") })
        .collect();
    local.outpost_dir().join("threads").join(format!("{name}.json"))
}

/// The copy of a host; one that cannot be read is none.
pub(super) fn load(local: &Local, wanted: &Wanted) -> Option<Copy> {
    let mut copy = all(local, &wanted.host)?;
    copy.threads.retain(|row| wanted.cwd.as_ref().is_none_or(|cwd| row.cwd == *cwd));
    Some(copy)
}

fn all(local: &Local, host: &Alias) -> Option<Copy> {
    serde_json::from_str(&paths::read_text(&path(local, host)).ok()?).ok()
}

/// Keeps what a host answered: in place of all, or of what was known of one folder. That it cannot be kept is no failure of
/// the listing.
pub(super) fn keep(local: &Local, wanted: &Wanted, threads: &[Row], now: i64) {
    let mut kept: Vec<Row> = threads.to_vec();
    if let Some(cwd) = &wanted.cwd {
        let others = all(local, &wanted.host).unwrap_or_default().threads.into_iter().filter(|row| row.cwd != *cwd);
        kept.extend(others);
    }
    kept.iter_mut().for_each(|row| row.waits.clear());
    kept.sort_by_key(|row| std::cmp::Reverse(row.updated_at));
    kept.truncate(MOST);
    if let Ok(text) = serde_json::to_vec(&Copy { as_of: now, threads: kept }) {
        drop(paths::write_private(&path(local, &wanted.host), &text));
    }
}

/// The ids of a host's threads, for completions: those that are ids, whoever wrote the file.
#[must_use]
pub(in crate::cli) fn ids(local: &Local, host: &Alias) -> Vec<(String, String)> {
    let threads = all(local, host).unwrap_or_default().threads;
    let known = threads.into_iter().filter(|row| row.id.parse::<ThreadId>().is_ok());
    known.map(|row| (row.id.clone(), row.title().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::thread::catalog::State;

    fn local(dir: &std::path::Path) -> Local {
        Local { home: dir.into(), user: "u".into(), codex_home: dir.into(), ssh_config: None, vars: Default::default() }
    }

    fn row(number: usize, cwd: &str, title: &str) -> Row {
        let (name, waits) = (Some(title.to_owned()), vec![title.to_owned()]);
        let updated_at = i64::try_from(number).unwrap_or(0);
        let (id, cwd, preview) = (format!("0199{number:04}"), cwd.to_owned(), String::new());
        Row { id, state: State::Idle, name, preview, cwd, branch: None, created_at: 0, updated_at, waits }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_copy_is_what_was_kept_or_none(damage in any::<Vec<u8>>(), at in 0_usize..200, title in any::<String>(), host in "[a-z/.]{1,6}") {
            let dir = tempfile::tempdir().expect("a folder");
            let local = local(dir.path());
            let Ok(host) = host.parse::<Alias>() else { return Ok(()) };
            let wanted = Wanted { host: host.clone(), cwd: Some("/a".into()) };
            keep(&local, &Wanted { cwd: None, ..wanted.clone() }, &[row(1, "/b", &title)], 1);
            keep(&local, &wanted, &(0..250).map(|n| row(n + 2, "/a", &title)).collect::<Vec<_>>(), 2);
            let kept = load(&local, &Wanted { cwd: None, ..wanted.clone() }).expect("kept");
            prop_assert!(kept.threads.len() <= MOST && kept.as_of == 2);
            prop_assert!(kept.threads.iter().all(|row| row.waits.is_empty() && row.title() == title));
            let file = path(&local, &host);
            prop_assert_eq!(file.parent().map(PathBuf::from), Some(local.outpost_dir().join("threads")));
            let mut bytes = std::fs::read(&file).expect("there");
            bytes.splice(at..at, damage);
            std::fs::write(&file, &bytes).expect("written");
            if let Some(copy) = load(&local, &wanted) {
                prop_assert!(copy.threads.iter().all(|row| row.cwd == "/a"));
            }
        }
    }
}
