//! What it means when our script says that the remote is not ready.

use super::facts::{Facts, Fields};
use super::judge::{WINDOWS, quoted};
use super::remedy::{CONFIG, READS_INPUT, elsewhere, guarded, home_made, installed, made_ours, on_host, removed, there};
use crate::failure::{Code, Failure};
use crate::rpc::SILENT;
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
    ShellReplaced,
    CodexConfig,
    WindowsHost,
    HomeNotWritable,
}

/// What the script says of an input that is closed where variables were to come on it.
const OF_ENV: &str = "env";

/// The places beyond the PATH that `codex.sh` looks at, for people.
const ELSEWHERE: &str = "; nor in ~/.local/bin, ~/bin, /usr/local/bin, /usr/bin, nor where npm, nvm, fnm, volta, asdf, mise, bun, pnpm, \
     yarn, Homebrew, Nix or snap put it";

impl Refusal {
    const ALL: [Self; 24] = [
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
        Self::ShellReplaced,
        Self::CodexConfig,
        Self::WindowsHost,
        Self::HomeNotWritable,
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
            (Refusal::CodexConfig, &["TOML parse error", "rror loading config", "failed to load configuration"]),
            (Refusal::CodexNoNode, &["env: node", "env: 'node'", "env: ‘node’"]),
            (Refusal::NetworkHome, &["database", "sqlite", "SQLite", "locking protocol", "disk I/O"]),
        ];
        let fits = |refusal: Self| refusal != Self::NetworkHome || facts.is_on_network();
        let told = TOLD.iter().find(|(refusal, any)| fits(*refusal) && any.iter().any(|w| words.contains(w)));
        if self == Self::FolderUnreadable && facts.os == "Darwin" && words.contains("not permitted") {
            return Self::FolderGuarded;
        }
        if self == Self::CodexMissing && facts.codex.is_none() && facts.login_lost {
            return Self::ShellReplaced;
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
            Self::ShellReplaced => Code::ShellReplaced,
            Self::CodexConfig => Code::CodexConfig,
            Self::WindowsHost => Code::WindowsHost,
            Self::HomeNotWritable => Code::HomeNotWritable,
        }
    }

    fn tried(self, facts: &Facts, fields: &Fields) -> String {
        let codex = facts.codex.as_ref().map_or("codex", |c| c.path.as_str());
        match self {
            Self::FolderMissing | Self::FolderNotDirectory | Self::FolderUnreadable | Self::FolderGuarded => {
                format!("look at the folder {}", fields.get("asked_folder").unwrap_or_default())
            }
            Self::CodexMissing => "find codex".to_owned(),
            Self::ShellReplaced => format!("run a script in the login environment ({} -l)", facts.shell),
            Self::CodexBroken | Self::CodexNoNode => format!("run {codex}"),
            Self::CodexHomeMissing => format!("look at CODEX_HOME, which is set to {}", facts.codex_home),
            Self::SocketForeign | Self::ServerElsewhere => "join the app-server".to_owned(),
            Self::InstallFailed | Self::InstallRunning => "install codex".to_owned(),
            Self::LogMissing => "read the log of the app-server".to_owned(),
            Self::ShellReadsInput if fields.get("words") == Some(OF_ENV) => "set the variables of the host's settings".to_owned(),
            Self::ShellReadsInput => "run an app-server inside the session".to_owned(),
            Self::WindowsHost => "run a script in the account's shell".to_owned(),
            Self::HomeNotWritable => format!("write in CODEX_HOME, which is {}", facts.codex_home),
            Self::ServerDied
            | Self::ServerSilent
            | Self::CodexTooOld
            | Self::SocketPathLong
            | Self::NetworkHome
            | Self::CodexConfig
            | Self::SocketRefused => {
                format!("start {codex} app-server")
            }
        }
    }

    fn said(self, facts: &Facts, words: &str) -> String {
        let nowhere = if facts.candidates.is_empty() { ELSEWHERE } else { "" };
        match self {
            Self::CodexMissing if facts.codex.is_some() => format!("there is no file {words}"),
            Self::CodexMissing => format!("none on the PATH of the login shell {}: {}{nowhere}", facts.shell, facts.path),
            Self::ShellReplaced => {
                format!(
                    "its start-up files ended before it; and there is no codex on the PATH that sshd gives: {}{nowhere}",
                    facts.path
                )
            }
            Self::FolderMissing => "it does not exist".to_owned(),
            Self::FolderNotDirectory => "it is not a folder".to_owned(),
            Self::CodexHomeMissing if words == "file" => "that is a file and no folder".to_owned(),
            Self::CodexHomeMissing => "that folder does not exist".to_owned(),
            Self::LogMissing => format!("there is no {words}: Outpost has started no server there"),
            Self::ShellReadsInput if words == OF_ENV => {
                "a start-up file of the login shell reads all of standard input, and they come there: a command line can be read by \
                 everybody on the host"
                    .to_owned()
            }
            Self::ShellReadsInput => "a start-up file of the login shell reads all of standard input".to_owned(),
            Self::WindowsHost => format!("it is a shell on Windows ({})", quoted(words)),
            Self::CodexNoNode => {
                format!("it begins with {words} and there is no node on the PATH of the login shell: {}", facts.path)
            }
            Self::CodexTooOld => {
                let version = facts.codex.as_ref().and_then(|codex| codex.version.as_deref()).unwrap_or("this codex");
                quoted(&format!("{version} has no app-server that can be used\n{words}"))
            }
            Self::ServerElsewhere if Self::is_name(words) => {
                let (home, here) = (&facts.codex_home, &facts.hostname);
                format!("nobody listens on this host ({here}), and the last one was started on {words}, which shares {home}: so says its record")
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
            | Self::CodexConfig
            | Self::HomeNotWritable
            | Self::ServerDied
            | Self::ServerSilent => quoted(words),
        }
    }

    /// Whether the words are the name of a host, not those of a server.
    fn is_name(words: &str) -> bool {
        !words.is_empty() && !words.starts_with('-') && words.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    }

    fn hint(self, facts: &Facts, words: &str) -> String {
        match self {
            Self::CodexMissing => elsewhere(facts),
            Self::CodexNoNode => {
                "put node on the PATH of the login shell there, or install a codex that needs none: outpost install HOST"
                    .to_owned()
            }
            Self::CodexBroken => "mend what it says, or install another codex: outpost install HOST".to_owned(),
            Self::CodexHomeMissing => home_made(facts, words),
            Self::ShellReplaced => guarded(facts),
            Self::CodexConfig => CONFIG.to_owned(),
            Self::FolderMissing => "check the spelling, or make the folder there first".to_owned(),
            Self::FolderNotDirectory => "name the folder that the file is in".to_owned(),
            Self::FolderGuarded => {
                "on that Mac: System Settings > Privacy & Security > Full Disk Access, switch on sshd-keygen-wrapper".to_owned()
            }
            Self::InstallFailed => installed(words),
            Self::WindowsHost => WINDOWS.to_owned(),
            Self::HomeNotWritable => {
                let home = facts.codex_home.as_str();
                let see = [on_host(&["ls", "-ld", home]), on_host(&["df", home])].join("\n");
                format!(
                    "see whose it is, and whether it is full:\n{see}\nor use another folder: outpost hosts set HOST codex_home=/a/folder/there"
                )
            }
            Self::InstallRunning => {
                let forget = on_host(&["rm", &format!("{}/outpost/installing", facts.codex_home)]);
                format!(
                    "wait until it has ended, then look at the host: outpost check HOST\nor, if the host it ran on is gone: {forget}"
                )
            }
            Self::LogMissing => "a server that somebody else started writes its log where they said".to_owned(),
            Self::ShellReadsInput => READS_INPUT.to_owned(),
            Self::FolderUnreadable => "give the account the right to read it".to_owned(),
            Self::SocketForeign => made_ours(facts, words),
            Self::SocketRefused => removed(facts, words),
            Self::ServerElsewhere => there(facts, Some(words).filter(|name| Self::is_name(name))),
            Self::NetworkHome => format!(
                "CODEX_HOME is on {}: put its databases on a local disk: outpost hosts set HOST {}",
                facts.home_fs,
                quote::if_needed(&format!("env.CODEX_SQLITE_HOME=/var/tmp/{}-codex", facts.user))
            ),
            Self::CodexTooOld => "update it there: outpost install HOST  or  npm install -g @openai/codex".to_owned(),
            Self::SocketPathLong => {
                let make = on_host(&["mkdir", "-p", ".cx"]);
                format!("set a shorter CODEX_HOME: {make} && outpost hosts set HOST 'codex_home=~/.cx'")
            }
            Self::ServerDied => "see more of its words: outpost logs HOST".to_owned(),
            Self::ServerSilent => SILENT.to_owned(),
        }
    }
}

