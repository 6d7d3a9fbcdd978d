//! Views of the app-server's messages: only what we interpret, read tolerantly.
//!
//! Unknown fields are ignored, missing ones default, unknown variants become `Other` with their name kept, because the remote's
//! Codex can be any release. Source: `codex app-server generate-ts` of 0.169.0; `tests/it/protocol.rs` holds the views against it.

pub mod approval;
pub mod form;
pub mod item;
pub mod note;
pub mod thread;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a view; none when the value does not even have its shape.
#[must_use]
pub fn view<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// Whether a refusal says that the server does not know a method. Releases before 0.100 say "Invalid request" and no more.
#[must_use]
pub fn is_unknown_method(message: &str) -> bool {
    // A value that it does not know is told in the same words; only methods have a slash.
    let named = message.split_once("unknown variant `").and_then(|(_, rest)| rest.split('`').next());
    named.is_some_and(|name| name.contains('/')) || message.contains("ethod not found") || message.trim() == "Invalid request"
}

/// What `initialize` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Initialized {
    /// "codex_cli_rs/0.169.0 (…)": holds the version of the running server.
    pub user_agent: String,
    /// The server's CODEX_HOME, absolute.
    pub codex_home: String,
    /// "unix" or "windows".
    pub platform_family: String,
    /// "linux", "macos", "windows".
    pub platform_os: String,
}

impl Initialized {
    /// The version of the running server, as the user agent tells it.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        let (_, rest) = self.user_agent.split_once('/')?;
        rest.split(|c: char| c.is_whitespace()).next().filter(|v| v.starts_with(|c: char| c.is_ascii_digit()))
    }
}

/// What `account/read` answers.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AccountRead {
    /// The account, or none when nobody is signed in.
    pub account: Option<Account>,
    /// Whether an account is needed: a model provider of one's own needs none.
    pub requires_openai_auth: bool,
}

/// A Codex account.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Account {
    /// "chatgpt", "apiKey" …
    pub r#type: String,
    /// The address of a ChatGPT account.
    pub email: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_method_is_told_from_an_unknown_value() {
        for (message, unknown) in [
            ("Invalid request: unknown variant `thread/items/list`, expected one of `initialize`, `thread/start`", true),
            ("Method not found", true),
            ("Invalid request", true),
            ("Invalid request: unknown variant `on-failure`, expected one of `untrusted`, `a/b`", false),
            ("Invalid request: missing field `threadId`", false),
            ("thread not found", false),
        ] {
            assert_eq!(is_unknown_method(message), unknown, "{message}");
        }
    }

    #[test]
    fn the_version_stands_in_the_user_agent() {
        for (agent, version) in [
            ("codex_cli_rs/0.169.0 (Debian 12; x86_64) xterm", Some("0.169.0")),
            ("outpost/0.153.4-alpha.1", Some("0.153.4-alpha.1")),
            ("codex", None),
            ("codex/new", None),
        ] {
            let read: Initialized = view(&json!({ "userAgent": agent, "future": 1 })).expect("read");
            assert_eq!(read.version(), version);
        }
    }
}
