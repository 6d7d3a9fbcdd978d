//! The system's `ssh` as the byte carrier.

use std::ffi::OsString;

use tokio::process::Command;
use tokio::sync::oneshot;

use super::exec::{Exec, ExitStatus, Tail};
use crate::failure::{Code, Failure};

/// Runs each command as a child `ssh`.
#[derive(Debug, Clone)]
pub struct SystemSsh {
    /// The program and everything before the remote command, host included.
    pub argv: Vec<OsString>,
}

impl SystemSsh {
    /// Runs a command line on the remote.
    ///
    /// # Errors
    /// [`Code::CarrierFailed`] when the program cannot be started.
    pub fn exec(&self, command: &str) -> Result<Exec, Failure> {
        let fail = |said: String| Failure::new(Code::CarrierFailed, "run the system ssh").said(said);
        let (program, args) = self.argv.split_first().ok_or_else(|| fail("no program given".into()))?;
        let mut child = Command::new(program)
            .args(args)
            .arg(command)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| fail(format!("{}: {e}", program.to_string_lossy())))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take()) else {
            return Err(fail("it has no pipes".into()));
        };
        let (sender, status) = oneshot::channel();
        let tail = Tail::default();
        let filling = tokio::spawn(tail.clone().fill(stderr));
        tokio::spawn(async move {
            let ended = child.wait().await.ok().and_then(|s| s.code());
            drop(filling.await);
            drop(sender.send(ended.and_then(|c| u32::try_from(c).ok()).map_or(ExitStatus::Unknown, ExitStatus::Code)));
        });
        Ok(Exec { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: tail, status })
    }
}
