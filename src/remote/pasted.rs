//! What a person is told to paste holds words of the remote: each stays one word of the shell, whatever it is.

use proptest::prelude::*;

use super::facts::Fields;
use super::{concern, refusal};
use crate::failure::Code;
use crate::step::Progress;

/// A word that would run `evil` where it is not quoted.
fn word() -> impl Strategy<Value = String> {
    const PIECES: &[&str] =
        &["$(evil)", "`evil`", ";evil;", "|evil", "&&evil", "'", "'\\''", "\"", "\\", " ", "#", "-", "~", "a", "/b", "=", ":"];
    proptest::collection::vec(proptest::sample::select(PIECES), 0..6).prop_map(|pieces| pieces.concat())
}

/// The commands of a hint: each from its first word to the end of the line; what stands before them are words for people.
fn commands(hint: &str) -> impl Iterator<Item = &str> {
    const FIRST: &[&str] = &["outpost ", "ssh ", "sudo ", "echo ", "fish_add_path ", "setenv ", "rm ", "mkdir "];
    hint.lines().filter_map(|line| line.get(FIRST.iter().filter_map(|word| line.find(word)).min()?..))
}

/// What a POSIX shell would take for its own in a line: what stands outside of single quotes.
fn bare(line: &str) -> String {
    let (mut bare, mut quoted, mut chars) = (String::new(), false, line.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => quoted = !quoted,
            '\\' if !quoted => drop(chars.next()),
            _ if quoted => {}
            _ => bare.push(c),
        }
    }
    bare
}

fn fields(word: &str, shell: &str) -> Fields {
    let mut fields = Fields::default();
    let mut add = |key: &str, value: &str| fields.add(key.to_owned(), value.as_bytes());
    for key in ["user", "hostname", "codex", "folder", "asked_folder", "socket", "runs", "profile"] {
        add(key, word);
    }
    add("words", word);
    add("shell", shell);
    add("codex_home", &format!("/{word}"));
    add("home_fs", "nfs");
    add("killing", "logind");
    add("version", "codex-cli 0.1.0");
    for version in ["codex-cli 0.9.0", ""] {
        add("candidate", &format!("/{word}/codex"));
        add("candidate_version", version);
    }
    fields
}

proptest! {
    #[test]
    fn what_is_pasted_runs_nothing_of_the_remote(word in word(), shell in "/bin/(sh|bash|zsh|fish|tcsh|nu)", how in 0..4) {
        let mut fields = fields(&word, &shell);
        // A server's own words decide what is advised, too.
        if let Some(words) = [Some("user-owned "), Some("database "), Some("socket is already in use "), None].get(how as usize).copied().flatten() {
            fields.add("words".into(), format!("{words}{word}").as_bytes());
        }
        let refused = Code::ALL.iter().map(|code| refusal::refused(&fields, code.as_str()).hint);
        let warned = concern::of(&fields.facts()).into_iter().filter_map(|told| match told {
            Progress::Warning { hint, .. } => Some(hint),
            _ => None,
        });
        for hint in refused.chain(warned) {
            for command in commands(&hint) {
                prop_assert!(!bare(command).contains("evil"), "{}\n{}", command, bare(command));
            }
        }
    }
}
