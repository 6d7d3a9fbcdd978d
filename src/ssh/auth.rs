//! Logging in: every way the configuration allows, in its order, on one connection.
//!
//! Nothing here connects a second time: a refusal is final until a person has changed something.

pub(crate) mod agent;
pub(crate) mod identity;
pub(crate) mod key_file;
pub(crate) mod plan;
mod public_key;
mod secret;
pub(crate) mod signer;

use std::time::Duration;

use russh::MethodKind;
use russh::client::AuthResult;

use super::ask::{Ask, NoAnswer, interrupted};
use super::budget::Budget;
use super::connection::Link;
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;
use plan::{Method, Plan};

/// What a person may take for one answer: sshd's LoginGraceTime is 120 s, later nobody listens any more.
pub(crate) const A_PERSONS_TIME: Duration = Duration::from_secs(180);

/// How one try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Logged in.
    Success,
    /// The server wants something else, or something more.
    Refused { remaining: Vec<MethodKind>, partial: bool },
    /// The method has nothing (more) to try; the server was not asked.
    Exhausted,
}

impl From<AuthResult> for Reply {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::Success,
            AuthResult::Failure { remaining_methods, partial_success } => {
                Self::Refused { remaining: remaining_methods.to_vec(), partial: partial_success }
            }
        }
    }
}

/// Who logs in where, and with what.
pub(crate) struct Login<'a> {
    pub(crate) link: &'a mut Link,
    pub(crate) target: &'a Target,
    pub(crate) local: &'a Local,
    pub(crate) ask: &'a dyn Ask,
    pub(crate) budget: &'a mut Budget,
    /// What was tried, for the error message.
    tried: Vec<String>,
    /// What kept a method from being tried at all.
    hindered: Option<Failure>,
    /// What let us in: each half of a partial success, and the last.
    passed: Vec<String>,
}

impl<'a> Login<'a> {
    pub(crate) fn new(
        link: &'a mut Link,
        (target, local): (&'a Target, &'a Local),
        ask: &'a dyn Ask,
        budget: &'a mut Budget,
    ) -> Self {
        Self { link, target, local, ask, budget, tried: Vec::new(), hindered: None, passed: Vec::new() }
    }

    fn user(&self) -> String {
        self.target.user().to_owned()
    }

    fn prompts(&self) -> u32 {
        self.target.first("numberofpasswordprompts").and_then(|n| n.parse().ok()).unwrap_or(3)
    }

    /// Logs in; the text says how ("publickey (/home/me/.ssh/id_ed25519), keyboard-interactive").
    pub(crate) async fn run(mut self) -> Result<String, Failure> {
        let mut plan = Plan::of(self.target);
        let mut keys = public_key::Keys::read(&self).await?;
        if plan.next() != Some(Method::PublicKey) || keys.is_empty() {
            // Nothing to offer at once: ask what the server takes (it may even take us as we are).
            if self.none(&mut plan).await? {
                return Ok("none".to_owned());
            }
        }
        while let Some(method) = plan.next() {
            let reply = match method {
                Method::PublicKey => keys.offer_next(&mut self).await?,
                Method::KeyboardInteractive => self.keyboard_interactive().await?,
                Method::Password => self.password().await?,
            };
            match reply {
                Reply::Success => {
                    keys.remember(&self).await;
                    return Ok(self.passed.join(", "));
                }
                Reply::Refused { remaining, partial } => {
                    plan.heard(&remaining, partial);
                    if !partial && method != Method::PublicKey {
                        plan.spend(method);
                    }
                }
                Reply::Exhausted => {
                    plan.spend(method);
                    if plan.knows_nothing() && self.none(&mut plan).await? {
                        return Ok("none".to_owned());
                    }
                }
            }
        }
        Err(self.refused(&plan, &keys))
    }

    async fn none(&mut self, plan: &mut Plan) -> Result<bool, Failure> {
        let user = self.user();
        let result = self.budget.within(self.link.handle.authenticate_none(user)).await;
        match self.reply(result)? {
            Reply::Refused { remaining, partial } => plan.heard(&remaining, partial),
            Reply::Success => return Ok(true),
            Reply::Exhausted => {}
        }
        Ok(false)
    }

    /// Reads the outcome of a round trip: an answer, the end of the time, or the end of the link.
    fn reply<T, E>(&self, result: Result<Result<T, E>, super::budget::Spent>) -> Result<Reply, Failure>
    where
        Reply: From<T>,
    {
        match result {
            Err(spent) => Err(self.too_slow(spent)),
            Ok(Err(_)) => Err(self.cut()),
            Ok(Ok(answer)) => match Reply::from(answer) {
                // russh says "refused, nothing remains" when the link went away in the middle.
                Reply::Refused { remaining, .. } if remaining.is_empty() => Err(self.cut()),
                reply @ (Reply::Success | Reply::Refused { .. } | Reply::Exhausted) => Ok(reply),
            },
        }
    }

