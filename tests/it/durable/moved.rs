//! The alias leads somewhere else when the link is dialled again: nothing is gone on with there.

use std::os::unix::fs::PermissionsExt;

use outpost::app_server::durable::event::Event;
use outpost::app_server::durable::link::Link;
use outpost::failure::Code;
use serde_json::json;

use super::{Bed, is_lost};
use crate::bed::faulty::{Fault, Mood};
use crate::bed::front::{Front, text};

/// Cuts the link, changes the host, and gives why the connection ended.
async fn moved(change: impl FnOnce(&Bed)) -> (Code, String) {
    let bed = Bed::new().await;
    let (mut front, thread) = bed.front().await;
    front.call("turn/start", Front::prompt(&thread, "c1", "slowly")).await;
    front.until("two", |m| text(crate::bed::front::params(m), &["delta"]).contains("two")).await;
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    front.until_state("lost", is_lost).await;
    change(&bed);
    let prompt = Front::prompt(&thread, "c2", "say elsewhere");
    let peer = front.peer.clone();
    let mut sending = Box::pin(async move { peer.call("turn/start", prompt).await });
    // It is on its way before the link is back.
    assert!(futures_util::poll!(&mut sending).is_pending());
    bed.wire.mood(Mood::Good);
    front.until_state("ended", |s| matches!(s.link, Link::Ended(_))).await;
    let Link::Ended(why) = front.state.borrow().link.clone() else { unreachable!("it ended") };
    let given_back = std::iter::from_fn(|| front.events.try_recv().ok())
        .any(|e| matches!(e, Event::GivenBack { message, .. } if message == "c2"));
    assert!(given_back, "the person has it back");
    assert!(sending.await.is_err(), "the prompt went elsewhere");
    assert!(!bed.model.requests().iter().any(|r| r.to_string().contains("say elsewhere")));
    (why.code, why.said)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_codex_home_is_another_place() {
    let (code, said) = moved(|bed| {
        let other = bed.host.home.join("other-codex");
        std::fs::create_dir(&other).unwrap();
        let hosts = json!({"codex_home": other.display().to_string()});
        bed.sandbox.write("codex-home/outpost/hosts.toml", &format!("[hosts.devbox]\ncodex_home = {}\n", hosts["codex_home"]));
    })
    .await;
    assert_eq!(code, Code::OtherMachine, "{said}");
    assert!(said.contains("other-codex"), "{said}");
}

impl Bed {
    /// From now on sessions run in namespaces of their own, made by these words.
    fn behind(&self, words: &str) {
        let shell = self.host.dir.join("as-shell");
        std::fs::rename(&shell, self.host.dir.join("as-before")).unwrap();
        std::fs::write(&shell, format!("#!/bin/sh\nexec unshare --user {words} \"$OUTPOST_BED/as-before\"\n")).unwrap();
        std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The same machine, home and CODEX_HOME: only the user id is another.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_another_place() {
    let (code, said) = moved(|bed| bed.behind("--map-user=4242 --map-group=4242")).await;
    assert_eq!(code, Code::OtherMachine, "{said}");
    assert!(said.contains("is 4242@"), "{said}");
}

/// The same host key, user and CODEX_HOME: a copy of the machine, with an id and a name of its own.
#[tokio::test(flavor = "multi_thread")]
async fn another_machine_is_another_place() {
    let (code, said) = moved(|bed| {
        let id = bed.sandbox.write("machine-id", "0123456789abcdef0123456789abcdef\n");
        let change = format!("[ ! -e /etc/machine-id ] || mount --bind {} /etc/machine-id; hostname elsewhere", id.display());
        let root = if nix::unistd::getuid().is_root() { "--map-root-user" } else { "--map-current-user --keep-caps" };
        bed.behind(&format!("{root} --mount --uts sh -c '{change}; exec \"$0\"'"));
    })
    .await;
    assert_eq!(code, Code::OtherMachine, "{said}");
    assert!(said.contains("@0123456789abcdef") || said.contains("@elsewhere"), "{said}");
}

/// What only a person can mend ends the dialling.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_a_person_must_mend_stops_the_dialling() {
    let login = moved(|bed| std::fs::write(bed.host.dir.join("authorized_keys"), "").unwrap()).await;
    let gate = moved(|bed| drop(bed.sandbox.write("codex-home/config.toml", ""))).await;
    let codes = [&login, &gate].map(|(code, _)| *code);
    assert_eq!(codes, [Code::AuthNeedsPerson, Code::GateOff], "{login:?} {gate:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_key_stops_everything() {
    let (code, said) = moved(|bed| {
        let key = bed.host.dir.join("hostkey_ed25519");
        for file in [key.clone(), key.with_extension("pub")] {
            std::fs::remove_file(file).unwrap();
        }
        bed.host.make_host_key("ed25519");
    })
    .await;
    assert_eq!(code, Code::HostKeyChanged, "{said}");
}
