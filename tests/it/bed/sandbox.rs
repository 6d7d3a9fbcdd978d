//! A folder with a HOME, a CODEX_HOME and an ssh configuration of its own, and `outpost` run inside of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use outpost::demo::leftovers;

use super::process::{self, Ran};
use super::sshd::NewHost;

/// The folder; everything in it, and every process that knows its path, ends when it is dropped.
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    heir: Child,
}

/// Does what `Drop` does when the test process is killed: it waits for the end of its standard input, which we hold.
const HEIR: &str = r#"trap '' INT TERM HUP
cat >/dev/null
for environ in /proc/[0-9]*/environ; do
  grep -qsaF -e "$0" "$environ" && pid=${environ%/environ} && kill -9 "${pid##*/}"
done
rm -rf "$0""#;

fn heir(path: &Path) -> Child {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(HEIR).arg(path).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh")
}

impl Sandbox {
    /// A sandbox with the gate on.
    pub(crate) fn new() -> Self {
        let sandbox = Self::without_gate();
        std::fs::write(sandbox.codex_home().join("config.toml"), "[features]\nremote_connections = true\n").unwrap();
        sandbox
    }

    /// A sandbox with an empty CODEX_HOME: the gate is off.
    pub(crate) fn without_gate() -> Self {
        let dir = tempfile::Builder::new().prefix("outpost-it-").tempdir().unwrap();
        let heir = heir(dir.path());
        let sandbox = Self { dir, heir };
        for folder in [sandbox.home(), sandbox.codex_home(), sandbox.runtime_dir()] {
            outpost::paths::private_dir(&folder).unwrap();
        }
        std::fs::write(sandbox.ssh_config(), "").unwrap();
        sandbox
    }

    /// What happens when the test process is killed.
    pub(crate) fn abandon(&mut self) {
        drop(self.heir.stdin.take());
        self.heir.wait().unwrap();
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The local HOME.
    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// The local CODEX_HOME.
    pub(crate) fn codex_home(&self) -> PathBuf {
        self.path().join("codex-home")
    }

    fn runtime_dir(&self) -> PathBuf {
        self.path().join("run")
    }

    /// The ssh configuration that `outpost` and [`super::Host::ssh`] use; [`Self::host`] adds to it.
    pub(crate) fn ssh_config(&self) -> PathBuf {
        self.path().join("ssh_config")
    }

    /// The known-hosts file of the sandbox's hosts.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.path().join("known_hosts")
    }

    /// Writes a file below the sandbox, with its folders; gives its path.
    pub(crate) fn write(&self, path: &str, content: &str) -> PathBuf {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Adds text to the ssh configuration.
    pub(crate) fn add_ssh_config(&self, text: &str) {
        append(&self.ssh_config(), text);
    }

    /// A new host with this alias; `build` makes it.
    pub(crate) fn host(&self, alias: &str) -> NewHost<'_> {
        NewHost::new(self, alias)
    }

    /// Gives a command the sandbox's environment and nothing else of ours but PATH.
    pub(crate) fn clean(&self, command: &mut Command) {
        command.env_clear().envs(self.vars()).current_dir(self.home());
    }

    /// The environment that commands get.
    pub(crate) fn vars(&self) -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
        let pairs: [(&str, std::ffi::OsString); 8] = [
            ("PATH", path_variable()),
            ("HOME", self.home().into()),
            ("CODEX_HOME", self.codex_home().into()),
            ("XDG_RUNTIME_DIR", self.runtime_dir().into()),
            ("OUTPOST_SSH_CONFIG", self.ssh_config().into()),
            ("NO_COLOR", "1".into()),
            ("TERM", "dumb".into()),
            ("LANG", "C.UTF-8".into()),
        ];
        pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }

    /// What `main` would find in this sandbox, for tests of the library.
    pub(crate) fn local(&self) -> outpost::paths::Local {
        outpost::paths::Local {
            home: self.home(),
            user: user_name(),
            codex_home: self.codex_home(),
            ssh_config: Some(self.ssh_config()),
            vars: self.vars().into_iter().collect(),
        }
    }

    /// The program under test with these arguments.
    pub(crate) fn outpost(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_outpost"));
        self.clean(&mut command);
        command.args(args);
        command
    }

    /// Runs the program under test without a terminal and with an empty standard input.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        process::run(&mut self.outpost(args), b"")
    }

    /// Runs the program under test with this standard input.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        process::run(&mut self.outpost(args), stdin.as_bytes())
    }

    /// Text with the sandbox's path and other words that differ from run to run replaced, for snapshots.
    pub(crate) fn stable(&self, text: &str) -> String {
        text.replace(&*self.path().to_string_lossy(), "[SANDBOX]")
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Before its standard input is closed: it has nothing to inherit.
        self.heir.kill().ok();
        self.heir.wait().ok();
        leftovers::end_processes(self.path());
        let hosts = std::fs::read_dir(self.path().join("hosts")).into_iter().flatten().flatten();
        for home in hosts.map(|entry| entry.path().join("home/.codex")).chain([self.codex_home()]) {
            leftovers::remove_socket(&home);
        }
    }
}

/// The account that runs the tests: the only one that an `sshd` without root can log in.
pub(crate) fn user_name() -> String {
    nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name
}

#[expect(clippy::disallowed_methods, reason = "a test is its own main: PATH says where the shells are")]
fn path_variable() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Adds text to a file.
pub(crate) fn append(path: &Path, text: &str) {
    let mut content = std::fs::read_to_string(path).unwrap_or_default();
    content.push_str(text);
    std::fs::write(path, content).unwrap();
}
