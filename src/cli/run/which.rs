//! Which thread is meant: an id or the beginning of one, or the last one of a folder.

use futures_util::future::join_all;

use crate::app_server::Server;
use crate::failure::{Code, Failure};
use crate::name::{ThreadId, nearest};
use crate::rpc::peer::Peer;
use crate::thread::catalog::{self, Filter};
use crate::thread::{View, folders, repository};

/// The length of an id as Codex makes them (UUID).
const WHOLE: usize = 36;

/// The thread whose id begins with `word`, or whose name it is.
///
/// # Errors
/// [`Code::NameUnknown`] when there is none; several with the same beginning are listed.
pub async fn by_id(peer: &Peer, word: &str) -> Result<View, Failure> {
    if let (WHOLE, Ok(id)) = (word.len(), word.parse()) {
        match catalog::get(peer, &id).await {
            Err(unknown) if unknown.code == Code::NameUnknown => {}
            found => return found,
        }
    }
    let mut all = catalog::list(peer, &Filter::default()).await?;
    let archived = catalog::list(peer, &Filter { archived: true, ..Filter::default() }).await?;
    let known: Vec<ThreadId> = all.iter().map(|view| view.id.clone()).collect();
    all.extend(archived.into_iter().filter(|view| !known.contains(&view.id)));
    one_of(all, word)
}

fn one_of(all: Vec<View>, word: &str) -> Result<View, Failure> {
    let unknown = |said: String| Failure::new(Code::NameUnknown, format!("find the thread '{}'", word.escape_debug())).said(said);
    let near = near(&all, word);
    let begins = |view: &View| !word.is_empty() && view.id.as_str().starts_with(word);
    let called = |view: &View| view.name.as_deref().is_some_and(|name| name.trim() == word.trim());
    let by_id = all.iter().any(begins);
    let mut found: Vec<View> = all.into_iter().filter(|view| if by_id { begins(view) } else { called(view) }).collect();
    match (found.pop(), found.as_slice()) {
        (Some(view), []) => Ok(view),
        (None, _) if near.is_empty() => Err(unknown("there are no threads there".to_owned())),
        (None, _) => Err(unknown("there is none".to_owned()).hint(format!("did you mean one of these?\n{near}"))),
        (Some(last), others) => {
            let lines = others.iter().chain([&last]).map(|view| format!("{}  {}", view.id, title(view)));
            let how = if by_id { "several begin with it" } else { "several have this name" };
            Err(unknown(format!("{how}\n{}", lines.collect::<Vec<_>>().join("\n"))).hint("give more of the id"))
        }
    }
}

/// How many threads are named instead of one that there is not.
const NAMED: usize = 3;

/// The threads whose ids or names are near a word, else those that were used last, a line each.
fn near(all: &[View], word: &str) -> String {
    let beginning = |view: &View| view.id.as_str().chars().take(word.chars().count()).collect::<String>();
    let names: Vec<(String, &View)> = all
        .iter()
        .flat_map(|view| std::iter::once((beginning(view), view)).chain(view.name.clone().map(|name| (name, view))))
        .collect();
    let close = nearest(word, names.iter().map(|(name, _)| name.as_str()));
    let mut found: Vec<&View> = Vec::new();
    for (_, view) in names.iter().filter(|(name, _)| close.contains(name)) {
        if !found.iter().any(|other| other.id == view.id) {
            found.push(view);
        }
    }
    let found = if found.is_empty() { all.iter().collect() } else { found };
    let lines = found.into_iter().take(NAMED).map(|view| format!("{}  {}", view.id, title(view)));
    lines.collect::<Vec<_>>().join("\n")
}

/// How many threads of a folder are looked at for the last one that can be taken up: worktrees come and go.
const LAST: usize = 50;

/// The thread of a folder, or of a worktree of its repository that is still there, which was used last.
///
/// # Errors
/// [`Code::NameUnknown`] when the folder has none.
pub async fn last_of(server: &Server, cwd: &str) -> Result<View, Failure> {
    let filter = Filter { cwds: folders::of(server, cwd).await?, limit: Some(LAST), ..Filter::default() };
    let none = || {
        let failure = Failure::new(Code::NameUnknown, format!("find the last thread of {cwd}")).said("it has none yet");
        failure.hint("without --last a thread is started there; outpost threads HOST lists those of other folders")
    };
    let views = catalog::list(&server.peer, &filter).await?;
    let looked = views.iter().map(async |view| {
        // The folder itself was looked at on the way here; what else is wrong with one is said by whoever takes the thread up.
        let gone = |failure: Failure| failure.code == Code::FolderMissing;
        view.cwd == cwd || !repository::exists(&server.peer, &view.id, &view.cwd).await.is_err_and(gone)
    });
    let there = join_all(looked).await;
    views.into_iter().zip(there).find_map(|(view, there)| there.then_some(view)).ok_or_else(none)
}

/// Its name, or the beginning of its first prompt.
#[must_use]
pub fn title(view: &View) -> &str {
    view.name.as_deref().unwrap_or_else(|| view.preview.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_server::protocol::view;
    use serde_json::json;

    #[test]
    fn a_beginning_must_mean_one() {
        let all = || ["0199a", "0199b", "02"].map(|id| view::<View>(&json!({"id":id,"preview":"p"})).expect("read")).to_vec();
        assert_eq!(one_of(all(), "0199b").expect("one").id.as_str(), "0199b");
        assert_eq!(one_of(all(), "0199").expect_err("two").said, "several begin with it\n0199a  p\n0199b  p");
        assert_eq!(one_of(all(), "03").expect_err("none").code, Code::NameUnknown);
        assert!(one_of(all(), "").is_err());
        let named = [("01", "the page"), ("02", "the page"), ("03", "02"), ("04", "alone")];
        let named = || named.map(|(id, name)| view::<View>(&json!({"id":id,"name":name})).expect("read")).to_vec();
        assert_eq!(one_of(named(), "alone").expect("one").id.as_str(), "04");
        assert_eq!(one_of(named(), "02").expect("the id counts").id.as_str(), "02");
        assert_eq!(one_of(named(), "the page").expect_err("two").said, "several have this name\n01  the page\n02  the page");
        assert_eq!(one_of(all(), "0198a").expect_err("none").hint, "did you mean one of these?\n0199a  p\n0199b  p");
        assert_eq!(one_of(vec![], "0198a").expect_err("none").said, "there are no threads there");
    }
}
