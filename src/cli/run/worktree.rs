//! `run --worktree`: a git worktree on the host for the thread, kept afterwards.

use rand::RngExt;

use super::events::Body;
use super::turn::Stage;
use crate::cli::plain;
use crate::config::hosts;
use crate::failure::{Code, Failure};
use crate::name::{Place, RemotePath};
use crate::paths::Local;
use crate::project::Host;
use crate::remote::{self, Worktree};
use crate::ssh::quote;
use crate::step::Nobody;

/// How many words of the prompt go into the name of a branch.
const WORDS: usize = 5;

/// The branch of a thread: the one that was asked for, else one that is named after the prompt.
///
/// # Errors
/// [`Code::Usage`] for a name that git would not take.
pub fn branch(asked: &str, prompt: Option<&str>) -> Result<String, Failure> {
    if asked.is_empty() {
        return Ok(format!("outpost/{}-{:04x}", slug(prompt.unwrap_or_default()), rand::rng().random::<u16>()));
    }
    let odd = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let part = |part: &str| part.is_empty() || part.starts_with(['.', '-']) || part.ends_with('.');
    if asked.contains(odd) || asked.contains("..") || asked.contains("@{") || asked.split('/').any(part) {
        let hint = "letters, digits, - _ and / make good names: --worktree=fix/login";
        return Err(Failure::new(Code::Usage, format!("name a branch '{}'", asked.escape_debug()))
            .said("git takes no such name")
            .hint(hint));
    }
    Ok(asked.to_owned())
}

/// The first words of a prompt as they may stand in a name.
fn slug(prompt: &str) -> String {
    let lower = prompt.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).take(WORDS);
    let slug: String = words.collect::<Vec<_>>().join("-").chars().take(40).collect();
    if slug.is_empty() { "thread".to_owned() } else { slug.trim_end_matches('-').to_owned() }
}

/// A worktree that a thread works in.
pub struct Kept {
    worktree: Worktree,
    remove: String,
}

impl Kept {
    /// Makes it and says where it is.
    ///
    /// # Errors
    /// As [`remote::worktree`].
    pub async fn make(
        (local, stage): (&Local, &Stage),
        (host, place): (&Host, &Place),
        folder: &RemotePath,
        branch: &str,
    ) -> Result<Self, Failure> {
        let settings = hosts::load(local)?.settings(&place.alias);
        let session = host.session.get();
        let worktree = remote::worktree((&session, &settings), folder, branch, &Nobody).await.map_err(|e| e.at(&place.alias))?;
        let word = |path: &str| quote::if_needed(path);
        let (repository, tree) = (word(&worktree.repository), word(worktree.tree.as_str()));
        let remove = format!("outpost shell {} git -C {repository} worktree remove {tree}", word(place.alias.as_str()));
        let kept = Self { worktree, remove };
        kept.tell(stage)?;
        Ok(kept)
    }

    /// Where the thread works.
    #[must_use]
    pub fn folder(&self) -> &RemotePath {
        &self.worktree.folder
    }

    fn tell(&self, stage: &Stage) -> Result<(), Failure> {
        let Worktree { tree, branch, uncommitted, .. } = &self.worktree;
        stage.line(Body::Worktree { path: tree.as_str(), branch, uncommitted: *uncommitted, remove: &self.remove })?;
        stage.note(&plain::line(&format!("worktree {tree} on the new branch {branch}")));
        match uncommitted {
            0 => {}
            1 => stage.note("1 change that is not committed is not in it"),
            n => stage.note(&format!("{n} changes that are not committed are not in it")),
        }
        Ok(())
    }

    /// Says that it stays, and how it goes.
    pub fn stays(&self, stage: &Stage) {
        stage.note(&plain::text(&format!("the worktree stays; to remove it\n  {}", self.remove)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_named_after_the_prompt() {
        for (prompt, start) in [
            ("Fix the failing test, please! And more", "outpost/fix-the-failing-test-please-"),
            ("", "outpost/thread-"),
            ("äöü", "outpost/thread-"),
        ] {
            let branch = branch("", Some(prompt)).expect("a name");
            assert!(branch.starts_with(start) && branch.len() == start.len() + 4, "{branch}");
        }
    }

    #[test]
    fn names_that_git_would_not_take_are_usage() {
        assert_eq!(branch("fix/login", None).expect("a name"), "fix/login");
        for bad in ["-x", "a..b", "a b", ".a", "a/", "/a", "a//b", "a~1", "a@{1}", "x."] {
            assert_eq!(branch(bad, None).expect_err(bad).code, Code::Usage, "{bad}");
        }
    }
}
