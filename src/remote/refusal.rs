//! What it means when our script says that the remote is not ready.

use super::facts::{Candidate, Facts, Fields};
use super::judge::quoted;
use crate::failure::{Code, Failure};
use crate::ssh::quote;

/// The words by which the script says why it stopped. A closed list: a remote cannot make any other failure of ours arise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    CodexMissing,
    CodexNoNode,
    CodexBroken,
    CodexHomeMissing,
    FolderMissing,
    FolderNotDirectory,
    FolderUnreadable,
    SocketForeign,
    ServerDied,
    ServerSilent,
    ShellReadsInput,
    LogMissing,
    CodexTooOld,
    SocketPathLong,
    NetworkHome,
    InstallFailed,
    InstallRunning,
    SocketRefused,
    ServerElsewhere,
    FolderGuarded,
}

/// What to do about a start-up file that reads standard input.
pub(super) const READS_INPUT: &str =
    "put  [ -t 0 ] &&  before the line that reads (cat, read, xargs …), so that it reads from a terminal only";

/// The places beyond the PATH that `codex.sh` looks at, for people.
const ELSEWHERE: &str = "; nor in ~/.local/bin, ~/bin, /usr/local/bin, /usr/bin, nor where npm, nvm, fnm, volta, asdf, mise, bun, pnpm, \
     yarn, Homebrew, Nix or snap put it";

