//! `outpost run --worktree`: real git, real codex.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::bed::{Ran, process};
use super::run::{Bed, first, lines};

pub(crate) fn git(folder: &Path, args: &[&str]) -> Ran {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["-c", "user.name=me", "-c", "user.email=me@example.org"]).args(args);
    git.env_remove("GIT_DIR");
    process::run(&mut git, b"").exits(0)
}

/// A repository with a folder in it, and a change that is not committed.
async fn bed() -> Bed {
    let bed = Bed::new().await;
    let app = bed.host.home.join("app");
    std::fs::create_dir(app.join("web")).unwrap();
    std::fs::write(app.join("web/page"), "committed\n").unwrap();
    git(&app, &["init", "-q", "-b", "main"]);
    git(&app, &["add", "."]);
    git(&app, &["commit", "-q", "-m", "first"]);
    std::fs::write(app.join("web/page"), "changed\n").unwrap();
    bed
}

#[tokio::test(flavor = "multi_thread")]
async fn field_63_a_thread_works_in_a_worktree_of_its_own() {
    let bed = bed().await;
    let app = bed.host.home.join("app");
    let prompt = "run cat page\nwrite new.txt hello\nsay Done.";
    let args = ["run", "--json", "--worktree=fix/it", "--approve", "always", "devbox:app/web", prompt];
    let lines = lines(&bed.run(&args).await.exits(0));
    let told = first(&lines, "worktree");
    let tree = Path::new(told["path"].as_str().unwrap());
    assert!(tree.ends_with("worktrees/fix-it/app"), "{told}");
    assert_eq!((told["branch"].as_str(), told["uncommitted"].as_u64()), (Some("fix/it"), Some(1)));
    assert_eq!(first(&lines, "thread")["cwd"].as_str(), tree.join("web").to_str());
    assert_eq!(std::fs::read_to_string(tree.join("web/new.txt")).unwrap(), "hello\n");
    assert_eq!(std::fs::read_to_string(tree.join("web/page")).unwrap(), "committed\n");
    assert!(!app.join("web/new.txt").exists());
    assert_eq!(git(tree, &["branch", "--show-current"]).stdout, "fix/it\n");
    // The branch is there now: the same again is refused.
    let again = bed.run(&["run", "--worktree=fix/it", "devbox:app", "say x"]).await.exits(6);
    assert!(again.stderr.contains("error[worktree-failed]: devbox: make a git worktree of"), "{}", again.stderr);
    // The command that was told removes it, once nothing in it would be lost.
    std::fs::remove_file(tree.join("web/new.txt")).unwrap();
    let words: Vec<&str> = told["remove"].as_str().unwrap().split(' ').collect();
    bed.run(&words[1..]).await.exits(0);
    assert!(!tree.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_threads_have_one_each() {
    let bed = bed().await;
    let args = ["run", "-p", "devbox:app", "-p", "devbox:app/web", "--worktree", "--approve", "always", "write new.txt hello"];
    let ran = bed.run(&args).await.exits(0);
    let trees: Vec<_> = std::fs::read_dir(bed.host.home.join(".codex/worktrees")).unwrap().flatten().map(|e| e.path()).collect();
    assert_eq!(trees.len(), 2, "{trees:?}");
    let written = |name: &str| trees.iter().filter(|tree| tree.join("app").join(name).exists()).count();
    assert_eq!((written("new.txt"), written("web/new.txt")), (1, 1));
    let stays = "the worktree stays; to remove it\n";
    assert_eq!(ran.stderr.matches(stays.trim()).count(), 2, "{}", ran.stderr);
    assert!(ran.stderr.contains(" on the new branch outpost/write-new-txt-hello-"), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 change that is not committed is not in it"), "{}", ran.stderr);
}

/// What git 2.47 says when another one makes a worktree of the repository in the same moment, and what it has done by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_was_disturbed_is_asked_again() {
    let bed = bed().await;
    let bin = bed.host.home.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let disturbed = include_str!("worktree/disturbed.sh").replace("REAL", which::which("git").unwrap().to_str().unwrap());
    std::fs::write(bin.join("git"), disturbed).unwrap();
    std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let profile = bed.host.home.join(".profile");
    std::fs::write(&profile, std::fs::read_to_string(&profile).unwrap() + "\nPATH=$HOME/bin:$PATH\n").unwrap();
    let ran = bed.run(&["run", "--worktree=fix/it", "devbox:app", "say x", "--json"]).await.exits(0);
    assert!(bin.join("once").exists());
    let lines = lines(&ran);
    let tree = Path::new(first(&lines, "worktree")["path"].as_str().unwrap());
    assert_eq!(git(tree, &["branch", "--show-current"]).stdout, "fix/it\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_repository_is_said() {
    let bed = Bed::new().await;
    let none = bed.run(&["run", "--worktree", "devbox:app", "say x"]).await.exits(6);
    insta::assert_snapshot!(bed.sandbox.stable(&none.stderr), @r"
    error[not-a-repository]: devbox: make a git worktree of [SANDBOX]/hosts/devbox/home/app
      said: fatal: not a git repository (or any of the parent directories): .git
      try:  run it without --worktree, or make it one: git init, and a first commit
    ");
    git(&bed.host.home.join("app"), &["init", "-q"]);
    let empty = bed.run(&["run", "--worktree", "devbox:app", "say x"]).await.exits(6);
    assert!(empty.stderr.contains("error[worktree-failed]"), "{}", empty.stderr);
    assert!(!bed.host.home.join(".codex/worktrees").join("x").exists());
    bed.run(&["run", "--worktree=a..b", "devbox:app", "say x"]).await.exits(2);
}
