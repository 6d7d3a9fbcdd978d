//! The rows of the picker: what there is, less what the filter does not match, the best first.

use std::collections::HashMap;

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32String};

use super::state::HostRow;
use crate::cli::plain;
use crate::name::Alias;
use crate::remote::browse::{Entry, Looked, Trouble};

/// What a row stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Host(Alias),
    /// The folder that is looked at.
    Here(String),
    /// A folder in which a thread ran.
    Recent(String),
    /// A folder in the one that is looked at.
    Folder(String),
    /// One that the protocol cannot name.
    Unusable(Vec<u8>),
}

impl What {
    /// The folder, where it is one that can be named.
    pub(super) fn path(&self) -> Option<&str> {
        match self {
            Self::Here(path) | Self::Recent(path) | Self::Folder(path) => Some(path),
            Self::Host(_) | Self::Unusable(_) => None,
        }
    }
}

/// A row; its texts are harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) what: What,
    pub(super) label: String,
    /// The characters of the label that the filter matched.
    pub(super) marks: Vec<u32>,
    pub(super) detail: String,
    /// Why it cannot be taken; empty when it can.
    pub(super) trouble: &'static str,
}

impl Row {
    pub(super) fn new(what: What, label: &str, detail: String) -> Self {
        Self { what, label: plain::line(label), marks: Vec::new(), detail: plain::line(&detail), trouble: "" }
    }
}

/// The rows that a filter lets through: all as they stand for an empty one, else the best match first.
pub(super) fn filtered(rows: Vec<Row>, filter: &str) -> Vec<Row> {
    if filter.is_empty() {
        return rows;
    }
    let mut matcher = Matcher::new(Config::DEFAULT.match_paths());
    // Not `parse`: in the names of folders `!`, `^`, `'` and `$` mean themselves.
    let pattern = Pattern::new(filter, CaseMatching::Smart, Normalization::Smart, AtomKind::Fuzzy);
    let mut scored: Vec<(u32, Row)> = rows
        .into_iter()
        .filter_map(|mut row| {
            let label = Utf32String::from(row.label.as_str());
            let score = pattern.indices(label.slice(..), &mut matcher, &mut row.marks)?;
            row.marks.sort_unstable();
            row.marks.dedup();
            Some((score, row))
        })
        .collect();
    // Stable: among equals the order stays.
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, row)| row).collect()
}

/// The hosts.
pub(super) fn hosts(hosts: &[HostRow]) -> Vec<Row> {
    let row = |host: &HostRow| Row::new(What::Host(host.alias.clone()), host.alias.as_str(), host.projects.join(", "));
    hosts.iter().map(row).collect()
}

/// What a folder's rows are made of.
pub(super) struct Around<'a> {
    pub(super) home: &'a str,
    /// The folder.
    pub(super) dir: &'a str,
    /// The names of projects by path.
    pub(super) projects: &'a HashMap<String, String>,
    /// What is known of a path.
    pub(super) known: &'a dyn Fn(&str) -> Option<&'a Looked>,
}

impl Around<'_> {
    pub(super) fn here(&self) -> Row {
        let detail = self.projects.get(self.dir).map_or("this folder".to_owned(), |name| format!("this folder, project {name}"));
        self.with_trouble(Row::new(What::Here(self.dir.to_owned()), "./", detail), self.dir)
    }

    pub(super) fn recent(&self, path: &str) -> Row {
        let project = self.projects.get(path).map_or(String::new(), |name| format!(", project {name}"));
        let row = Row::new(What::Recent(path.to_owned()), &short(path, self.home), format!("recent{project}"));
        self.with_trouble(row, path)
    }

    /// The folders of a listing: what is hidden only when it is wanted, and then last.
    pub(super) fn folders(&self, entries: &[Entry], hidden: bool) -> Vec<Row> {
        let mut shown: Vec<&Entry> = entries.iter().filter(|entry| hidden || !entry.name.starts_with(b".")).collect();
        let name = |entry: &Entry| String::from_utf8_lossy(&entry.name).to_lowercase();
        shown.sort_by_cached_key(|entry| (entry.name.starts_with(b"."), name(entry), entry.name.clone()));
        shown.into_iter().map(|entry| self.folder(entry)).collect()
    }

    fn folder(&self, entry: &Entry) -> Row {
        let Ok(name) = std::str::from_utf8(&entry.name) else {
            let label = String::from_utf8_lossy(&entry.name).into_owned();
            let row = Row::new(What::Unusable(entry.name.clone()), &label, String::new());
            return Row { trouble: "not UTF-8: Codex cannot be told its name", ..row };
        };
        let path = join(self.dir, name);
        let git = entry.git.as_ref().map(|branch| if branch.is_empty() { "git".to_owned() } else { format!("git {branch}") });
        let project = self.projects.get(&path).map(|name| format!("project {name}"));
        let detail: Vec<String> = git.into_iter().chain(project).collect();
        let row = Row::new(What::Folder(path.clone()), &format!("{name}/"), detail.join(", "));
        if entry.open { self.with_trouble(row, &path) } else { Row { trouble: "no permission", ..row } }
    }

    fn with_trouble(&self, row: Row, path: &str) -> Row {
        let trouble = match (self.known)(path) {
            Some(Err(trouble)) => words(*trouble),
            Some(Ok(_)) | None => "",
        };
        Row { trouble, ..row }
    }
}

/// What a person is told of a folder that cannot be listed.
pub(super) fn words(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Missing => "there is no such folder",
        Trouble::NotADirectory => "not a folder",
        Trouble::Unreadable => "no permission",
    }
}

/// The path of an entry of a folder.
pub(super) fn join(dir: &str, name: &str) -> String {
    format!("{}/{name}", dir.trim_end_matches('/'))
}

/// A path as people write it: `~` for the home folder.
pub(super) fn short(path: &str, home: &str) -> String {
    match path.strip_prefix(home) {
        Some("") if !home.is_empty() => "~".to_owned(),
        Some(rest) if rest.starts_with('/') && home.len() > 1 => format!("~{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str) -> Row {
        Row::new(What::Folder(format!("/{label}")), label, String::new())
    }

    #[test]
    fn the_best_match_comes_first() {
        let rows = ["contrib/", "source/", "src/", "S R C/"].map(row).to_vec();
        let labels = |filter: &str| filtered(rows.clone(), filter).into_iter().map(|row| row.label).collect::<Vec<_>>();
        assert_eq!(labels("src"), ["src/", "S R C/", "source/"]);
        assert_eq!(labels("zz"), Vec::<String>::new());
        assert_eq!(labels("").len(), 4);
        assert_eq!(filtered(rows.clone(), "sr")[0].marks, [0, 1]);
        let odd = ["!bang/", "bang/", "^top/", "it's/", "cash$/", "a b/"].map(row).to_vec();
        for (filter, label) in [("!b", "!bang/"), ("^t", "^top/"), ("'s", "it's/"), ("h$", "cash$/"), ("b a", "a b/")] {
            assert_eq!(filtered(odd.clone(), filter)[0].label, label, "{filter}");
        }
        assert_eq!(filtered(odd, "!bang").len(), 1);
    }

    #[test]
    fn the_home_folder_is_short() {
        for (path, home, shown) in [
            ("/home/me", "/home/me", "~"),
            ("/home/me/a", "/home/me", "~/a"),
            ("/home/melissa", "/home/me", "/home/melissa"),
            ("/a", "/", "/a"),
            ("/a", "", "/a"),
        ] {
            assert_eq!(short(path, home), shown);
        }
    }
}