impl Refusal {
    const ALL: [Self; 20] = [
        Self::CodexMissing,
        Self::CodexNoNode,
        Self::CodexBroken,
        Self::CodexHomeMissing,
        Self::FolderMissing,
        Self::FolderNotDirectory,
        Self::FolderUnreadable,
        Self::SocketForeign,
        Self::ServerDied,
        Self::ServerSilent,
        Self::ShellReadsInput,
        Self::LogMissing,
        Self::CodexTooOld,
        Self::SocketPathLong,
        Self::NetworkHome,
        Self::InstallFailed,
        Self::InstallRunning,
        Self::SocketRefused,
        Self::ServerElsewhere,
        Self::FolderGuarded,
    ];

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.code().as_str() == word)
    }

    /// Why a server died, where its words tell.
    fn told_by(self, words: &str, facts: &Facts) -> Self {
        const TOLD: &[(Refusal, &[&str])] = &[
            (Refusal::CodexTooOld, &["unrecognized subcommand", "unexpected argument 'app-server'"]),
            (Refusal::SocketPathLong, &["SUN_LEN", "File name too long"]),
            // Somebody holds it, and nobody on this host listens there.
            (Refusal::ServerElsewhere, &["socket is already in use"]),
            (Refusal::SocketRefused, &["socket directory", "socket parent", "app-server-control", "codex-daemon"]),
            (Refusal::CodexNoNode, &["env: node", "env: 'node'", "env: ‘node’"]),
            (Refusal::NetworkHome, &["database", "sqlite", "SQLite", "locking protocol", "disk I/O"]),
        ];
        let fits = |refusal: Self| refusal != Self::NetworkHome || facts.is_on_network();
        let told = TOLD.iter().find(|(refusal, any)| fits(*refusal) && any.iter().any(|w| words.contains(w)));
        if self == Self::FolderUnreadable && facts.os == "Darwin" && words.contains("not permitted") {
            return Self::FolderGuarded;
        }
        if self == Self::ServerDied { told.map_or(self, |(refusal, _)| *refusal) } else { self }
    }

    fn code(self) -> Code {
        match self {
            Self::CodexMissing => Code::CodexMissing,
            Self::CodexNoNode => Code::CodexNoNode,
            Self::CodexBroken => Code::CodexBroken,
            Self::CodexHomeMissing => Code::CodexHomeMissing,
            Self::FolderMissing => Code::FolderMissing,
            Self::FolderNotDirectory => Code::FolderNotDirectory,
            Self::FolderUnreadable => Code::FolderUnreadable,
            Self::SocketForeign => Code::SocketForeign,
            Self::ServerDied => Code::ServerDied,
            Self::ServerSilent => Code::ServerSilent,
            Self::ShellReadsInput => Code::ShellReadsInput,
            Self::LogMissing => Code::LogMissing,
            Self::CodexTooOld => Code::CodexTooOld,
            Self::SocketPathLong => Code::SocketPathLong,
            Self::NetworkHome => Code::NetworkHome,
            Self::InstallFailed => Code::InstallFailed,
            Self::InstallRunning => Code::InstallRunning,
            Self::SocketRefused => Code::SocketRefused,
            Self::ServerElsewhere => Code::ServerElsewhere,
            Self::FolderGuarded => Code::FolderGuarded,
        }
    }

    fn tried(self, facts: &Facts, fields: &Fields) -> String {
        let codex = facts.codex.as_ref().map_or("codex", |c| c.path.as_str());
        match self {
            Self::FolderMissing | Self::FolderNotDirectory | Self::FolderUnreadable | Self::FolderGuarded => {
                format!("look at the folder {}", fields.get("asked_folder").unwrap_or_default())
            }
            Self::CodexMissing => "find codex".to_owned(),
            Self::CodexBroken | Self::CodexNoNode => format!("run {codex}"),
            Self::CodexHomeMissing => format!("look at CODEX_HOME, which is set to {}", facts.codex_home),
            Self::SocketForeign | Self::ServerElsewhere => "join the app-server".to_owned(),
            Self::InstallFailed | Self::InstallRunning => "install codex".to_owned(),
            Self::LogMissing => "read the log of the app-server".to_owned(),
            Self::ShellReadsInput => "run an app-server inside the session".to_owned(),
            Self::ServerDied
            | Self::ServerSilent
            | Self::CodexTooOld
            | Self::SocketPathLong
            | Self::NetworkHome
            | Self::SocketRefused => {
                format!("start {codex} app-server")
            }
        }
    }

    fn said(self, facts: &Facts, words: &str) -> String {
        match self {
            Self::CodexMissing if facts.codex.is_some() => format!("there is no file {words}"),
            Self::CodexMissing => {
                let nowhere = if facts.candidates.is_empty() { ELSEWHERE } else { "" };
                format!("none on the PATH of the login shell {}: {}{nowhere}", facts.shell, facts.path)
            }
            Self::FolderMissing => "it does not exist".to_owned(),
            Self::FolderNotDirectory => "it is not a folder".to_owned(),
            Self::CodexHomeMissing => "that folder does not exist".to_owned(),
            Self::LogMissing => format!("there is no {words}: Outpost has started no server there"),
            Self::ShellReadsInput => "a start-up file of the login shell reads all of standard input".to_owned(),
            Self::CodexNoNode => {
                format!("it begins with {words} and there is no node on the PATH of the login shell: {}", facts.path)
            }
            Self::CodexTooOld => {
                let version = facts.codex.as_ref().and_then(|codex| codex.version.as_deref()).unwrap_or("this codex");
                quoted(&format!("{version} has no app-server that can be used\n{words}"))
            }
            Self::ServerElsewhere if Self::is_name(words) => {
                format!("it runs on {words}, which shares {} with this host ({})", facts.codex_home, facts.hostname)
            }
            Self::InstallRunning => format!("another installation is at work there ({})", quoted(words)),
            Self::FolderUnreadable
            | Self::FolderGuarded
            | Self::CodexBroken
            | Self::SocketRefused
            | Self::ServerElsewhere
            | Self::SocketForeign
            | Self::SocketPathLong
            | Self::NetworkHome
            | Self::InstallFailed
            | Self::ServerDied
            | Self::ServerSilent => quoted(words),
        }
    }

    /// Whether the words are the name of a host, not those of a server.
    fn is_name(words: &str) -> bool {
        !words.is_empty() && !words.contains(char::is_whitespace)
    }

    fn hint(self, facts: &Facts, words: &str) -> String {
        match self {
            Self::CodexMissing => elsewhere(facts),
            Self::CodexNoNode => "put node on the PATH of the login shell there, or install codex as a native program".to_owned(),
            Self::CodexBroken => "run  codex --version  there and mend what it says".to_owned(),
            Self::CodexHomeMissing => "make that folder there, or unset CODEX_HOME".to_owned(),
            Self::FolderMissing => "check the spelling, or make the folder there first".to_owned(),
            Self::FolderNotDirectory => "name the folder that the file is in".to_owned(),
            Self::FolderGuarded => {
                "on that Mac: System Settings > Privacy & Security > Full Disk Access, switch on sshd-keygen-wrapper".to_owned()
            }
            Self::InstallFailed => "upload the codex of this machine instead: outpost install HOST --from local".to_owned(),
            Self::InstallRunning => {
                let lock = quote::if_needed(&format!("{}/outpost/installing", facts.codex_home));
                format!(
                    "wait until it has ended, then look at the host: outpost check HOST\nor, if the host it ran on is gone: rm {lock}"
                )
            }
            Self::LogMissing => "a server that somebody else started writes its log where they said".to_owned(),
            Self::ShellReadsInput => READS_INPUT.to_owned(),
            Self::FolderUnreadable => "give the account the right to read it".to_owned(),
            Self::SocketForeign => {
                format!("have it removed by its owner or the administrator (your user id there is {})", facts.uid)
            }
            Self::SocketRefused => {
                format!("remove what is wrong there, codex makes it anew: rm -r {}/app-server-control", facts.codex_home)
            }
            Self::ServerElsewhere => there(facts, words),
            Self::NetworkHome => format!(
                "CODEX_HOME is on {}: put its databases on a local disk: outpost hosts set HOST env.CODEX_SQLITE_HOME=/var/tmp/{}-codex",
                facts.home_fs, facts.user
            ),
            Self::CodexTooOld => "update it there: outpost install HOST  or  npm install -g @openai/codex".to_owned(),
            Self::SocketPathLong => "set a shorter CODEX_HOME: outpost hosts set HOST codex_home=~/.cx".to_owned(),
            Self::ServerDied | Self::ServerSilent => "outpost logs HOST  shows more of its words".to_owned(),
        }
    }
}

