//! The bring-up against every login shell and what people put into its start-up files, over a real sshd.

mod table;

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outpost::config::hosts::HostSettings;
use outpost::failure::{Code, Failure};
use outpost::host::resolve::resolve;
use outpost::remote::facts::Stage;
use outpost::remote::{self, Framing, How, Limits, Remote, Want, Wanted};
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};
use outpost::step::Nobody;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use self::table::{BEHAVIOURS, Behaviour, ENV_FILE, SHELLS, Shell, Syntax, Where};
use crate::bed::{Host, Sandbox};

/// An authenticated session with a host of the sandbox.
pub(crate) async fn session(sandbox: &Sandbox, host: &Host) -> Session {
    let local = sandbox.local();
    let target = resolve(&local, &host.alias.parse().unwrap()).await.unwrap();
    Session::open(&target, &Context { local: &local, ask: &NobodyToAsk, watch: &Nobody }).await.unwrap()
}

/// A codex that answers to `--version` and whose app-server says every line again.
pub(crate) const ECHO: &str = "#!/bin/sh\ncase $* in\n--version) echo codex-cli 9.9.9 ;;\napp-server) exec cat ;;\n\
                    *) echo \"unknown: $*\" >&2; exit 2 ;;\nesac\n";

/// Puts a program into the sandbox and gives its path.
pub(crate) fn program(sandbox: &Sandbox, path: &str, text: &str) -> PathBuf {
    let path = sandbox.write(path, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Wants a server inside the session, and soon.
pub(crate) fn attached() -> Want {
    // Long enough for a shell on a busy machine, short enough for the rows that wait for it.
    let limits = Limits { patience: Duration::from_secs(10), ..Limits::default() };
    // What is sent ahead to a server that speaks HTTP is to reach nobody else.
    let early = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    Want { server: Wanted::Attached, limits, early, ..Want::default() }
}

/// Asserts that the stream begins with the server's bytes and goes both ways.
pub(crate) async fn says_it_again(remote: Remote) {
    let mut stream = BufReader::new(remote.server.stream);
    stream.write_all(b"{\"id\":1}\n").await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "{\"id\":1}\n", "{}", remote.server.stderr.text());
}

/// One login shell in one sandbox, with one session for all its rows.
struct Lab {
    shell: &'static Shell,
    host: Host,
    session: Session,
    codex: PathBuf,
    _sandbox: Sandbox,
}

impl Lab {
    async fn new(shell: &'static Shell) -> Self {
        let sandbox = Sandbox::new();
        let codex = program(&sandbox, "bin/codex", ECHO);
        let path = shell.installed(&sandbox);
        let host = sandbox.host("devbox").shell(&path).build();
        let session = session(&sandbox, &host).await;
        Self { shell, host, session, codex, _sandbox: sandbox }
    }

    /// Writes the start-up files anew: this behaviour in this file, and PATH in the login file or in the interactive one.
    fn furnish(&self, behaviour: &Behaviour, place: Where) {
        let syntax = self.shell.syntax;
        let bin = self.codex.parent().unwrap();
        let text = syntax.of(behaviour).unwrap_or_default();
        for file in self.shell.files() {
            let here = self.shell.file(place) == Some(file);
            let content = match place {
                Where::Interactive if here => syntax.interactive(text, bin),
                Where::Interactive if self.shell.login == file && syntax == Syntax::Sh => {
                    format!("export ENV=\"$HOME/{ENV_FILE}\"\n")
                }
                Where::Interactive => String::new(),
                Where::Login | Where::Every => {
                    let path = if self.shell.login == file { syntax.path_line(bin) } else { String::new() };
                    format!("{}\n{path}\n", if here { text } else { "" })
                }
            };
            let file = self.host.home.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
    }

    /// Brings the host up and says in a word how that ended.
    async fn row(&self, behaviour: &Behaviour, place: Where) -> String {
        self.furnish(behaviour, place);
        // Where the login environment cannot be reached, codex is not on PATH: that is another test's matter.
        let named = self.codex.to_str().map(str::to_owned).filter(|_| place != Where::Interactive);
        let settings = HostSettings { codex: named, ..HostSettings::default() };
        match remote::bring_up(&self.session, &settings, attached(), &Nobody).await {
            Err(failure) => format!("{}: {}", failure.code.as_str(), failure.tried),
            Ok(remote) => self.reached(remote).await,
        }
    }

    async fn reached(&self, remote: Remote) -> String {
        let facts = remote.facts.clone();
        assert_eq!(facts.home, self.host.home.to_str().unwrap(), "{}", self.shell.name);
        assert_eq!((remote.server.how, remote.server.framing), (How::Attached, Framing::Lines));
        says_it_again(remote).await;
        let bin = self.codex.parent().unwrap().to_str().unwrap();
        let on_path = facts.path.split(':').any(|p| p == bin);
        format!("{:?}{}", facts.stage, if on_path { "" } else { ", not its PATH" })
    }

    async fn rows(&self) -> String {
        let mut table = String::new();
        for behaviour in BEHAVIOURS.iter().filter(|b| self.shell.syntax.of(b).is_some()) {
            for place in [Where::Login, Where::Every, Where::Interactive] {
                if let Some(file) = self.shell.file(place) {
                    let outcome = self.row(behaviour, place).await;
                    let file = if place == Where::Interactive { format!("{file} (-i)") } else { file.to_owned() };
                    writeln!(table, "{:7}{file:34}{:30}{outcome}", self.shell.name, behaviour.name).unwrap();
                }
            }
        }
        assert_eq!(self.host.logins(), 1, "{}", self.shell.name);
        table
    }
}

/// Field failures 20, 21, 22, 24, 25 and 32, each under every shell: what a bring-up comes to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn field_20_any_login_shell_any_start_up_file() {
    let all = SHELLS.iter().map(|shell| async move { Lab::new(shell).await.rows().await });
    insta::assert_snapshot!(futures_util::future::join_all(all).await.concat());
}

async fn refused(shell: &Path, sandbox: &Sandbox) -> Failure {
    let host = sandbox.host("devbox").shell(shell).build();
    let session = session(sandbox, &host).await;
    remote::bring_up(&session, &HostSettings::default(), attached(), &Nobody).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn field_23_what_stands_in_for_a_shell_is_named() {
    let table = [
        ("nologin", "echo 'This account is currently not available.'; exit 1", Code::ShellRestricted),
        ("mysecureshell", "echo 'MySecureShell is restricted to sftp'; exit 0", Code::ShellRestricted),
        ("gate", "echo 'usage: gate COMMAND'; exit 0", Code::ShellSilent),
        ("quiet", "exit 0", Code::ShellReplaced),
        // As /bin/false does.
        ("false", "exit 1 # '(exit code 1)'", Code::ShellRestricted),
        ("passwd", "echo 'WARNING: Your password has expired.' >&2; exit 1", Code::PasswordExpired),
    ];
    for (name, text, code) in table {
        let sandbox = Sandbox::new();
        let shell = program(&sandbox, &format!("shells/{name}"), &format!("#!/bin/sh\n{text}\n"));
        let failure = refused(&shell, &sandbox).await;
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(!failure.hint.is_empty() && failure.tried.contains("exec /bin/sh, then sh"), "{failure:?}");
        // In its own words, where it has any.
        let words = text.split('\'').nth(1).unwrap_or("(exit code 0)");
        assert!(failure.said.contains(words), "{failure:?}");
    }
}

#[tokio::test]
async fn field_45_a_windows_host_is_named() {
    let table = [
        // cmd.exe with code page 866, and PowerShell.
        "printf \"'exec' \\255\\245 \\357\\242\\253\\357\\245\\342\\341\\357 command\\r\\n\" >&2; exit 1",
        "printf 'exec : The term is not recognized as the name of a cmdlet\\r\\n' >&2; exit 1",
        "echo 'ParserError: Unexpected token' >&2; exit 1",
    ];
    for text in table {
        let sandbox = Sandbox::new();
        let shell = program(&sandbox, "shells/powershell", &format!("#!/bin/sh\n{text}\n"));
        let failure = refused(&shell, &sandbox).await;
        assert_eq!(failure.code, Code::WindowsHost, "{failure:?}");
    }
}

#[tokio::test]
async fn field_23_an_account_for_file_transfer_only_is_named() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").sshd("ForceCommand internal-sftp").build();
    let session = session(&sandbox, &host).await;
    let failure = remote::bring_up(&session, &HostSettings::default(), attached(), &Nobody).await.map(drop).unwrap_err();
    assert_eq!(failure.code, Code::SftpOnly, "{failure:?}");
}

/// Where people set PATH for themselves only.
#[tokio::test]
async fn field_28_codex_on_the_interactive_path_only() {
    let table = [
        ("/bin/bash", ".bashrc", "case $- in *i*) ;; *) return ;; esac\nexport PATH=BIN:$PATH"),
        ("/usr/bin/zsh", ".zshrc", "export PATH=BIN:$PATH"),
        ("/usr/bin/fish", ".config/fish/config.fish", "status is-interactive; and set -x PATH BIN $PATH"),
        ("/usr/bin/elvish", ".config/elvish/rc.elv", "set paths = [BIN $@paths]"),
        ("/usr/bin/mksh", ".profile", "export ENV=$HOME/.mkshrc"),
    ];
    for (shell, file, text) in table {
        let sandbox = Sandbox::new();
        let codex = program(&sandbox, "bin/codex", ECHO);
        let bin = codex.parent().unwrap().to_str().unwrap();
        let host = sandbox.host("devbox").shell(shell).rc(file, &text.replace("BIN", bin));
        let host = host.rc(".mkshrc", &format!("export PATH={bin}:$PATH")).build();
        let session = session(&sandbox, &host).await;
        let remote = remote::bring_up(&session, &HostSettings::default(), attached(), &Nobody).await;
        let remote = remote.unwrap_or_else(|f| panic!("{shell}: {f:?}"));
        assert_eq!((remote.facts.stage, remote.facts.runs.as_str()), (Stage::Interactive, codex.to_str().unwrap()), "{shell}");
        says_it_again(remote).await;
        assert_eq!(host.sessions(), 1);
    }
}
