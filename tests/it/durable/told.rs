//! What `outpost run` prints of a link that is lost for a while: link, server and agent, and no line for each dial.

use serde_json::Value;
use tokio::sync::oneshot;

use super::Bed;
use crate::bed::faulty::{Fault, Mood};
use crate::bed::{Ran, process};
use crate::run::{first, lines};

/// A turn whose link goes when its first command was shown, and comes back with the second dial.
async fn outage(flags: &[&str]) -> (Bed, Ran) {
    let bed = Bed::new().await;
    let args = [&["run", "devbox:app", "run true\nwait held\nsay It is done."], flags].concat();
    let mut command = bed.sandbox.outpost(&args);
    let (shown, see) = oneshot::channel();
    let running = tokio::task::spawn_blocking(move || process::run_and_see(&mut command, &["$ true", "commandExecution"], shown));
    see.await.expect("it shows the command");
    bed.model.reached("held").await;
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    bed.wire.until_tried(1).await;
    bed.model.open("held");
    bed.wire.mood(Mood::Good);
    let ran = running.await.unwrap().exits(0);
    (bed, ran)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_a_few_lines_for_a_person() {
    let (bed, ran) = outage(&[]).await;
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("link")).collect();
    assert!(told.len() <= 3, "no line for each dial: {told:#?}");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+ s", "[N] s");
    settings.bind(|| {
        // A loss that lasts is told again, after ever longer pauses.
        insta::assert_snapshot!(bed.sandbox.stable(&[told[0], told[told.len() - 1]].join("\n")), @r"
        link lost [N] s ago, trying again in [N] s; the turn was running
        the link is back after [N] s, with the same server
        ");
    });
    assert!(ran.stdout.contains("It is done."), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_three_states_in_json() {
    let (_bed, ran) = outage(&["--json"]).await;
    let told = lines(&ran);
    // The first says that the link stands.
    let links: Vec<&Value> = told.iter().filter(|line| line["type"] == "link").skip(1).collect();
    let (back, lost) = links.split_last().unwrap();
    for line in lost {
        assert_eq!((&line["state"], &line["agent"]), (&"lost".into(), &"working".into()), "{line}");
        assert!(line["lost_ms"].is_u64() && line["server"].is_string(), "{line}");
    }
    // Lost, and lost still after a dial: the pauses are named, and that one dials is too.
    assert!(lost.iter().filter(|line| line["again_ms"].is_u64()).count() >= 2, "{links:#?}");
    assert!(lost.iter().any(|line| line["again_ms"].is_null()), "{links:#?}");
    assert_eq!((&back["state"], &back["server"]), (&"up".into(), &"same".into()), "{back}");
    let end = first(&told, "back");
    assert!(end["server"] == "same" && end["away_ms"].as_u64() > Some(1_000), "{end}");
}
