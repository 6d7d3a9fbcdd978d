//! `outpost stop` and `logs`, as a person runs them.

use std::time::Duration;

use outpost::demo::leftovers::processes;
use outpost::remote::How;

use super::Lab;
use crate::bed::{Ran, Sandbox, Terminal, alive, until};
use crate::run::Bed;

pub(super) fn run(sandbox: &Sandbox, args: &[&str]) -> Ran {
    tokio::task::block_in_place(|| sandbox.run(args))
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_and_logs() {
    let lab = Lab::real(|host| host).await;
    let none = run(&lab.sandbox, &["logs", "devbox"]).exits(6);
    assert!(none.stdout.is_empty() && none.stderr.contains("error[log-missing]"), "{none:?}");
    assert_eq!(run(&lab.sandbox, &["stop", "devbox"]).exits(0).stdout, "devbox: no app-server of ours runs there\n");
    assert_eq!(lab.how().await, How::Started);
    let pid = lab.pid();
    let log = lab.codex_home().join("outpost/server.log");
    std::fs::write(&log, "one\ntwo \u{1b}]0;title\u{7} é\nthree\n").unwrap();
    let said = run(&lab.sandbox, &["logs", "devbox", "-n", "2"]).exits(0).stdout;
    assert_eq!(said, "two ␛]0;title␇ é\nthree\n");
    assert_eq!(run(&lab.sandbox, &["stop", "devbox"]).exits(0).stdout, "devbox: the app-server has ended\n");
    assert!(!alive(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_waits_for_a_running_turn() {
    let bed = Bed::new().await;
    let thread = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0).stdout;
    let mut stopping = std::pin::pin!(bed.run(&["stop", "devbox"]));
    // Not a wait for something to happen: that it does not end by itself can only be seen for a while.
    assert!(tokio::time::timeout(Duration::from_millis(800), stopping.as_mut()).await.is_err());
    bed.model.open("held");
    assert_eq!(stopping.await.exits(0).stdout, "devbox: the app-server has ended\n");
    let items = bed.items(thread.trim().strip_prefix("devbox:").unwrap()).await;
    assert!(items.iter().any(|item| item["text"] == "later"), "{items:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_says_what_it_waits_for() {
    let bed = Bed::new().await;
    bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0);
    bed.model.reached("held").await;
    let terminal = Terminal::outpost(&bed.sandbox, &["stop", "devbox"]);
    tokio::task::block_in_place(|| terminal.shows("devbox: waiting for its turns to end (--now does not)"));
    bed.model.open("held");
    tokio::task::block_in_place(|| terminal.shows("devbox: the app-server has ended"));
}

/// Whoever does not wait for the turns any more is told what goes on, and nothing of the waiting stays on the host.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_is_not_waited_for_goes_on() {
    let bed = Bed::new().await;
    let thread = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0).stdout;
    bed.model.reached("held").await;
    let terminal = Terminal::outpost(&bed.sandbox, &["stop", "devbox"]);
    tokio::task::block_in_place(|| {
        terminal.shows("devbox: waiting for its turns to end (--now does not)");
        terminal.press(&["C-c"]);
        let screen = terminal.shows("[exit 130]");
        assert!(screen.contains("it still ends when its turns do") && screen.contains("outpost stop devbox --now"), "{screen}");
    });
    let waits = || {
        let line = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        processes(bed.sandbox.path()).iter().any(|pid| line(pid).contains("IFS= read -r _s"))
    };
    tokio::task::block_in_place(|| until("the end of the loop that waits", || !waits()));
    // Until then it takes no turns, and that has a name.
    let checked = bed.run(&["check", "devbox", "--json"]).await.exits(6).stdout;
    assert!(checked.contains("\"server-draining\""), "{checked}");
    let refused = bed.run(&["run", "devbox:app", "say hi"]).await.exits(6).stderr;
    assert!(refused.contains("error[server-draining]") && refused.contains("outpost stop devbox --now"), "{refused}");
    let servers = || {
        processes(bed.sandbox.path()).into_iter().any(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().contains("app-server\0--listen")
        })
    };
    // Nor does who stops it once more end its turns.
    let again = Terminal::outpost(&bed.sandbox, &["stop", "devbox"]);
    tokio::task::block_in_place(|| again.shows("waiting for its turns to end"));
    assert!(servers());
    bed.model.open("held");
    tokio::task::block_in_place(|| again.shows("the app-server has ended"));
    tokio::task::block_in_place(|| until("the end of the server", || !servers()));
    let log = bed.run(&["thread", "log", thread.trim()]).await.exits(0).stdout;
    assert!(log.contains("\nlater") && !log.contains("interrupted"), "{log}");
    let next = bed.run(&["run", "devbox:app", "say hi"]).await.exits(0).stderr;
    assert!(!next.contains("server-reaped"), "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_now_waits_for_no_turn() {
    let bed = Bed::new().await;
    bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0);
    assert_eq!(bed.run(&["stop", "devbox", "--now"]).await.exits(0).stdout, "devbox: the app-server has ended\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_leaves_a_server_of_others_alone() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    std::fs::remove_file(lab.record()).unwrap();
    let said = run(&lab.sandbox, &["stop", "devbox", "--now"]).exits(6).stderr;
    assert!(said.contains("server-not-ours"), "{said}");
    assert_eq!(lab.servers().len(), 1);
}
