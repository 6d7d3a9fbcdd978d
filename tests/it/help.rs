//! Every help text, as a person reads it.

use clap::{Command, CommandFactory};
use outpost::cli::Cli;

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
    let mut command = Cli::command().term_width(100);
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
}
