//! The text that a host is brought up with: one line for the login shell, one line for `/bin/sh`.

use std::fmt::Write as _;

use super::Want;
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::ssh::quote;

const LOGIN: &str = include_str!("login.sh");
const FACTS: &str = include_str!("facts.sh");
const SERVER: &str = include_str!("server.sh");

/// Blank lines that go first, for start-up files that read lines of standard input.
const BLANK_LINES: usize = 16;

/// How the login shell is asked to run our script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `exec /bin/sh -c '…'`.
    Exec,
    /// `sh -c '…'`: a restricted shell refuses `exec` and paths.
    Plain,
}

impl Way {
    /// In the order they are tried.
    pub const ALL: [Self; 2] = [Self::Exec, Self::Plain];

    /// For the error message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec /bin/sh",
            Self::Plain => "sh",
        }
    }
}

/// Random words of one run: nobody can have printed them before.
#[derive(Debug, Clone)]
pub struct Words {
    marker: [String; 2],
    line: String,
    go: String,
}

impl Words {
    /// New ones.
    #[must_use]
    pub fn random() -> Self {
        let word = || format!("{:016x}", rand::random::<u64>());
        Self { marker: [format!("<outpost-{}", word()), format!("{}>", word())], line: word(), go: word() }
    }

    /// The marker as the remote prints it; in what we send it never stands in one piece, so an echo is not an answer.
    #[must_use]
    pub fn marker(&self) -> String {
        self.marker.concat()
    }
}

/// The command for the login shell: the one text that it parses.
///
/// # Errors
/// When the run-through words of the settings cannot be written for every shell.
pub fn command(way: Way, words: &Words, settings: &HostSettings) -> Result<String, Failure> {
    let line = &words.line;
    let wait = format!(r##"while IFS= read -r s; do case $s in "#{line}:"*) eval "${{s#?{line}:}}"; exit;; esac; done"##);
    if !settings.run_through.is_empty() {
        let bad = |word: &String| {
            Failure::new(Code::SettingsBroken, format!("write the run_through word {word:?} for a login shell"))
                .hint("use words without quotes, backslashes and control characters")
        };
        let words: Result<Vec<String>, Failure> =
            settings.run_through.iter().map(|w| quote::any_shell(w).ok_or_else(|| bad(w))).collect();
        return Ok(words?.join(" "));
    }
    Ok(match way {
        Way::Exec => format!("exec /bin/sh -c '{wait}'"),
        Way::Plain => format!("sh -c '{wait}'"),
    })
}

/// What is sent on standard input: blank lines, the script as one line that any shell would take for a comment, blank lines again
/// for the start-up files of a csh, and the line that ends them.
#[must_use]
pub fn input(words: &Words, settings: &HostSettings, want: &Want) -> Vec<u8> {
    let blank = "\n".repeat(BLANK_LINES);
    let [first, second] = &words.marker;
    let marker = format!("m={}; m=$m{}; ", quote::posix(first), quote::posix(second));
    let stage_two = format!("{marker}{}{} {}", given(words, settings, want), one_line(FACTS), one_line(SERVER));
    let stage_one = format!("{marker}OUTPOST_STAGE={}; {}", quote::posix(&stage_two), one_line(LOGIN));
    format!("{blank}#{}:{stage_one}\n{blank}#{}\n", words.line, words.go).into_bytes()
}

/// The variables that stage two begins with.
fn given(words: &Words, settings: &HostSettings, want: &Want) -> String {
    let mut text = format!("{}=$(printf '\\n.'); {0}=${{{0}%.}}; ", quote::NEWLINE);
    let mut set = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{name}={}; ", quote::on_one_line(value));
    };
    set("go", &words.go);
    set("want", want.server.word());
    set("codex", settings.codex.as_deref().unwrap_or_default());
    set("home", settings.codex_home.as_deref().unwrap_or_default());
    set("folder", want.folder.as_deref().unwrap_or_default());
    set("versions", if want.versions { "yes" } else { "" });
    for (name, value) in &settings.env {
        let _ = write!(text, "export {name}={}; ", quote::on_one_line(value));
    }
    text
}

/// A script as one line: no comments, no indentation, `; ` between commands. A line that begins with `#` is a comment; a word may not
/// go over the end of a line.
#[must_use]
pub fn one_line(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    for line in script.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        out.push_str(line);
        out.push_str(if goes_on(line) { " " } else { "; " });
    }
    out.truncate(out.trim_end().len());
    out
}

/// Whether no `;` may follow the line.
fn goes_on(line: &str) -> bool {
    let last = line.rsplit(' ').next().unwrap_or(line);
    let case_pattern = line.ends_with(')') && line.matches('(').count() < line.matches(')').count();
    matches!(last, "then" | "do" | "else" | "in" | "{" | "&" | "|" | "&&" | "||" | ";;") || case_pattern
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// Every shell that is somebody's /bin/sh.
    const POSIX: &[&[&str]] =
        &[&["dash"], &["bash", "--posix"], &["busybox", "sh"], &["mksh"], &["ksh93"], &["yash"], &["zsh", "--emulate", "sh"]];

    fn parses(shell: &[&str], text: &str) -> bool {
        let [program, options @ ..] = shell else { return false };
        let mut command = Command::new(program);
        command.args(options).args(["-n", "-c", text]).stdin(Stdio::null());
        command.status().expect(program).success()
    }

    #[test]
    fn squeezed_scripts_parse_in_every_sh() {
        for shell in POSIX {
            for script in [LOGIN, FACTS, SERVER] {
                assert!(parses(shell, &one_line(script)), "{shell:?}");
                assert!(!one_line(script).contains('\n'));
            }
        }
    }

    #[test]
    fn squeezing_keeps_the_meaning() {
        let script =
            "# says\nif true; then\n  case ab in\n  a*)\n    echo 'one # two'\n    ;;\n  esac\nelse\n  false\nfi\necho end";
        assert_eq!(one_line(script), "if true; then case ab in a*) echo 'one # two'; ;; esac; else false; fi; echo end;");
    }

    #[test]
    fn the_login_shell_sees_one_plain_line() {
        let words = Words::random();
        for way in Way::ALL {
            let text = command(way, &words, &HostSettings::default()).expect("plain words");
            let quoted = text.split_once('\'').expect("a quote").1.strip_suffix('\'').expect("its end");
            assert!(quote::any_shell(quoted).is_some(), "{text}");
        }
    }

    #[test]
    fn the_marker_is_never_sent() {
        let words = Words::random();
        let sent = String::from_utf8(input(&words, &HostSettings::default(), &Want::server())).expect("UTF-8");
        assert!(!sent.contains(&words.marker()));
        assert_eq!(sent.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).count(), 0);
    }
}