    fn too_slow(&self, spent: super::budget::Spent) -> Failure {
        let tried = format!("log in as {}", self.target.user());
        Failure::new(Code::ConnectTimeout, tried)
            .said(format!("no answer within {} s", spent.limit.as_secs()))
            .hint("the server may wait for something it does not say (a password that must be changed); try ssh in a terminal, or raise ConnectTimeout")
    }

    /// The server hung up. Its own words say whether waiting helps.
    fn cut(&self) -> Failure {
        let notes = self.link.seen.notes();
        let words = notes.parting.clone();
        let tried = format!("log in as {}", self.target.user());
        if notes.said_goodbye && words.to_ascii_lowercase().contains("too many authentication") {
            let offered = self.tried.join(", ");
            return Failure::new(Code::AuthRefused, tried)
                .said(format!("{words} (offered: {offered})"))
                .hint(self.name_the_key());
        }
        Failure::new(Code::AuthCut, tried).said(if words.is_empty() { "the other side closed the connection".to_owned() } else { words }).hint(
            "sshd closes early after too many tries, or when too many log in at once (MaxStartups, PerSourcePenalties): wait a minute before the next try",
        )
    }

    /// A person would be needed and is not there, or does not want to.
    pub(crate) fn no_answer(&self, why: NoAnswer, method: &str) -> Failure {
        let tried = format!("log in as {} ({method})", self.target.user());
        match why {
            // A key that the server takes is nearer at hand than what it asks for next.
            NoAnswer::NobodyThere | NoAnswer::NoProgram(_) if self.hindered.is_some() => {
                self.hindered.clone().unwrap_or_else(|| interrupted(tried))
            }
            NoAnswer::NoProgram(why) => Failure::new(Code::AuthNeedsPerson, tried).said(why).hint(
                "SSH_ASKPASS must name a program that shows what it is given and prints the answer; or run it in a terminal, or load a key into ssh-agent",
            ),
            NoAnswer::NobodyThere => Failure::new(Code::AuthNeedsPerson, tried)
                .said(if self.tried.is_empty() {
                    "there is no terminal to ask on".to_owned()
                } else {
                    format!("{} did not suffice, and there is no terminal to ask on", self.tried.join(", "))
                })
                .hint("run it in a terminal, set SSH_ASKPASS and SSH_ASKPASS_REQUIRE=force, or load a key into ssh-agent"),
            NoAnswer::Refused => Failure::new(Code::AuthCancelled, tried)
                .said("no answer was given")
                .hint("run it again and answer, or set up a key"),
            NoAnswer::Interrupted => interrupted(tried),
        }
    }

    fn refused(&mut self, plan: &Plan, keys: &public_key::Keys) -> Failure {
        if let Some(failure) = self.hindered.take() {
            return failure;
        }
        let tried = format!("log in as {}", self.target.user());
        let offered = if self.tried.is_empty() { "nothing".to_owned() } else { self.tried.join(", ") };
        let useless = keys.useless();
        let mut said = format!("Permission denied ({}); offered: {offered}", plan.offered());
        if !useless.is_empty() {
            said.push_str("; not usable: ");
            said.push_str(&useless);
        }
        Failure::new(Code::AuthRefused, tried).said(said).hint(self.hint(plan, keys))
    }

    fn hint(&self, plan: &Plan, keys: &public_key::Keys) -> String {
        let alias = &self.target.alias;
        if let Some(hint) = &keys.wrong_passphrase {
            return hint.clone();
        }
        let only_ssh = plan.for_the_system_ssh().map(|methods| {
            format!(
                "{methods}, which only the system ssh can do: --carrier ssh, or for good: outpost hosts set {alias} carrier=ssh"
            )
        });
        match only_ssh {
            Some(ways) if !plan.takes(Method::PublicKey) => return format!("this server takes {ways}"),
            _ if keys.left_out => return self.name_the_key(),
            Some(ways) => return format!("put your key on the host (ssh-copy-id {alias}); the server also takes {ways}"),
            None => {}
        }
        if plan.takes(Method::PublicKey) {
            return format!(
                "put your key on the host (ssh-copy-id {alias}), or name the right one with IdentityFile in the ssh configuration"
            );
        }
        format!("see that the server lets '{}' in: try ssh {alias}", self.target.user())
    }

    fn name_the_key(&self) -> String {
        let alias = &self.target.alias;
        format!("name the one key this host takes: IdentityFile and IdentitiesOnly yes for '{alias}' in the ssh configuration")
    }
}
