//! Many hosts behind one real sshd that turns away whoever is one of too many (MaxStartups), by every way there.

use outpost::failure::Failure;
use outpost::host::resolve::resolve;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};
use outpost::step::Nobody;

use crate::bed::{Daemon, Host, Sandbox};

/// A stock sshd begins to drop at ten, by chance; this one drops every one that is too many. An sshd learns a little late that a
/// login is over, so a few more than log in at once may seem to.
const STRICT: &str = "MaxStartups 12:100:12";

/// Twice as many as log in at once.
const MANY: usize = 2 * outpost::ssh::rate::AT_ONCE;

#[derive(Clone, Copy)]
enum Carrier {
    BuiltIn,
    System,
}

/// Its logins take so long that all who may will be at it at the same time.
fn slow(sandbox: &Sandbox) -> Host {
    let keys = sandbox.path().join("hosts/sshd/id.pub");
    let command = format!("AuthorizedKeysCommand /bin/sh -c \"sleep 0.2; cat {}\"", keys.display());
    let user = format!("AuthorizedKeysCommandUser {}", sandbox.local().user);
    sandbox.host("sshd").sshd(STRICT).sshd(&command).sshd(&user).sshd("AuthorizedKeysFile none").build()
}

fn aliases() -> Vec<String> {
    (0..MANY).map(|n| format!("t{n}")).collect()
}

async fn open(sandbox: &Sandbox, alias: &str, carrier: Carrier) -> Result<Session, Failure> {
    let local = sandbox.local();
    let target = resolve(&local, &alias.parse().unwrap()).await?;
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    match carrier {
        Carrier::BuiltIn => Session::open(&target, &context).await,
        Carrier::System => Session::open_with_system_ssh(&target, &context).await,
    }
}

/// All of them get in, and the sshd turned nobody away.
async fn all_get_in(sandbox: &Sandbox, daemon: &Daemon, carrier: Carrier) {
    let names = aliases();
    let sessions = futures_util::future::join_all(names.iter().map(|alias| open(sandbox, alias, carrier))).await;
    let refused: Vec<String> = sessions.iter().filter_map(|s| s.as_ref().err().map(ToString::to_string)).collect();
    let turned_away = daemon.log().matches("MaxStartups").count();
    assert!(refused.is_empty() && turned_away == 0, "{turned_away} turned away: {refused:?}");
    futures_util::future::join_all(sessions.iter().flatten().map(Session::close)).await;
}

#[tokio::test]
async fn behind_a_jump_host() {
    let sandbox = Sandbox::new();
    sandbox.host("gate").build();
    let daemon = Daemon::of(&sandbox, &slow(&sandbox));
    daemon.named(&sandbox, &aliases(), "  HostName 127.0.0.1\n  ProxyJump gate\n");
    all_get_in(&sandbox, &daemon, Carrier::BuiltIn).await;
    all_get_in(&sandbox, &daemon, Carrier::System).await;
}

/// The jump host serves them too: its sshd has the logins of both.
#[tokio::test]
async fn on_the_jump_host_itself() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::of(&sandbox, &slow(&sandbox));
    daemon.named(&sandbox, &["gate".into()], "  HostName 127.0.0.1\n");
    daemon.named(&sandbox, &aliases(), "  HostName localhost\n  ProxyJump gate\n");
    all_get_in(&sandbox, &daemon, Carrier::BuiltIn).await;
    all_get_in(&sandbox, &daemon, Carrier::System).await;
}

#[tokio::test]
async fn by_the_system_ssh() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::of(&sandbox, &slow(&sandbox));
    daemon.named(&sandbox, &aliases(), "  HostName 127.0.0.1\n");
    all_get_in(&sandbox, &daemon, Carrier::System).await;
}

/// A ProxyCommand that runs `ssh` logs in too, for each host at the same place.
#[tokio::test]
async fn by_a_command_that_logs_in() {
    let sandbox = Sandbox::new();
    let daemon = Daemon::of(&sandbox, &slow(&sandbox));
    daemon.named(&sandbox, &["gate".into()], "  HostName 127.0.0.1\n");
    for n in 0..MANY {
        let host = sandbox.host(&format!("t{n}-sshd")).build();
        let there = host.proxy_command().replace(&format!("t{n}-sshd"), "%n-sshd");
        let through = format!("ssh -F {} gate exec {there}", sandbox.ssh_config().display());
        let known = sandbox.path().join("known_hosts").display().to_string();
        sandbox.add_ssh_config(&format!(
            "Host t{n}\n  HostKeyAlias t{n}-sshd\n  User {}\n  ProxyCommand {through}\n  IdentityFile {}\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile {known}\n  GlobalKnownHostsFile none\n",
            sandbox.local().user,
            host.client_key().display(),
        ));
    }
    all_get_in(&sandbox, &daemon, Carrier::BuiltIn).await;
}
