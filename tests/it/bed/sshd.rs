//! A real `sshd -i` on a pipe as a host of the sandbox: no port, no daemon, any login shell, any rc file.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use outpost::ssh::ByteStream;

use super::codex::Codex;
use super::process::{self, Ran};
use super::sandbox::{Sandbox, append, user_name};

pub(super) const SSHD: &str = "/usr/sbin/sshd";

/// What a host shall be; [`Self::build`] makes it.
pub(crate) struct NewHost<'a> {
    pub(crate) sandbox: &'a Sandbox,
    alias: String,
    shell: String,
    rc: Vec<(String, String)>,
    sshd: Vec<String>,
    ssh: Vec<String>,
    host_keys: Vec<String>,
    known: bool,
    home: Option<PathBuf>,
}

impl<'a> NewHost<'a> {
    pub(crate) fn new(sandbox: &'a Sandbox, alias: &str) -> Self {
        Self {
            sandbox,
            alias: alias.to_owned(),
            shell: "/bin/bash".to_owned(),
            rc: Vec::new(),
            sshd: Vec::new(),
            ssh: Vec::new(),
            host_keys: vec!["ed25519".to_owned()],
            known: true,
            home: None,
        }
    }

    /// With this login shell; bash when nothing is said.
    pub(crate) fn shell(mut self, path: impl AsRef<Path>) -> Self {
        path.as_ref().to_str().unwrap().clone_into(&mut self.shell);
        self
    }

    /// With this file below the remote home; several with one name are put together.
    pub(crate) fn rc(mut self, path: &str, content: &str) -> Self {
        self.rc.push((path.to_owned(), content.to_owned()));
        self
    }

    /// With this line in `sshd_config`, before ours: the first value of a keyword wins.
    pub(crate) fn sshd(mut self, line: &str) -> Self {
        self.sshd.push(line.to_owned());
        self
    }

    /// With this line in the host's block of `ssh_config`, before ours.
    pub(crate) fn ssh(mut self, line: &str) -> Self {
        self.ssh.push(line.to_owned());
        self
    }

    /// With host keys of these types (`ed25519`, `ecdsa`, `rsa`).
    pub(crate) fn host_keys(mut self, types: &[&str]) -> Self {
        self.host_keys = types.iter().map(|kind| (*kind).to_owned()).collect();
        self
    }

    /// Without an entry in known_hosts.
    pub(crate) fn unknown(mut self) -> Self {
        self.known = false;
        self
    }

    /// With the remote home of another host: one home, two machines.
    pub(crate) fn home_of(mut self, other: &Host) -> Self {
        self.home = Some(other.home.clone());
        self
    }

    /// With this codex on the PATH of every login shell and its config in the remote `~/.codex`.
    pub(crate) fn codex(mut self, codex: &Codex) -> Self {
        self.rc.extend(codex.files());
        self
    }

