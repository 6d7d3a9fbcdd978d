//! What an answer of the remote can make us say: what a person is told to paste holds its words, and each stays one word of the
//! shell; nothing is longer than a person reads, and no failure arises that is not on the list.

use proptest::prelude::*;

use super::facts::Fields;
use super::{concern, preflight, refusal};
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
        let hint_of = |told| if let Progress::Warning { hint, .. } = told { Some(hint) } else { None };
        let warned = concern::of(&fields.facts()).into_iter().filter_map(hint_of);
        for hint in refused.chain(warned) {
            for command in commands(&hint) {
                prop_assert!(!bare(command).contains("evil"), "{}\n{}", command, bare(command));
            }
        }
    }
}

proptest! {
    #[test]
    fn any_answer_is_read(
        said in proptest::collection::vec(("(candidate|candidate_version|updater|companion|doctor|system|version|at|killing|socket|[a-z_]{1,8})",
            proptest::collection::vec(any::<u8>(), 0..40)), 0..20),
        word in "[a-z-]{0,20}",
    ) {
        let mut fields = Fields::default();
        said.iter().for_each(|(key, value)| fields.add(key.clone(), value));
        let candidates = said.iter().filter(|(key, _)| key == "candidate").count();
        prop_assert_eq!(fields.facts().candidates.len(), candidates);
        let refused = refusal::refused(&fields, &word);
        let known = Code::ALL.iter().any(|code| code.as_str() == word);
        prop_assert!(known || refused.code == Code::FactsBroken, "{:?}", refused);
    }

    /// What codex's doctor reports is the remote's too.
    #[test]
    fn any_report_is_sorted_and_short(
        name in "(config.load|network.provider_reachability|network.env|runtime.search|sandbox.helpers|[a-z.]{1,12})",
        status in "(ok|fail|warn|)", words in "\\PC{0,2000}", broken in any::<bool>(),
    ) {
        let check = serde_json::json!({"status": status, "summary": words, "details": {"error": words}, "remediation": words});
        let mut report = serde_json::json!({"checks": {name: check}}).to_string();
        if broken {
            report.truncate(report.char_indices().nth(report.chars().count() / 2).map_or(0, |(at, _)| at));
        }
        let mut fields = Fields::default();
        fields.add("doctor".into(), report.as_bytes());
        let findings = preflight::findings(&fields);
        prop_assert!(findings.is_empty() || !(broken || status == "ok" || status.is_empty()), "{:?}", findings);
        for finding in findings {
            prop_assert!(finding.text.chars().count() < 4 * 2000 && finding.hint.chars().count() < 2000, "{:?}", finding);
        }
    }
}
