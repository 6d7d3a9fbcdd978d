//! The signals that a running turn listens to.

use tokio::sync::broadcast;

use crate::cli::SAME_MOMENT;
use crate::failure::{Code, Failure};

/// What a person or the system wants of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Ctrl-C: stop the turn.
    Interrupt,
    /// Ctrl-\, SIGTERM or a lost terminal: leave the turn running and go.
    Leave,
}

/// Whoever hears the wishes.
pub type Wishes = broadcast::Receiver<Wish>;

/// Listens from now on; the signals no longer end the process.
///
/// # Errors
/// [`Code::LocalIo`] when the system refuses.
#[cfg(unix)]
pub fn listen() -> Result<Wishes, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        (SignalKind::interrupt(), Wish::Interrupt),
        (SignalKind::quit(), Wish::Leave),
        (SignalKind::terminate(), Wish::Leave),
        (SignalKind::hangup(), Wish::Leave),
    ];
    // Full means that a turn has not read its wishes yet: the oldest go, the newest says it all.
    let (sender, wishes) = broadcast::channel(8);
    for (kind, wish) in kinds {
        let mut signals = signal(kind).map_err(|e| Failure::new(Code::LocalIo, "listen to signals").said(e))?;
        let sender = sender.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(wish).is_ok() {} });
    }
    Ok(wishes)
}

/// Listens from now on; Ctrl-C no longer ends the process.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn listen() -> Result<Wishes, Failure> {
    let (sender, wishes) = broadcast::channel(8);
    tokio::spawn(async move { while tokio::signal::ctrl_c().await.is_ok() && sender.send(Wish::Interrupt).is_ok() {} });
    Ok(wishes)
}

/// What a part of a command comes to; none when a signal came first, or in the same moment as a bad end: a Ctrl-C goes to the
/// program that carries the connection too.
pub async fn or_wished<T>(
    part: impl Future<Output = Result<T, Failure>>,
    wishes: &mut broadcast::Receiver<Wish>,
) -> Option<Result<T, Failure>> {
    let result = tokio::select! {
        biased;
        Ok(_) = wishes.recv() => return None,
        result = part => result,
    };
    let both = result.is_err() && matches!(tokio::time::timeout(SAME_MOMENT, wishes.recv()).await, Ok(Ok(_)));
    (!both).then_some(result)
}
