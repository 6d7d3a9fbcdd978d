//! Every help text, as a person reads it.

use clap::Command;
use outpost::cli::examples;

use super::bed::Sandbox;

/// The help of a command and of all below it; what is hidden stays so.
fn helps(command: &mut Command, path: &str, out: &mut String) {
    out.push_str(&format!("==== {path} --help\n{}\n", command.render_long_help()));
    for below in command.get_subcommands_mut().filter(|below| !below.is_hide_set()) {
        let path = format!("{path} {}", below.get_name());
        helps(below, &path, out);
    }
}

#[test]
fn every_help_text() {
    let mut command = examples::command().term_width(100);
    command.build();
    let mut all = String::new();
    helps(&mut command, "outpost", &mut all);
    insta::assert_snapshot!(all);
}

#[test]
fn a_manual_page_for_each_command() {
    let sandbox = Sandbox::without_gate();
    assert!(sandbox.run(&["man"]).exits(0).stdout.contains(".TH outpost"));
    assert!(sandbox.run(&["man", "run"]).exits(0).stdout.contains("approve"));
    assert!(sandbox.run(&["man", "chek"]).exits(2).stderr.contains("did you mean check?"));
    assert!(sandbox.run(&["man", "thread", "log"]).exits(0).stdout.contains("outpost\\-thread\\-log"));
    let folder = sandbox.path().join("man1");
    sandbox.run(&["man", "--write", folder.to_str().unwrap()]).exits(0);
    for page in ["outpost.1", "outpost-run.1", "outpost-thread-approve.1"] {
        let mut man = std::process::Command::new("man");
        man.env_clear().env("PATH", "/usr/bin:/bin").arg("-l").arg(folder.join(page));
        assert!(super::bed::run(&mut man, b"").exits(0).stdout.contains("outpost"), "{page}");
    }
}
