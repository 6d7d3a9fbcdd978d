//! As much of `apply_patch` as a script needs: added, deleted and edited files.

use std::io;
use std::path::Path;

use serde_json::{Value, json};

/// One file of a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// As the patch names it.
    path: String,
    kind: Kind,
    /// What Codex calls the diff: the content of an added or deleted file, else hunks.
    diff: String,
    /// The whole content afterwards; none for a deleted file.
    after: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Delete,
    Update,
}

impl Change {
    /// As a `fileChange` item lists it.
    pub(super) fn view(&self, cwd: &Path) -> Value {
        let kind = match self.kind {
            Kind::Add => json!({"type": "add"}),
            Kind::Delete => json!({"type": "delete"}),
            Kind::Update => json!({"type": "update", "move_path": null}),
        };
        json!({"path": cwd.join(&self.path), "kind": kind, "diff": self.diff})
    }

    /// As `git diff` shows it.
    pub(super) fn git_diff(&self) -> String {
        let path = &self.path;
        let head = format!("diff --git a/{path} b/{path}\n");
        let count = self.diff.lines().count();
        let signed = |sign: char| self.diff.lines().map(|line| format!("{sign}{line}\n")).collect::<String>();
        match self.kind {
            Kind::Add => {
                format!("{head}new file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{count} @@\n{}", signed('+'))
            }
            Kind::Delete => {
                format!("{head}deleted file mode 100644\n--- a/{path}\n+++ /dev/null\n@@ -1,{count} +0,0 @@\n{}", signed('-'))
            }
            Kind::Update => format!("{head}--- a/{path}\n+++ b/{path}\n{}", self.diff),
        }
    }

    /// Carries it out.
    pub(super) fn apply(&self, cwd: &Path) -> io::Result<()> {
        let path = cwd.join(&self.path);
        match &self.after {
            Some(content) => std::fs::write(path, content),
            None => std::fs::remove_file(path),
        }
    }
}

/// Reads a patch against the files as they are.
pub(super) fn read(patch: &str, cwd: &Path) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let mut lines = patch.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((verb, path)) = line.strip_prefix("*** ").and_then(|rest| rest.split_once(" File: ")) else { continue };
        let mut body = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("*** ")) {
            body.push(line);
        }
        changes.push(change(verb, path, &body, cwd)?);
    }
    Ok(changes)
}

fn change(verb: &str, path: &str, body: &[&str], cwd: &Path) -> io::Result<Change> {
    let change = |kind, diff: String, after| Ok(Change { path: path.to_owned(), kind, diff, after });
    match verb {
        "Add" => {
            let content: String = body.iter().map(|line| format!("{}\n", line.trim_start_matches('+'))).collect();
            change(Kind::Add, content.clone(), Some(content))
        }
        "Delete" => change(Kind::Delete, std::fs::read_to_string(cwd.join(path))?, None),
        _ => {
            let before = std::fs::read_to_string(cwd.join(path))?;
            let (diff, after) =
                edit(&before, body).ok_or_else(|| io::Error::other(format!("{path}: the lines were not found")))?;
            change(Kind::Update, diff, Some(after))
        }
    }
}

/// Applies one hunk; its diff and the new content.
fn edit(before: &str, body: &[&str]) -> Option<(String, String)> {
    let hunk: Vec<&str> = body.iter().copied().filter(|line| !line.starts_with("@@")).collect();
    let side = |sign: char| hunk.iter().filter(move |line| !line.starts_with(sign)).filter_map(|line| line.get(1..));
    let old: Vec<&str> = side('+').collect();
    let new: Vec<&str> = side('-').collect();
    let lines: Vec<&str> = before.lines().collect();
    let at = (0..=lines.len()).find(|at| lines.get(*at..at + old.len()) == Some(&old[..]))?;
    let changed = lines.iter().take(at).chain(&new).chain(lines.iter().skip(at + old.len()));
    let after: String = changed.map(|line| format!("{line}\n")).collect();
    let body: String = hunk.iter().map(|line| format!("{line}\n")).collect();
    Some((format!("@@ -{},{} +{},{} @@\n{body}", at + 1, old.len(), at + 1, new.len()), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::script::Output;

    fn patch(output: &Output) -> &str {
        match output {
            Output::Patch(patch) => patch,
            Output::Say(_) | Output::Command { .. } | Output::Call { .. } => "",
        }
    }

    #[test]
    fn files_are_added_and_edited() {
        let dir = tempfile::tempdir().expect("a folder");
        let one = read(patch(&Output::add_file("a.txt", "one\ntwo\n")), dir.path()).expect("a patch");
        one[0].apply(dir.path()).expect("applied");
        let two = read(patch(&Output::change_line("a.txt", "two", "2")), dir.path()).expect("a patch");
        assert_eq!(two[0].diff, "@@ -2,1 +2,1 @@\n-two\n+2\n");
        two[0].apply(dir.path()).expect("applied");
        assert_eq!(std::fs::read_to_string(dir.path().join("a.txt")).expect("read"), "one\n2\n");
        assert!(one[0].git_diff().ends_with("+++ b/a.txt\n@@ -0,0 +1,2 @@\n+one\n+two\n"));
        assert!(read(patch(&Output::change_line("a.txt", "two", "2")), dir.path()).is_err());
    }
}
