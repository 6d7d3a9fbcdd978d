//! The text that a host is brought up with: one line for the login shell, one line for `/bin/sh`.

use std::fmt::Write as _;

use base64::Engine as _;

use super::job::Job;
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::ssh::quote;

const LOGIN: &str = include_str!("login.sh");

/// Blank lines that go first, for start-up files that read lines of standard input.
const BLANK_LINES: usize = 16;

/// How the login shell is asked to run our script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `exec /bin/sh -c '…'`, the script on standard input.
    Exec,
    /// `sh -c '…'`: a restricted shell refuses `exec` and paths.
    Plain,
    /// The script in the command itself and standard input closed, for start-up files that read all of it. Nothing secret goes this way.
    Deaf,
    /// A command of the person's (`sudo -iu dev`) with `sh` behind it; everything comes on standard input.
    Through,
}

impl Way {
    /// For the error message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exec => "exec /bin/sh",
            Self::Plain => "sh",
            Self::Deaf => "sh with its input closed",
            Self::Through => "the run_through command with sh",
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

/// All texts of one run.
pub struct Texts<'a> {
    /// The way it takes.
    pub way: Way,
    /// Its random words.
    pub words: &'a Words,
    /// The host's settings.
    pub settings: &'a HostSettings,
    /// What it is for.
    pub job: &'a Job,
}

impl Texts<'_> {
    /// The command for the login shell: the one text that it parses.
    ///
    /// # Errors
    /// When the run-through words of the settings cannot be written for every shell.
    pub fn command(&self) -> Result<String, Failure> {
        Ok(match self.way {
            Way::Exec => self.wait(),
            Way::Plain => format!("sh -c '{}'", self.waiting()),
            Way::Deaf => {
                let script = base64::engine::general_purpose::STANDARD.encode(self.script());
                format!("sh -c 'eval \"$(echo {script} | base64 -d)\"'")
            }
            Way::Through => format!("{} sh", through(&self.settings.run_through)?),
        })
    }

    /// What is sent on standard input first: blank lines for start-up files that read, and the command again for a shell that
    /// replaced the login shell and reads commands from there. `/bin/sh`, once it waits, passes over both.
    #[must_use]
    pub fn opening(&self) -> Vec<u8> {
        let [first, second] = &self.words.marker;
        let wait = match self.way {
            Way::Deaf => return Vec::new(),
            // A shell that reads its commands in blocks must not get more before the mark says that `/bin/sh` has taken over.
            Way::Through => {
                let mark = format!(r#"_m="{first}"; _m="${{_m}}{second}"; printf %s "$_m+at=outer$_m;"; "#);
                format!("exec /bin/sh -c '{mark}{}'", self.waiting())
            }
            Way::Exec | Way::Plain => self.wait(),
        };
        let blank = "\n".repeat(BLANK_LINES);
        format!("{blank}{wait}\n{blank}").into_bytes()
    }

    /// What is sent then: the script as one line that any other shell would take for a comment, and again, for the
    /// start-up files of a csh, blank lines, a command and the line that ends them.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        if self.way == Way::Deaf {
            return Vec::new();
        }
        let blank = "\n".repeat(BLANK_LINES);
        let again = r#"exec /bin/sh -c 'eval "$OUTPOST_STAGE"'"#;
        format!("#{}:{}\n{blank}{again}\n#{}\n", self.words.line, self.script(), self.words.go).into_bytes()
    }

    fn wait(&self) -> String {
        format!("exec /bin/sh -c '{}'", self.waiting())
    }

    /// Reads lines until ours comes; what follows it on standard input stays there.
    fn waiting(&self) -> String {
        let line = &self.words.line;
        format!(r##"while IFS= read -r _s; do case $_s in "#{line}:"*) eval "${{_s#?{line}:}}"; exit;; esac; done"##)
    }

    fn script(&self) -> String {
        let [first, second] = &self.words.marker;
        let marker = format!("_m={}; _m=$_m{}; ", quote::posix(first), quote::posix(second));
        let pieces: Vec<String> = self.job.pieces().iter().map(|piece| one_line(piece)).collect();
        let stage_two = format!("{}{marker}{}{}", self.environment(), self.given(), pieces.concat());
        format!("{marker}OUTPOST_STAGE={}; {}", quote::posix(&stage_two), one_line(LOGIN))
    }

    /// The variables of the settings; ours come behind them and have other names. A command line can be read by everybody on the
    /// host, so they go by standard input or not at all.
    fn environment(&self) -> String {
        let newline = format!("{}=$(printf '\\n.'); {0}=${{{0}%.}}; ", quote::NEWLINE);
        let set = |(name, value): (&String, &String)| format!("export {name}={}; ", quote::on_one_line(value));
        newline + &self.settings.env.iter().filter(|_| self.way != Way::Deaf).map(set).collect::<String>()
    }

    /// Our own variables, which all begin with `_`: those of the person have names like ours.
    fn given(&self) -> String {
        let deaf = match self.way {
            Way::Deaf if self.settings.env.is_empty() => "yes",
            Way::Deaf => "bare",
            Way::Exec | Way::Plain | Way::Through => "",
        };
        let mut variables = vec![
            ("go", self.words.go.clone()),
            ("home", self.settings.codex_home.clone().unwrap_or_default()),
            ("deaf", deaf.to_owned()),
        ];
        variables.extend(self.job.variables(self.settings));
        variables.iter().fold(String::new(), |mut text, (name, value)| {
            // Writing to a String cannot fail.
            let _ = write!(text, "_{name}={}; ", quote::on_one_line(value));
            text
        })
    }
}

