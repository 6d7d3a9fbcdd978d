//! `docs/FIELD-FAILURES.md` gives each of the 70 rows an outcome, and the tests that it names exist.

use std::path::Path;

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "snap") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_row_has_an_outcome_and_every_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("src"), &mut code);
    sources(&root.join("tests"), &mut code);
    let table = std::fs::read_to_string(root.join("docs/FIELD-FAILURES.md")).unwrap();
    let rows: Vec<(usize, &str)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| {
            let (number, rest) = line.split_once(' ')?;
            Some((number.parse().ok()?, rest))
        })
        .collect();
    assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=70).collect::<Vec<_>>());
    for (number, row) in rows {
        let outcome = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let tests: Vec<&str> =
            outcome.split('`').skip(1).step_by(2).filter(|word| word.contains('_') && !word.contains('/')).collect();
        let excused = ["cannot arise", "waits for", "in part"].iter().any(|word| outcome.starts_with(word));
        assert!(excused || !tests.is_empty(), "row {number}: {outcome}");
        for test in tests {
            assert!(code.contains(&format!("fn {test}(")), "row {number} names {test}, which is no test");
        }
    }
}

/// Situations that are made in unit tests alone, because real parts come into them by chance only.
const BY_CHANCE: &[&str] = &[
    // An answer that was lost, for a request that may not be sent twice: src/app_server/durable/tests/requests.rs.
    "not-known",
];

/// A code that no test meets may be one that is never given, or given for something else.
#[test]
fn every_failure_is_met_by_a_test() {
    let mut tests = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut tests);
    let named = |code: &outpost::failure::Code| {
        let (text, variant) = (code.as_str(), format!("Code::{code:?}"));
        let whole = |name: &str, part: fn(char) -> bool| {
            tests.match_indices(name).any(|(at, _)| {
                let (before, after) = (tests[..at].chars().next_back(), tests[at + name.len()..].chars().next());
                !before.is_some_and(part) && !after.is_some_and(part)
            })
        };
        whole(text, |c| c.is_ascii_alphanumeric() || c == '-') || whole(&variant, |c| c.is_ascii_alphanumeric() || c == ':')
    };
    let unmet: Vec<&str> = outpost::failure::Code::ALL
        .iter()
        .filter(|code| !named(code) && !BY_CHANCE.contains(&code.as_str()))
        .map(|code| code.as_str())
        .collect();
    assert_eq!(unmet, [""; 0]);
}
