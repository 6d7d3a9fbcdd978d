//! Which thread is meant: an id or the beginning of one, or the last one of a folder.

use crate::failure::{Code, Failure};
use crate::name::ThreadId;
use crate::rpc::peer::Peer;
use crate::thread::View;
use crate::thread::catalog::{self, Filter};

/// The length of an id as Codex makes them (UUID).
const WHOLE: usize = 36;

/// The thread whose id begins with `word`.
///
/// # Errors
/// [`Code::NameUnknown`] when there is none; several with the same beginning are listed.
pub async fn by_id(peer: &Peer, word: &str) -> Result<View, Failure> {
    if word.len() == WHOLE {
        return catalog::get(peer, &ThreadId(word.to_owned())).await;
    }
    let mut all = catalog::list(peer, &Filter::default()).await?;
    all.extend(catalog::list(peer, &Filter { archived: true, ..Filter::default() }).await?);
    one_of(all, word)
}

fn one_of(all: Vec<View>, word: &str) -> Result<View, Failure> {
    let unknown = |said: String| Failure::new(Code::NameUnknown, format!("find the thread '{}'", word.escape_debug())).said(said);
    let count = all.len();
    let mut found: Vec<View> = all.into_iter().filter(|view| !word.is_empty() && view.id.0.starts_with(word)).collect();
    match (found.pop(), found.as_slice()) {
        (Some(view), []) => Ok(view),
        (None, _) => {
            Err(unknown(format!("none of the {count} threads there begins with it")).hint("outpost threads HOST lists them"))
        }
        (Some(last), others) => {
            let lines = others.iter().chain([&last]).map(|view| format!("{}  {}", view.id, title(view)));
            Err(unknown(format!("several begin with it\n{}", lines.collect::<Vec<_>>().join("\n"))).hint("give more of the id"))
        }
    }
}

/// The thread of a folder that was used last.
///
/// # Errors
/// [`Code::NameUnknown`] when the folder has none.
pub async fn last_of(peer: &Peer, cwd: &str) -> Result<View, Failure> {
    let filter = Filter { cwd: Some(cwd.to_owned()), limit: Some(1), ..Filter::default() };
    let none = || Failure::new(Code::NameUnknown, format!("find the last thread of {cwd}")).said("it has none yet");
    catalog::list(peer, &filter).await?.pop().ok_or_else(none)
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
        assert_eq!(one_of(all(), "0199b").expect("one").id.0, "0199b");
        assert_eq!(one_of(all(), "0199").expect_err("two").said, "several begin with it\n0199a  p\n0199b  p");
        assert_eq!(one_of(all(), "03").expect_err("none").code, Code::NameUnknown);
        assert!(one_of(all(), "").is_err());
    }
}
