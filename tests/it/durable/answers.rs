//! Requests whose answers are lost with the link: reads are asked again, of a deed it is said that nobody knows.

use outpost::app_server::durable::event::Event;
use outpost::app_server::durable::settings::Settings;
use outpost::rpc::pending::{CallError, NOT_KNOWN};
use serde_json::{Value, json};

use super::Bed;
use crate::bed::front::Front;
use crate::bed::tap::{At, Tap};

/// The link breaks at a request: what became of it, and how often the server got it.
async fn broken(method: &'static str, params: impl Fn(&Bed, &str) -> Value, at: At) -> (Bed, Result<Value, CallError>, usize) {
    let (bed, tap) = (Bed::new().await, Tap::default());
    let mut front = Front::tapped(&bed.sandbox, "devbox", (Settings::own(), &tap)).await;
    let thread = front.thread(&bed.host.home.join("app")).await;
    front.call("turn/start", Front::prompt(&thread, "c1", "say hi")).await;
    front.until_method("turn/completed").await;
    tap.breaks(method, at);
    let answer = front.peer.call(method, params(&bed, &thread)).await;
    let told = std::iter::from_fn(|| front.events.try_recv().ok()).any(|e| matches!(e, Event::NotKnown { .. }));
    assert_eq!(told, matches!(&answer, Err(CallError::Refused(e)) if e.code == NOT_KNOWN), "{method}: {answer:?}");
    (bed, answer, tap.crossed())
}

type Params = fn(&Bed, &str) -> Value;

#[tokio::test(flavor = "multi_thread")]
async fn what_only_reads_is_asked_again() {
    let read: [(&'static str, Params, &str); 3] = [
        ("model/list", |_, _| json!({}), "/data"),
        ("thread/items/list", |_, thread| json!({"threadId": thread, "limit": 10}), "/data/0/item"),
        ("fs/readDirectory", |bed, _| json!({"path": bed.host.home}), "/entries/0"),
    ];
    for (method, params, has) in read {
        let (_bed, answer, crossed) = broken(method, params, At::Answer).await;
        assert!(answer.as_ref().is_ok_and(|value| value.pointer(has).is_some()), "{method}: {answer:?}");
        assert_eq!(crossed, 2, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_something_is_not_done_twice() {
    for (at, lines) in [(At::Request, None), (At::Answer, Some("once\n"))] {
        let params = |bed: &Bed, _: &str| {
            let command = ["sh", "-c", "echo once >> did"];
            json!({"command": command, "cwd": bed.host.home, "sandboxPolicy": {"type": "dangerFullAccess"}})
        };
        let (bed, answer, crossed) = broken("command/exec", params, at).await;
        let did = std::fs::read_to_string(bed.host.home.join("did")).ok();
        assert_eq!((did.as_deref(), crossed), (lines, usize::from(lines.is_some())));
        assert!(matches!(&answer, Err(CallError::Refused(e)) if e.code == NOT_KNOWN), "{answer:?}");
    }
}
