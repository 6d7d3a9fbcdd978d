//! What a person should know of a remote though everything went well.

use std::cmp::Ordering;

use super::facts::{Agent, Candidate, Ending, Facts, by_version};
use super::judge::GUARD;
use super::remedy::on_host;
use crate::failure::Code;
use crate::ssh::quote;
use crate::step::{Progress, Step};

/// The warnings that the facts give rise to.
#[must_use]
pub fn of(facts: &Facts) -> Vec<Progress> {
    let all = [shell(facts), path(facts), older(facts), network(facts), shared(facts), ending(facts), lent(facts)];
    let found = facts.findings.iter().map(|f| warning(Step::Codex, f.code, (f.text.clone(), f.hint.clone())));
    all.into_iter().flatten().chain(found).chain(listeners(facts)).chain(updater(facts)).collect()
}

fn warning(step: Step, code: Code, (text, hint): (String, String)) -> Progress {
    Progress::Warning { step, code: Some(code), text, hint }
}

fn shell(facts: &Facts) -> Option<Progress> {
    if !facts.login_lost {
        return None;
    }
    let text = format!("{} -l did not run our script: codex runs without your login environment", facts.shell);
    Some(warning(Step::LoginShell, Code::ShellReplaced, (text, GUARD.to_owned())))
}

fn path(facts: &Facts) -> Option<Progress> {
    if facts.path.split(':').any(|folder| matches!(folder, "/bin" | "/usr/bin" | "/run/current-system/sw/bin")) {
        return None;
    }
    let text = format!("PATH of the login shell has neither /usr/bin nor /bin: {}", facts.path);
    let hint = "in the start-up file there, add to PATH instead of replacing it: export PATH=\"$HOME/bin:$PATH\"".to_owned();
    Some(warning(Step::LoginShell, Code::PathBroken, (text, hint)))
}

/// The newest of the others, when it is newer than the one that runs.
fn older(facts: &Facts) -> Option<Progress> {
    let runs = facts.codex.as_ref()?;
    let version = runs.version.as_deref()?;
    let newer = |c: &&Candidate| c.version.as_deref().is_some_and(|v| by_version(v, version) == Ordering::Greater);
    let newest = facts
        .candidates
        .iter()
        .filter(newer)
        .max_by(|a, b| by_version(a.version.as_deref().unwrap_or_default(), b.version.as_deref().unwrap_or_default()))?;
    let text =
        format!("{} is {version}, and {} beside it is {}", runs.path, newest.path, newest.version.as_deref().unwrap_or_default());
    let hint = format!("outpost hosts set HOST codex={}", quote::if_needed(&newest.path));
    Some(warning(Step::Codex, Code::CodexOlder, (text, hint)))
}

fn network(facts: &Facts) -> Option<Progress> {
    if !facts.is_on_network() {
        return None;
    }
    let text = format!("CODEX_HOME is on {}, where codex's databases may fail", facts.home_fs);
    let local = quote::if_needed(&format!("env.CODEX_SQLITE_HOME=/var/tmp/{}-codex", facts.user));
    let hint = format!("outpost hosts set HOST {local}");
    Some(warning(Step::Codex, Code::NetworkHome, (text, hint)))
}

fn shared(facts: &Facts) -> Option<Progress> {
    if facts.other_hosts.is_empty() {
        return None;
    }
    let text = format!("CODEX_HOME is shared with {}, where Outpost started a server too", facts.other_hosts.join(", "));
    Some(warning(Step::AppServer, Code::HomeShared, (text, "work on a thread from one of these hosts at a time".to_owned())))
}

fn ending(facts: &Facts) -> Option<Progress> {
    let (code, text, hint) = match facts.ends_sessions? {
        // Told with the server that runs inside the session.
        Ending::Remembered => return None,
        Ending::Logind => (
            Code::SessionEnds,
            "this host ends what a session leaves behind (KillUserProcesses in logind.conf)",
            format!("an administrator can change that: sudo loginctl enable-linger {}", quote::if_needed(&facts.user)),
        ),
        Ending::Container => (
            Code::SessionEnds,
            "this session is a container of its own, which ends with it",
            "outpost hosts set HOST run_through=…  with a command that leads into a container that stays".to_owned(),
        ),
        Ending::Reaped => (
            Code::ServerReaped,
            "this host ended the app-server that an earlier session left behind; that is remembered",
            "if that was something else, let the next one stay: outpost hosts set HOST session_attached=".to_owned(),
        ),
    };
    Some(warning(Step::AppServer, code, (text.to_owned(), hint)))
}

