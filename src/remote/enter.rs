//! The one text for the login shell that opens a shell, or runs a person's command, in a folder.
//!
//! `outpost shell` sends it: no script on standard input, because that is the person's.

use base64::Engine as _;

use super::script::through;
use crate::config::hosts::HostSettings;
use crate::failure::Failure;
use crate::name::Alias;
use crate::ssh::quote;

/// What a person wants there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand<'a> {
    /// A login shell.
    Shell,
    /// One line for the account's shell, as `ssh HOST LINE` has it.
    Line(&'a str),
    /// A program and its arguments, each of which arrives as it is.
    Words(&'a [String]),
}

/// Where.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// The host.
    pub alias: &'a Alias,
    /// Its settings: what it runs through.
    pub settings: &'a HostSettings,
    /// The file with the variables of its settings ([`super::environment()`]), which goes when they are taken from it.
    pub environment: Option<&'a str>,
    /// The folder: absolute, `~/…`, or relative to the remote home; empty for the home itself.
    pub folder: &'a str,
}

/// The first lines, save for the variables: goes to the folder, or says on standard error why not and ends as `ssh` does.
/// Without single quote, backslash and newline, so that it can mostly stand in a word of any shell.
const GO: &str = "case $f in \"~\") f=$HOME;; \"~/\"*) f=$HOME/${f#??};; /*) ;; *) f=$HOME/$f;; esac; \
    no() { printf %s \"error[$1]: $n: enter $f: $2\" >&2; echo >&2; exit 255; }; \
    [ -e \"$f\" ] || no folder-missing \"there is no such folder\"; \
    [ -d \"$f\" ] || no folder-not-a-directory \"it is no folder\"; \
    cd \"$f\" 2>/dev/null || no folder-unreadable \"you may not enter it\"";

/// A login shell of the account; elvish has no -l.
const SHELL: &str = "case ${SHELL##*/} in elvish) exec \"$SHELL\";; *) exec \"${SHELL:-/bin/sh}\" -l;; esac";

/// The text; none when the server's own shell is all that is wanted.
///
/// # Errors
/// When the run-through words of the settings cannot be written for every shell.
pub fn text(place: Where<'_>, errand: Errand<'_>) -> Result<Option<String>, Failure> {
    let settings = place.settings;
    if !settings.run_through.is_empty() {
        return passed_through(&settings.run_through, &script(place, errand)).map(Some);
    }
    let bare = place.folder.is_empty() && place.environment.is_none();
    Ok(match errand {
        Errand::Shell if bare => None,
        Errand::Line(line) if bare => Some(line.to_owned()),
        Errand::Words(words) if bare && words.iter().all(|w| quote::is_plain(w)) => Some(words.join(" ")),
        Errand::Shell | Errand::Line(_) | Errand::Words(_) => {
            Some(format!("exec /bin/sh -c {}", argument(&script(place, errand))))
        }
    })
}

fn script(place: Where<'_>, errand: Errand<'_>) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !place.folder.is_empty() {
        lines.push(format!("n={}; f={}; {GO}", word(place.alias.as_str()), word(place.folder)));
    }
    lines.extend(place.environment.map(word).map(|file| format!(". {file}; rm -f {file}")));
    lines.push(match errand {
        Errand::Shell => SHELL.to_owned(),
        Errand::Line(line) => format!("exec \"${{SHELL:-/bin/sh}}\" -c {}", word(line)),
        Errand::Words(words) => words.iter().map(|w| word(w)).collect::<Vec<_>>().join(" "),
    });
    lines.join("; ")
}

/// A word for `sh`, without a single quote where that is possible.
fn word(text: &str) -> String {
    let special = |c: char| "\"$`\\'!".contains(c) || c.is_control();
    match () {
        () if quote::is_plain(text) => text.to_owned(),
        () if text.contains(special) => quote::posix(text),
        () => format!("\"{text}\""),
    }
}

/// A script as the argument of `sh -c`, readable by any shell.
fn argument(script: &str) -> String {
    quote::any_shell(script).unwrap_or_else(|| {
        let script = base64::engine::general_purpose::STANDARD.encode(script);
        format!("'eval \"$(echo {script} | base64 -d)\"'")
    })
}

