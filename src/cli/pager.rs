//! Long answers through a pager, by git's rules: only on a terminal, `$OUTPOST_PAGER`, `$PAGER`, else `less` that leaves short
//! answers on the screen.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Context;
use super::run::signals::{self, Wish};
use crate::failure::Failure;
use crate::paths::{Local, PAGER};

/// What `sh` says when there is no such program.
const NO_SUCH_PROGRAM: i32 = 127;

/// Shows a text, harmless already, through the pager where there is a person to page it; else as it is.
///
/// # Errors
/// When it cannot be written.
pub async fn show(context: &Context, text: &str) -> Result<(), Failure> {
    let pager = if context.screen.out_is_terminal { of(&context.local) } else { None };
    match pager {
        Some(pager) if paged(&pager, &context.local, text).await => Ok(()),
        Some(_) | None => context.screen.answer(text),
    }
}

/// The pager that is wanted; none for an empty word and for `cat`.
fn of(local: &Local) -> Option<String> {
    // An empty variable means none, as for git; a missing one leaves it to the next.
    let set = |name: &str| local.vars.get(std::ffi::OsStr::new(name)).map(|word| word.to_string_lossy().trim().to_owned());
    let word = set(PAGER).or_else(|| set("PAGER")).unwrap_or_else(|| "less".to_owned());
    (!word.is_empty() && word != "cat").then_some(word)
}

/// Whether the pager showed it.
async fn paged(pager: &str, local: &Local, text: &str) -> bool {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped());
    for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if local.var(name).is_none() {
            command.env(name, value);
        }
    }
    // Ctrl-C is the pager's while it runs; it must not end us under it. SIGTERM and a lost terminal end both.
    let Ok(mut wishes) = signals::listen() else { return false };
    let Ok(mut child) = command.kill_on_drop(true).spawn() else { return false };
    let shown = async {
        if let Some(mut input) = child.stdin.take() {
            // A pager that is left early does not read the rest.
            drop(input.write_all(text.as_bytes()).await);
        }
        child.wait().await.is_ok_and(|status| status.code() != Some(NO_SUCH_PROGRAM))
    };
    tokio::select! {
        shown = shown => shown,
        () = async { while matches!(wishes.recv().await, Ok(Wish::Interrupt)) {} } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pager_is_chosen_as_git_does() {
        for (vars, pager) in [
            (&[][..], Some("less")),
            (&[("PAGER", "more -s")], Some("more -s")),
            (&[("PAGER", "more"), (PAGER, "most")], Some("most")),
            (&[("PAGER", "more"), (PAGER, "cat")], None),
            (&[("PAGER", "")], None),
        ] {
            let vars = vars.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let local = Local { home: "/".into(), user: "u".into(), codex_home: "/c".into(), ssh_config: None, vars };
            assert_eq!(of(&local).as_deref(), pager);
        }
    }
}
