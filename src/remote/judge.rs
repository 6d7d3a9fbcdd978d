//! What it means when a login shell did not run our script.

use crate::failure::{Code, Failure};
use crate::ssh::exec::ExitStatus;
use crate::ssh::quote;

/// One way that was tried and brought no answer.
#[derive(Debug, Clone)]
pub struct Silence {
    /// The command as the login shell got it, in short.
    pub tried: &'static str,
    /// What it printed instead.
    pub printed: String,
    /// What it complained of.
    pub complained: String,
    /// How it ended.
    pub status: ExitStatus,
}

/// How much of the remote's words an error quotes, in characters.
const QUOTED: usize = 600;

/// What to do about a start-up file that replaces the shell.
pub(super) const GUARD: &str = "a start-up file there may replace the shell (exec …, tmux) or end it (exit): put  [ -t 0 ] &&  before that line, so \
                                that it runs on a terminal only";

/// What to do about a host that runs Windows.
pub(super) const WINDOWS: &str =
    "native Windows hosts are not supported: run an sshd inside of a WSL there, and name its port in the ssh configuration";

/// What stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sftp,
    Restricted,
    Windows,
    Expired,
    Replaced,
    /// It ends with 1 and says nothing: `/bin/false`, or a start-up file with an `exit 1`.
    Mute,
    Other,
}

/// Texts by which programs that stand in for a login shell are known, all lower case, and what they mean.
const KNOWN: &[(&str, Kind)] = &[
    ("sftp connections only", Kind::Sftp),
    ("this account is currently not available", Kind::Restricted),
    ("this account is not available", Kind::Restricted),
    ("mysecureshell", Kind::Restricted),
    ("interactive git shell is not enabled", Kind::Restricted),
    ("this account is restricted by rssh", Kind::Restricted),
    ("does not provide shell access", Kind::Restricted),
    ("you must change your password now", Kind::Expired),
    ("password has expired", Kind::Expired),
    ("is not recognized as an internal or external command", Kind::Windows),
    ("is not recognized as the name of a cmdlet", Kind::Windows),
    ("is not recognized as a name of a cmdlet", Kind::Windows),
    // PowerShell's names of what went wrong, in any language.
    ("commandnotfoundexception", Kind::Windows),
    ("parsererror", Kind::Windows),
    ("microsoft windows [", Kind::Windows),
];

/// The failure when no way brought an answer from this account.
#[must_use]
pub fn silent(tried: &[Silence], account: &str) -> Failure {
    let (code, hint) = kind(tried).told();
    let hint = hint.replace("ACCOUNT", &quote::if_needed(account));
    let ways: Vec<&str> = tried.iter().map(|t| t.tried).collect();
    let words = tried.first().map(said).unwrap_or_default();
    Failure::new(code, format!("run a script through the login shell (tried {})", ways.join(", then "))).said(words).hint(hint)
}

fn kind(tried: &[Silence]) -> Kind {
    let all = tried.iter().map(said).collect::<Vec<_>>().join("\n").to_lowercase();
    let known = KNOWN.iter().find(|(text, _)| all.contains(text)).map(|(_, kind)| *kind);
    let quiet = tried.iter().all(|t| t.status == ExitStatus::Code(0) && t.printed.trim().is_empty());
    let mute = tried.iter().all(|t| t.status == ExitStatus::Code(1) && quoted(&said_by(t)).is_empty());
    known.unwrap_or(match (tried.iter().any(is_cmd), quiet, mute) {
        (true, ..) => Kind::Windows,
        (false, true, _) => Kind::Replaced,
        (false, false, true) => Kind::Mute,
        (false, false, false) => Kind::Other,
    })
}

/// Whether cmd.exe answered, in whatever language: it names the command in quotes, and its lines end as lines do there.
fn is_cmd(silence: &Silence) -> bool {
    let names =
        |line: &str| ["exec", "sh"].iter().any(|name| ["'", "\""].iter().any(|q| line.contains(&format!("{q}{name}{q}"))));
    said_by(silence).split_inclusive('\n').any(|line| line.ends_with("\r\n") && names(line))
}

/// Its words as they came.
fn said_by(silence: &Silence) -> String {
    format!("{}\n{}", silence.complained, silence.printed)
}

impl Kind {
    /// Its code and what to do.
    fn told(self) -> (Code, &'static str) {
        match self {
            Self::Sftp => (Code::SftpOnly, "ask the administrator for an account that may run commands"),
            Self::Restricted => {
                (Code::ShellRestricted, "an administrator can give the account a shell there: sudo chsh -s /bin/sh ACCOUNT")
            }
            Self::Windows => (Code::WindowsHost, WINDOWS),
            Self::Expired => (Code::PasswordExpired, "log in once with  ssh HOST  in a terminal: it asks for the new password"),
            Self::Replaced => (Code::ShellReplaced, GUARD),
            Self::Mute => (
                Code::ShellRestricted,
                "the account may have no shell there (/bin/false): an administrator can give it one: sudo chsh -s /bin/sh ACCOUNT\n\
                 or a start-up file there ends it (exit 1)",
            ),
            Self::Other => (Code::ShellSilent, "see what it does instead: ssh HOST 'exec /bin/sh -c \"echo works\"'"),
        }
    }
}