/// The failure that the script's answer names.
#[must_use]
pub fn refused(fields: &Fields, word: &str) -> Failure {
    let Some(refusal) = Refusal::from_word(word) else {
        return Failure::new(Code::FactsBroken, "read the answer of the script").said(word);
    };
    let facts = fields.facts();
    let words = fields.get("words").unwrap_or_default();
    let refusal = refusal.told_by(words, &facts);
    Failure::new(refusal.code(), refusal.tried(&facts, fields))
        .said(refusal.said(&facts, words))
        .hint(refusal.hint(&facts, words))
}

/// What an app-server that ended before it said anything died of; none when its words do not tell.
#[must_use]
pub fn ended(facts: &Facts, words: &str) -> Option<Failure> {
    let refusal = Refusal::ServerDied.told_by(words, facts);
    let told = refusal != Refusal::ServerDied;
    told.then(|| {
        let failure = Failure::new(refusal.code(), refusal.tried(facts, &Fields::default()));
        failure.said(refusal.said(facts, words)).hint(refusal.hint(facts, words))
    })
}

/// The ways to a server on another host.
fn there(facts: &Facts, name: &str) -> String {
    let own = format!(
        "or give this host a CODEX_HOME of its own: outpost hosts set HOST codex_home={}-{}",
        facts.codex_home, facts.hostname
    );
    if !Refusal::is_name(name) {
        return format!("stop the app-server on the host that shares this CODEX_HOME,\n{own}");
    }
    let record = quote::if_needed(&format!("{}/outpost/server@{name}", facts.codex_home));
    format!(
        "go through that host: outpost hosts set HOST run_through='ssh -T {name}'\nor stop the server there, if {name} is an alias of yours: \
         outpost stop {name}\nor, if {name} is gone, forget it, on this host: rm {record}\n{own}"
    )
}

