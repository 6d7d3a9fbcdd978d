//! A host that has no `/proc`, no `setsid` and no `timeout`, and the tools of a Mac: everything is asked of `ps`.

use outpost::demo::leftovers::end_processes;
use outpost::failure::Code;
use outpost::remote::{self, How, Stopped, Want};
use outpost::step::Nobody;

use super::signals::{bystander, end};
use super::{Lab, NO_MODEL, upgrades};
use crate::bed::{Codex, NewHost, alive, native, process, until};
use crate::shells::program;

/// `ps` and codex are given the `/proc` that nothing else on this host has.
const WITH_PROC: &str = r#"#!/bin/sh
exec unshare -m /bin/sh -c 'mount --bind SANDBOX/proc /proc && program=$1 && shift && exec "$program" "$@"' sh PROGRAM "$@"
"#;

/// `stat` as BSD has it, which knows no -c.
const STAT: &str = r#"#!/bin/sh
[ "$1" = -f ] || { echo "stat: illegal option -- c" >&2; exit 1; }
exec /usr/bin/stat -c "$(printf %s "$2" | tr c Z)" "$3"
"#;

fn mac(host: NewHost<'_>) -> NewHost<'_> {
    let (sandbox, path) = (host.sandbox, host.sandbox.path().display().to_string());
    std::fs::create_dir(sandbox.path().join("proc")).unwrap();
    let with_proc = |name: &str, real: &str| {
        program(sandbox, &format!("mac/{name}"), &WITH_PROC.replace("SANDBOX", &path).replace("PROGRAM", real));
    };
    with_proc("ps", "/usr/bin/ps");
    with_proc("codex", native().to_str().unwrap());
    program(sandbox, "mac/stat", STAT);
    program(sandbox, "mac/uname", "#!/bin/sh\necho Darwin mac arm64\n");
    program(sandbox, "mac/sysctl", "#!/bin/sh\necho id-of-$2\n");
    let inside = format!(
        "mount --rbind /proc {path}/proc; mount -t tmpfs none /proc; mount --bind /bin/bash /bin/sh; for tool in setsid timeout; do \
         mount --bind /dev/null /usr/bin/$tool; done; exec /bin/bash \"$@\""
    );
    let may = if nix::unistd::getuid().is_root() { "" } else { "r" };
    let text = format!("#!/bin/bash\nexport SHELL=/bin/bash\nexec unshare -m{may} /bin/bash -c '{inside}' bash \"$@\"\n");
    let shell = program(sandbox, "shells/bash", &text);
    host.shell(shell).codex(&Codex::real(NO_MODEL)).codex(&Codex::in_folder(&sandbox.path().join("mac")))
}

/// When a process began, as `ps` tells it.
fn begun(pid: u32) -> String {
    let mut ps = std::process::Command::new("ps");
    let ran = process::run(ps.env("TZ", "UTC0").env("LC_ALL", "C").args(["-o", "lstart=", "-p", &pid.to_string()]), b"");
    ran.exits(0).stdout.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_started_joined_known_and_stopped_by_ps() {
    let lab = Lab::build(|_, host| mac(host)).await;
    let first = lab.up(Want::server().in_folder("~")).await.unwrap();
    assert_eq!(
        (first.server.how, first.facts.os.as_str(), first.facts.machine.as_str()),
        (How::Started, "Darwin", "id-of-kern.uuid")
    );
    let record = std::fs::read_to_string(lab.record()).unwrap();
    let began = begun(lab.pid().try_into().unwrap());
    assert!(record.contains(&format!("start={began}\n")) && record.contains("\nexe=codex\n"), "{record}");
    upgrades(first).await;
    // The process that waits for the end of the session looks at it by ps too.
    let survived = format!("{}.survived", lab.record().display());
    let seen = || std::path::Path::new(&survived).exists();
    tokio::task::block_in_place(|| until("the mark of a server that outlived its session", seen));
    let second = lab.up(Want::check()).await.unwrap();
    assert_eq!((second.server.how, second.facts.ours), (How::Joined, true));
    assert!(second.facts.epoch.as_ref().is_some_and(|epoch| epoch.split('.').count() == 3), "{:?}", second.facts.epoch);
    upgrades(second).await;
    let pid = lab.pid();
    let stopped = remote::stop(&lab.session, &lab.settings, false, &Nobody).await.unwrap();
    assert!(stopped == Stopped::Ours && !alive(pid), "{stopped:?}");
    assert_eq!(remote::stop(&lab.session, &lab.settings, false, &Nobody).await.unwrap(), Stopped::None);
}

/// Its start, its number, its machine and boot are right by chance, and it is another program.
#[tokio::test]
async fn another_program_is_not_signalled_where_only_ps_knows_it() {
    let lab = Lab::build(|_, host| mac(host)).await;
    assert_eq!(lab.how().await, How::Started);
    let ours = lab.pid();
    let other = bystander(std::path::Path::new("/bin/sleep"), &["1000"], lab.sandbox.path());
    lab.forge(other.id(), &[("start", begun(other.id()))]);
    assert_eq!(remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap(), Stopped::NotOurs);
    end(other);
    lab.kill(ours);
}

#[tokio::test]
async fn listeners_and_dead_servers_are_told_by_ps() {
    let lab = Lab::build(|_, host| mac(host)).await;
    let line = "exec -a codex sh -c 'sleep 1000; :' codex app-server --listen ws://0.0.0.0:4501";
    let mut public = lab.host.ssh_command(line).spawn().unwrap();
    let mut listeners = Vec::new();
    while listeners.is_empty() {
        listeners = lab.up(Want::check()).await.unwrap().facts.listeners;
        listeners.retain(|l| l.contains("4501"));
    }
    end_processes(lab.sandbox.path());
    public.wait().unwrap();
    std::fs::write(lab.codex_home().join("app-server-control"), "no folder").unwrap();
    for want in [Want::check(), Want::server()] {
        assert_eq!(lab.refused(want).await.code, Code::SocketRefused);
    }
}
