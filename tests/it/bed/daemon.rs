//! A real sshd that listens: what limits the logins of many (MaxStartups) is in the listener, which `sshd -i` does not have.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::sandbox::Sandbox;
use super::sshd::{Host, SSHD};

/// It ends when it is dropped.
pub(crate) struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    block: String,
}

impl Daemon {
    /// With the files of a host.
    pub(crate) fn of(sandbox: &Sandbox, host: &Host) -> Self {
        // sshd wants to be told a port; somebody else may take it meanwhile.
        (0..20).find_map(|_| Self::at(sandbox, host, free_port())).expect("a port")
    }

    fn at(sandbox: &Sandbox, host: &Host, port: u16) -> Option<Self> {
        let mut command = Command::new(SSHD);
        sandbox.clean(&mut command);
        command.args(["-D", "-e", "-o", "ListenAddress=127.0.0.1", "-p", &port.to_string(), "-f"]).arg(host.sshd_config());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        if !lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("Server listening on")) {
            child.wait().unwrap();
            return None;
        }
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| *kept.lock().unwrap() += &(line + "\n")));
        let known = sandbox.path().join(format!("known-{port}"));
        let key = std::fs::read_to_string(host.dir.join("hostkey_ed25519.pub")).unwrap();
        std::fs::write(&known, format!("[127.0.0.1]:{port},[localhost]:{port} {key}")).unwrap();
        let (user, key, known) = (sandbox.local().user, host.client_key(), known.display());
        let block = format!(
            "  Port {port}\n  User {user}\n  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n",
            key.display()
        );
        Some(Self { child, log, block })
    }

    /// Names it in the ssh configuration, with these lines too.
    pub(crate) fn named(&self, sandbox: &Sandbox, aliases: &[String], lines: &str) {
        sandbox.add_ssh_config(&format!("Host {}\n{lines}{}", aliases.join(" "), self.block));
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
