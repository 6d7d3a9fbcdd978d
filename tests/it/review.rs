//! `outpost review` and `thread resume|review` on real parts: real git, real codex, a scripted model.

use std::process::Command;

use super::bed::Ran;
use super::run::Bed;

impl Bed {
    /// Makes `app` a repository with a commit on `main`, and something that is not committed.
    fn repository(&self) {
        let app = self.host.home.join("app");
        std::fs::write(app.join("a.txt"), "one\n").unwrap();
        for words in ["init -q -b main", "add .", "-c user.name=n -c user.email=e commit -q -m first"] {
            let mut git = Command::new("git");
            assert!(git.arg("-C").arg(&app).args(words.split(' ')).status().unwrap().success());
        }
        std::fs::write(app.join("a.txt"), "two\n").unwrap();
    }

    /// What the model was asked last.
    fn asked(&self) -> String {
        self.model.requests().last().map(|request| outpost::demo::script::asked(request).0).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_looks_at_what_is_named() {
    let bed = Bed::new().await;
    bed.repository();
    for (options, asked) in [
        (&[][..], "staged, unstaged, and untracked"),
        (&["--base", "main"], "main"),
        (&["--commit", "HEAD"], "HEAD"),
        (&["say Only the SQL."], "say Only the SQL."),
    ] {
        let ran: Ran = bed.run(&[&["review", "devbox:app"], options].concat()).await.exits(0);
        assert!(bed.asked().contains(asked), "{options:?}: {}", bed.asked());
        assert!(!ran.stdout.trim().is_empty(), "{options:?}: {}", ran.stderr);
    }
}
