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

/// The same machine, home and CODEX_HOME: only the user id is another, in a user namespace.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_another_place() {
    let (code, said) = moved(|bed| {
        let shell = bed.host.dir.join("as-shell");
        std::fs::rename(&shell, bed.host.dir.join("as-root")).unwrap();
        let other = "#!/bin/sh\nexec unshare --user --map-user=4242 --map-group=4242 \"$OUTPOST_BED/as-root\"\n";
        std::fs::write(&shell, other).unwrap();
        std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    })
    .await;
    assert_eq!(code, Code::OtherMachine, "{said}");
    assert!(said.contains("is 4242@"), "{said}");
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
