//! A person who is asked on the terminal reads nothing else meanwhile: what other hosts answer waits until the question is over.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::ssh::ask::{Answer, Ask, Question};

/// Whoever is asked, one question at a time.
pub(super) struct Turns {
    ask: Arc<dyn Ask>,
    turn: Mutex<()>,
}

impl Turns {
    pub(super) fn new(ask: Arc<dyn Ask>) -> Self {
        Self { ask, turn: Mutex::new(()) }
    }

    /// Nobody is asked as long as this is held; none while somebody is.
    pub(super) fn silence(&self) -> Option<MutexGuard<'_, ()>> {
        self.turn.try_lock().ok()
    }
}

impl Ask for Turns {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.ask.ask(question).await
        })
    }

    fn permit<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.ask.permit(question).await
        })
    }
}
