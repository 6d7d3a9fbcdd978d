//! One thread in the stock TUI and on our command line: each goes on with what the other began, one after the other and at once.

use super::tui::Tui;
use crate::bed::faulty::Fault;
use crate::bed::{Ran, process};
use crate::durable::Bed;
use crate::run::{first, lines};

impl Bed {
    async fn outpost(&self, args: &[&str]) -> Ran {
        let mut command = self.sandbox.outpost(args);
        tokio::task::spawn_blocking(move || process::run(&mut command, b"")).await.unwrap().exits(0)
    }

    /// The conversation as `thread log` tells it holds these words in this order.
    async fn reads(&self, thread: &str, words: &[&str]) {
        let log = self.outpost(&["thread", "log", thread]).await.stdout;
        let mut rest = log.as_str();
        for words in words {
            rest = rest.split_once(words).unwrap_or_else(|| panic!("no {words:?} where it belongs in:\n{log}")).1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_tui_goes_on_with_a_thread_that_run_began() {
    let bed = Bed::new().await;
    let ran = bed.outpost(&["run", "devbox:app", "say told by run", "--json"]).await;
    let id = first(&lines(&ran), "thread")["thread"].as_str().unwrap().to_owned();
    let thread = format!("devbox:{id}");
    let tui = Tui::open(&bed, &["--", "resume", &id]);
    tui.shows_times("told by run", 2);
    tui.line("please work");
    tui.shows("Would you like to run");
    tui.presses_away("y", "Would you like to run");
    tui.shows("all is done");
    assert!(bed.host.home.join("app/asked").exists());
    tui.presses_until("C-c", "[exit 0]");
    bed.reads(&thread, &["› say told by run", "told by run", "› please work", "$ touch asked", "all is done"]).await;
    bed.outpost(&["run", "--resume", &id, "devbox:app", "say told after the tui"]).await;
    bed.reads(&thread, &["› please work", "all is done", "› say told after the tui", "told after the tui"]).await;
    // And once more in the TUI, over a link that goes while the thread is open there.
    let tui = Tui::open(&bed, &["--", "resume", &id]);
    tui.shows_times("told after the tui", 2);
    bed.wire.fault(Fault::Cut);
    bed.outpost(&["thread", "resume", &thread, "say told meanwhile"]).await;
    tui.shows_times("told meanwhile", 2);
    tui.presses_until("C-c", "[exit 0]");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_goes_on_with_a_thread_that_the_stock_tui_began() {
    let bed = Bed::new().await;
    let tui = Tui::open(&bed, &[]);
    tui.line("say told by the tui");
    tui.shows_times("told by the tui", 2);
    let listed = lines(&bed.outpost(&["threads", "devbox", "--json"]).await);
    let of_tui = &listed[0][0]["threads"][0];
    assert_eq!(of_tui["preview"], "say told by the tui", "{listed:#?}");
    let id = of_tui["id"].as_str().unwrap().to_owned();
    let thread = format!("devbox:{id}");
    bed.reads(&thread, &["› say told by the tui", "told by the tui"]).await;
    // The TUI still has it open, and sees what is done here.
    let ran = bed.outpost(&["thread", "resume", &thread, "please work", "--approve", "always"]).await;
    assert!(ran.stdout.contains("all is done"), "{}", ran.stdout);
    tui.shows("all is done");
    // What the TUI asks is answered here too.
    std::fs::remove_file(bed.host.home.join("app/asked")).unwrap();
    tui.line("please work");
    tui.shows("Would you like to run");
    bed.outpost(&["thread", "approve", &thread]).await;
    tui.shows_times("all is done", 2);
    assert!(bed.host.home.join("app/asked").exists());
    tui.presses_until("C-c", "[exit 0]");
    let again = bed.outpost(&["run", "--last", "devbox:app", "say told last", "--json"]).await;
    assert_eq!(first(&lines(&again), "thread")["thread"], id.as_str());
    bed.reads(&thread, &["told by the tui", "› please work", "all is done", "› please work", "all is done", "told last"]).await;
}
