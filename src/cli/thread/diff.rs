//! `outpost thread diff`: what a thread's file changes did, as a patch.

mod stat;

use clap::Args;

use super::{Found, Which};
use crate::app_server::protocol::item::Item;
use crate::cli::run::paint::{BOLD, DIM, GREEN, RED};
use crate::cli::{Context, or_interrupted, pager, plain};
use crate::failure::{Exit, Failure};
use crate::thread::catalog::{self, Entry};
use crate::thread::event::{Change, ChangeKind};

#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// The thread.
    #[arg(value_name = "THREAD")]
    thread: Which,
    /// Only the last turn.
    #[arg(long)]
    last_turn: bool,
    /// Only the files and how many lines.
    #[arg(long)]
    stat: bool,
}

impl Diff {
    pub(super) async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let Some(read) = or_interrupted(self.read(context), Result::is_err).await else { return Ok(Exit::Interrupted) };
        let (cwd, items) = read?;
        let (changes, outside) = inside(done(&items, self.last_turn), &cwd);
        if !outside.is_empty() {
            let names: Vec<String> = outside.iter().map(|path| format!("\n  {}", plain::line(path))).collect();
            context.screen.note(&format!("not in it, being outside of {}:{}", plain::line(&cwd), names.concat()));
        }
        let text = if self.stat {
            plain::text(&stat::of(&changes))
        } else {
            let patch = patch(&changes);
            if changes.iter().any(needs_git) {
                context.screen.note(
                    "it moves files or makes empty ones: below the top of a repository, git apply --directory=FOLDER at the top",
                );
            }
            // A pipe gets the patch to the byte; a terminal what is harmless of it, coloured.
            if context.screen.out_is_terminal { coloured(&plain::text(&patch), context.screen.colour) } else { patch }
        };
        pager::show(context, &text).await?;
        Ok(Exit::Done)
    }

    /// The thread's folder and all its items.
    async fn read(&self, context: &Context) -> Result<(String, Vec<Entry>), Failure> {
        let Found { alias, host, view } = self.thread.find(context).await?;
        let items = catalog::items(&host.server.peer, &view.id, None).await.map_err(|e| e.at(&alias))?;
        host.session.close().await;
        Ok((view.cwd, items))
    }
}

/// The changes below a folder, their paths relative to it; and the paths of the others, each once.
fn inside(changes: Vec<Change>, cwd: &str) -> (Vec<Change>, Vec<String>) {
    let folder = format!("{}/", cwd.trim_end_matches('/'));
    let below = |path: &str| match path.strip_prefix(&folder) {
        None if !path.starts_with('/') => Some(path.to_owned()),
        below => below.map(str::to_owned),
    };
    let (mut within, mut outside) = (Vec::new(), Vec::new());
    for mut change in changes {
        let to = match &change.kind {
            ChangeKind::Update { move_path: Some(to) } => Some(to.clone()),
            ChangeKind::Update { move_path: None } | ChangeKind::Add | ChangeKind::Delete | ChangeKind::Other => None,
        };
        match (below(&change.path), to.as_deref().map(|to| below(to).ok_or(to))) {
            (Some(path), None) => within.push(Change { path, ..change }),
            (Some(path), Some(Ok(to))) => {
                change.diff = change.lines().to_owned();
                within.push(Change { path, kind: ChangeKind::Update { move_path: Some(to) }, ..change });
            }
            (Some(_), Some(Err(path))) => outside.push(path.to_owned()),
            (None, _) => outside.push(change.path),
        }
    }
    outside.sort();
    outside.dedup();
    (within, outside)
}

/// The changes that were made, in their order.
fn done(items: &[Entry], last_turn: bool) -> Vec<Change> {
    let last = items.last().map(|entry| &entry.turn_id);
    let wanted = items.iter().filter(|entry| !last_turn || Some(&entry.turn_id) == last);
    let changes = wanted.filter_map(|entry| {
        let Item::FileChange { changes, status, .. } = entry.view() else { return None };
        (status == "completed").then_some(changes)
    });
    changes.flatten().collect()
}

