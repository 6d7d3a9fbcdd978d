//! Two accounts on one host, really two: what the other one has is never joined, signalled or taken for ours. The tests of an account
//! that cannot become another one make do with what root has.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use outpost::failure::Code;
use outpost::remote::{self, How, Stopped, Want};
use outpost::step::Nobody;

use super::signals::begun;
use super::{Lab, NO_MODEL, upgrades};
use crate::bed::{Codex, Sandbox, alive, native, until};
use crate::shells::program;

/// The numbers of two accounts that nobody else uses at this moment.
struct Accounts {
    ours: u32,
    theirs: u32,
}

impl Accounts {
    /// None where this process may not act for another account.
    fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let first = 60_000 + std::process::id() % 500 * 10 + MADE.fetch_add(2, Ordering::Relaxed);
        nix::unistd::getuid().is_root().then_some(Self { ours: first, theirs: first + 1 })
    }

    /// A host on which we are the first of them.
    async fn lab(&self) -> Lab {
        let lab = Lab::build(|sandbox, host| {
            let text = format!("#!/bin/bash\nexport SHELL=/bin/bash\n{} /bin/bash \"$@\"\n", become_account(sandbox, self.ours));
            let shell = program(sandbox, "shells/bash", &text);
            let codex = Codex::in_folder(&sandbox.path().join("package/bin"));
            host.shell(shell).codex(&Codex::real(NO_MODEL)).codex(&codex)
        })
        .await;
        give(&lab.host.home, self.ours);
        lab
    }

    /// A codex of the second account, on its default socket. Where that is.
    fn their_server(&self, sandbox: &Sandbox) -> (Child, PathBuf) {
        let home = sandbox.path().join("theirs");
        std::fs::create_dir_all(home.join(".codex")).unwrap();
        give(&home, self.theirs);
        let mut command = Command::new("/bin/bash");
        sandbox.clean(&mut command);
        let line = format!("{} \"$@\"", become_account(sandbox, self.theirs));
        command.arg("-c").arg(line).arg("bash").arg(sandbox.path().join("package/bin/codex"));
        command.args(["app-server", "--listen", "unix://"]).env("HOME", &home).env("CODEX_HOME", home.join(".codex"));
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let link = home.join(".codex/app-server-control/app-server-control.sock");
        until("their server", || link.exists());
        (server, std::fs::read_link(link).unwrap())
    }
}

impl Drop for Accounts {
    fn drop(&mut self) {
        for uid in [self.ours, self.theirs] {
            drop(std::fs::remove_dir_all(format!("/tmp/codex-daemon-{uid}")));
            drop(std::fs::remove_dir_all(format!("/tmp/outpost-{uid}")));
        }
    }
}

/// The words before a command that runs it for an account, with a codex that the account may read.
fn become_account(sandbox: &Sandbox, uid: u32) -> String {
    let package = native().ancestors().nth(2).unwrap().display().to_string();
    let here = sandbox.path().join("package");
    std::fs::create_dir_all(&here).unwrap();
    std::fs::set_permissions(sandbox.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let inside =
        format!("mount --bind {package} {} && exec setpriv --reuid={uid} --regid={uid} --clear-groups \"$@\"", here.display());
    format!("exec unshare -m /bin/bash -c '{inside}' bash")
}

/// Makes an account the owner of a folder and of all that is in it.
fn give(path: &Path, uid: u32) {
    std::os::unix::fs::lchown(path, Some(uid), Some(uid)).unwrap();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            give(&entry.path(), uid);
        } else {
            std::os::unix::fs::lchown(entry.path(), Some(uid), Some(uid)).unwrap();
        }
    }
}

impl Lab {
    /// Lets the default socket be this one.
    fn leads_to(&self, socket: &Path, uid: u32) {
        let control = self.socket();
        drop(std::fs::remove_file(&control));
        std::fs::create_dir_all(control.parent().unwrap()).unwrap();
        symlink(socket, &control).unwrap();
        give(&self.codex_home(), uid);
    }

    async fn is_foreign(&self, wants: &[Want], words: &str) {
        for want in wants.iter().cloned() {
            let failure = self.refused(want).await;
            assert!(failure.code == Code::SocketForeign && failure.said.contains(words), "{failure:?}");
            assert!(failure.hint.contains("session_attached=true"), "{failure:?}");
        }
    }
}

