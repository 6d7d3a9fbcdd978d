//! `docs/FIELD-FAILURES.md` gives each of the 70 rows an outcome, and the tests that it names exist.

use std::path::Path;

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|e| e == "rs") {
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
