//! The person's ssh-agent: where it listens, what it holds.

use std::path::PathBuf;

use russh::keys::PrivateKey;
use russh::keys::agent::client::AgentClient;
use russh::keys::agent::{AgentIdentity, AgentSessionBinding, Constraint};
use russh::keys::ssh_encoding::{self, Encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::failure::Failure;
use crate::host::target::Target;
use crate::paths::Local;
use crate::ssh::tokens::Tokens;

/// A connected agent.
pub(crate) type Agent = AgentClient<UnixStream>;

/// Where the agent for this target listens: IdentityAgent, else `SSH_AUTH_SOCK`.
///
/// # Errors
/// An IdentityAgent whose tokens or variables cannot be expanded.
pub(crate) fn socket(target: &Target, local: &Local) -> Result<Option<PathBuf>, Failure> {
    let variable = |name: &str| local.var(name).map(PathBuf::from);
    Ok(match target.first("identityagent") {
        None | Some("" | "SSH_AUTH_SOCK") => variable("SSH_AUTH_SOCK"),
        Some("none") => None,
        Some(text) => match text.strip_prefix('$').filter(|n| !n.starts_with('{')) {
            Some(name) => variable(name),
            None => Some(Tokens::new(target, local).path(text)?),
        },
    })
}

/// Connects and binds the agent to this connection, so that keys restricted to a destination can be used.
pub(crate) async fn connect(socket: &PathBuf, binding: Option<&AgentSessionBinding>) -> std::io::Result<Agent> {
    let mut agent = AgentClient::connect(UnixStream::connect(socket).await?);
    if let Some(binding) = binding {
        // An agent that does not know the extension still signs.
        drop(agent.bind_session(binding, false).await);
    }
    Ok(agent)
}

/// The keys and certificates of the agent, in its order; an agent that answers nonsense has none.
pub(crate) async fn identities(agent: &mut Agent) -> Vec<AgentIdentity> {
    agent.request_identities().await.unwrap_or_default()
}

/// SSH_AGENTC_ADD_IDENTITY, SSH_AGENTC_ADD_ID_CONSTRAINED and the constraints (draft-miller-ssh-agent, section 5).
const ADD: u8 = 17;
const ADD_CONSTRAINED: u8 = 25;
const LIFETIME: u8 = 1;
const CONFIRM: u8 = 2;

/// Puts a key into the agent as AddKeysToAgent says; the login stands whether or not the agent wants it. russh's own request leaves the
/// comment out.
pub(crate) async fn add(socket: &PathBuf, (key, comment): (&PrivateKey, &str), constraints: &[Constraint]) {
    let Ok(request) = adding(key, comment, constraints) else { return };
    let Ok(mut agent) = UnixStream::connect(socket).await else { return };
    if agent.write_all(&request).await.is_ok() {
        // Its answer is waited for: an agent may ask its person first.
        drop(agent.read_u8().await);
    }
}

fn adding(key: &PrivateKey, comment: &str, constraints: &[Constraint]) -> Result<Vec<u8>, ssh_encoding::Error> {
    let mut body = vec![if constraints.is_empty() { ADD } else { ADD_CONSTRAINED }];
    key.key_data().encode(&mut body)?;
    comment.encode(&mut body)?;
    for constraint in constraints {
        match constraint {
            Constraint::KeyLifetime { seconds } => {
                body.push(LIFETIME);
                seconds.encode(&mut body)?;
            }
            Constraint::Confirm => body.push(CONFIRM),
            Constraint::Extensions { .. } => {}
        }
    }
    let mut request = Vec::new();
    body.encode(&mut request)?;
    Ok(request)
}

/// What AddKeysToAgent asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Adding {
    No,
    /// Ask the person first.
    Ask,
    Yes(Vec<Constraint>),
}

impl Adding {
    /// `ssh -G` prints false, true, ask, confirm, a lifetime in seconds, or `confirm SECONDS`.
    pub(crate) fn of(target: &Target) -> Self {
        let mut constraints = Vec::new();
        for word in target.first("addkeystoagent").unwrap_or("no").split_whitespace() {
            match word {
                "no" | "false" => return Self::No,
                "ask" => return Self::Ask,
                "yes" | "true" => {}
                "confirm" => constraints.push(Constraint::Confirm),
                lifetime => match lifetime.parse() {
                    Ok(seconds) => constraints.push(Constraint::KeyLifetime { seconds }),
                    Err(_) => return Self::No,
                },
            }
        }
        Self::Yes(constraints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(printed: &str) -> Target {
        Target::from_ssh_g("x".parse().expect("alias"), printed, "")
    }

    #[test]
    fn the_agent_is_where_the_configuration_says() {
        let vars = [("SSH_AUTH_SOCK", "/run/agent"), ("OP", "/run/op")].map(|(n, v)| (n.into(), v.into())).into_iter().collect();
        let local = Local { home: "/home/me".into(), user: "me".into(), codex_home: "/c".into(), ssh_config: None, vars };
        for (printed, expected) in [
            ("", Some("/run/agent")),
            ("identityagent none\n", None),
            ("identityagent SSH_AUTH_SOCK\n", Some("/run/agent")),
            ("identityagent $OP\n", Some("/run/op")),
            ("identityagent $MISSING\n", None),
            ("identityagent ~/.1password/agent.sock\n", Some("/home/me/.1password/agent.sock")),
            ("identityagent ${OP}/x\n", Some("/run/op/x")),
        ] {
            assert_eq!(socket(&target(printed), &local).expect(printed), expected.map(PathBuf::from), "{printed}");
        }
    }

    #[test]
    fn keys_are_added_as_asked() {
        for (value, expected) in [
            ("false", Adding::No),
            ("true", Adding::Yes(vec![])),
            ("ask", Adding::Ask),
            ("300", Adding::Yes(vec![Constraint::KeyLifetime { seconds: 300 }])),
            ("confirm 60", Adding::Yes(vec![Constraint::Confirm, Constraint::KeyLifetime { seconds: 60 }])),
            ("nonsense", Adding::No),
        ] {
            assert_eq!(Adding::of(&target(&format!("addkeystoagent {value}\n"))), expected, "{value}");
        }
    }
}
