//! What a person should know of a remote though everything went well.

use super::facts::{Ending, Facts, Stage};
use super::judge::GUARD;
use crate::step::{Progress, Step};

/// The warnings that the facts give rise to.
#[must_use]
pub fn of(facts: &Facts) -> Vec<Progress> {
    let mut all = Vec::new();
    let mut warn = |step, text: String, hint: String| all.push(Progress::Warning { step, text, hint });
    // elvish has no login environment of its own.
    if facts.stage == Stage::Plain && !facts.shell.ends_with("/elvish") {
        let text = format!("{} -l did not run our script: codex runs without your login environment", facts.shell);
        warn(Step::LoginShell, text, GUARD.to_owned());
    }
    if facts.is_on_network() {
        let text = format!("CODEX_HOME is on {}, where codex's databases may fail", facts.home_fs);
        let hint = format!("outpost hosts set HOST env.CODEX_SQLITE_HOME=/var/tmp/{}-codex", facts.user);
        warn(Step::Codex, text, hint);
    }
    for host in &facts.other_hosts {
        let text = format!("CODEX_HOME is shared with {host}, where Outpost started a server too");
        warn(Step::AppServer, text, "work on a thread from one of these hosts at a time".to_owned());
    }
    match facts.ends_sessions {
        None => {}
        Some(Ending::Logind) => {
            let text = "this host ends what a session leaves behind (KillUserProcesses in logind.conf)".to_owned();
            warn(Step::AppServer, text, format!("an administrator can change that: loginctl enable-linger {}", facts.user));
        }
        Some(Ending::Reaped) => {
            let text = "this host ended the app-server that an earlier session left behind".to_owned();
            let hint = "if that was something else: outpost stop HOST, and the next one may stay again".to_owned();
            warn(Step::AppServer, text, hint);
        }
    }
    for listener in &facts.listeners {
        let text = format!("an app-server there listens for everybody who can reach the host: {listener}");
        warn(Step::AppServer, text, "stop it, or start it on 127.0.0.1 or with --ws-auth".to_owned());
    }
    all
}
