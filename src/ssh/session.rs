//! One authenticated connection to a host, in process or through the system's `ssh`.

use super::exec::Exec;
use super::system::SystemSsh;
use crate::failure::Failure;

/// A session; clones share the one connection.
#[derive(Clone)]
pub struct Session {
    carrier: Carrier,
}

#[derive(Clone)]
enum Carrier {
    System(SystemSsh),
}

impl Session {
    /// A session over the system's `ssh`.
    #[must_use]
    pub fn over_system_ssh(ssh: SystemSsh) -> Self {
        Self { carrier: Carrier::System(ssh) }
    }

    /// Runs a command line by the account's login shell (`SHELL -c COMMAND`).
    ///
    /// # Errors
    /// When no channel could be opened, or the link is lost.
    pub async fn exec(&self, command: &str) -> Result<Exec, Failure> {
        match &self.carrier {
            Carrier::System(ssh) => ssh.exec(command),
        }
    }
}