/// A patch with the colours of its lines; the text must be harmless already.
fn coloured(text: &str, colour: bool) -> String {
    if !colour {
        return text.to_owned();
    }
    let style = |line: &str| match line.as_bytes() {
        [b'd', b'i', b'f', b'f', ..] | [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Some(BOLD),
        [b'@', b'@', ..] => Some(DIM),
        [b'+', ..] => Some(GREEN),
        [b'-', ..] => Some(RED),
        _ => None,
    };
    text.lines()
        .map(|line| style(line).map_or_else(|| format!("{line}\n"), |style| format!("{style}{line}{style:#}\n")))
        .collect()
}

/// The whole patch.
///
/// Without git's own headers where that is possible: with them `git apply` takes the paths from the top of the repository, and
/// in a folder below passes over them without a word. A file that moved and one that is empty can be said in no other way.
fn patch(changes: &[Change]) -> String {
    let git = changes.iter().any(needs_git);
    changes.iter().map(|change| part(change, git)).collect()
}

/// Whether a change cannot be said without a header of git's.
fn needs_git(change: &Change) -> bool {
    match &change.kind {
        ChangeKind::Update { move_path: Some(to) } => *to != change.path,
        ChangeKind::Add | ChangeKind::Delete => change.diff.is_empty(),
        ChangeKind::Update { move_path: None } | ChangeKind::Other => false,
    }
}

/// One file's part of a patch.
fn part(change: &Change, git: bool) -> String {
    let from = change.path.as_str();
    let to = match &change.kind {
        ChangeKind::Update { move_path: Some(to) } => to,
        ChangeKind::Update { .. } | ChangeKind::Add | ChangeKind::Delete | ChangeKind::Other => from,
    };
    let (a, b) = (quoted("a/", from), quoted("b/", to));
    let (mode, old, new, hunks) = match &change.kind {
        ChangeKind::Add => ("new file mode 100644\n", "/dev/null", b.as_str(), whole(&change.diff, '+')),
        ChangeKind::Delete => ("deleted file mode 100644\n", a.as_str(), "/dev/null", whole(&change.diff, '-')),
        ChangeKind::Update { .. } | ChangeKind::Other => ("", a.as_str(), b.as_str(), ended(&change.diff)),
    };
    let moved =
        if from == to { String::new() } else { format!("rename from {}\nrename to {}\n", quoted("", from), quoted("", to)) };
    let head = if git { format!("diff --git {a} {b}\n{mode}{moved}") } else { String::new() };
    let names = if hunks.is_empty() { String::new() } else { format!("--- {}\n+++ {}\n", named(old), named(new)) };
    format!("{head}{names}{hunks}")
}

/// A name at the end of its line: a tab ends one with a blank in it, as git and diff write it.
fn named(name: &str) -> String {
    if name.contains(' ') { format!("{name}\t") } else { name.to_owned() }
}

/// A whole file as one hunk.
fn whole(content: &str, sign: char) -> String {
    // A line keeps what stands before its end, a carriage return too.
    let lines = || content.split_inclusive('\n').map(|line| line.strip_suffix('\n').unwrap_or(line));
    let count = lines().count();
    if count == 0 {
        return String::new();
    }
    let range = if sign == '+' { format!("-0,0 +1,{count}") } else { format!("-1,{count} +0,0") };
    let lines: String = lines().map(|line| format!("{sign}{line}\n")).collect();
    let open = if content.ends_with('\n') { "" } else { "\\ No newline at end of file\n" };
    format!("@@ {range} @@\n{lines}{open}")
}

fn ended(diff: &str) -> String {
    if diff.is_empty() || diff.ends_with('\n') { diff.to_owned() } else { format!("{diff}\n") }
}

/// A path as git writes it: quoted when it holds what would end it early.
fn quoted(prefix: &str, path: &str) -> String {
    if path.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
        let escaped: String = path.bytes().map(escape).collect();
        format!("\"{prefix}{escaped}\"")
    } else {
        format!("{prefix}{path}")
    }
}

