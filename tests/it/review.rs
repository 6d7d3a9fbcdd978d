//! `outpost review` and `thread resume|review` on real parts: real git, real codex, a scripted model.

use std::process::Command;

use super::bed::Ran;
use super::run::{Bed, first, lines};

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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_before_the_model_is_asked() {
    let bed = Bed::new().await;
    let ran = bed.run(&["review", "devbox:app"]).await.exits(6);
    assert!(ran.stderr.contains("not-a-repository"), "{}", ran.stderr);
    bed.repository();
    let ran = bed.run(&["review", "devbox:app", "--base", "mian"]).await.exits(4);
    assert!(ran.stderr.contains("did you mean main?"), "{}", ran.stderr);
    let ran = bed.run(&["review", "devbox:app", "--commit", "deadbeef"]).await.exits(4);
    assert!(ran.stderr.contains("try:  the newest commits are "), "{}", ran.stderr);
    assert_eq!(bed.model.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_there_is_reviews_too() {
    let bed = Bed::new().await;
    bed.repository();
    let id = bed.thread("say hi").await;
    let file = bed.sandbox.path().join("review.txt");
    let thread = format!("devbox:{id}");
    let args = ["thread", "review", &thread, "say It is fine.", "--json", "-o", file.to_str().unwrap()];
    let told = lines(&bed.run(&args).await.exits(0));
    assert_eq!((&first(&told, "thread")["thread"], &first(&told, "ended")["outcome"]), (&id.into(), &"completed".into()));
    assert!(std::fs::read_to_string(&file).unwrap().contains("It is fine."), "{told:#?}");
}