#[tokio::test]
async fn field_42_a_server_of_another_account_is_not_joined() {
    let Some(accounts) = Accounts::new() else { return root_is_not_joined().await };
    let mut lab = accounts.lab().await;
    let (mut server, socket) = accounts.their_server(&lab.sandbox);
    lab.leads_to(&socket, accounts.ours);
    let any = [Want::server(), Want::check()];
    let belongs = format!("belongs to user id {}", accounts.theirs);
    lab.is_foreign(&any, &belongs).await;
    // Though they let everybody in.
    let folder = socket.parent().unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
    lab.is_foreign(&any, &belongs).await;
    // In a folder of ours the socket alone is theirs.
    let inside = lab.host.home.join("inside");
    std::fs::create_dir(&inside).unwrap();
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o700)).unwrap();
    give(&inside, accounts.ours);
    let _listener = std::os::unix::net::UnixListener::bind(inside.join("sock")).unwrap();
    chown(inside.join("sock"), Some(accounts.theirs), None).unwrap();
    lab.leads_to(&inside.join("sock"), accounts.ours);
    lab.is_foreign(&any, &belongs).await;
    // What the hint says for the meantime.
    lab.settings.session_attached = Some(true);
    assert_eq!(lab.how().await, How::Attached);
    assert!(server.try_wait().unwrap().is_none());
    server.kill().unwrap();
    server.wait().unwrap();
}

#[tokio::test]
async fn field_41_a_process_of_another_account_is_not_signalled() {
    let Some(accounts) = Accounts::new() else { return root_is_not_signalled().await };
    let lab = accounts.lab().await;
    let remote = lab.up(Want::server()).await.unwrap();
    assert_eq!(
        (remote.server.how, remote.facts.user, remote.facts.uid),
        (How::Started, accounts.ours.to_string(), accounts.ours.to_string())
    );
    upgrades(lab.up(Want::server()).await.unwrap()).await;
    let ours = lab.pid();
    assert_eq!(std::fs::metadata(format!("/proc/{ours}")).unwrap().uid(), accounts.ours);
    // Of their process everything is right that we can see: number, start, machine, boot, and it is a codex too.
    let (mut server, _) = accounts.their_server(&lab.sandbox);
    let (place, record) = (lab.record(), std::fs::read_to_string(lab.record()).unwrap());
    lab.forge(server.id(), &[("start", begun(server.id()))]);
    let stopped = remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap();
    assert!(stopped == Stopped::NotOurs && server.try_wait().unwrap().is_none() && alive(ours), "{stopped:?}");
    // With our own record, ours ends and theirs does not.
    std::fs::write(place, record).unwrap();
    assert_eq!(remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap(), Stopped::Ours);
    assert!(server.try_wait().unwrap().is_none() && !alive(ours));
    server.kill().unwrap();
    server.wait().unwrap();
}

/// The folders that Codex and we use outside of the home have names that anybody can guess, and make first.
#[tokio::test]
async fn field_42_a_folder_that_another_account_made_first_is_named() {
    let Some(accounts) = Accounts::new() else { return };
    let mut lab = accounts.lab().await;
    for folder in [format!("/tmp/codex-daemon-{}", accounts.ours), format!("/tmp/outpost-{}", accounts.ours)] {
        std::fs::create_dir(&folder).unwrap();
        chown(&folder, Some(accounts.theirs), None).unwrap();
    }
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::SocketRefused, "{failure:?}");
    let own = format!("ls -ld /tmp/codex-daemon-{}", accounts.ours);
    assert!(failure.hint.contains(&own) && failure.hint.contains("session_attached=true"), "{failure:?}");
    // Ours, for a socket whose path is too long without Codex's link; a file system that follows no links leads there too.
    std::fs::remove_dir(format!("/tmp/codex-daemon-{}", accounts.ours)).unwrap();
    let real = lab.sandbox.path().join("package/bin/codex");
    let text = format!(
        "#!/bin/sh\ncase $* in *'--listen unix://') echo 'path must be shorter than SUN_LEN' >&2; exit 1 ;; esac\nexec {} \"$@\"\n",
        real.display()
    );
    lab.settings.codex = Some(program(&lab.sandbox, "bin/codex", &text).to_str().unwrap().to_owned());
    lab.is_foreign(&[Want::server()], &format!("/tmp/outpost-{} belongs to user id {}", accounts.ours, accounts.theirs)).await;
    lab.settings.session_attached = Some(true);
    assert_eq!(lab.how().await, How::Attached);
}

async fn root_is_not_joined() {
    let lab = Lab::real(|host| host).await;
    lab.leads_to(Path::new("/etc/passwd"), nix::unistd::getuid().as_raw());
    lab.is_foreign(&[Want::server(), Want::check()], "belongs to user id 0").await;
}

async fn root_is_not_signalled() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    lab.forge(1, &[("start", begun(1))]);
    assert_eq!(remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap(), Stopped::NotOurs);
}
