//! The host list and the fallback, held against the installed `ssh` over many configurations.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use outpost::failure::Code;
use outpost::host::alias::{self, Listing};
use outpost::host::fallback::rules;
use outpost::host::resolve;
use outpost::host::target::Target;
use outpost::paths::Local;

use super::cases::{CASES, Case, PLAIN};
use crate::bed::Sandbox;

/// A sandbox that holds the configuration.
fn laid_out(case: &Case) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("ssh_config", case.config);
    for (name, text) in case.included {
        sandbox.write(&format!("home/.ssh/{name}"), text);
    }
    sandbox
}

pub(super) struct Said {
    pub(super) accepted: bool,
    values: String,
    log: String,
}

/// What `ssh -v -G` says: its log names the Host lines that it applied.
pub(super) fn ssh(sandbox: &Sandbox, word: &str) -> Said {
    let mut command = Command::new("ssh");
    sandbox.clean(&mut command);
    let output = command.args(["-v", "-F"]).arg(sandbox.ssh_config()).args(["-G", "--", word]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { accepted: output.status.success(), values: text(&output.stdout), log: text(&output.stderr) }
}

fn names(listing: &Listing) -> Vec<&str> {
    listing.hosts.iter().map(|listed| listed.alias.as_str()).collect()
}

/// `FILE line N: Applying options for WORD`, for each line that ssh found to match.
pub(super) fn applied(said: &Said, word: &str) -> BTreeSet<String> {
    // ssh writes what is not ASCII in octal.
    let octal = |byte: u8| if byte.is_ascii() { char::from(byte).to_string() } else { format!("\\{byte:03o}") };
    let end = format!(": Applying options for {}", word.bytes().map(octal).collect::<String>());
    let lines = said.log.lines().map(|line| line.trim_end_matches('\r'));
    lines.filter_map(|line| line.strip_prefix("debug1: ")?.strip_suffix(end.as_str()).map(str::to_owned)).collect()
}

pub(super) fn place(file: &Path, line: usize) -> String {
    format!("{} line {line}", file.display())
}

/// A file that ssh refuses is not read to its end, so what it would have applied is known only of the others.
#[test]
fn the_list_is_what_ssh_would_apply() {
    assert!(CASES.len() >= 79, "{}", CASES.len());
    for case in CASES {
        let sandbox = laid_out(case);
        let listing = alias::list(&sandbox.local()).unwrap();
        assert_eq!(names(&listing).join(" "), case.aliases, "{}", case.name);
        for listed in &listing.hosts {
            let said = ssh(&sandbox, listed.alias.as_str());
            let first = place(&listed.file, listed.line);
            assert!(
                !said.accepted || applied(&said, listed.alias.as_str()).contains(&first),
                "{}: {first}\n{}",
                case.name,
                said.log
            );
        }
    }
}

/// Every plain word that stands behind `Host` anywhere and is not listed: ssh must not apply its line either.
#[test]
fn what_is_not_listed_would_not_apply() {
    for case in CASES {
        let sandbox = laid_out(case);
        let listing = alias::list(&sandbox.local()).unwrap();
        let texts = case.included.iter().map(|(_, text)| *text).chain([case.config]);
        let words =
            texts.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("Host ")).flat_map(str::split_whitespace);
        let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') && !names(&listing).contains(word);
        for word in words.filter(plain) {
            let said = ssh(&sandbox, word);
            assert_eq!(applied(&said, word), BTreeSet::new(), "{}: {word} is not listed", case.name);
        }
    }
}

/// A host is refused with ssh's words, or resolves to what ssh says; the others of the file are not touched by it.
#[tokio::test]
async fn hosts_resolve_as_ssh_says() {
    for case in CASES {
        let sandbox = laid_out(case);
        let local = sandbox.local();
        for listed in &alias::list(&local).unwrap().hosts {
            let said = ssh(&sandbox, listed.alias.as_str());
            match outpost::host::resolve::resolve(&local, &listed.alias).await {
                Ok(target) => {
                    assert!(said.accepted, "{}", case.name);
                    let of = |keyword: &str| -> Vec<String> {
                        let values = said.values.lines().filter_map(|line| line.strip_prefix(keyword)?.strip_prefix(' '));
                        values.map(str::to_owned).collect()
                    };
                    for keyword in ["hostname", "user", "port", "identityfile", "proxyjump", "proxycommand"] {
                        assert_eq!(target.all(keyword), of(keyword), "{} {keyword}", case.name);
                    }
                }
                Err(failure) => {
                    assert!(!said.accepted, "{}: {failure}", case.name);
                    let last = failure.said.lines().last().unwrap_or_default();
                    assert!(said.log.contains(last), "{}: {failure}\n{}", case.name, said.log);
                }
            }
        }
    }
}

/// What matters to a connection; `ssh -G` prints the paths of keys with `~`, ssh2-config without.
pub(super) fn matters(target: &Target, home: &Path) -> Vec<(&'static str, Vec<String>)> {
    let home = format!("{}/", home.display());
    let one = |keyword: &str| target.all(keyword).iter().map(|value| value.replace(&home, "~/")).collect();
    rules::TAKEN.iter().map(|(keyword, _)| (*keyword, one(keyword))).collect()
}

/// Without `ssh` a host resolves to what `ssh -G` says, or is refused with file and line; whatever ssh refuses is refused.
#[tokio::test]
async fn the_fallback_agrees_with_ssh_or_refuses() {
    // ssh takes `~` from the password database, ours from `Local`: let both say the same.
    let home = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().dir;
    let (mut agreed, mut refused) = (0, 0);
    for (case, plain) in CASES.iter().map(|case| (case, false)).chain(PLAIN.iter().map(|case| (case, true))) {
        let sandbox = laid_out(case);
        let local = sandbox.local();
        let mut alone = Local { home: home.clone(), ..local.clone() };
        alone.vars.insert("PATH".into(), "/nowhere".into());
        let listing = alias::list(&local).unwrap();
        assert!(!plain || names(&listing).join(" ") == case.aliases, "{}: {:?}", case.name, names(&listing));
        for listed in &listing.hosts {
            let said = resolve::resolve(&local, &listed.alias).await;
            match resolve::resolve(&alone, &listed.alias).await {
                Ok(target) => {
                    agreed += 1;
                    let want = said.unwrap_or_else(|e| panic!("{}: ssh refuses: {e}", case.name));
                    assert_eq!(matters(&target, &home), matters(&want, &home), "{}", case.name);
                }
                Err(failure) => {
                    refused += 1;
                    assert_eq!(failure.code, Code::ResolveUnsupported, "{}: {failure}", case.name);
                    assert!(!plain, "{}: {failure}", case.name);
                }
            }
        }
    }
    assert!(agreed > 60 && refused > 20, "{agreed} agreed, {refused} refused");
}
