//! `outpost run` where it waits for the host, and its link is gone: that is told, and a person can leave; what was never sent is
//! theirs again, and never called running.

use super::Bed;
use crate::bed::Terminal;
use crate::bed::faulty::{Fault, Mood};

impl Bed {
    fn cuts(&self) {
        self.wire.mood(Mood::Refuse);
        self.wire.fault(Fault::Cut);
    }
}

/// A conversation whose first turn is over, and whose link is lost while it asks for the next prompt.
async fn at_the_prompt() -> (Bed, Terminal) {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app"]);
    terminal.shows("›");
    terminal.line("say good day");
    terminal.shows_times("›", 2);
    bed.cuts();
    (bed, terminal)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_lost_while_a_person_types_is_told() {
    let (bed, terminal) = at_the_prompt().await;
    terminal.type_text("say half");
    let screen = terminal.shows("link lost");
    assert!(screen.trim_end().ends_with("› say half"), "the line is drawn again: {screen}");
    bed.wire.mood(Mood::Good);
    let screen = terminal.shows("the link is back");
    assert!(screen.trim_end().ends_with("› say half"), "{screen}");
    terminal.line(" of it");
    terminal.shows("half of it");
}

/// The folder is looked for before a prompt goes out: it stands in the way without a link, and so does the prompt itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_was_never_sent_is_given_back_to_who_leaves() {
    for key in ["C-c", "C-\\"] {
        let (bed, terminal) = at_the_prompt().await;
        terminal.shows("link lost");
        terminal.line("say not sent");
        bed.wire.until_tried(1).await;
        terminal.press(&[key]);
        let screen = terminal.shows("[exit");
        let told = "left before the prompt was sent; it is yours to send again:\nsay not sent\n";
        assert!(screen.contains(told) && screen.contains("[exit 130]"), "{screen}");
        assert!(!screen.contains("goes on") && !screen.contains("is not known"), "{screen}");
    }
}

/// Nobody answered the question, so nobody is said to have.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_whose_server_died_is_withdrawn() {
    let bed = Bed::new().await;
    let terminal = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "please work"]);
    terminal.shows("touch asked");
    terminal.shows("yes");
    bed.kill_server();
    let screen = terminal.shows("[exit");
    assert!(screen.contains("withdrawn: the server ended") && screen.contains("interrupted"), "{screen}");
    assert!(!screen.contains("answered elsewhere") && !screen.contains("declined"), "{screen}");
}
