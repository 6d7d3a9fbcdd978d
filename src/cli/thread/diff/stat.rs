//! How many lines of which files, as `git diff --stat` shows it.

use unicode_width::UnicodeWidthStr;

use crate::thread::event::{Change, ChangeKind};

/// The most signs behind the number of a file.
const WIDEST: usize = 40;

/// A file and its lines.
struct Row {
    name: String,
    plus: usize,
    minus: usize,
}

/// A row for each file, and the line that sums them up.
pub(super) fn of(changes: &[Change]) -> String {
    let rows = rows(changes);
    let count = |row: &Row| (row.plus + row.minus).to_string();
    let name_width = rows.iter().map(|row| row.name.width()).max().unwrap_or_default();
    let count_width = rows.iter().map(|row| count(row).len()).max().unwrap_or_default();
    let most = rows.iter().map(|row| row.plus + row.minus).max().unwrap_or_default();
    let mut text = String::new();
    for row in &rows {
        // Never so small that a file that was changed has no sign.
        let signs = |lines: usize| if most > WIDEST { (lines * WIDEST).div_ceil(most) } else { lines };
        let graph = "+".repeat(signs(row.plus)) + &"-".repeat(signs(row.minus));
        let padding = " ".repeat(name_width - row.name.width());
        let line = format!(" {}{padding} | {:>count_width$} {graph}", row.name, count(row));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text + &sum(&rows)
}

/// Of changes of one file one row, in the order of their names.
fn rows(changes: &[Change]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for change in changes {
        let (plus, minus) = lines(change);
        let name = match &change.kind {
            ChangeKind::Update { move_path: Some(to) } if *to != change.path => format!("{} => {to}", change.path),
            ChangeKind::Update { .. } | ChangeKind::Add | ChangeKind::Delete | ChangeKind::Other => change.path.clone(),
        };
        match rows.iter_mut().find(|row| row.name == name) {
            Some(row) => {
                row.plus += plus;
                row.minus += minus;
            }
            None => rows.push(Row { name, plus, minus }),
        }
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn lines(change: &Change) -> (usize, usize) {
    let all = || change.lines().lines();
    match &change.kind {
        ChangeKind::Add => (all().count(), 0),
        ChangeKind::Delete => (0, all().count()),
        ChangeKind::Update { .. } | ChangeKind::Other => {
            let with = |sign: char| all().filter(|line| line.starts_with(sign)).count();
            (with('+'), with('-'))
        }
    }
}

fn sum(rows: &[Row]) -> String {
    let (plus, minus) = rows.iter().fold((0, 0), |(plus, minus), row| (plus + row.plus, minus + row.minus));
    let many = |count: usize, what: &str| if count == 1 { format!("{count} {what}") } else { format!("{count} {what}s") };
    let mut parts = vec![format!("{} changed", many(rows.len(), "file"))];
    parts.extend((plus > 0).then(|| format!("{}(+)", many(plus, "insertion"))));
    parts.extend((minus > 0).then(|| format!("{}(-)", many(minus, "deletion"))));
    if rows.is_empty() { String::new() } else { format!(" {}\n", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_file_and_a_sum() {
        let change = |path: &str, kind, diff: &str| Change { path: path.into(), kind, diff: diff.into() };
        let update = || ChangeKind::Update { move_path: None };
        let changes = [
            change("src/main.rs", ChangeKind::Add, &"x\n".repeat(100)),
            change("a", update(), "@@ -1,2 +1,2 @@\n one\n-two\n+2\n"),
            change("a", update(), "@@ -1 +1 @@\n-one\n+1\n"),
            change("gone", ChangeKind::Delete, "x"),
            change("old", ChangeKind::Update { move_path: Some("new".into()) }, ""),
        ];
        insta::assert_snapshot!(of(&changes), @r"
         a           |   4 +-
         gone        |   1 -
         old => new  |   0
         src/main.rs | 100 ++++++++++++++++++++++++++++++++++++++++
         4 files changed, 102 insertions(+), 3 deletions(-)
        ");
        assert_eq!(of(&[]), "");
    }
}
