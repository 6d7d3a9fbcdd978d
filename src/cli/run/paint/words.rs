//! What a command, its end and a change of a file are called on a line.

use std::borrow::Cow;
use std::time::Duration;

use crate::cli::plain;
use crate::thread::event::{Change, ChangeKind, End};

/// The command without the shell that runs it: `/bin/bash -lc 'cargo test'` is `cargo test`.
#[must_use]
pub fn bare(command: &str) -> Cow<'_, str> {
    let inner = || {
        let (shell, rest) = command.split_once(' ')?;
        let script = rest.strip_prefix("-lc ").or_else(|| rest.strip_prefix("-c "))?;
        if !shell.ends_with("sh") {
            return None;
        }
        let within = |quote: char| script.strip_prefix(quote)?.strip_suffix(quote);
        match (within('\''), within('"')) {
            (Some(plain), _) => (!plain.contains('\'')).then_some(Cow::Borrowed(plain)),
            (None, Some(quoted)) => unquoted(quoted).map(Cow::Owned),
            (None, None) => (!script.contains(['\'', '"', '\\'])).then_some(Cow::Borrowed(script)),
        }
    };
    inner().unwrap_or(Cow::Borrowed(command))
}

/// What stood between double quotes, in which a backslash guards four characters; none where it ends before.
fn unquoted(quoted: &str) -> Option<String> {
    let mut plain = String::with_capacity(quoted.len());
    let mut rest = quoted.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return None,
            '\\' => match rest.next()? {
                guarded @ ('"' | '\\' | '$' | '`') => plain.push(guarded),
                other => plain.extend(['\\', other]),
            },
            c => plain.push(c),
        }
    }
    Some(plain)
}

pub(super) fn mark(state: &str) -> char {
    match state {
        "completed" => '✓',
        "inProgress" => '›',
        _ => '·',
    }
}

pub(super) fn outcome(end: End, exit_code: Option<i64>, took: Option<Duration>) -> String {
    let how = match (end, exit_code) {
        (End::Declined, _) => "declined, not run".to_owned(),
        (End::Done | End::Failed, Some(code)) => format!("exit {code}"),
        (End::Done, None) => "done".to_owned(),
        (End::Failed, None) => "failed".to_owned(),
    };
    took.map_or(how.clone(), |took| format!("{how} · {:.1} s", took.as_secs_f64()))
}

/// What happens to a file, in a line: `edited src/main.rs (+3 -1)`.
#[must_use]
pub fn head(change: &Change, end: End) -> String {
    let verb = match &change.kind {
        ChangeKind::Add => "added",
        ChangeKind::Delete => "deleted",
        ChangeKind::Update { move_path: None } => "edited",
        ChangeKind::Update { .. } => "moved",
        ChangeKind::Other => "changed",
    };
    let count = |sign| diff_lines(change).filter(|(s, _)| *s == sign).count();
    let moved = match &change.kind {
        ChangeKind::Update { move_path: Some(to) } => format!(" → {}", plain::line(to)),
        ChangeKind::Update { .. } | ChangeKind::Add | ChangeKind::Delete | ChangeKind::Other => String::new(),
    };
    let verb = match end {
        End::Done => verb.to_owned(),
        End::Failed => format!("not {verb} (it failed)"),
        End::Declined => format!("not {verb} (declined)"),
    };
    format!("{verb} {}{moved} (+{} -{})", plain::line(&change.path), count('+'), count('-'))
}

/// The lines of a change with their sign: a new file's content is all `+`, a deleted one's all `-`.
pub(super) fn diff_lines(change: &Change) -> impl Iterator<Item = (char, &str)> {
    change.lines().lines().map(|line| match &change.kind {
        ChangeKind::Add => ('+', line),
        ChangeKind::Delete => ('-', line),
        ChangeKind::Update { .. } | ChangeKind::Other => match line.chars().next() {
            Some(sign @ ('+' | '-' | ' ')) => (sign, line.get(1..).unwrap_or_default()),
            _ => (' ', line),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_around_a_command_is_not_shown() {
        for (command, shown) in [
            ("/bin/bash -lc 'cargo test'", "cargo test"),
            ("zsh -c ls", "ls"),
            ("/bin/bash -lc 'a'\\''b'", "/bin/bash -lc 'a'\\''b'"),
            ("bash -lc \"x\"", "x"),
            (r#"/bin/bash -lc "echo 'a b' \"c\" \$HOME \\033[1m \n""#, r#"echo 'a b' "c" $HOME \033[1m \n"#),
            (r#"bash -lc "a" "b""#, r#"bash -lc "a" "b""#),
            ("python -c 'x'", "python -c 'x'"),
        ] {
            assert_eq!(bare(command), shown);
        }
    }
}
