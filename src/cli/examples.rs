//! The examples under each `--help`, in one table; a command that has its own keeps them.

use clap::{Arg, Command, CommandFactory};

use super::Cli;

/// By command line; each line of the second is one example.
const EXAMPLES: &[(&str, &str)] = &[
    ("", "outpost enable\noutpost check devbox\noutpost run devbox:~/app \"fix the failing test\""),
    ("enable", "outpost enable"),
    ("disable", "outpost disable"),
    ("hosts", "outpost hosts\noutpost hosts --resolve --json"),
    ("hosts enable", "outpost hosts enable devbox build"),
    ("hosts disable", "outpost hosts disable oldbox"),
    (
        "hosts set",
        "outpost hosts set devbox codex=/opt/codex/bin/codex\noutpost hosts set devbox env.HTTPS_PROXY=http://proxy:3128",
    ),
    ("hosts remove", "outpost hosts remove oldbox"),
    ("check", "outpost check devbox\noutpost check devbox build --json"),
    ("projects", "outpost projects\noutpost projects add devbox:~/app\noutpost projects pick"),
    ("projects list", "outpost projects list --json"),
    ("projects add", "outpost projects add devbox:~/app\noutpost projects add devbox:/srv/app --name shop"),
    ("projects remove", "outpost projects remove shop"),
    ("projects rename", "outpost projects rename shop store"),
    ("threads", "outpost threads\noutpost threads devbox shop\noutpost threads --all-hosts --json"),
    ("thread", "outpost thread show devbox:0199\noutpost thread approve devbox:0199\noutpost thread log shop:0199 --follow"),
    ("thread show", "outpost thread show devbox:0199"),
    ("thread log", "outpost thread log devbox:0199\noutpost thread log shop:0199 --follow --notify"),
    ("thread diff", "outpost thread diff devbox:0199 --stat\noutpost thread diff devbox:0199 | git apply"),
    ("thread fork", "outpost thread fork devbox:0199"),
    ("thread rename", "outpost thread rename devbox:0199 \"the login page\""),
    ("thread archive", "outpost thread archive devbox:0199"),
    ("thread unarchive", "outpost thread unarchive devbox:0199"),
    ("thread delete", "outpost thread delete devbox:0199"),
    ("thread steer", "outpost thread steer devbox:0199 \"leave the tests alone\""),
    ("thread queue", "outpost thread queue devbox:0199 \"then update the changelog\""),
    ("thread interrupt", "outpost thread interrupt devbox:0199"),
    ("thread approve", "outpost thread approve devbox:0199\noutpost thread approve devbox:0199 --for-session --all"),
    ("thread decline", "outpost thread decline devbox:0199\noutpost thread decline devbox:0199 --cancel"),
    (
        "thread answer",
        "outpost thread answer devbox:0199\noutpost thread answer devbox:0199 main \"no, keep it\"\noutpost thread answer devbox:0199 colour=blue count=3",
    ),
    ("stop", "outpost stop devbox\noutpost stop devbox --now"),
    ("logs", "outpost logs devbox\noutpost logs devbox -n 20 --follow"),
    ("install", "outpost install devbox"),
    ("man", "outpost man\noutpost man thread log\noutpost man --write ~/.local/share/man/man1"),
    ("demo", "outpost demo\noutpost demo --yes"),
];

/// Our command line, with its examples.
#[must_use]
pub fn command() -> Command {
    let command = with_examples(Cli::command(), "");
    let all: Vec<Arg> = command.get_arguments().filter(|arg| arg.is_global_set()).cloned().collect();
    command.mut_subcommands(|below| without_the_meaningless(below, &all))
}

/// Commands that reach no host and page nothing: there the options of all commands are taken, but not shown.
const ALONE: &[&str] = &["enable", "disable", "completions", "man", "demo"];

/// Commands with answers that are paged.
const PAGED: &[&str] = &["threads", "thread", "logs", "man"];

/// Hides the options of all commands where they have no meaning.
fn without_the_meaningless(command: Command, all: &[Arg]) -> Command {
    let name = command.get_name();
    let hidden = |arg: &&Arg| ALONE.contains(&name) || (arg.get_id() == "no_pager" && !PAGED.contains(&name));
    let hidden: Vec<Arg> = all.iter().filter(hidden).map(|arg| arg.clone().hide(true)).collect();
    command.args(hidden)
}

fn with_examples(command: Command, path: &str) -> Command {
    let command = match EXAMPLES.iter().find(|(of, _)| *of == path) {
        Some((_, lines)) if command.get_after_help().is_none() => {
            command.after_help(format!("Examples:\n  {}", lines.replace('\n', "\n  ")))
        }
        Some(_) | None => command,
    };
    command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        with_examples(below, path.trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(command: &Command, path: &str, found: &mut Vec<String>) {
        if !command.get_after_help().is_some_and(|help| help.to_string().contains("Examples:")) {
            found.push(path.to_owned());
        }
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            without(below, &format!("{path} {}", below.get_name()), found);
        }
    }

    #[test]
    fn every_command_has_examples() {
        let mut found = Vec::new();
        without(&command(), "outpost", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn every_example_is_of_a_command() {
        for (path, lines) in EXAMPLES.iter() {
            let found = path.split_whitespace().try_fold(command(), |at, word| at.find_subcommand(word).cloned());
            assert!(found.is_some(), "{path}");
            assert!(lines.lines().all(|line| line.starts_with("outpost ")), "{path}");
        }
    }
}
