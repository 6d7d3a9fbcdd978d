//! What a person is asked and told while a login goes on, held against what the real `ssh` asks.

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use outpost::host::resolve::resolve;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};
use outpost::step::{Progress, Watch};

use super::{Bed, Notes, Person, Ward, keygen, prompts};
use crate::bed::Sandbox;

/// The questions of `ssh` itself, as an askpass program hears them.
async fn asked_by_ssh(bed: &Bed, settings: &str) -> Vec<String> {
    let log = bed.sandbox.path().join("asked");
    let text = format!(
        "#!/bin/sh\nprintf '%s\\036' \"$1\" >>{}\ncase $1 in *passphrase*) echo 'open sesame';; *) echo 1;; esac\n",
        log.display()
    );
    let askpass = bed.sandbox.write("askpass", &text);
    std::fs::set_permissions(&askpass, PermissionsExt::from_mode(0o755)).unwrap();
    let known = bed.sandbox.write("known_hosts", &format!("known,[127.0.0.1]:{} {}\n", bed.port, bed.host_key));
    let fixed = format!(
        "hostname 127.0.0.1\nport {}\nuser me\nstricthostkeychecking yes\nuserknownhostsfile {}\nidentityagent none\n",
        bed.port,
        known.display()
    );
    let config = bed.sandbox.write("real", &format!("Host ward\n{settings}{fixed}"));
    let mut ssh = std::process::Command::new("ssh");
    bed.sandbox.clean(&mut ssh);
    ssh.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force").arg("-F").arg(config).args(["ward", "true"]);
    tokio::task::spawn_blocking(move || crate::bed::run(&mut ssh, b"")).await.unwrap();
    let asked = std::fs::read_to_string(&log).unwrap_or_default();
    std::fs::remove_file(&log).ok();
    asked.split_terminator('\u{1e}').map(str::to_owned).collect()
}

#[tokio::test]
async fn the_questions_are_those_of_ssh() {
    let rounds = || vec![(("", "", prompts(&[("Code: ", true), ("PIN: ", false)])), vec!["1", "1"])];
    for alias in ["", "hostkeyalias known\n"] {
        for ward in [
            Ward { rounds: rounds(), ..Ward::default() },
            Ward { password: Some("1"), ..Ward::default() },
            Ward { password: Some("1"), key_first: true, ..Ward::default() },
        ] {
            let bed = Bed::new(ward).await;
            let key = bed.sandbox.path().join("locked");
            keygen(&key, &["-N", "open sesame"]);
            let settings = format!("{alias}identityfile {}\nnumberofpasswordprompts 1\n", key.display());
            let by_ssh = asked_by_ssh(&bed, &settings).await;
            let answers: Vec<_> = by_ssh.iter().map(|q| Ok(if q.contains("passphrase") { "open sesame" } else { "1" })).collect();
            let person = Person::who_says(&answers);
            let target = bed.target(&settings);
            let known = format!("known,[127.0.0.1]:{} {}\n", bed.port, bed.host_key);
            bed.sandbox.write("known_hosts", &known);
            let opened = super::open(&bed.sandbox.local(), &target, &person, &Notes::default()).await;
            let ours: Vec<String> =
                person.was_asked().iter().map(|q| q.rsplit(" | ").next().unwrap_or_default().to_owned()).collect();
            assert_eq!(ours, by_ssh, "{settings}");
            assert!(!ours.is_empty() && opened.is_ok(), "{:?}", opened.err());
        }
    }
}

#[tokio::test]
async fn a_banner_is_told_where_nobody_is_asked() {
    let sandbox = Sandbox::new();
    let banner = sandbox.write("banner", "Authorised use only\n");
    sandbox.host("dev").sshd(&format!("Banner {}", banner.display())).build();
    let (local, notes) = (sandbox.local(), Notes::default());
    let target = resolve(&local, &"dev".parse().unwrap()).await.unwrap();
    Session::open(&target, &Context { local: &local, ask: &NobodyToAsk, watch: &notes }).await.unwrap();
    assert!(notes.0.lock().unwrap().contains(&"Authorised use only".to_owned()));
}

/// Lets a helper go on once its words were told.
struct Reader {
    told: Mutex<String>,
    door: std::path::PathBuf,
}

impl Watch for Reader {
    fn progress(&self, progress: Progress) {
        if let Progress::Aside { text, .. } = progress {
            let mut told = self.told.lock().unwrap();
            if told.is_empty() {
                std::fs::write(&self.door, "").unwrap();
            }
            told.push_str(&format!("{text}\n"));
        }
    }
}

/// It may say what it waits for: nothing comes before a person has read that.
#[tokio::test]
async fn a_proxy_is_heard_while_it_runs() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("dev").build();
    let door = sandbox.path().join("door");
    let script = format!(
        "echo 'open http://sign.in/x' >&2\nuntil [ -e {0} ]; do sleep 0.05; done\nrm {0}\necho thanks >&2\nexec {1}\n",
        door.display(),
        host.proxy_command()
    );
    let script = sandbox.write("proxy", &script);
    let rest = std::fs::read_to_string(sandbox.ssh_config()).unwrap();
    sandbox.write("ssh_config", &format!("Host dev\n  ProxyCommand sh {}\n{rest}", script.display()));
    let local = sandbox.local();
    let target = resolve(&local, &"dev".parse().unwrap()).await.unwrap();
    for system in [false, true] {
        let reader = Reader { told: Mutex::default(), door: door.clone() };
        let context = Context { local: &local, ask: &NobodyToAsk, watch: &reader };
        let opened = match system {
            false => Session::open(&target, &context).await,
            true => Session::open_with_system_ssh(&target, &context).await,
        };
        opened.unwrap().close().await;
        assert_eq!(*reader.told.lock().unwrap(), "open http://sign.in/x\nthanks\n", "the system's ssh: {system}");
    }
}
