//! The host list and what hosts resolve to, held against the installed `ssh`.

mod cases;
mod command;
mod differential;
mod effects;
mod random;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use outpost::failure::Code;
use outpost::host::fallback::rules;
use outpost::host::{alias, resolve};
use outpost::paths::Local;
use outpost::ssh::keywords;

/// A home with an ssh configuration.
struct Home {
    dir: tempfile::TempDir,
    local: Local,
}

impl Home {
    fn with(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        std::fs::write(&path, config).unwrap();
        let vars = [("PATH", "/usr/local/bin:/usr/bin:/bin".into()), ("HOME", dir.path().into())];
        let local = Local {
            home: dir.path().into(),
            user: "u".into(),
            codex_home: dir.path().join(".codex"),
            ssh_config: Some(path),
            vars: vars.into_iter().map(|(name, value)| (name.into(), value)).collect::<HashMap<_, _>>(),
        };
        Self { dir, local }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn resolve(&self, alias: &str) -> Result<outpost::host::target::Target, outpost::failure::Failure> {
        resolve::resolve(&self.local, &alias.parse().unwrap()).await
    }
}

fn fake_ssh(home: &mut Home, script: &str) {
    let path = home.path("bin/ssh");
    std::fs::create_dir(home.path("bin")).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", home.path("bin").display());
    home.local.vars.insert("PATH".into(), path.into());
}

#[tokio::test]
async fn ssh_says_what_a_host_is() {
    let home = Home::with("Host dev\n HostName 10.0.0.7\n Port 2222\n User me\n IdentityFile ~/.ssh/%h\n");
    let target = home.resolve("dev").await.unwrap();
    assert_eq!((target.host_name(), target.port(), target.user()), ("10.0.0.7", 2222, "me"));
    assert_eq!(target.all("identityfile"), ["~/.ssh/%h"]);
    assert!(target.is_default("ciphers") && !target.is_default("port"));
}

#[tokio::test]
async fn unknown_hosts_run_nothing() {
    let mut home = Home::with("Host dev*\nHost devbox\n");
    fake_ssh(&mut home, "touch \"$HOME/ran\"");
    let failure = home.resolve("devbx").await.unwrap_err();
    assert_eq!(failure.code, Code::HostUnknown);
    assert!(!home.path("ran").exists());
}

#[tokio::test]
async fn a_refusal_is_in_ssh_s_words() {
    let home = Home::with("Host dev\n Port abc\n");
    let failure = home.resolve("dev").await.unwrap_err();
    assert_eq!(failure.code, Code::ResolveRefused);
    assert!(failure.said.contains("line 2: Bad port 'abc'."), "{failure}");
}

/// What a person reads.
fn told(home: &Home, failure: &outpost::failure::Failure) -> String {
    let text = format!("[{}] {failure}\n  try: {}\n", failure.code.as_str(), failure.hint);
    // Which of the two calls fails first is chance.
    let text = text.replace(&*home.dir.path().to_string_lossy(), "[HOME]");
    text.replace("ssh -F [HOME]/config -G -- dev", "ssh …").replace("ssh -F /dev/null -G -- host", "ssh …")
}

#[tokio::test]
async fn each_cause_is_told() {
    let mut all = told_of(Home::with("Host dev\n Port abc\n")).await;
    for script in ["exit 3", "yes | head -c 5000000"] {
        let mut home = Home::with("Host dev\n");
        fake_ssh(&mut home, script);
        all.push_str(&told_of(home).await);
    }
    insta::assert_snapshot!(all, @r"
    [resolve-refused] dev: ssh …: [HOME]/config line 2: Bad port 'abc'.
    [HOME]/config: terminating, 1 bad configuration options
      try: mend what ssh names; until then `ssh` itself refuses this host too
    [resolve-refused] dev: ssh …
      try: mend what ssh names; until then `ssh` itself refuses this host too
    [resolve-refused] dev: ssh …: more than 4194304 bytes of output
      try: run the command above by hand; the ssh that was asked is [HOME]/bin/ssh
    ");
}

async fn told_of(home: Home) -> String {
    told(&home, &home.resolve("dev").await.unwrap_err())
}

/// A `Match exec` that hangs is ended with all its children; one that leaves a process behind is not waited for.
#[tokio::test(start_paused = true)]
async fn a_hanging_match_exec_is_ended() {
    let home = Home::with("Host dev\nMatch exec \"echo $$ >$HOME/pid; sleep 1000\"\n User x\n");
    let began = std::time::Instant::now();
    let failure = home.resolve("dev").await.unwrap_err();
    insta::assert_snapshot!(told(&home, &failure), @r"
    [resolve-timeout] dev: ssh …: no answer within 10 s
      try: a `Match exec` command or a DNS look-up of CanonicalizeHostname hangs; run the command above to see which
    ");
    assert!(began.elapsed().as_secs() < 9, "the clock is paused");
}

/// When we stop waiting, the commands of `Match exec` end with their `ssh`: the pipe that only they hold is closed.
#[tokio::test]
async fn no_command_of_match_exec_is_left() {
    let home = Home::with("Host dev\nMatch exec \"exec 9>$HOME/pipe; echo up >&9; sleep 1000\"\n  User x\n");
    nix::unistd::mkfifo(&home.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let pipe = home.path("pipe");
    let reader = tokio::task::spawn_blocking(move || std::io::BufReader::new(std::fs::File::open(pipe).unwrap()));
    let mut reader = {
        let resolving = home.resolve("dev");
        tokio::pin!(resolving);
        // Opening the pipe ends when the command has opened its side.
        tokio::select! {
            reader = reader => reader.unwrap(),
            outcome = &mut resolving => panic!("{outcome:?}"),
        }
    };
    let text = tokio::task::spawn_blocking(move || std::io::read_to_string(&mut reader).unwrap()).await.unwrap();
    assert!(text.is_empty() || text == "up\n", "{text}");
}

#[test]
fn listing_reads_only_the_file_of_minus_f() {
    let home = Home::with("Host a\n");
    let listing = alias::list(&home.local).unwrap();
    assert_eq!(listing.hosts.len(), 1);
    assert_eq!(listing.hosts[0].file, home.path("config"));
    let mut local = home.local.clone();
    local.ssh_config = Some(Path::new("none").into());
    assert!(alias::list(&local).unwrap().hosts.is_empty());
    local.ssh_config = Some(home.path("missing"));
    assert_eq!(alias::list(&local).unwrap_err().code, Code::SshConfigUnreadable);
}

/// Keywords that OpenSSH got after 9.2, that distributions added, and old names that `ssh` still takes.
const LATER_KEYWORDS: &str = "Tag ChannelTimeout ObscureKeystrokeTiming VersionAddendum RefuseConnection WarnWeakCrypto UseKeychain \
    GSSAPIServerIdentity GSSAPIClientIdentity GSSAPITrustDns GSSAPIKexAlgorithms SmartcardDevice";

/// The keywords of the manual of OpenSSH 9.2, for machines where it is not installed.
const MANUAL_KEYWORDS: &str = include_str!("../../fixtures/ssh_config/keywords-9.2.txt");

fn manual_keywords() -> Vec<String> {
    let unpacked = std::process::Command::new("gzip").args(["-dc", "/usr/share/man/man5/ssh_config.5.gz"]).output();
    let text = unpacked.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let first = |line: &str| line.strip_prefix(".It Cm ").and_then(|rest| rest.split(' ').next()).map(str::to_owned);
    text.lines().filter_map(first).filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).collect()
}

#[test]
fn every_keyword_is_in_the_table() {
    let printed = std::process::Command::new("ssh").args(["-F", "/dev/null", "-G", "host"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let of_ssh = printed.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned);
    let checked_in = MANUAL_KEYWORDS.split_whitespace().chain(LATER_KEYWORDS.split_whitespace()).map(str::to_owned);
    let all: Vec<String> = of_ssh.chain(manual_keywords()).chain(checked_in).collect();
    assert!(all.len() > 150, "{}", all.len());
    let missing: Vec<_> = all.iter().filter(|name| keywords::find(name).is_none()).collect();
    assert!(missing.is_empty(), "not in src/ssh/keywords.rs: {missing:?}");
}

/// The fallback has a rule for each of them, and none for what is no keyword.
#[test]
fn the_fallback_knows_every_keyword() {
    let read_by_itself = ["host", "match", "include", "ignoreunknown"];
    for keyword in keywords::KEYWORDS {
        let name = keyword.name.to_ascii_lowercase();
        assert!(rules::rule(&name).is_some() || read_by_itself.contains(&name.as_str()), "{name}");
    }
    let all = rules::TAKEN.iter().map(|(name, _)| name).chain(rules::PASSED_OVER).chain(rules::REFUSED);
    all.for_each(|name| assert!(keywords::find(name).is_some(), "{name}"));
}

#[test]
fn docs_show_the_table() {
    let text = include_str!("../../docs/SSH.md");
    let shown = text.split_once("<!-- keywords -->\n").and_then(|(_, rest)| rest.split_once("<!-- end of keywords -->"));
    assert_eq!(
        shown.map(|(table, _)| table),
        Some(keywords::markdown().as_str()),
        "docs/SSH.md shows the table of src/ssh/keywords.rs"
    );
}

#[test]
fn docs_name_every_setting() {
    let text = include_str!("../../docs/SETTINGS.md");
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let mut keys = outpost::config::hosts::KEYS.to_vec();
    keys.sort_by_key(|key| rows.iter().position(|row| row == key));
    assert_eq!(rows, keys);
}
