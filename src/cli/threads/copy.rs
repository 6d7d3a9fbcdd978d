//! What was last listed of each host, kept for when it is away: `$CODEX_HOME/outpost/threads/HOST.json`, for its owner alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Row, Scope, Section};
use crate::name::{Alias, ThreadId};
use crate::paths::{self, Local};

/// The most threads that are kept of a host, those that were used last.
const MOST: usize = 500;
/// How much is kept of a name or a first prompt, in characters.
const LONGEST: usize = 200;

/// The threads of a host as they were.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Copy {
    threads: Vec<Kept>,
    /// The folders that a project is, by its own.
    folders: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// When the host said this, in Unix seconds.
    as_of: i64,
    #[serde(flatten)]
    row: Row,
}

impl Copy {
    /// What is known of a project, or of the whole host.
    pub(super) fn section(&self, scope: &Scope, limit: usize) -> Section {
        let folders = match &scope.cwd {
            Some(cwd) => self.folders.get(cwd).cloned().unwrap_or_else(|| vec![cwd.clone()]),
            None => Vec::new(),
        };
        let kept = self.threads.iter().filter(|kept| holds(&folders, &kept.row)).take(limit);
        let (times, threads): (Vec<i64>, Vec<Row>) = kept.map(|kept| (kept.as_of, kept.row.clone())).unzip();
        Section { scope: scope.clone(), folders, as_of: times.into_iter().min(), threads }
    }

    /// Takes what a host answered: a listing that reached its limit says nothing of what is older than its last thread.
    fn take(&mut self, section: &Section, limit: usize, now: i64) {
        let whole = section.threads.len() < limit;
        let last = section.threads.iter().map(|row| row.updated_at).min().unwrap_or(i64::MAX);
        let told = |row: &Row| holds(&section.folders, row) && (whole || row.updated_at > last);
        let listed = |row: &Row| section.threads.iter().any(|other| other.id == row.id);
        self.threads.retain(|kept| !told(&kept.row) && !listed(&kept.row));
        let kept = |row: &Row| Kept { as_of: now, row: short(row) };
        // Before the others: among threads of one second the order is the host's.
        self.threads.splice(0..0, section.threads.iter().map(kept));
        if let Some(cwd) = &section.scope.cwd {
            self.folders.insert(cwd.clone(), section.folders.clone());
        }
    }

    fn bound(&mut self) {
        self.threads.sort_by_key(|kept| std::cmp::Reverse(kept.row.updated_at));
        self.threads.truncate(MOST);
        let threads = &self.threads;
        self.folders.retain(|_, folders| folders.len() > 1 && threads.iter().any(|kept| holds(folders, &kept.row)));
    }
}

/// Whether a thread is in one of some folders; none means everywhere.
fn holds(folders: &[String], row: &Row) -> bool {
    folders.is_empty() || folders.contains(&row.cwd)
}

