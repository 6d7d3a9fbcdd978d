//! A laptop that is opened again, or carried into another network, while `outpost run` waits for its next dial.

use std::process::Command;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Bed;
use crate::bed::faulty::{Fault, Mood};
use crate::bed::process;
use crate::run::{first, lines};

/// A login that was cut is tried again after 15 s; the pause before, the first one, is of 1.2 s at most.
const LONG_PAUSES: [&str; 3] = ["\"again_ms\":13", "\"again_ms\":14", "\"again_ms\":15"];

/// The link goes, the dial after it is refused, and then `what` happens to the laptop.
async fn opened_again(what: &str) {
    let bed = Bed::new().await;
    let (laptop, library) = (bed.sandbox.path().join("laptop"), bed.sandbox.path().join("laptop.so"));
    std::fs::create_dir(&laptop).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/durable/laptop.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).status();
    assert!(built.unwrap().success());
    let mut command = bed.sandbox.outpost(&["run", "devbox:app", "wait held\nsay It is done.", "--json"]);
    command.env("LD_PRELOAD", &library).env("LAPTOP", &laptop);
    let (shown, pause) = oneshot::channel();
    let running = tokio::task::spawn_blocking(move || process::run_and_see(&mut command, &LONG_PAUSES, shown));
    bed.model.reached("held").await;
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    pause.await.expect("it waits for its next dial");
    bed.model.open("held");
    bed.wire.mood(Mood::Good);
    let mut dialled = std::pin::pin!(bed.wire.until_tried(1));
    assert!(futures_util::poll!(&mut dialled).is_pending(), "it waits");
    std::fs::write(laptop.join(what), "").unwrap();
    tokio::time::timeout(Duration::from_secs(10), dialled).await.expect("it does not wait for its time");
    let ran = running.await.unwrap().exits(0);
    let told = lines(&ran);
    assert_eq!(first(&told, "back")["server"], "same");
    assert_eq!(first(&told, "ended")["outcome"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn field_54_a_laptop_that_wakes_dials_at_once() {
    opened_again("slept").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn field_54_a_laptop_in_another_network_dials_at_once() {
    opened_again("moved").await;
}
