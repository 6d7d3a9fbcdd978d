//! Only our own processes are ever signalled: whatever became of a number, of a program, of its folder.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use outpost::remote::{self, How, Stopped, Want};
use outpost::step::Nobody;

use super::{Lab, NO_MODEL, upgrades};
use crate::bed::{Codex, alive, native};

impl Lab {
    async fn stop(&self) -> Stopped {
        remote::stop(&self.session, &self.settings, true, &Nobody).await.unwrap()
    }

    /// Writes other values into the record, and a number that is another's.
    pub(super) fn forge(&self, pid: u32, values: &[(&str, String)]) {
        let record = std::fs::read_to_string(self.record()).unwrap();
        let lines = record.lines().map(|line| {
            let key = line.split('=').next().unwrap();
            let other = values.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
            match (key, other) {
                ("pid", _) => format!("pid={pid}\n"),
                (key, Some(value)) => format!("{key}={value}\n"),
                _ => format!("{line}\n"),
            }
        });
        let text: String = lines.collect();
        std::fs::write(self.record(), text).unwrap();
    }
}

/// When a process began, as the record has it.
pub(super) fn begun(pid: u32) -> String {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned()
}

pub(super) fn bystander(program: &Path, args: &[&str], home: &Path) -> Child {
    let mut command = Command::new(program);
    command.args(args).env("CODEX_HOME", home).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

pub(super) fn end(mut child: Child) {
    assert!(child.try_wait().unwrap().is_none(), "it was signalled");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The number of our server belongs to somebody else by now: to another program, or to another app-server.
#[tokio::test]
async fn field_41_the_number_of_our_server_is_anothers_now() {
    let lab = Lab::real(|host| host).await;
    let other_home = lab.sandbox.path().join("other-home");
    std::fs::create_dir(&other_home).unwrap();
    let socket = format!("unix://{}/s", other_home.display());
    let theirs = native();
    for (program, args) in [(Path::new("/bin/sleep"), vec!["1000"]), (&theirs, vec!["app-server", "--listen", &socket])] {
        assert_eq!(lab.how().await, How::Started);
        let ours = lab.pid();
        let other = bystander(program, &args, &other_home);
        // The same number and boot; of the rest one thing at a time is right by chance.
        lab.forge(other.id(), &[]);
        assert_eq!(lab.stop().await, Stopped::NotOurs, "{program:?}");
        lab.how().await;
        assert!(alive(ours), "{program:?}");
        end(other);
        lab.kill(ours);
    }
    // Begun in the same moment, and another program.
    assert_eq!(lab.how().await, How::Started);
    let other = bystander(Path::new("/bin/sleep"), &["1000"], &other_home);
    lab.forge(other.id(), &[("start", begun(other.id()))]);
    assert_eq!(lab.stop().await, Stopped::NotOurs);
    end(other);
}

/// A server of another socket has nothing to do with ours, whatever its command line says.
#[tokio::test]
async fn field_41_an_unrelated_app_server_survives_ours() {
    let lab = Lab::real(|host| host).await;
    let other_home = lab.sandbox.path().join("other-home");
    std::fs::create_dir(&other_home).unwrap();
    let socket = format!("unix://{}/desktop-ssh-websocket-v0.sock", other_home.display());
    let other = bystander(&native(), &["app-server", "--listen", &socket], &other_home);
    assert_eq!(lab.how().await, How::Started);
    assert_eq!(lab.stop().await, Stopped::Ours);
    assert_eq!(lab.how().await, How::Started);
    end(other);
}

/// An update takes the program away under the server: npm renames the folder and removes it. The server is ours all the same.
#[tokio::test]
async fn field_65_a_server_whose_program_was_replaced_is_still_ours() {
    let lab = Lab::build(|sandbox, host| {
        let codex = sandbox.write("pkg/bin/README", "a package").with_file_name("codex");
        std::fs::copy(native(), &codex).unwrap();
        std::fs::set_permissions(&codex, std::fs::Permissions::from_mode(0o755)).unwrap();
        host.codex(&Codex::real(NO_MODEL)).codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let (package, retired) = (lab.sandbox.path().join("pkg"), lab.sandbox.path().join(".pkg-Xy1"));
    for removed in [false, true] {
        assert_eq!(lab.how().await, How::Started);
        let pid = lab.pid();
        std::fs::rename(&package, &retired).unwrap();
        std::fs::create_dir_all(package.join("bin")).unwrap();
        std::fs::copy(retired.join("bin/codex"), package.join("bin/codex")).unwrap();
        if removed {
            std::fs::remove_dir_all(&retired).unwrap();
        }
        let joined = lab.up(Want::check()).await.unwrap();
        assert_eq!((joined.server.how, joined.facts.ours), (How::Joined, true), "removed: {removed}");
        upgrades(joined).await;
        assert_eq!(lab.stop().await, Stopped::Ours, "removed: {removed}");
        assert!(!alive(pid));
        if !removed {
            std::fs::remove_dir_all(&retired).unwrap();
        }
    }
}