fn short(row: &Row) -> Row {
    let cut = |text: &String| text.chars().take(LONGEST).collect::<String>();
    Row { name: row.name.as_ref().map(cut), preview: cut(&row.preview), waits: Vec::new(), ..row.clone() }
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

/// The copy of a host; one that cannot be read is empty.
pub(super) fn load(local: &Local, host: &Alias) -> Copy {
    paths::read_text(&path(local, host)).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Keeps what a host answered. That it cannot be kept is no failure of the listing.
pub(super) fn keep(local: &Local, host: &Alias, (sections, limit): (&[Section], usize), now: i64) {
    let mut copy = load(local, host);
    sections.iter().for_each(|section| copy.take(section, limit, now));
    copy.bound();
    if let Ok(text) = serde_json::to_vec(&copy) {
        drop(paths::write_private(&path(local, host), &text));
    }
}

/// The ids of a host's threads, for completions: those that are ids, whoever wrote the file.
#[must_use]
pub(in crate::cli) fn ids(local: &Local, host: &Alias) -> Vec<(String, String)> {
    let threads = load(local, host).threads.into_iter().map(|kept| kept.row);
    let known = threads.filter(|row| row.id.parse::<ThreadId>().is_ok());
    known.map(|row| (row.id.clone(), row.title().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::thread::catalog::State;

    fn row(id: &str, cwd: &str, updated_at: i64) -> Row {
        let (name, branch, waits) = (None, None, vec!["x".to_owned()]);
        let (id, cwd, preview) = (id.to_owned(), cwd.to_owned(), "p".repeat(1_000));
        Row { id, state: State::Idle, name, preview, cwd, branch, created_at: 0, updated_at, waits }
    }

    fn section(folders: &[&str], threads: Vec<Row>) -> Section {
        let folders: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
        let scope = Scope { project: None, cwd: folders.first().cloned() };
        Section { scope, folders, as_of: None, threads }
    }

    fn ids(section: &Section) -> Vec<&str> {
        section.threads.iter().map(|row| row.id.as_str()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_copy_is_what_was_kept_or_empty(damage in any::<Vec<u8>>(), at in 0_usize..200, title in any::<String>(), host in "[a-z/.]{1,6}") {
            let dir = tempfile::tempdir().expect("a folder");
            let (home, codex_home) = (dir.path().into(), dir.path().into());
            let local = Local { home, user: "u".into(), codex_home, ssh_config: None, vars: Default::default() };
            let Ok(host) = host.parse::<Alias>() else { return Ok(()) };
            let named = |id: &str, cwd: &str, at: i64| Row { name: Some(title.clone()), ..row(id, cwd, at) };
            let many = (0..MOST as i64).map(|n| named(&format!("n{n}"), "/a", n + 2)).collect();
            keep(&local, &host, (&[section(&[], vec![named("old", "/b", 1)])], 1_000), 1);
            keep(&local, &host, (&[section(&["/a"], many)], 1_000), 2);
            let kept = load(&local, &host);
            prop_assert!(kept.threads.len() <= MOST);
            let cut: String = title.chars().take(LONGEST).collect();
            prop_assert!(kept.threads.iter().all(|kept| kept.row.waits.is_empty() && kept.row.name.as_ref() == Some(&cut)));
            let file = path(&local, &host);
            prop_assert_eq!(file.parent().map(PathBuf::from), Some(local.outpost_dir().join("threads")));
            let mut bytes = std::fs::read(&file).expect("there");
            bytes.splice(at..at, damage);
            std::fs::write(&file, &bytes).expect("written");
            let scope = Scope { project: None, cwd: Some("/a".to_owned()) };
            prop_assert!(load(&local, &host).section(&scope, 10).threads.iter().all(|row| row.cwd == "/a"));
        }
    }

    #[test]
    fn a_listing_replaces_what_it_tells_of_and_no_more() {
        let scope = |cwd: Option<&str>| Scope { project: None, cwd: cwd.map(str::to_owned) };
        let mut copy = Copy::default();
        let all = || vec![row("a4", "/a", 40), row("b3", "/b", 30), row("a2", "/a", 20), row("t1", "/t/a", 10)];
        copy.take(&section(&[], all()), 30, 1_000);
        copy.bound();
        // The one that is asked for by its limit is new; the others are as old as they were.
        copy.take(&section(&["/a", "/t/a"], vec![row("a5", "/a", 50)]), 1, 2_000);
        copy.bound();
        let known = copy.section(&scope(Some("/a")), 30);
        assert_eq!((ids(&known), known.as_of), (vec!["a5", "a4", "a2", "t1"], Some(1_000)));
        let known = copy.section(&scope(Some("/a")), 1);
        assert_eq!((ids(&known), known.as_of), (vec!["a5"], Some(2_000)));
        // What is used later than the last one that was told, and not told, is gone.
        copy.take(&section(&["/a", "/t/a"], vec![row("a5", "/a", 50), row("a2", "/a", 20)]), 2, 3_000);
        copy.bound();
        assert_eq!(ids(&copy.section(&scope(Some("/a")), 30)), ["a5", "a2", "t1"]);
        // A listing below its limit is all there is, of its folders.
        copy.take(&section(&["/a", "/t/a"], vec![row("t1", "/t/a", 10)]), 30, 4_000);
        copy.bound();
        assert_eq!(ids(&copy.section(&scope(None), 30)), ["b3", "t1"]);
        let known = copy.section(&scope(Some("/b")), 30);
        assert_eq!((ids(&known), known.as_of), (vec!["b3"], Some(1_000)));
        assert_eq!(copy.section(&scope(Some("/nowhere")), 30).as_of, None);
        copy.take(&section(&[], vec![]), 30, 5_000);
        copy.bound();
        assert!(copy.threads.is_empty() && copy.folders.is_empty());
    }

    #[test]
    fn a_copy_stays_small() {
        let mut copy = Copy::default();
        let many = (0..2_000).map(|number| row(&format!("id{number}"), "/a", number)).collect();
        copy.take(&section(&[], many), 3_000, 1);
        copy.bound();
        assert_eq!((copy.threads.len(), copy.threads[0].row.updated_at), (MOST, 1_999));
        assert!(copy.threads.iter().all(|kept| kept.row.preview.len() == LONGEST && kept.row.waits.is_empty()));
    }
}