/// The words of a run-through command for a login shell.
///
/// # Errors
/// When a word cannot be written for every shell.
pub fn through(words: &[String]) -> Result<String, Failure> {
    let bad = |word: &String| {
        Failure::new(Code::SettingsBroken, format!("write the run_through word {word:?} for a login shell"))
            .hint("use words without quotes, backslashes and control characters")
    };
    // Some shells (nu) take a quoted word at the front for a text, not for a command.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@,".contains(c);
    let quoted = |w: &String| if w.chars().all(plain) && !w.is_empty() { Some(w.clone()) } else { quote::any_shell(w) };
    let words: Result<Vec<String>, Failure> = words.iter().map(|w| quoted(w).ok_or_else(|| bad(w))).collect();
    Ok(words?.join(" "))
}

/// A script as one line: no comments, no indentation, `;` between commands. A line that begins with `#` is a comment; a word may not
/// go over the end of a line.
#[must_use]
pub fn one_line(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut lines = script.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        out.push_str(line);
        let ends_case = lines.peek().is_some_and(|next| next.starts_with(";;"));
        out.push_str(match (goes_on(line), ends_case) {
            (_, true) => "",
            (true, false) => " ",
            (false, false) => ";",
        });
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

/// Every shell that is somebody's /bin/sh.
#[cfg(test)]
pub(super) const POSIX: &[&[&str]] =
    &[&["dash"], &["bash", "--posix"], &["busybox", "sh"], &["mksh"], &["ksh93"], &["yash"], &["zsh", "--emulate", "sh"]];

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::remote::Want;

    fn parses(shell: &[&str], text: &str) -> bool {
        let [program, options @ ..] = shell else { return false };
        let mut command = Command::new(program);
        command.args(options).args(["-n", "-c", text]).stdin(Stdio::null());
        command.status().expect(program).success()
    }

    #[test]
    fn squeezed_scripts_parse_in_every_sh() {
        for shell in POSIX {
            for script in std::iter::once(&LOGIN).chain(crate::remote::job::ALL) {
                assert!(parses(shell, &one_line(script)), "{shell:?}");
                assert!(!one_line(script).contains('\n'));
            }
        }
    }

    #[test]
    fn squeezing_keeps_the_meaning() {
        let script =
            "# says\nif true; then\n  case ab in\n  a*)\n    echo 'one # two'\n    ;;\n  esac\nelse\n  false\nfi\necho end";
        assert_eq!(one_line(script), "if true; then case ab in a*) echo 'one # two';; esac;else false;fi;echo end;");
    }

    fn texts<T>(way: Way, check: impl FnOnce(&Texts<'_>) -> T) -> T {
        let settings = HostSettings { run_through: vec!["sudo".into(), "-iu".into(), "dev".into()], ..HostSettings::default() };
        let job = Job::BringUp(Want::server().in_folder("it's\nodd"));
        check(&Texts { way, words: &Words::random(), settings: &settings, job: &job })
    }

    #[test]
    fn no_variable_of_a_script_has_a_name_that_people_use() {
        let name = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
        let ours = |name: &str| {
            name.starts_with('_') || !name.starts_with(|c: char| c.is_ascii_lowercase()) || name == "npm_config_prefix"
        };
        for script in std::iter::once(&LOGIN).chain(crate::remote::job::ALL) {
            for line in script.lines().filter(|line| !line.starts_with('#')) {
                let read = line.split('$').skip(1).map(|rest| name(rest.trim_start_matches(['{', '#'])));
                let set = line
                    .split([' ', ';', '(', '{'])
                    .filter(|word| word.contains('='))
                    .map(name)
                    .filter(|n| line.contains(&format!("{n}=")));
                let set = set.filter(|name| !["stat", "lstart", "comm"].contains(&name.as_str()));
                let looped = line.strip_prefix("for ").map(name).into_iter();
                for name in read.chain(set).chain(looped) {
                    assert!(ours(&name), "{name} in: {line}");
                }
            }
        }
    }

    #[test]
    fn the_variables_of_the_settings_stand_on_no_command_line() {
        let env = [("TOKEN".to_owned(), "s3cret".to_owned())].into_iter().collect();
        let settings = HostSettings { env, ..HostSettings::default() };
        let job = Job::Stop { now: false };
        for way in [Way::Exec, Way::Plain, Way::Deaf, Way::Through] {
            let texts = Texts { way, words: &Words::random(), settings: &settings, job: &job };
            let command = texts.command().expect("plain words");
            let word = command.split(' ').find(|word| word.len() > 200).unwrap_or_default();
            let hidden = base64::engine::general_purpose::STANDARD.decode(word).unwrap_or_default();
            assert!(!command.contains("s3cret") && !String::from_utf8_lossy(&hidden).contains("s3cret"), "{way:?}");
            assert_eq!(String::from_utf8_lossy(&texts.body()).contains("s3cret"), way != Way::Deaf);
        }
    }

    #[test]
    fn the_login_shell_sees_one_plain_line() {
        for way in [Way::Exec, Way::Plain, Way::Deaf] {
            let text = texts(way, |t| t.command()).expect("plain words");
            let quoted = text.split_once('\'').expect("a quote").1.strip_suffix('\'').expect("its end");
            assert!(quote::any_shell(quoted).is_some(), "{text}");
        }
        assert_eq!(texts(Way::Through, |t| t.command()).expect("plain words"), "sudo -iu dev sh");
    }

    #[test]
    fn the_marker_is_never_sent() {
        for way in [Way::Exec, Way::Through] {
            texts(way, |texts| {
                let sent = [texts.opening(), texts.body()].concat();
                let sent = String::from_utf8(sent).expect("UTF-8");
                assert!(!sent.contains(&texts.words.marker()));
                let lines: Vec<&str> = sent.lines().filter(|l| !l.is_empty()).collect();
                let kinds: String = lines.iter().map(|l| &l[..1]).collect();
                assert_eq!(kinds, "e#e#", "a command, the script, a command, the end of the blank lines");
            });
        }
    }
}