/// Behind the person's own command: one that takes a command line as one word (`su -c`, `ssh`) gets one, any other gets `sh` and
/// its arguments.
fn passed_through(words: &[String], script: &str) -> Result<String, Failure> {
    let before = through(words)?;
    let by_ssh = words.first().is_some_and(|w| w.rsplit('/').next() == Some("ssh"));
    if by_ssh || words.last().is_some_and(|w| w == "-c") {
        return Ok(format!("{before} {}", quote::posix(&format!("exec /bin/sh -c {}", argument(script)))));
    }
    Ok(format!("{before} sh -c {}", argument(script)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    fn sent(settings: &HostSettings, folder: &str, errand: Errand<'_>) -> Option<String> {
        let alias: Alias = "devbox".parse().expect("an alias");
        text(Where { alias: &alias, settings, environment: None, folder }, errand).expect("plain words")
    }

    #[test]
    fn what_ssh_would_send_is_sent_as_it_is() {
        let settings = HostSettings::default();
        assert_eq!(sent(&settings, "", Errand::Shell), None);
        assert_eq!(sent(&settings, "", Errand::Line("ls | wc -l")).as_deref(), Some("ls | wc -l"));
        assert_eq!(sent(&settings, "", Errand::Words(&words(&["ls", "-la"]))).as_deref(), Some("ls -la"));
    }

    /// What the text prints when a shell runs it, and its status.
    fn ran(shell: &str, text: &str, home: &std::path::Path) -> (String, Option<i32>) {
        let mut command = Command::new(shell);
        command.args(["-c", text]).env("HOME", home).env("SHELL", "/bin/sh");
        let output = command.output().expect(shell);
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).expect("UTF-8"), output.status.code())
    }

    #[test]
    fn arguments_and_folders_arrive_as_they_are() {
        let home = tempfile::tempdir().expect("a folder");
        let odd = "it's \"odd\" $HOME `x` \\ !y\nnew";
        for folder in ["plain", "two words", odd] {
            std::fs::create_dir(home.path().join(folder)).expect("made");
            for shell in ["bash", "dash", "zsh", "fish", "tcsh", "mksh"] {
                let errand = words(&["printf", "%s|", odd, "a b", ""]);
                let text = sent(&HostSettings::default(), folder, Errand::Words(&errand)).expect("a text");
                assert_eq!(ran(shell, &text, home.path()), (format!("{odd}|a b||"), Some(0)), "{shell} {folder}");
                let line = "basename \"$PWD\" | tr a-z A-Z; exit 3";
                let text = sent(&HostSettings::default(), &format!("~/{folder}"), Errand::Line(line)).expect("a text");
                assert_eq!(ran(shell, &text, home.path()).1, Some(3), "{shell}");
            }
        }
    }

    /// Each is more than a word to one of the shells: a home, a program's path, a job, the folder stack.
    #[test]
    fn words_that_shells_expand_arrive_as_they_are() {
        let home = tempfile::tempdir().expect("a folder");
        let odd = ["~", "~/x", "~root", "=ls", "=1", "%self", "%1", "@x", "a=~", "a:~", "+x", "^x", "ä", "{a,b}", "-x", "a,b"];
        for shell in ["bash", "dash", "zsh", "fish", "tcsh", "mksh", "ksh93"] {
            for word in odd {
                let errand = words(&["echo", "x", word]);
                let text = sent(&HostSettings::default(), "", Errand::Words(&errand)).expect("a text");
                assert_eq!(ran(shell, &text, home.path()), (format!("x {word}\n"), Some(0)), "{shell}: {text}");
            }
            std::fs::create_dir_all(home.path().join("~root")).expect("made");
            let text = sent(&HostSettings::default(), "~root", Errand::Line("basename \"$PWD\"")).expect("a text");
            assert_eq!(ran(shell, &text, home.path()).0, "~root\n", "{shell}: as for run, a folder of the home");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let home = tempfile::tempdir().expect("a folder");
        std::fs::write(home.path().join("file"), "").expect("written");
        for (folder, code) in [("none", "folder-missing"), ("file", "folder-not-a-directory")] {
            let text = sent(&HostSettings::default(), folder, Errand::Line("true")).expect("a text");
            let (said, status) = ran("dash", &text, home.path());
            assert!(said.starts_with(&format!("error[{code}]: devbox: enter {}/{folder}: ", home.path().display())), "{said}");
            assert_eq!(status, Some(255));
        }
    }

    #[test]
    fn the_persons_own_command_is_gone_through() {
        let home = tempfile::tempdir().expect("a folder");
        for through in [&["env", "WHO=me"][..], &["sh", "-c"], &["env", "WHO=me", "bash", "-c"]] {
            let settings = HostSettings { run_through: words(through), ..HostSettings::default() };
            let file = home.path().join("it's env");
            std::fs::write(&file, "export A='it'\\''s'\n").expect("written");
            let alias: Alias = "devbox".parse().expect("an alias");
            let place = Where { alias: &alias, settings: &settings, environment: file.to_str(), folder: "" };
            let text = text(place, Errand::Line("echo \"$A\"; exit 4")).expect("plain words").expect("a text");
            assert_eq!(ran("bash", &text, home.path()), ("it's\n".to_owned(), Some(4)), "{text}");
            assert!(!file.exists());
        }
        let settings = HostSettings { run_through: words(&["ssh", "login03"]), ..HostSettings::default() };
        assert_eq!(
            sent(&settings, "", Errand::Shell).as_deref(),
            Some(format!("ssh login03 {}", quote::posix(&format!("exec /bin/sh -c '{SHELL}'"))).as_str())
        );
    }
}
