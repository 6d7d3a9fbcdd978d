//! The stage of the demonstration: a folder with two homes, a host, and a Codex in it. Dropping it leaves nothing behind.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::host::{Account, Host};
use super::leftovers;
use super::model::{Model, codex_config};
use super::script;
use crate::failure::{Code, Failure};
use crate::paths::{Local, private_dir};
use crate::ssh::quote::posix;

/// What is played on.
pub struct Stage {
    /// The machine that `outpost` finds: its own CODEX_HOME and ssh configuration.
    pub local: Local,
    /// The folder on the host that is the project.
    pub folder: PathBuf,
    /// The port of loopback that the host listens on.
    pub port: u16,
    /// The `codex` the host has; none means the stand-in.
    pub codex: Option<PathBuf>,
    dir: tempfile::TempDir,
    _host: Host,
    _model: Model,
}

fn failed(said: impl std::fmt::Display) -> Failure {
    Failure::new(Code::LocalIo, "make the stage of the demonstration").said(said)
}

impl Stage {
    /// Makes the stage. `person` is the machine as it is: a codex on its PATH is used, nothing else of it is touched.
    /// `program` is ourselves, for the stand-in.
    ///
    /// # Errors
    /// When the temporary folder or loopback refuses.
    pub async fn set(person: &Local, program: &Path) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("outpost-demo-").tempdir().map_err(failed)?;
        let path = person.var("PATH").map_or_else(|| "/usr/local/bin:/usr/bin:/bin".into(), OsString::from);
        let codex = which::which_in("codex", Some(&path), dir.path()).ok();
        let model = Model::start(script::demonstration()).await?;
        let home = dir.path().join("devbox");
        let folder = home.join("hello");
        furnish(&home, &model, &path).map_err(failed)?;
        write_project(&folder).map_err(failed)?;
        if codex.is_none() {
            let line = format!("exec {} stand-in \"$@\"", posix(&program.to_string_lossy()));
            write_script(&home.join("bin/codex"), &line).map_err(failed)?;
        }
        let vars = vec![
            ("HOME".into(), home.clone().into()),
            ("PATH".into(), path.clone()),
            ("SHELL".into(), "/bin/sh".into()),
            ("USER".into(), "demo".into()),
            ("LOGNAME".into(), "demo".into()),
            ("LANG".into(), "C.UTF-8".into()),
        ];
        let host = Host::start(Account { home, vars }).await?;
        let local = machine(dir.path(), &host, path).map_err(failed)?;
        Ok(Self { local, folder, port: host.address.port(), codex, dir, _host: host, _model: model })
    }

    /// The temporary folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// The home on the host: what the login shell reads, and how Codex finds its model.
fn furnish(home: &Path, model: &Model, path: &OsStr) -> io::Result<()> {
    private_dir(&home.join(".codex"))?;
    private_dir(&home.join("bin"))?;
    let path = posix(&path.to_string_lossy());
    fs::write(home.join(".profile"), format!("PATH=\"$HOME/bin\":{path}\nexport PATH\n"))?;
    fs::write(home.join(".codex/config.toml"), codex_config(&model.base_url()))
}

/// A script that `sh` runs.
fn write_script(path: &Path, lines: &str) -> io::Result<()> {
    fs::write(path, format!("#!/bin/sh\n{lines}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// The project on the host.
fn write_project(folder: &Path) -> io::Result<()> {
    private_dir(folder)?;
    fs::write(folder.join("greeting.txt"), script::GREETING)?;
    write_script(&folder.join("greet.sh"), "echo \"To $(id -un):\"; cat greeting.txt")
}

/// The person's side: the gate on, a `Host devbox`, its key known.
fn machine(dir: &Path, host: &Host, path: OsString) -> io::Result<Local> {
    let home = dir.join("home");
    let (codex_home, ssh) = (home.join(".codex"), home.join(".ssh"));
    private_dir(&codex_home)?;
    private_dir(&ssh)?;
    fs::write(codex_home.join("config.toml"), "[features]\nremote_connections = true\n")?;
    fs::write(ssh.join("id_ed25519"), &host.client_key)?;
    fs::set_permissions(ssh.join("id_ed25519"), fs::Permissions::from_mode(0o600))?;
    let port = host.address.port();
    fs::write(ssh.join("known_hosts"), format!("[127.0.0.1]:{port} {}\n", host.host_key))?;
    let at = ssh.display();
    let block = format!(
        "Host devbox\n    HostName 127.0.0.1\n    Port {port}\n    User demo\n    IdentityFile {at}/id_ed25519\n    \
         IdentitiesOnly yes\n    UserKnownHostsFile {at}/known_hosts\n    GlobalKnownHostsFile /dev/null\n"
    );
    fs::write(ssh.join("config"), block)?;
    let vars: HashMap<OsString, OsString> = HashMap::from([
        ("PATH".into(), path),
        ("HOME".into(), home.clone().into()),
        ("XDG_RUNTIME_DIR".into(), dir.join("run").into()),
    ]);
    private_dir(&dir.join("run"))?;
    Ok(Local { home, user: "demo".into(), codex_home, ssh_config: Some(ssh.join("config")), vars })
}

impl Drop for Stage {
    fn drop(&mut self) {
        leftovers::end_processes(self.path());
        leftovers::remove_socket(&self.path().join("devbox/.codex"));
    }
}
