//! Hosts that end what a session leaves behind, and one home on two hosts: with real processes that are really ended, and a real second
//! name and `/tmp`.

use outpost::failure::Code;
use outpost::remote::facts::Ending;
use outpost::remote::{self, Framing, How, Stopped, Want};
use outpost::step::Nobody;
use serde_json::Value;

use super::commands::run;
use super::preflight::warnings;
use super::{Lab, upgrades};
use crate::bed::{Codex, NewHost, process, until};
use crate::run::Bed;
use crate::shells::{program, session};

/// As logind with KillUserProcesses: what carries the mark of the session is ended with it, wherever it went; and soon, on a busy
/// machine too, where the search is let before others.
fn reaping(host: NewHost<'_>) -> NewHost<'_> {
    let text = "#!/bin/bash\nexport SHELL=/bin/bash\nREAPED_WITH=$$. /bin/bash \"$@\"\nstatus=$?\n\
                renice -n -15 $$ >/dev/null 2>&1\n\
                for each in $(grep -lsaF \"REAPED_WITH=$$.\" /proc/[0-9]*/environ); do each=${each%/environ}; kill -9 \"${each##*/}\"; done\n\
                exit $status\n";
    let shell = program(host.sandbox, "shells/bash", text);
    host.shell(shell)
}

impl Lab {
    /// The process that waits to see the server outlive its session.
    fn watcher(&self) -> i32 {
        let named = || std::fs::read_to_string(self.record().with_extension("watch")).unwrap_or_default();
        let pid = || named().split(' ').next().and_then(|pid| pid.parse::<i32>().ok());
        // Until it is there, the shell of the session stands for it.
        let is_it = || {
            pid().filter(|pid| {
                std::fs::read_link(format!("/proc/{pid}/fd/0")).is_ok_and(|fd| fd.to_string_lossy().contains("pipe."))
            })
        };
        tokio::task::block_in_place(|| until("the process that waits", || is_it().is_some()));
        is_it().unwrap()
    }

    /// Waits until no server of this sandbox runs.
    fn until_reaped(&self) {
        until("the end of the servers", || self.servers().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn field_35_a_host_that_ends_what_stays_behind_is_remembered() {
    let lab = Lab::real(reaping).await;
    let remote = lab.up(Want::server()).await.unwrap();
    assert_eq!(remote.server.how, How::Started);
    upgrades(remote).await;
    lab.until_reaped();
    // The next connect notices it, says it, remembers it, and works inside of its session.
    let shown = run(&lab.sandbox, &["projects", "add", "devbox:"]).exits(0);
    assert!(shown.stderr.contains("[server-reaped]"), "{shown:?}");
    let settings = std::fs::read_to_string(lab.sandbox.codex_home().join("outpost/hosts.toml")).unwrap();
    assert!(settings.contains("session_attached = true"), "{settings}");
    let (ready, codes) = warnings(&lab.sandbox);
    assert!(ready && codes.contains(&"server-attached".to_owned()) && !codes.contains(&"server-reaped".to_owned()), "{codes:?}");
    assert!(lab.servers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn field_35_a_server_that_dies_while_somebody_is_connected_was_not_ended_by_the_host() {
    let lab = Lab::real(|host| host).await;
    let remote = lab.up(Want::server()).await.unwrap();
    assert_eq!(remote.server.how, How::Started);
    let first = lab.watcher();
    lab.kill_server();
    let next = lab.up(Want::server()).await.unwrap();
    assert_eq!((next.server.how, next.facts.ends_sessions), (How::Started, None));
    // Who waited for the end of the first session leaves alone what is recorded of the second server.
    let second = lab.pid();
    drop(remote);
    tokio::task::block_in_place(|| until("the end of who waited", || process::gone(first)));
    assert_eq!(lab.pid(), second);
    upgrades(next).await;
}

#[tokio::test]
async fn field_35_a_session_in_a_container_of_its_own_is_seen_beforehand() {
    let lab = Lab::build(|sandbox, host| {
        let may = if nix::unistd::getuid().is_root() { "" } else { "r" };
        let text =
            format!("#!/bin/bash\nexport SHELL=/bin/bash\nexec unshare -pf{may} --mount-proc --kill-child /bin/bash \"$@\"\n");
        let shell = program(sandbox, "shells/bash", &text);
        host.shell(shell).codex(&Codex::real(super::NO_MODEL))
    })
    .await;
    let remote = lab.up(Want::server()).await.unwrap();
    let found = (remote.server.how, remote.server.framing, remote.facts.ends_sessions);
    assert_eq!(found, (How::Attached, Framing::Lines, Some(Ending::Container)));
}

/// The same home on a host of another name, with another `/tmp`, another network and another identity.
fn other_box(lab: &Lab, alias: &str) -> crate::bed::Host {
    let folder = lab.sandbox.path().join("otherbox");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let tmp = format!("/tmp/codex-daemon-{}", nix::unistd::getuid());
    let mount = format!(
        "mkdir -p -m 700 {0}/tmp {tmp}; mount --bind {0}/tmp {tmp}; mount --bind {0}/machine-id /etc/machine-id; hostname otherbox; \
         exec /bin/bash \"$@\"",
        folder.display()
    );
    let may = if nix::unistd::getuid().is_root() { "" } else { "r" };
    let text = format!("#!/bin/bash\nexport SHELL=/bin/bash\nexec unshare -mun{may} /bin/bash -c '{mount}' bash \"$@\"\n");
    let shell = program(&lab.sandbox, "otherbox/bash", &text);
    lab.sandbox.host(alias).shell(shell).home_of(&lab.host).build()
}

#[tokio::test(flavor = "multi_thread")]
async fn field_44_one_home_on_two_hosts() {
    let lab = Lab::real(|host| host).await;
    let other = other_box(&lab, "otherbox");
    let there = session(&lab.sandbox, &other).await;
    let up = |want| remote::bring_up(&there, &lab.settings, want, &Nobody);
    // The server of the first host is never taken for one here, and none is started that would take its socket away.
    assert_eq!(lab.how().await, How::Started);
    let link = std::fs::read_link(lab.socket()).ok();
    for want in [Want::server(), Want::check()] {
        let failure = up(want).await.map(|remote| panic!("{:?}", remote.facts)).unwrap_err();
        assert_eq!(failure.code, Code::ServerElsewhere, "{failure:?}");
        for remedy in ["run_through='ssh -T ", "outpost stop ", "codex_home=", "rm "] {
            assert!(failure.hint.contains(remedy), "{failure:?}");
        }
    }
    assert_eq!(std::fs::read_link(lab.socket()).ok(), link);
    assert_eq!(remote::stop(&there, &lab.settings, true, &Nobody).await.unwrap(), Stopped::None);
    assert_eq!((lab.how().await, lab.servers().len()), (How::Joined, 1));
    let checked: Value = serde_json::from_str(&run(&lab.sandbox, &["check", "otherbox", "--json"]).exits(6).stdout).unwrap();
    assert_eq!(checked[0]["steps"].as_array().unwrap().last().unwrap()["code"], "server-elsewhere");
    // Once it is stopped there, the other host may have one, and the first is told where it is.
    assert_eq!(remote::stop(&lab.session, &lab.settings, false, &Nobody).await.unwrap(), Stopped::Ours);
    assert_eq!(up(Want::server()).await.unwrap().server.how, How::Started);
    let failure = lab.refused(Want::server()).await;
    assert!(failure.code == Code::ServerElsewhere && failure.said.contains("otherbox"), "{failure:?}");
    // What the hint says for a host that is gone.
    std::fs::remove_file(lab.codex_home().join("outpost/server@otherbox")).unwrap();
    assert_eq!(lab.how().await, How::Started);
}

/// A server inside the session beside a living one of the same CODEX_HOME: the living one keeps its threads.
#[tokio::test(flavor = "multi_thread")]
async fn field_56_a_thread_of_another_server_is_named_as_that() {
    let bed = Bed::new().await;
    let id = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0).stdout.trim().to_owned();
    bed.model.reached("held").await;
    // It lives on, and its socket is not where we look: as with a codex that somebody runs in a terminal there.
    let home = bed.host.home.join(".codex");
    std::fs::remove_file(home.join("app-server-control/app-server-control.sock")).unwrap();
    bed.run(&["hosts", "set", "devbox", "session_attached=true"]).await.exits(0);
    let ran = bed.run(&["run", "--resume", &id, "devbox:app", "say more"]).await.exits(6);
    assert!(ran.stderr.contains("error[active-writer]") && ran.stderr.contains("[server-attached]"), "{}", ran.stderr);
    assert!(ran.stderr.contains("outpost hosts set devbox session_attached="), "{}", ran.stderr);
    bed.model.open("held");
    process::kill_servers(&bed.sandbox);
}
