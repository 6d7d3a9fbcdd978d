//! `run --with-access-token`: the token of the local environment, for one run.

use serde_json::{Map, Value};

use crate::cli::Context;
use crate::failure::{Code, Failure};
use crate::rpc::peer::Peer;
use crate::ssh::ask::Secret;
use crate::thread::environment::{self, EXCLUDE};

/// The variable, here and there, as Codex names it.
const VARIABLE: &str = "CODEX_ACCESS_TOKEN";

/// Takes the token out of what we know of the environment: none of our children gets it.
///
/// # Errors
/// [`Code::Usage`] when there is none, or it is no single line.
pub fn take(context: &Context) -> Result<(Secret, Context), Failure> {
    let usage = |said: &str| {
        let hint = format!("export {VARIABLE}, or sign the host in for good: outpost login HOST --with-access-token");
        Failure::new(Code::Usage, format!("take the access token from {VARIABLE}")).said(said).hint(hint)
    };
    let mut local = context.local.clone();
    let token = local.vars.remove(std::ffi::OsStr::new(VARIABLE)).ok_or_else(|| usage("it is not set"))?;
    let token = token.into_string().map_err(|_| usage("it is no text"))?.trim().to_owned();
    if token.is_empty() || token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(usage("it is no token: it is empty, or has blanks or line ends in it"));
    }
    let context = Context { local, screen: context.screen.clone(), ask: context.ask.clone() };
    Ok((Secret::new(token), context))
}

/// Refuses settings that would undo what keeps the token from the agent's commands.
///
/// # Errors
/// [`Code::Usage`] with the setting.
pub fn stays_kept(settings: &[(String, Value)]) -> Result<(), Failure> {
    let table = EXCLUDE.split('.').next().unwrap_or(EXCLUDE);
    match settings.iter().find(|(key, _)| key.split('.').next() == Some(table)) {
        None => Ok(()),
        Some((key, _)) => Err(Failure::new(Code::Usage, format!("set {key} for this run"))
            .said("with --with-access-token it keeps the token from the agent's commands")
            .hint("leave it out, or sign the host in for good: outpost login HOST --with-access-token")),
    }
}

/// The configuration of a thread whose commands do not get the token, whatever else the host keeps from them.
///
/// # Errors
/// What ends the connection.
pub async fn kept_from_commands(peer: &Peer) -> Result<Map<String, Value>, Failure> {
    environment::kept_from_commands(peer, VARIABLE).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::cli::screen::Screen;
    use crate::paths::Local;
    use crate::ssh::ask::NobodyToAsk;

    fn context(token: Option<&str>) -> Context {
        let vars = token.map(|t| (VARIABLE.into(), t.into())).into_iter().collect();
        let local = Local { home: "/".into(), user: "u".into(), codex_home: "/c".into(), ssh_config: None, vars };
        Context { local, screen: Screen::captured().0, ask: Arc::new(NobodyToAsk) }
    }

    #[test]
    fn no_setting_shows_the_token_to_commands() {
        let refused = |key: &str| stays_kept(&[("model".into(), json!("m")), (key.into(), json!({}))]).is_err();
        assert!(refused("shell_environment_policy") && refused(EXCLUDE) && refused("shell_environment_policy.inherit"));
        assert!(!refused("model_reasoning_effort"));
    }

    #[test]
    fn the_token_is_taken_out_of_the_environment() {
        let (token, rest) = take(&context(Some(" at-x\n"))).expect("a token");
        assert_eq!((token.reveal(), rest.local.var(VARIABLE)), ("at-x", None));
        for bad in [None, Some(""), Some("a b"), Some("a\nb")] {
            assert_eq!(take(&context(bad)).err().map(|e| e.code), Some(Code::Usage), "{bad:?}");
        }
    }
}
