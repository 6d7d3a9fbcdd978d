//! A git worktree on the remote, for a thread that shall not work where a person does.

use super::Limits;
use super::exchange::Errand;
use super::job::Job;
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::name::RemotePath;
use crate::ssh::session::Session;
use crate::step::Watch;

/// A worktree that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// Its top folder.
    pub tree: RemotePath,
    /// Where in it the folder is that was asked for.
    pub folder: RemotePath,
    /// The folder of the repository that it belongs to.
    pub repository: String,
    /// Its branch.
    pub branch: String,
    /// How many changes stand in the repository's own folder and in no commit: they are not in the worktree.
    pub uncommitted: u32,
}

/// Makes one with a new branch, from the commit that the folder is at.
///
/// # Errors
/// [`Code::NotARepository`]; [`Code::WorktreeFailed`] in git's words; as a bring-up, up to the folder.
pub async fn worktree(
    (session, settings): (&Session, &HostSettings),
    folder: &RemotePath,
    branch: &str,
    watch: &dyn Watch,
) -> Result<Worktree, Failure> {
    let place = branch.replace('/', "-");
    let job = Job::Worktree { folder: folder.to_string(), branch: branch.to_owned(), place };
    // Checking a large repository out takes its time; a person may interrupt.
    let limits = Limits { answer: Limits::UNLIMITED, ..Limits::default() };
    let heard = Errand { session, settings, job: &job, limits }.run(watch).await?;
    let word = |key: &str| heard.answer.word(key).unwrap_or_default();
    let failed = |code: Code, hint: &str| {
        Err(Failure::new(code, format!("make a git worktree of {folder}")).said(word("words").trim()).hint(hint))
    };
    match heard.answer.word("error") {
        Some("not-a-repository") => {
            return failed(Code::NotARepository, "run it without --worktree, or make it one: git init, and a first commit");
        }
        Some("worktree-failed") => {
            return failed(Code::WorktreeFailed, "--worktree=NAME takes another branch; the branch must not exist yet");
        }
        Some(_) => return Err(heard.answer.refused()),
        None => {}
    }
    let broken = || Failure::new(Code::FactsBroken, "make a git worktree").said("the host did not say where it is");
    let tree: RemotePath = word("tree").parse().map_err(|_| broken())?;
    let inner = word("inner").trim_end_matches('/');
    let folder = if inner.is_empty() { tree.clone() } else { tree.join(inner) };
    let uncommitted = word("dirty").trim().parse().unwrap_or_default();
    Ok(Worktree { folder, repository: word("repository").to_owned(), branch: branch.to_owned(), uncommitted, tree })
}
