//! What it means when a remote did not answer, or answered that it is not ready.

use super::facts::{Candidate, Facts, Fields};
use crate::failure::{Code, Failure};
use crate::ssh::exec::ExitStatus;

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

/// Texts by which programs that stand in for a login shell are known, all lower case, and what they mean.
const KNOWN: &[(&str, Code)] = &[
    ("sftp connections only", Code::SftpOnly),
    ("this account is currently not available", Code::ShellRestricted),
    ("this account is not available", Code::ShellRestricted),
    ("is not recognized as an internal or external command", Code::WindowsHost),
    ("is not recognized as the name of a cmdlet", Code::WindowsHost),
    ("is not recognized as a name of a cmdlet", Code::WindowsHost),
    ("parsererror", Code::WindowsHost),
    ("microsoft windows", Code::WindowsHost),
];

/// The failure when no way brought an answer.
#[must_use]
pub fn silent(tried: &[Silence]) -> Failure {
    let words: Vec<String> = tried.iter().map(said).collect();
    let all = words.join("\n").to_lowercase();
    let known = KNOWN.iter().find(|(text, _)| all.contains(text)).map(|(_, code)| *code);
    let windows = all.contains("'exec'") || all.contains("'sh'");
    let code = match known {
        Some(code) => code,
        None if windows && all.contains("command") && !all.contains("not found") => Code::WindowsHost,
        None if tried.iter().all(|t| t.status == ExitStatus::Code(0) && t.printed.trim().is_empty()) => Code::ShellReplaced,
        None => Code::ShellSilent,
    };
    let ways: Vec<&str> = tried.iter().map(|t| t.tried).collect();
    let words = words.first().cloned().unwrap_or_default();
    Failure::new(code, format!("run a script through the login shell (tried {})", ways.join(", then "))).said(words).hint(hint(code))
}

fn said(silence: &Silence) -> String {
    let mut parts: Vec<String> = [&silence.complained, &silence.printed].iter().map(|t| quoted(t)).filter(|t| !t.is_empty()).collect();
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

fn hint(code: Code) -> &'static str {
    match code {
        Code::SftpOnly => "ask the administrator for an account that may run commands",
        Code::ShellRestricted => "set a shell for the account there (chsh), or name a way to one: outpost hosts set HOST run_through=…",
        Code::WindowsHost => "native Windows hosts are not supported; use WSL's own sshd there",
        Code::ShellReplaced => {
            "a start-up file there replaces the shell (exec …, tmux): guard that line with  [ -t 0 ] &&  so that it runs on a terminal only"
        }
        _ => "try  ssh HOST 'exec /bin/sh -c \"echo works\"'  and mend what it prints",
    }
}

/// The failure that a script's answer names.
#[must_use]
pub fn refused(fields: &Fields, error: &str) -> Failure {
    let words = fields.get("words").unwrap_or_default();
    let facts = fields.facts();
    let Some(code) = Code::ALL.iter().copied().find(|c| c.as_str() == error) else {
        return Failure::new(Code::FactsBroken, "read the answer of the script").said(error);
    };
    let failure = Failure::new(code, tried(code, &facts, fields)).hint(remedy(code, &facts));
    if code == Code::CodexMissing { failure.said(missing(&facts, words)) } else { failure.said(quoted(words)) }
}

fn tried(code: Code, facts: &Facts, fields: &Fields) -> String {
    let codex = facts.codex.as_ref().map_or("codex", |c| c.path.as_str());
    match code {
        Code::FolderMissing | Code::FolderNotDirectory | Code::FolderUnreadable => {
            format!("look at the folder {}", fields.get("asked_folder").unwrap_or_default())
        }
        Code::CodexMissing => "find codex".to_owned(),
        Code::CodexBroken | Code::CodexNoNode => format!("run {codex}"),
        Code::CodexHomeMissing => "look at CODEX_HOME".to_owned(),
        Code::SocketForeign => "join the app-server".to_owned(),
        _ => format!("start {codex} app-server"),
    }
}

fn missing(facts: &Facts, asked: &str) -> String {
    let wanted = facts.codex.as_ref().map(|_| format!("there is no file {asked}"));
    wanted.unwrap_or_else(|| format!("none on the PATH of the login shell {}: {}", facts.shell, facts.path))
}

fn remedy(code: Code, facts: &Facts) -> String {
    match code {
        Code::CodexMissing => match facts.candidates.as_slice() {
            [] => "install it there: npm install -g @openai/codex  or  outpost install HOST".to_owned(),
            found => offer(found),
        },
        Code::CodexNoNode => "put node on the PATH of the login shell there, or install codex as a native program".to_owned(),
        Code::CodexBroken => "run  codex --version  there and mend what it says".to_owned(),
        Code::CodexHomeMissing => "make that folder there, or unset CODEX_HOME".to_owned(),
        Code::FolderMissing => "check the spelling; make the folder there first".to_owned(),
        Code::FolderNotDirectory => "name the folder that the file is in".to_owned(),
        Code::FolderUnreadable if facts.os == "Darwin" => {
            "on that Mac: System Settings > Privacy & Security > Full Disk Access, switch on sshd-keygen-wrapper".to_owned()
        }
        Code::FolderUnreadable => "give the account the right to read it".to_owned(),
        Code::SocketForeign => format!("somebody else made that folder: ask them or the administrator to remove it (you are user id {})", facts.uid),
        Code::ServerDied if facts.is_on_network() => format!(
            "CODEX_HOME is on {}: set a local place for its databases: outpost hosts set HOST env.CODEX_SQLITE_HOME=/var/tmp/{}-codex",
            facts.home_fs, facts.user
        ),
        _ => "the words above are its own; outpost logs HOST shows more".to_owned(),
    }
}

fn offer(found: &[Candidate]) -> String {
    let first = found.first().map(|c| c.path.as_str()).unwrap_or_default();
    let places: Vec<&str> = found.iter().map(|c| c.path.as_str()).collect();
    format!("found elsewhere: {}; use it: outpost hosts set HOST codex={first}", places.join(", "))
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
            (silence("", "exec : The term 'exec' is not recognized as the name of a cmdlet\r\n", 1), Code::WindowsHost),
            (silence("", "", 0), Code::ShellReplaced),
            (silence("MySecureShell usage", "", 0), Code::ShellSilent),
            (silence("", "rc: line 3: 'exec' command not found", 127), Code::ShellSilent),
        ];
        for (silence, code) in table {
            assert_eq!(super::silent(std::slice::from_ref(&silence)).code, code, "{silence:?}");
        }
    }

    #[test]
    fn field_27_job_control_noise_is_not_quoted() {
        let words = "bash: cannot set terminal process group (1): Inappropriate ioctl\nbash: no job control in this shell\nreal trouble";
        assert_eq!(quoted(words), "real trouble");
    }

    #[test]
    fn long_words_keep_their_end() {
        let text = quoted(&format!("{}end", "x".repeat(5000)));
        assert!(text.starts_with('…') && text.ends_with("end") && text.chars().count() == QUOTED + 1);
    }
}