/// All of it, for people.
pub(super) fn said(silence: &Silence) -> String {
    let mut parts: Vec<String> =
        [&silence.complained, &silence.printed].iter().map(|t| quoted(t)).filter(|t| !t.is_empty()).collect();
    parts.push(match &silence.status {
        ExitStatus::Code(code) => format!("(exit code {code})"),
        ExitStatus::Signal(signal) => format!("(ended by signal {signal})"),
        ExitStatus::Unknown => "(it did not say how it ended)".to_owned(),
    });
    parts.join(" ")
}

/// The words of a remote as an error quotes them, without what shells say for want of a terminal.
pub(super) fn quoted(words: &str) -> String {
    let kept: Vec<&str> = words.lines().filter(|l| !l.trim().is_empty() && !is_usual(l)).collect();
    let text = kept.join("\n");
    let cut = text.chars().count().saturating_sub(QUOTED);
    if cut == 0 { text } else { format!("…{}", text.chars().skip(cut).collect::<String>()) }
}

/// What interactive shells say when there is no terminal: no news.
fn is_usual(line: &str) -> bool {
    const USUAL: &[&str] = &[
        "cannot set terminal process group",
        "no job control in this shell",
        "can't access tty; job control turned off",
        "can't find tty fd",
        "won't have full job control",
        "disabling job control",
        "cannot open file `/dev/tty'",
        "TERM environment variable not set",
    ];
    USUAL.iter().any(|usual| line.contains(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(printed: &str, complained: &str, status: u32) -> Silence {
        Silence { tried: "sh", printed: printed.into(), complained: complained.into(), status: ExitStatus::Code(status) }
    }

    #[test]
    fn stand_ins_for_a_shell_are_known() {
        let table = [
            (silence("This service allows sftp connections only.\n", "", 1), Code::SftpOnly),
            (silence("This account is currently not available.\n", "", 1), Code::ShellRestricted),
            (silence("", "'exec' is not recognized as an internal or external command,\r\n", 1), Code::WindowsHost),
            (silence("", "'exec' \u{fffd}\u{fffd} command \u{fffd}\r\n", 1), Code::WindowsHost),
            (silence("", "Der Befehl \"exec\" ist entweder falsch geschrieben oder\r\nkonnte nicht", 1), Code::WindowsHost),
            (silence("", "exec : Die Benennung\r\n+ FullyQualifiedErrorId : CommandNotFoundException\r\n", 1), Code::WindowsHost),
            (silence("Microsoft Windows [Version 10.0.19045]\r\n", "", 1), Code::WindowsHost),
            // Programs of people that take a command for one of theirs.
            (silence("", "Error: unknown command 'exec'\n", 1), Code::ShellSilent),
            (silence("", "docker: unable to find user 'sh': no matching entries in passwd file\n", 125), Code::ShellSilent),
            (silence("usage: gate 'sh' | \"exec\"\n", "", 2), Code::ShellSilent),
            (silence("", "", 1), Code::ShellRestricted),
            (silence("", "exec : The term 'exec' is not recognized as the name of a cmdlet\r\n", 1), Code::WindowsHost),
            (silence("", "WARNING: Your password has expired.\nYou must change your password now", 1), Code::PasswordExpired),
            (silence("", "", 0), Code::ShellReplaced),
            (silence("MySecureShell usage", "", 0), Code::ShellRestricted),
            (silence("usage: gate [-x]", "", 0), Code::ShellSilent),
            (silence("", "rc: line 3: 'exec' command not found", 127), Code::ShellSilent),
        ];
        for (silence, code) in table {
            assert_eq!(super::silent(std::slice::from_ref(&silence), "me").code, code, "{silence:?}");
        }
    }

    #[test]
    fn the_account_is_named() {
        let failure = super::silent(&[silence("This account is not available", "", 1)], "jo");
        assert!(failure.hint.ends_with("sudo chsh -s /bin/sh jo"), "{failure:?}");
    }

    #[test]
    fn field_27_job_control_noise_is_not_quoted() {
        let words =
            "bash: cannot set terminal process group (1): Inappropriate ioctl\nbash: no job control in this shell\nreal trouble";
        assert_eq!(quoted(words), "real trouble");
    }

    #[test]
    fn long_words_keep_their_end() {
        let text = quoted(&format!("{}end", "x".repeat(5000)));
        assert!(text.starts_with('…') && text.ends_with("end") && text.chars().count() == QUOTED + 1);
    }
}
