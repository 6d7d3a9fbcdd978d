//! Which folders a project is: its own, and the same one in the git worktrees of its repository.

use base64::Engine as _;
use serde_json::{Value, json};

use super::refused;
use super::repository::Git;
use crate::app_server::Server;
use crate::failure::Failure;
use crate::rpc::pending::CallError;

/// The most folders that a list is asked for.
const MOST: usize = 200;

/// A folder and, where it is in the main worktree of a git repository, its like in the others; and its like in every worktree that
/// `run --worktree` ever made of it, gone or not.
///
/// # Errors
/// What the link says.
pub async fn of(server: &Server, folder: &str) -> Result<Vec<String>, Failure> {
    let git = Git { peer: &server.peer, cwd: folder };
    let here = git.run(&["rev-parse", "--show-toplevel", "--show-prefix"]);
    let trees = git.run(&["worktree", "list", "--porcelain"]);
    let (here, trees, made) = tokio::join!(here, trees, made(server));
    let (here, trees) = (here?.0.unwrap_or_default(), trees?.0.unwrap_or_default());
    Ok(folders(folder, (&here, &trees), &made?))
}

/// What `worktree.sh` keeps: two lines for each that it made, the folder that it was made of and where that is in it.
async fn made(server: &Server) -> Result<String, Failure> {
    let path = format!("{}/outpost/worktrees", server.initialized.codex_home);
    let answer = match server.peer.read("fs/readFile", json!({ "path": path })).await {
        Ok(answer) => answer,
        // None were made.
        Err(CallError::Refused(_)) => return Ok(String::new()),
        Err(error) => return Err(refused("fs/readFile", error)),
    };
    let data = answer.get("dataBase64").and_then(Value::as_str).unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn folders(folder: &str, (here, trees): (&str, &str), made: &str) -> Vec<String> {
    let mut all = vec![folder.to_owned()];
    let mut add = |other: &str| {
        if !all.iter().any(|known| known == other) {
            all.push(other.to_owned());
        }
    };
    let (top, prefix) = here.split_once('\n').unwrap_or_default();
    let inner = prefix.trim_end_matches(['\n', '/']);
    let mut trees = trees.lines().filter_map(|line| line.strip_prefix("worktree "));
    // The main worktree comes first. A project in another one is that one alone.
    if trees.next() == Some(top) {
        trees.for_each(|tree| add(format!("{tree}/{inner}").trim_end_matches('/')));
    }
    let lines: Vec<&str> = made.lines().collect();
    for pair in lines.as_chunks::<2>().0.iter().rev() {
        if let [of, like] = pair
            && *of == folder
        {
            add(like);
        }
    }
    all.truncate(MOST);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_its_folder_in_every_worktree() {
        let trees =
            "worktree /w/app\nHEAD 1\nbranch refs/heads/main\n\nworktree /t/a b\nHEAD 1\ndetached\n\nworktree /t/c\nHEAD 2\n";
        let made = "/w/app\n/gone/app\n/w/app/web\n/gone/app/web\n/w/app\n/t/c\n/w/app\n";
        for (folder, here, all) in [
            ("/w/app", "/w/app\n\n", &["/w/app", "/t/a b", "/t/c", "/gone/app"][..]),
            ("/w/app/web", "/w/app\nweb/\n", &["/w/app/web", "/t/a b/web", "/t/c/web", "/gone/app/web"]),
            ("/t/c", "/t/c\n\n", &["/t/c"]),
            ("/w/app", "", &["/w/app", "/t/c", "/gone/app"]),
            ("/other", "", &["/other"]),
        ] {
            assert_eq!(folders(folder, (here, if here.is_empty() { "" } else { trees }), made), all, "{folder}");
        }
        assert_eq!(folders("/w", ("/w\n\n", ""), ""), ["/w"]);
    }
}
