//! What a folder of the remote and its git repository hold, asked through the app-server before a turn begins there.

use serde_json::{Value, json};

use super::{ReviewTarget, refused};
use crate::failure::{Code, Failure};
use crate::name::{ThreadId, nearest};
use crate::rpc::peer::Peer;
use crate::rpc::pending::CallError;
use crate::ssh::quote;

/// Whether a thread's folder is still there: the server would begin the turn all the same.
///
/// # Errors
/// [`Code::FolderMissing`], [`Code::FolderNotDirectory`]; what the link says.
pub async fn exists(peer: &Peer, thread: &ThreadId, cwd: &str) -> Result<(), Failure> {
    let log = format!("outpost thread log HOST:{thread}");
    let tried = || format!("look at the thread's folder {cwd}");
    match peer.read("fs/getMetadata", json!({ "path": cwd })).await {
        Ok(answer) if answer.get("isDirectory") == Some(&Value::Bool(false)) => {
            Err(Failure::new(Code::FolderNotDirectory, tried()).hint(format!("the thread can still be read: {log}")))
        }
        // Releases that cannot tell are believed.
        Ok(_) => Ok(()),
        Err(CallError::Refused(error)) if super::catalog::is_unknown(&error) => Ok(()),
        Err(CallError::Refused(error)) => Err(Failure::new(Code::FolderMissing, tried())
            .said(error.message)
            .hint(format!("make the folder again, or read the thread: {log}"))),
        Err(error) => Err(error.failure(tried())),
    }
}

/// Whether a folder has what a review shall look at: the model would only guess otherwise.
///
/// # Errors
/// [`Code::NameUnknown`] with the near branches; [`Code::NotARepository`].
pub async fn has(peer: &Peer, cwd: &str, target: &ReviewTarget) -> Result<(), Failure> {
    let word = match target {
        ReviewTarget::Custom(_) => return Ok(()),
        ReviewTarget::Uncommitted => "",
        ReviewTarget::Base(word) | ReviewTarget::Commit(word) => word.as_str(),
    };
    let git = Git { peer, cwd };
    let (inside, complaint) = git.run(&["rev-parse", "--is-inside-work-tree"]).await?;
    if inside.is_none() {
        let failure = Failure::new(Code::NotARepository, format!("review what changed in {cwd}")).said(complaint);
        return Err(failure.hint(format!("say what to look at instead: outpost review {} \"…\"", there(cwd))));
    }
    if word.is_empty() {
        return Ok(());
    }
    // Not `--end-of-options`: git before 2.30 takes it for a second word.
    let commit = format!("{word}^{{commit}}");
    if !word.starts_with('-') && git.run(&["rev-parse", "--verify", "--quiet", &commit]).await?.0.is_some() {
        return Ok(());
    }
    let branches = git.run(&["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags"]).await?.0;
    let newest = match target {
        ReviewTarget::Commit(_) => git.run(&["log", "-n", "5", "--format=%h"]).await?.0.unwrap_or_default(),
        ReviewTarget::Base(_) | ReviewTarget::Custom(_) | ReviewTarget::Uncommitted => String::new(),
    };
    Err(unknown(word, &there(cwd), (&branches.unwrap_or_default(), &newest)))
}

/// A folder as one writes it on a command line; the host is put in by whoever knows it.
fn there(cwd: &str) -> String {
    quote::if_needed(&format!("HOST:{cwd}"))
}

/// How many branches a hint names.
const NAMED: usize = 8;

/// `branches` and the `newest` commits that there are, a line each.
fn unknown(word: &str, there: &str, (branches, newest): (&str, &str)) -> Failure {
    let near = nearest(word, branches.lines());
    let all = |lines: &str| lines.lines().take(NAMED).collect::<Vec<_>>().join(", ");
    let hint = match () {
        () if !near.is_empty() => format!("did you mean {}?", near.join(" or ")),
        () if !newest.is_empty() => {
            format!("the newest commits are {}; all of them: outpost shell {there} git log", all(newest))
        }
        () if !branches.is_empty() => format!("there are {}", all(branches)),
        () => format!("the repository has no commit yet; review what is not committed: outpost review {there}"),
    };
    Failure::new(Code::NameUnknown, format!("find the branch or commit '{}'", word.escape_debug()))
        .said("there is none")
        .hint(hint)
}

/// The git of the host, in a folder.
pub(super) struct Git<'a> {
    pub(super) peer: &'a Peer,
    pub(super) cwd: &'a str,
}

impl Git<'_> {
    /// What a command printed, if it went well; and what it complained about. It only reads, and runs nothing that the
    /// repository names.
    pub(super) async fn run(&self, words: &[&str]) -> Result<(Option<String>, String), Failure> {
        let command: Vec<&str> = ["git", "-c", "core.fsmonitor=false"].iter().chain(words).copied().collect();
        ran(self.peer, &command, self.cwd).await
    }
}

/// What a command of the host printed, if it went well; and what it complained about, or why it cannot be run there.
pub(super) async fn ran(peer: &Peer, command: &[&str], cwd: &str) -> Result<(Option<String>, String), Failure> {
    let params = json!({ "command": command, "cwd": cwd, "sandboxPolicy": { "type": "dangerFullAccess" } });
    let answer = match peer.call("command/exec", params).await {
        Ok(answer) => answer,
        // No git is no repository.
        Err(CallError::Refused(error)) => return Ok((None, error.message)),
        Err(error) => return Err(refused("command/exec", error)),
    };
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let went_well = answer.get("exitCode").and_then(Value::as_i64) == Some(0);
    Ok((went_well.then(|| text("stdout")), text("stderr")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_that_are_near_are_named() {
        let hint = |word, branches, newest| unknown(word, "HOST:/w", (branches, newest)).hint;
        assert_eq!(hint("mian", "dev\nmain\n", "1a2b3c4\n"), "did you mean main?");
        assert_eq!(hint("release", "dev\nmain\n", ""), "there are dev, main");
        let newest = "the newest commits are 1a2b3c4, 5d6e7f8; all of them: outpost shell HOST:/w git log";
        assert_eq!(hint("deadbeef", "dev\nmain\n", "1a2b3c4\n5d6e7f8\n"), newest);
        assert!(hint("main", "", "").contains("no commit yet"));
    }
}