/// Whether a word of the script is about the app-server, or its socket: codex itself was found by then.
#[must_use]
pub fn is_of_server(word: &str) -> bool {
    Refusal::from_word(word).is_some_and(|refusal| match refusal {
        Refusal::SocketForeign
        | Refusal::ServerDied
        | Refusal::ServerSilent
        | Refusal::ShellReadsInput
        | Refusal::SocketPathLong
        | Refusal::NetworkHome
        | Refusal::SocketRefused
        | Refusal::ServerElsewhere
        | Refusal::HomeNotWritable
        | Refusal::CodexConfig => true,
        Refusal::CodexMissing
        | Refusal::CodexNoNode
        | Refusal::CodexBroken
        | Refusal::CodexTooOld
        | Refusal::CodexHomeMissing
        | Refusal::FolderMissing
        | Refusal::FolderNotDirectory
        | Refusal::FolderUnreadable
        | Refusal::FolderGuarded
        | Refusal::LogMissing
        | Refusal::InstallFailed
        | Refusal::InstallRunning
        | Refusal::WindowsHost
        | Refusal::ShellReplaced => false,
    })
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
    let (mut said, mut hint) = (refusal.said(&facts, words), refusal.hint(&facts, words));
    // People set PATH in files that only an interactive shell reads.
    if refusal == Refusal::CodexMissing && fields.get("lost") == Some("yes") {
        said.push_str("; its interactive start-up files, where people set PATH too, ended before our script");
        hint = guarded(&facts);
    }
    Failure::new(refusal.code(), refusal.tried(&facts, fields)).said(said).hint(hint)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_words_of_the_list_count() {
        for refusal in Refusal::ALL {
            assert_eq!(refused(&Fields::default(), refusal.code().as_str()).code, refusal.code());
        }
        assert_eq!(refused(&Fields::default(), "host-key-changed").code, Code::FactsBroken);
    }

    #[test]
    fn what_is_to_be_pasted_parses_and_names_what_is_known() {
        let known = [
            ("user", "jo"),
            ("uid", "7"),
            ("codex_home", "/h/it's $x"),
            ("hostname", "box"),
            ("shell", "/bin/bash"),
            ("home_fs", "nfs"),
            ("candidate", "/a b/codex"),
            ("candidate_version", "codex-cli 1.0"),
        ];
        let words = ["", "file", "/x y is open to others: drwxr-xr-x", "there is a file already: /a b", "vm", "user-owned"];
        for (refusal, words) in Refusal::ALL.into_iter().flat_map(|refusal| words.map(|words| (refusal, words))) {
            let mut fields = Fields::default();
            known.iter().chain(&[("words", words)]).for_each(|(key, value)| fields.add((*key).to_owned(), value.as_bytes()));
            let failure = refused(&fields, refusal.code().as_str());
            assert!(!failure.hint.is_empty() && !failure.hint.contains("ssh HOST"), "{failure:?}");
            for line in
                failure.hint.lines().filter_map(|line| Some(line[line.find("outpost ")?..].split("  ").next()?.to_owned()))
            {
                let parsed = std::process::Command::new("/bin/sh").args(["-n", "-c", &line]).status().expect("sh");
                assert!(parsed.success(), "{line}");
            }
        }
    }
}
