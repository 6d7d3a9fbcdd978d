//! The rules that documents state hold: who may use whom, how long a file may be, which failures there are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use outpost::failure::Code;

/// STYLE: no file over this many lines.
const MAX_LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The rows of the table in `docs/ARCHITECTURE.md`: the number of each top-level module.
fn table(text: &str) -> BTreeMap<String, u32> {
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Some((cells.get(1)?.parse::<u32>().ok()?, (*cells.get(2)?).to_owned()))
    });
    let modules = |(row, names): (u32, String)| -> Vec<(String, u32)> {
        names.split(',').map(|name| (name.trim().trim_matches('`').to_owned(), row)).collect()
    };
    rows.flat_map(modules).collect()
}

/// Rust without its comments and the insides of its strings.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skip = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => string_length(rest),
            'r' if raw_hashes(rest).is_some() && !out.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                let end = format!("\"{}", "#".repeat(raw_hashes(rest).unwrap()));
                let body = rest.find('"').unwrap() + 1;
                body + rest[body..].find(&end).map_or(rest.len() - body, |at| at + end.len())
            }
            '\'' if rest.starts_with("'\"'") => 3,
            _ => {
                out.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[skip..];
    }
    out
}

fn raw_hashes(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The top-level modules that a file names, by `crate::` (in the program: `outpost::`) or by enough `super::`.
fn uses(text: &str, depth: usize) -> Vec<String> {
    let code = code(text);
    let tokens = tokens(&code);
    let mut found = Vec::new();
    let mut supers = 0;
    let mut inner = 0;
    for (at, token) in tokens.iter().enumerate() {
        let next = |n: usize| tokens.get(at + n).copied().unwrap_or_default();
        if *token == "mod" && next(2) == "{" {
            inner = 1;
        }
        supers = if *token == "super" {
            supers + 1
        } else if *token == "::" {
            supers
        } else {
            0
        };
        let at_root = matches!(*token, "crate" | "outpost") || (supers > 0 && supers >= depth + inner);
        if at_root && next(1) == "::" && next(2) != "super" {
            found.extend(heads(&tokens[at + 2..]));
        }
    }
    found
}

/// The first words of a path or of a group of paths.
fn heads(tokens: &[&str]) -> Vec<String> {
    if tokens.first() != Some(&"{") {
        return tokens.first().map(|word| (*word).to_owned()).into_iter().collect();
    }
    let mut open = 0;
    let mut heads = Vec::new();
    let mut before = "";
    for token in tokens {
        match *token {
            "{" => open += 1,
            "}" => open -= 1,
            word if open == 1 && matches!(before, "{" | ",") => heads.push(word.to_owned()),
            _ => {}
        }
        if open == 0 {
            break;
        }
        before = token;
    }
    heads
}

#[test]
fn modules_use_only_what_stands_below_them() {
    let table = table(&std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap());
    let mut wrong = Vec::new();
    for path in rust_files(&root().join("src")) {
        let inside = path.strip_prefix(root().join("src")).unwrap().with_extension("");
        let words: Vec<&str> = inside.iter().map(|word| word.to_str().unwrap()).collect();
        if words == ["lib"] {
            continue;
        }
        let Some(row) = table.get(words[0]) else {
            wrong.push(format!("{} is in no row of docs/ARCHITECTURE.md", words[0]));
            continue;
        };
        for used in uses(&std::fs::read_to_string(&path).unwrap(), words.len()) {
            let below = table.get(&used).is_some_and(|other| other < row);
            if used != words[0] && !below {
                wrong.push(format!("{} (row {row}) uses {used} (row {:?})", inside.display(), table.get(&used)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The second table: what is named in one place only, and where.
fn owners(text: &str) -> Vec<(String, Vec<String>)> {
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<String>>();
    let rows = text.lines().skip_while(|line| !line.starts_with("| what |")).filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|line| line.trim_matches('|').split_once(" | "));
    cells.flat_map(|(what, by)| words(what).into_iter().map(move |what| (what, words(by)))).collect()
}

#[test]
fn what_has_one_place_is_named_there_only() {
    let owners = owners(&std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap());
    assert!(owners.len() > 10, "{owners:?}");
    let mut wrong = Vec::new();
    for path in rust_files(&root().join("src")) {
        let inside = path.strip_prefix(root().join("src")).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests may name what they need.
        let code = code(text.split("#[cfg(test)]").next().unwrap());
        let is_test = ["tests", "safety", "sim"].iter().any(|word| inside.iter().any(|part| part == *word));
        let names = |what: &str| {
            let end = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            let begin = |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            code.match_indices(what).any(|(at, found)| begin(&code[..at]) && end(&code[at + found.len()..]))
        };
        for (what, by) in owners.iter().filter(|(what, by)| !is_test && !by.contains(&module) && names(what)) {
            wrong.push(format!("{} names {what}, which is for {}", inside.display(), by.join(", ")));
        }
        if module != "rpc" && names("rpc::{") {
            wrong.push(format!("{}: one `use` for each part of rpc", inside.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn uses_are_found() {
    let text = "use crate::a::B;\nuse crate::{b, c::{D, E}, f as g};\n// crate::no\nfn x() { crate::h::i(\"crate::no\") }\n\
                use super::super::top;\nmod tests { use super::*; use super::super::super::under; fn y() { r#\"crate::no \"x\"#; } }\n";
    assert_eq!(uses(text, 2), ["a", "b", "c", "f", "h", "top", "under"]);
}

#[test]
fn no_file_is_too_long() {
    let files = rust_files(&root().join("src")).into_iter().chain(rust_files(&root().join("tests")));
    let counted = files.map(|path| (std::fs::read_to_string(&path).unwrap().lines().count(), path));
    let long: Vec<String> = counted.filter(|(n, _)| *n > MAX_LINES).map(|(n, path)| format!("{n} {}", path.display())).collect();
    assert!(long.is_empty(), "more than {MAX_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn the_table_of_failures_is_whole() {
    let text = std::fs::read_to_string(root().join("docs/FAILURES.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let remedy = |code: &str| {
        let row = rows.iter().find(|row| row.starts_with(&format!("| `{code}` |")));
        row.and_then(|row| row.split(" | ").nth(3)).map_or("", |cell| cell.trim_end_matches(" |")).to_owned()
    };
    let row = |code: &Code| {
        format!("| `{}` | {} | {} | {} |", code.as_str(), code.exit().code(), code.meaning(), remedy(code.as_str()))
    };
    let wanted: Vec<String> = Code::ALL.iter().map(row).collect();
    let add: Vec<&String> = wanted.iter().filter(|row| !rows.contains(&row.as_str())).collect();
    let remove: Vec<&&str> = rows.iter().filter(|row| !wanted.iter().any(|w| w == *row)).collect();
    assert!(add.is_empty() && remove.is_empty(), "docs/FAILURES.md: add {add:#?}\nremove {remove:#?}");
    assert!(rows == wanted, "docs/FAILURES.md: the order is that of Code::ALL");
    let empty: Vec<&String> = wanted.iter().filter(|row| row.ends_with("|  |")).collect();
    assert!(empty.is_empty(), "what to do is missing: {empty:#?}");
}

#[test]
fn every_dependency_says_why() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let sections = ["dependencies", "dev-dependencies"].map(|section| manifest[section].as_table().unwrap().keys());
    let mut wanted: Vec<String> = sections.into_iter().flatten().cloned().collect();
    wanted.sort();
    wanted.dedup();
    let text = std::fs::read_to_string(root().join("docs/DEPENDENCIES.md")).unwrap();
    let rows = text.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()));
    let mut listed: Vec<String> = rows.collect();
    listed.sort();
    assert_eq!(listed, wanted);
}

/// What `cargo deny check licenses` holds too, where there is a cargo-deny.
#[test]
fn every_licence_is_permitted() {
    let deny: toml::Table = std::fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let allowed: Vec<&str> = deny["licenses"]["allow"].as_array().unwrap().iter().filter_map(|l| l.as_str()).collect();
    // Words of an expression in brackets stand alone; one of those that OR joins is enough, AND wants them all.
    let fits = |expression: &str| {
        let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
        plain.split(" AND ").all(|part| part.split(" OR ").any(|name| allowed.contains(&name.trim())))
    };
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let cargo = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &target])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let other: Vec<String> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(fits))
        .map(|package| format!("{} {}", package["name"], package["license"]))
        .collect();
    assert!(packages.len() > 100 && other.is_empty(), "{other:?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().flatten().map(|entry| entry.path());
    let mut dead = Vec::new();
    for path in docs.chain([root().join("README.md"), root().join("CHANGELOG.md")]).filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            if !target.is_empty() && !target.contains("://") && !path.parent().unwrap().join(target).exists() {
                dead.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}
