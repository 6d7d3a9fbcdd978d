//! The bring-up against every login shell and what people put into its start-up files, over a real sshd.

use std::os::unix::fs::PermissionsExt;

use outpost::config::hosts::HostSettings;
use outpost::failure::Failure;
use outpost::remote::facts::Stage;
use outpost::remote::{self, Framing, How, Remote, Want, Wanted};
use outpost::ssh::session::Session;
use outpost::ssh::system::SystemSsh;
use outpost::step::Nobody;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::bed::{Codex, Host, NewHost, Sandbox};

/// A session through the system's `ssh`.
pub(crate) fn session(host: &Host) -> Session {
    let command = host.ssh_command("");
    let args = command.get_args().map(ToOwned::to_owned);
    let mut argv: Vec<_> = std::iter::once(command.get_program().to_owned()).chain(args).collect();
    argv.pop();
    Session::over_system_ssh(SystemSsh { argv })
}

/// A codex that answers to `--version` and whose app-server says every line again.
const ECHO: &str = "#!/bin/sh\ncase $* in\n--version) echo codex-cli 9.9.9 ;;\napp-server) exec cat ;;\n*) echo \"unknown: $*\" >&2; exit 2 ;;\nesac\n";

/// Puts a program into the sandbox and gives the folder it is in.
pub(crate) fn program(sandbox: &Sandbox, path: &str, text: &str) -> std::path::PathBuf {
    let path = sandbox.write(path, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.parent().unwrap().to_owned()
}

fn with_echo<'a>(sandbox: &'a Sandbox, shell: &str) -> NewHost<'a> {
    let bin = program(sandbox, "bin/codex", ECHO);
    sandbox.host("devbox").shell(shell).codex(&Codex::in_folder(&bin))
}

async fn attached(host: &Host) -> Result<Remote, Failure> {
    let want = Want { server: Wanted::Attached, ..Want::default() };
    remote::bring_up(&session(host), &HostSettings::default(), want, &Nobody).await
}

/// Asserts that the stream begins with the server's bytes and goes both ways.
async fn says_it_again(remote: Remote) {
    let mut stream = BufReader::new(remote.server.stream);
    stream.write_all(b"{\"id\":1}\n").await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "{\"id\":1}\n");
}

#[tokio::test]
async fn plain_login_shells() {
    for shell in ["/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/usr/bin/tcsh", "/bin/dash"] {
        let sandbox = Sandbox::new();
        let host = with_echo(&sandbox, shell).build();
        let remote = attached(&host).await.unwrap_or_else(|f| panic!("{shell}: {f:?}"));
        assert_eq!((remote.facts.stage, remote.facts.shell.as_str()), (Stage::Login, shell));
        assert_eq!((remote.server.how, remote.server.framing), (How::Attached, Framing::Lines));
        assert_eq!(remote.facts.home, host.home.to_str().unwrap());
        says_it_again(remote).await;
        assert_eq!((host.logins(), host.sessions()), (1, 1));
    }
}