    /// Makes the keys and files and the block in the sandbox's `ssh_config`.
    pub(crate) fn build(self) -> Host {
        let dir = self.sandbox.path().join("hosts").join(&self.alias);
        let home = self.home.clone().unwrap_or_else(|| dir.join("home"));
        let host =
            Host { alias: self.alias.clone(), ssh_config: self.sandbox.ssh_config(), clean: self.sandbox.vars(), dir, home };
        for folder in [&host.home, &host.dir.join("empty")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for (path, content) in &self.rc {
            let path = host.home.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            append(&path, &format!("{content}\n"));
        }
        private_run_dir();
        keygen(&host.client_key(), "ed25519");
        std::fs::copy(host.dir.join("id.pub"), host.dir.join("authorized_keys")).unwrap();
        std::fs::write(host.as_shell(), AS_SHELL).unwrap();
        std::fs::set_permissions(host.as_shell(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let keys: Vec<PathBuf> = self.host_keys.iter().map(|kind| host.make_host_key(kind)).collect();
        std::fs::write(host.sshd_config(), self.sshd_config(&host, &keys)).unwrap();
        self.sandbox.add_ssh_config(&self.ssh_block(&host));
        if self.known {
            self.pin(&keys);
        }
        host
    }

    fn sshd_config(&self, host: &Host, keys: &[PathBuf]) -> String {
        let dir = host.dir.display();
        let mut text = self.sshd.join("\n") + "\n";
        for key in keys {
            writeln!(text, "HostKey {}", key.display()).unwrap();
        }
        // HOME is the empty folder for the account's real shell, which starts AS_SHELL and must not read the real rc files.
        write!(
            text,
            "AuthorizedKeysFile {dir}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             PrintMotd no\nPrintLastLog no\nLogLevel VERBOSE\nAcceptEnv LAB_*\nSubsystem sftp internal-sftp\n\
             ForceCommand {dir}/as-shell\nSetEnv \"HOME={dir}/empty\" \"OUTPOST_BED={dir}\" \"LAB_SHELL={}\" \"LAB_HOME={}\"\n",
            self.shell,
            host.home.display()
        )
        .unwrap();
        text
    }

    fn ssh_block(&self, host: &Host) -> String {
        let mut text = format!("Host {}\n", self.alias);
        for line in &self.ssh {
            writeln!(text, "  {line}").unwrap();
        }
        let (dir, sandbox) = (host.dir.display(), self.sandbox.path().display());
        write!(
            text,
            "  User {}\n  ProxyCommand {}\n  IdentityFile {dir}/id\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
             UserKnownHostsFile {sandbox}/known_hosts\n  GlobalKnownHostsFile {sandbox}/global_known_hosts\n",
            user_name(),
            host.proxy_command()
        )
        .unwrap();
        text
    }

    fn pin(&self, keys: &[PathBuf]) {
        for key in keys {
            let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
            let words: Vec<&str> = public.split_whitespace().collect();
            append(&self.sandbox.known_hosts(), &format!("{} {}\n", self.alias, words[..2].join(" ")));
        }
    }
}

/// FIELD-FAILURES.md's wrapper: runs what was asked for by the login shell and in the home that the bed chose.
const AS_SHELL: &str = r#"#!/bin/bash
export SHELL="${LAB_SHELL:-/bin/bash}" HOME="${LAB_HOME:-$PWD}"; cd "$HOME" || exit 1
s=$SHELL; unset LAB_SHELL LAB_HOME
[ -n "$SSH_ORIGINAL_COMMAND" ] && exec "$s" -c "$SSH_ORIGINAL_COMMAND"
exec "$s" -l
"#;

/// A host of the sandbox. It has no process of its own: each connection starts an `sshd -i`.
pub(crate) struct Host {
    /// Its alias.
    pub(crate) alias: String,
    /// Its keys and configuration.
    pub(crate) dir: PathBuf,
    /// The remote home.
    pub(crate) home: PathBuf,
    ssh_config: PathBuf,
    clean: Vec<(std::ffi::OsString, std::ffi::OsString)>,
}

impl Host {
    /// Its configuration; lines may be added between connections.
    pub(crate) fn sshd_config(&self) -> PathBuf {
        self.dir.join("sshd_config")
    }

    /// The private key that may log in.
    pub(crate) fn client_key(&self) -> PathBuf {
        self.dir.join("id")
    }

    fn as_shell(&self) -> PathBuf {
        self.dir.join("as-shell")
    }

    /// The command line that connects to it.
    pub(crate) fn proxy_command(&self) -> String {
        format!("{SSHD} -i -f {} -E {}", self.sshd_config().display(), self.log_file().display())
    }

    /// Makes a key that the host can present, `hostkey_TYPE` in its folder.
    pub(crate) fn make_host_key(&self, kind: &str) -> PathBuf {
        let path = self.dir.join(format!("hostkey_{kind}"));
        keygen(&path, kind);
        path
    }

    /// What its sshds write to; each of them has it open.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.dir.join("sshd.log")
    }

    /// What its sshd logged so far, at LogLevel VERBOSE.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// How many logins it accepted so far.
    pub(crate) fn logins(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Accepted ") && line.contains(" for ")).count()
    }

    /// How many commands or shells it started so far, whatever login they came by.
    pub(crate) fn sessions(&self) -> usize {
        self.log().lines().filter(|line| line.starts_with("Starting session:")).count()
    }

    /// Cuts every link: kills its sshds, and nothing that they started.
    pub(crate) fn cut(&self) {
        for pid in process::with_open(&self.log_file(), "sshd") {
            // One that has ended by itself is fine.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }

    /// Ends every process of it, and lets it come up as another boot: the record of the server names the boot it was started in.
    pub(crate) fn goes_down(&self) {
        for record in std::fs::read_dir(self.home.join(".codex/outpost")).into_iter().flatten().flatten() {
            let text = std::fs::read_to_string(record.path()).unwrap_or_default();
            if text.contains("\nboot=") {
                std::fs::write(record.path(), text.replace("\nboot=", "\nboot=before-")).unwrap();
            }
        }
        self.cut();
        outpost::demo::leftovers::end_processes(&self.home);
    }

    /// Makes it known to `ssh` by another name too, which leads to it without what lies between: no line of [`NewHost::ssh`].
    pub(crate) fn is_also(&self, alias: &str, sandbox: &Sandbox) {
        let (dir, top) = (self.dir.display(), sandbox.path().display());
        sandbox.add_ssh_config(&format!(
            "Host {alias}\n  User {}\n  ProxyCommand {}\n  IdentityFile {dir}/id\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
             UserKnownHostsFile {top}/known_hosts\n  GlobalKnownHostsFile {top}/global_known_hosts\n",
            user_name(),
            self.proxy_command()
        ));
        let public = std::fs::read_to_string(self.dir.join("hostkey_ed25519.pub")).unwrap();
        append(&sandbox.known_hosts(), &format!("{alias} {public}"));
    }

    /// How many sshds serve a connection now.
    pub(crate) fn sshds(&self) -> usize {
        process::with_open(&self.log_file(), "sshd").len()
    }

    /// Runs a command on it by the real `ssh`.
    pub(crate) fn ssh(&self, command: &str) -> Ran {
        process::run(&mut self.ssh_command(command), b"")
    }

    /// The real `ssh` with a command for this host.
    pub(crate) fn ssh_command(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.env_clear().envs(self.clean.iter().cloned()).arg("-F").arg(&self.ssh_config).args([self.alias.as_str(), command]);
        ssh
    }

    /// A connection to its sshd before any SSH was spoken. Needs a tokio runtime.
    pub(crate) fn connect_pipe(&self) -> ByteStream {
        let mut words = vec!["-i".into(), "-f".into(), self.sshd_config().into_os_string()];
        words.extend(["-E".into(), self.log_file().into_os_string()]);
        let mut command = tokio::process::Command::new(SSHD);
        command.args(words).env_clear().envs(self.clean.iter().cloned());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("sshd");
        let stream = tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
        // It ends when the stream is dropped; waiting for it here leaves no zombie.
        tokio::spawn(async move { child.wait().await });
        Box::new(stream)
    }
}

fn keygen(path: &Path, kind: &str) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-C", "bed", "-t", kind, "-f"]).arg(path);
    if kind == "rsa" {
        command.args(["-b", "2048"]);
    }
    process::run(&mut command, b"").exits(0);
}

/// An sshd of root insists on this folder; in a container nobody has made it.
fn private_run_dir() {
    if nix::unistd::getuid().is_root() {
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
}
