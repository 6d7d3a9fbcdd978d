//! Every help text, as a person reads it.

use clap::Command;
use outpost::cli::examples;

use super::bed::{Sandbox, Terminal};

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

/// What `-h` says: the same in short.
#[test]
fn every_short_help_text() {
    fn shorts(command: &mut Command, path: &str, out: &mut String) {
        out.push_str(&format!("==== {path} -h\n{}\n", command.render_help()));
        for below in command.get_subcommands_mut().filter(|below| !below.is_hide_set()) {
            let path = format!("{path} {}", below.get_name());
            shorts(below, &path, out);
        }
    }
    let mut command = examples::command().term_width(100);
    command.build();
    let mut all = String::new();
    shorts(&mut command, "outpost", &mut all);
    insta::assert_snapshot!(all);
}

#[test]
fn the_options_of_all_commands_are_taken_everywhere_and_shown_where_they_mean_something() {
    let sandbox = Sandbox::without_gate();
    let config = sandbox.ssh_config().display().to_string();
    let of_all = |args: &[&str]| sandbox.run(args).exits(0).stdout.contains("Options of all commands:");
    assert!(of_all(&["check", "-h"]) && !of_all(&["completions", "-h"]) && !of_all(&["man", "-h"]));
    for place in [&["-F", &config, "--no-pager", "man"][..], &["man", "-F", &config, "--no-pager"]] {
        sandbox.run(place).exits(0);
    }
}

#[test]
fn a_page_has_the_sections_that_people_look_for() {
    let sandbox = Sandbox::without_gate();
    let page = |args: &[&str]| {
        let mut man = std::process::Command::new("man");
        man.env_clear().env("PATH", "/usr/bin:/bin").env("MANWIDTH", "100").args(["-l", "-"]);
        super::bed::run(&mut man, sandbox.run(args).exits(0).stdout.as_bytes()).exits(0).stdout
    };
    let shell = page(&["man", "shell"]);
    // The foot names the release.
    assert!(shell.trim_end().lines().last().unwrap().contains(concat!("outpost ", env!("CARGO_PKG_VERSION"))), "{shell}");
    let heads: Vec<&str> = shell
        .trim_end()
        .lines()
        .filter(|line| !line.contains("outpost "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .collect();
    insta::assert_snapshot!(heads.join("\n"), @r"
    NAME
    SYNOPSIS
    DESCRIPTION
    ARGUMENTS
    OPTIONS
    OPTIONS OF ALL COMMANDS
    EXIT STATUS
    EXAMPLES
    SEE ALSO
    ");
    assert!(shell.contains("outpost shell [OPTIONS] <HOST|PROJECT|HOST:PATH> [COMMAND]..."), "{shell}");
    assert!(shell.contains("outpost shell shop 'npm test 2>&1 | tail'"), "as it is typed: {shell}");
    let top = page(&["man"]);
    for head in ["\nSUBCOMMANDS\n", "\nEXIT STATUS\n", "\nENVIRONMENT\n", "\nFILES\n", "\nEXAMPLES\n"] {
        assert!(top.contains(head), "{head}: {top}");
    }
}

#[test]
fn on_a_terminal_a_page_and_a_long_help_are_shown_in_the_pager() {
    let sandbox = Sandbox::without_gate();
    for (args, words) in [(&["man", "run"][..], "SYNOPSIS"), (&["run", "--help"], "Usage: outpost run")] {
        let terminal = Terminal::outpost(&sandbox, args);
        let screen = terminal.shows(words);
        assert!(!screen.contains("[exit"), "{screen}");
        terminal.presses_until("q", "[exit 0]");
    }
    // What fits on the screen stays there, and without a pager all does.
    Terminal::outpost(&sandbox, &["enable", "--help"]).shows("[exit 0]");
    Terminal::outpost(&sandbox, &["--no-pager", "run", "--help"]).shows("[exit 0]");
    Terminal::outpost(&sandbox, &["--no-pager", "man", "run"]).shows("[exit 0]");
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