fn escape(byte: u8) -> String {
    match byte {
        b'"' => "\\\"".to_owned(),
        b'\\' => "\\\\".to_owned(),
        0x20..=0x7e => char::from(byte).to_string(),
        other => format!("\\{other:03o}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, kind: ChangeKind, diff: &str) -> Change {
        Change { path: path.into(), kind, diff: diff.into() }
    }

    #[test]
    fn git_takes_the_patch() {
        let dir = tempfile::tempdir().expect("dir");
        let git = |args: &[&str]| std::process::Command::new("git").args(args).current_dir(&dir).status().expect("git").success();
        assert!(git(&["init", "-q"]));
        std::fs::create_dir(dir.path().join("sub")).expect("made");
        for (name, content) in [("old", "one\ntwo\n"), ("gone", "x"), ("from", "same\nline\n")] {
            std::fs::write(dir.path().join(name), content).expect("written");
        }
        let changes = [
            change("/w/old", ChangeKind::Update { move_path: None }, "@@ -1,2 +1,2 @@\n one\n-two\n+2\n"),
            change("/w/new \"x\"", ChangeKind::Add, "hello"),
            change("/w/empty", ChangeKind::Add, ""),
            change("/w/gone", ChangeKind::Delete, "x"),
            change(
                "/w/from",
                ChangeKind::Update { move_path: Some("/w/to".into()) },
                "@@ -1,2 +1,2 @@\n same\n-line\n+LINE\n\nMoved to: /w/to",
            ),
        ];
        let (changes, outside) = inside(changes.into(), "/w");
        assert_eq!(outside, Vec::<String>::new());
        let patch = super::patch(&changes);
        std::fs::write(dir.path().join("p.patch"), &patch).expect("written");
        assert!(git(&["apply", "p.patch"]), "{patch}");
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).ok();
        assert_eq!(read("old").as_deref(), Some("one\n2\n"));
        assert_eq!(read("new \"x\"").as_deref(), Some("hello"));
        assert_eq!(read("empty").as_deref(), Some(""));
        assert_eq!(read("to").as_deref(), Some("same\nLINE\n"));
        assert_eq!((read("gone"), read("from")), (None, None));
        assert!(changes.iter().any(needs_git));
        // In a folder below the top of a repository too, where git passes over paths of patches of its own kind.
        let below = dir.path().join("sub");
        std::fs::write(below.join("old"), "one\ntwo\n").expect("written");
        let changes = [
            change("/w/old", ChangeKind::Update { move_path: None }, "@@ -1,2 +1,2 @@\n one\n-two\n+2\n"),
            change("/w/deep/two words", ChangeKind::Add, "hello\n"),
        ];
        let (changes, outside) = inside(changes.into(), "/w");
        assert_eq!(outside, Vec::<String>::new());
        let patch = super::patch(&changes);
        assert!(!changes.iter().any(needs_git));
        std::fs::write(below.join("p.patch"), &patch).expect("written");
        let applied = std::process::Command::new("git").args(["apply", "p.patch"]).current_dir(&below).status();
        assert!(applied.expect("git").success(), "{patch}");
        assert_eq!(std::fs::read_to_string(below.join("old")).expect("there"), "one\n2\n");
        assert_eq!(std::fs::read_to_string(below.join("deep/two words")).expect("there"), "hello\n");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

        #[test]
        fn git_makes_of_a_patch_what_was_written_and_nothing_else(
            name in "[^/\u{0}.][^/\u{0}]{0,12}",
            content in "([a-z+@\\\\-]{0,3}[ \r\t]?[\n]?){0,6}",
        ) {
            let dir = tempfile::tempdir().expect("dir");
            proptest::prop_assume!(!content.is_empty());
            let patch = format!("--- /dev/null\n+++ {}\n{}", named(&quoted("b/", &name)), whole(&content, '+'));
            let mut git = std::process::Command::new("git");
            let git = git.args(["apply", "--whitespace=nowarn", "-"]).current_dir(&dir).stdin(std::process::Stdio::piped());
            let mut git = git.spawn().expect("git");
            std::io::Write::write_all(&mut git.stdin.take().expect("piped"), patch.as_bytes()).expect("taken");
            proptest::prop_assert!(git.wait().expect("ends").success(), "{:?}", patch);
            let made: Vec<_> = std::fs::read_dir(&dir).expect("read").map(|e| e.expect("an entry").file_name()).collect();
            proptest::prop_assert_eq!(made, [std::ffi::OsString::from(&name)]);
            proptest::prop_assert_eq!(std::fs::read_to_string(dir.path().join(&name)).expect("there"), content);
        }
    }

    #[test]
    fn only_what_is_below_the_folder_is_in_the_patch() {
        let moved = |from: &str, to: &str| change(from, ChangeKind::Update { move_path: Some(to.into()) }, "");
        let changes = vec![
            change("/r/app/x", ChangeKind::Add, "x\n"),
            change("/r/app2/y", ChangeKind::Add, "y\n"),
            change("/tmp/z", ChangeKind::Add, "z\n"),
            change("/tmp/z", ChangeKind::Delete, "z\n"),
            change("/r/app", ChangeKind::Add, "?\n"),
            moved("/r/app/a", "/r/b"),
            moved("/r/app/a", "/r/app/b"),
        ];
        let (within, outside) = inside(changes.clone(), "/r/app");
        assert_eq!(within.iter().map(|change| change.path.as_str()).collect::<Vec<_>>(), ["x", "a"]);
        assert_eq!(outside, ["/r/app", "/r/app2/y", "/r/b", "/tmp/z"]);
        assert_eq!(inside(changes, "/").0.len(), 7);
    }
}