fn lent(facts: &Facts) -> Option<Progress> {
    let (text, hint) = facts.agent.map(agent)?;
    Some(Progress::Warning { step: Step::AppServer, code: None, text: text.to_owned(), hint: hint.to_owned() })
}

fn listeners(facts: &Facts) -> impl Iterator<Item = Progress> + '_ {
    facts.listeners.iter().map(|listener| {
        let is = if facts.listening.contains(listener) { "listens" } else { "was started to listen" };
        let text = format!("an app-server there {is} for everybody who can reach the host: {listener}");
        let hint = "stop it, or start it on 127.0.0.1 or with --ws-auth".to_owned();
        warning(Step::AppServer, Code::PublicListener, (text, hint))
    })
}

fn updater(facts: &Facts) -> Option<Progress> {
    let numbers: Vec<String> = facts.updaters.iter().map(u32::to_string).collect();
    if numbers.is_empty() {
        return None;
    }
    let text = format!(
        "codex's own updater runs there (process {}): for a new release it restarts the app-server, and turns at work end with it",
        numbers.join(", ")
    );
    let kill: Vec<&str> = std::iter::once("kill").chain(numbers.iter().map(String::as_str)).collect();
    let hint = format!("end it: {}\ncodex app-server daemon start  there starts it again", on_host(&kill));
    Some(warning(Step::AppServer, Code::UpdaterRunning, (text, hint)))
}

/// What a person should know who lends their agent.
fn agent(agent: Agent) -> (&'static str, &'static str) {
    match agent {
        Agent::Lent => (
            "your ssh-agent is lent to this host (ForwardAgent): while you are connected, every client of its app-server can use it",
            "ForwardAgent no for HOST in the ssh configuration takes it back",
        ),
        Agent::Unused => (
            "your ssh-agent is lent to this host (ForwardAgent), but its app-server was started without it",
            "let it be started with it: outpost stop HOST",
        ),
        Agent::Own => (
            "your ssh-agent is lent to this host (ForwardAgent), but the start-up files of its login shell set SSH_AUTH_SOCK to another",
            "that is the one that codex gets; set it there only where it is empty",
        ),
        Agent::Refused => (
            "your ssh-agent is not lent to this host though ForwardAgent says so: its sshd gave it no socket",
            "sshd must allow it: AllowAgentForwarding yes",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(facts: &Facts) -> Vec<(Code, String)> {
        let code = |progress| {
            let Progress::Warning { code: Some(code), hint, .. } = progress else { panic!("{progress:?}") };
            (code, hint)
        };
        of(facts).into_iter().map(code).collect()
    }

    #[test]
    fn a_usual_host_has_nothing_to_tell() {
        let codex = |path: &str, version: &str| Candidate { path: path.into(), version: Some(version.into()) };
        let usual = Facts {
            path: "/usr/bin:/bin".into(),
            codex: Some(codex("/usr/bin/codex", "0.169.0")),
            candidates: vec![codex("/usr/bin/codex", "0.169.0"), codex("/old/codex", "0.99.0")],
            ..Facts::default()
        };
        assert_eq!(told(&usual), []);
        let odd = Facts { path: "/home/me/bin".into(), candidates: vec![codex("/a b/codex", "0.170.0")], ..usual };
        let odd = Facts { updaters: vec![17, 4], ..odd };
        let hints = told(&odd);
        assert!(
            hints[2].0 == Code::UpdaterRunning && hints[2].1.starts_with("end it: outpost shell HOST kill 17 4\n"),
            "{hints:?}"
        );
        assert_eq!(hints[0].0, Code::PathBroken);
        assert_eq!(hints[1], (Code::CodexOlder, "outpost hosts set HOST codex='/a b/codex'".to_owned()));
    }
}
