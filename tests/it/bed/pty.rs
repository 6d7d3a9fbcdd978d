//! A terminal of its own for a program that talks to a person.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

use super::process::Watchdog;

/// Runs a program on a terminal of its own until its end: whenever `cue` is shown anew, the next of `keys` is typed.
/// Gives the exit code and all that was shown.
pub(crate) fn on_a_terminal(command: &Command, cue: &str, keys: &[&str]) -> (Option<i32>, String) {
    // Both sides close on exec: another test that starts a program at this moment must not keep this terminal open.
    let mut master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let slave = OpenOptions::new().read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits()).open(ptsname_r(&master).unwrap());
    let mut child = as_its_own(command, &slave.unwrap()).spawn().expect("it starts");
    let watchdog = Watchdog::over(&child);
    let text = talk(&mut master, cue, keys);
    let code = child.wait().unwrap().code();
    watchdog.off();
    (code, text)
}

/// The command in a session of its own whose controlling terminal this is, so that Ctrl-C is a signal.
fn as_its_own(command: &Command, slave: &File) -> Command {
    let side = || Stdio::from(slave.try_clone().unwrap());
    let mut own = Command::new("setsid");
    own.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear().env("TERM", "xterm");
    for (name, value) in command.get_envs() {
        if let (Some(value), true) = (value, name != "TERM") {
            own.env(name, value);
        }
    }
    own.current_dir(command.get_current_dir().expect("a folder")).stdin(side()).stdout(side()).stderr(side());
    own
}

fn talk(master: &mut PtyMaster, cue: &str, keys: &[&str]) -> String {
    let (mut text, mut seen, mut keys) = (String::new(), 0, keys.iter());
    let mut buffer = [0; 4096];
    // The end of the terminal is an error once nobody holds the other side.
    while let Ok(n @ 1..) = master.read(&mut buffer) {
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
        while let Some(at) = text[seen..].find(cue) {
            seen += at + cue.len();
            if let Some(keys) = keys.next() {
                master.write_all(keys.as_bytes()).unwrap();
            }
        }
    }
    text
}