fn elsewhere(facts: &Facts) -> String {
    let Some(first) = facts.candidates.first() else {
        return "install it there: npm install -g @openai/codex  or  outpost install HOST".to_owned();
    };
    let name = |c: &Candidate| c.version.as_ref().map_or(c.path.clone(), |version| format!("{} ({version})", c.path));
    let all: Vec<String> = facts.candidates.iter().map(name).collect();
    let set = format!("outpost hosts set HOST codex={}", quote::if_needed(&first.path));
    // A codex that the settings name, and that is not there, is not looked for on the PATH.
    let line = if facts.codex.is_none() { onto_path(&facts.shell, &first.path) } else { None };
    let line = line.map(|line| format!("put it on the PATH, on that host: {line}\nor ")).unwrap_or_default();
    format!("found elsewhere: {}\n{line}use it from here: {set}", all.join(", "))
}

/// The command that puts the folder of a codex on the PATH of a login shell; none when it goes by another name.
fn onto_path(shell: &str, codex: &str) -> Option<String> {
    let folder = codex.strip_suffix("/codex").filter(|folder| folder.starts_with('/'))?;
    let shell = shell.rsplit('/').next().unwrap_or_default();
    let append = |line: String, file: &str| format!("echo {} >> {file}", quote::posix(&line));
    let posix = |file| append(format!("export PATH=\"{}:$PATH\"", in_double_quotes(folder)), file);
    Some(match shell {
        "fish" => format!("fish_add_path {}", quote::if_needed(folder)),
        "csh" | "tcsh" => append(format!("setenv PATH {}:$PATH", quote::if_needed(folder)), "~/.login"),
        "zsh" => posix("~/.zprofile"),
        "bash" => posix("~/.profile") + "  (or ~/.bash_profile, where there is one)",
        _ => posix("~/.profile"),
    })
}

fn in_double_quotes(text: &str) -> String {
    text.chars().flat_map(|c| "\\\"$`".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(shell: &str, fields: &[(&str, &str)]) -> String {
        let mut all = Fields::default();
        for (key, value) in [("shell", shell)].iter().chain(fields) {
            all.add((*key).to_owned(), value.as_bytes());
        }
        refused(&all, "codex-missing").hint
    }

    #[test]
    fn a_codex_elsewhere_is_put_on_the_path_in_the_words_of_the_shell() {
        for (shell, path, line) in [
            (
                "/bin/bash",
                "/opt/x/codex",
                r#"echo 'export PATH="/opt/x:$PATH"' >> ~/.profile  (or ~/.bash_profile, where there is one)"#,
            ),
            ("/usr/bin/zsh", "/opt/x/codex", r#"echo 'export PATH="/opt/x:$PATH"' >> ~/.zprofile"#),
            ("/bin/dash", "/opt/x'$y/codex", r#"echo 'export PATH="/opt/x'\''\$y:$PATH"' >> ~/.profile"#),
            ("/usr/bin/fish", "/opt/a b/codex", "fish_add_path '/opt/a b'"),
            ("/bin/tcsh", "/opt/x/codex", "echo 'setenv PATH /opt/x:$PATH' >> ~/.login"),
        ] {
            let hint = missing(shell, &[("candidate", path), ("candidate", "/b/codex")]);
            let set = quote::if_needed(path);
            assert_eq!(
                hint,
                format!(
                    "found elsewhere: {path}, /b/codex\nput it on the PATH, on that host: {line}\n\
                     or use it from here: outpost hosts set HOST codex={set}"
                )
            );
        }
        assert_eq!(
            missing("/bin/bash", &[("codex", "/gone"), ("candidate", "/b/codex")]),
            "found elsewhere: /b/codex\nuse it from here: outpost hosts set HOST codex=/b/codex"
        );
        assert!(missing("/bin/bash", &[]).ends_with("npm install -g @openai/codex  or  outpost install HOST"));
    }

    #[test]
    fn only_the_words_of_the_list_count() {
        for refusal in Refusal::ALL {
            assert_eq!(refused(&Fields::default(), refusal.code().as_str()).code, refusal.code());
        }
        assert_eq!(refused(&Fields::default(), "host-key-changed").code, Code::FactsBroken);
    }
}
