//! What is said beside a login while it goes on, told in time: a helper's standard error, the server's banner.
//!
//! `ssh` lets both onto the terminal as they come, and they may be what a person waits for ("open this page", "type your PIN and the
//! code").

use std::time::Duration;

use super::ask::{Answer, Ask, Question};
use super::exec::Tail;
use super::handler::Seen;
use crate::step::{Progress, Step, Watch};

/// How long a helper's words wait before they are told: one that ends within that time has failed, and the failure has its words.
const PAUSE: Duration = Duration::from_millis(300);

/// Runs what needs a helper, and tells meanwhile what the helper says.
pub(crate) async fn while_it_speaks<T, E>(
    said: Option<&Tail>,
    watch: &dyn Watch,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(said) = said else { return work.await };
    let telling = async {
        loop {
            said.more().await;
            drop(tokio::time::timeout(PAUSE, std::future::pending::<()>()).await);
            tell(said, watch);
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = work => outcome,
        () = telling => return std::future::pending().await,
    };
    if outcome.is_ok() {
        tell(said, watch);
    }
    outcome
}

fn tell(said: &Tail, watch: &dyn Watch) {
    let text = said.take();
    let text = text.trim();
    if !text.is_empty() {
        watch.progress(Progress::Aside { step: Step::Connected, text: text.to_owned() });
    }
}

/// Asks a person, who reads the server's banner first.
pub(crate) struct AfterBanner<'a> {
    pub(crate) ask: &'a dyn Ask,
    pub(crate) seen: &'a Seen,
}

impl Ask for AfterBanner<'_> {
    fn permit<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        self.ask.permit(question)
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        let banner = self.seen.notes().unread_banner();
        if banner.is_empty() {
            return self.ask.ask(question);
        }
        let preface = [banner.as_str(), &question.preface].join("\n");
        let question = Question { preface: preface.trim_end().to_owned(), ..question.clone() };
        Box::pin(async move { self.ask.ask(&question).await })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);

    impl Watch for Told {
        fn progress(&self, progress: Progress) {
            if let Progress::Aside { text, .. } = progress {
                self.0.lock().expect("told").push(text);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_helper_that_runs_on_is_heard_and_one_that_ends_is_not_told_twice() {
        let (said, told) = (Tail::default(), Told::default());
        let works = async {
            said.push(b"open http");
            said.push(b"://x\nin a browser\n");
            drop(tokio::time::timeout(PAUSE * 2, std::future::pending::<()>()).await);
            assert_eq!(*told.0.lock().expect("told"), ["open http://x\nin a browser"], "while it still runs");
            said.push(b"thank you\n");
            Ok::<_, ()>(7)
        };
        assert_eq!(while_it_speaks(Some(&said), &told, works).await, Ok(7));
        assert_eq!(told.0.lock().expect("told").len(), 2);
        let fails = async {
            said.push(b"no way out\n");
            Err::<(), _>(())
        };
        assert_eq!(while_it_speaks(Some(&said), &told, fails).await, Err(()));
        assert_eq!(told.0.lock().expect("told").len(), 2, "the failure has these words");
    }
}
