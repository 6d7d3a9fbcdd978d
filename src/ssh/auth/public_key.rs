//! Offering keys one by one, from the agent and from files.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use russh::{AgentAuthError, Signer};

use super::agent::{self, Adding, Agent};
use super::identity::{Files, Holder, Identity, Rules, in_order};
use super::key_file::KeyFile;
use super::signer::{FileSigner, NoSignature};
use super::{A_PERSONS_TIME, Login, Reply};
use crate::failure::{Code, Failure};
use crate::ssh::ask::{NoAnswer, Question};
use crate::ssh::budget::Spent;

/// How many refused keys a stock sshd takes (MaxAuthTries) before it hangs up. Keys of the agent that nothing names are not
/// offered beyond it: what the configuration names is for the person to decide.
const TRIES: usize = 6;

/// The keys that are still to be offered.
pub(super) struct Keys {
    queue: VecDeque<Identity>,
    /// How many were offered in vain.
    offered: usize,
    /// Whether keys were left out because of that.
    pub(super) left_out: bool,
    /// What to do about a key that no passphrase opened.
    pub(super) wrong_passphrase: Option<String>,
    useless: Vec<String>,
    agent: Option<Agent>,
    socket: Option<PathBuf>,
    rules: Rules,
    /// Keys unlocked on the way, so that a second factor with the same key does not ask again.
    unlocked: Vec<(Arc<KeyFile>, Arc<PrivateKey>)>,
    /// The key in a file that the server took.
    used: Option<(Arc<PrivateKey>, String)>,
}

impl Keys {
    /// Reads the files and asks the agent what it holds.
    pub(super) async fn read(login: &Login<'_>) -> Result<Self, Failure> {
        let (target, local) = (login.target.clone(), login.local.clone());
        let reading = tokio::task::spawn_blocking(move || Files::read(&target, &local));
        let files = reading.await.map_err(|e| Failure::new(Code::LocalIo, "read the identity files").said(e))??;
        let socket = agent::socket(login.target, login.local)?;
        let mut useless: Vec<String> = files.useless.iter().map(|(path, why)| format!("{} ({why})", path.display())).collect();
        let mut connected = None;
        if let Some(path) = &socket {
            match agent::connect(path, login.link.handle.agent_session_binding()).await {
                Ok(agent) => connected = Some(agent),
                Err(e) => useless.push(format!("the agent at {} ({e})", path.display())),
            }
        }
        let held: Vec<AgentIdentity> = match &mut connected {
            Some(agent) => agent::identities(agent).await,
            None => Vec::new(),
        };
        let rules = Rules::of(login.target)?;
        let (queue, barred) = in_order(&files, &held, &rules);
        useless.extend(barred);
        Ok(Self {
            queue: queue.into(),
            offered: 0,
            left_out: false,
            wrong_passphrase: None,
            useless,
            agent: connected,
            socket,
            rules,
            unlocked: Vec::new(),
            used: None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn useless(&self) -> String {
        self.useless.join(", ")
    }

    /// Offers the next key.
    pub(super) async fn offer_next(&mut self, login: &mut Login<'_>) -> Result<Reply, Failure> {
        self.leave_out_the_rest();
        let Some(identity) = self.queue.pop_front() else { return Ok(Reply::Exhausted) };
        login.tried.push(identity.label.clone());
        let outcome = match &identity.holder {
            Holder::Agent => self.offer_from_agent(&identity, login).await,
            Holder::File(file) => self.offer_from_file(&identity, Arc::clone(file), login).await,
        }?;
        if matches!(outcome, Some(Reply::Success | Reply::Refused { partial: true, .. })) {
            login.passed.push(format!("publickey {}", identity.label));
        } else if outcome.is_some() {
            self.offered += 1;
        }
        match outcome {
            Some(reply) => Ok(reply),
            // This key could not sign and was not really offered; the next one may.
            None => {
                login.tried.retain(|label| *label != identity.label);
                Box::pin(self.offer_next(login)).await
            }
        }
    }

    /// After as many refusals as sshd takes, the agent's keys that nobody named are not offered any more.
    fn leave_out_the_rest(&mut self) {
        let before = self.queue.len();
        if self.offered >= TRIES {
            self.queue.retain(|identity| identity.named);
        }
        if let left @ 1.. = before - self.queue.len() {
            self.left_out = true;
            let keys = if left == 1 { "1 further key" } else { &format!("{left} further keys") };
            self.useless.push(format!("{keys} of the agent (not offered: a server takes about {TRIES} tries)"));
        }
    }

    async fn offer_from_agent(&mut self, identity: &Identity, login: &mut Login<'_>) -> Result<Option<Reply>, Failure> {
        let Some(mut agent) = self.agent.take() else { return Ok(None) };
        let outcome = self.offer(identity, &mut agent, login).await;
        self.agent = Some(agent);
        match outcome {
            Ok(answer) => login.reply(answer.map(Ok::<_, ()>)).map(Some),
            Err(AgentAuthError::Send(_)) => Err(login.cut()),
            Err(AgentAuthError::Key(e)) => {
                self.useless.push(format!("{} (the agent did not sign: {e})", identity.label));
                Ok(None)
            }
        }
    }

    async fn offer_from_file(
        &mut self,
        identity: &Identity,
        file: Arc<KeyFile>,
        login: &mut Login<'_>,
    ) -> Result<Option<Reply>, Failure> {
        let known = self.unlocked.iter().find(|(f, _)| Arc::ptr_eq(f, &file)).map(|(_, key)| Arc::clone(key));
        let prompts = if login.target.first("batchmode") == Some("yes") { 0 } else { login.prompts() };
        let mut signer = FileSigner { file: Arc::clone(&file), ask: login.ask, prompts, unlocked: known };
        let mut identity = identity.clone();
        if identity.public.is_none() {
            match signer.key().await {
                Ok(key) => identity.public = Some(key.public_key().clone()),
                Err(why) => return self.unsigned(why, &file, login),
            }
        }
        let outcome = self.offer(&identity, &mut signer, login).await;
        if let Some(key) = signer.unlocked.take() {
            self.unlocked.push((Arc::clone(&file), Arc::clone(&key)));
            self.used = Some((key, file.path.display().to_string()));
        }
        match outcome {
            Ok(answer) => login.reply(answer.map(Ok::<_, ()>)).map(Some),
            Err(why) => self.unsigned(why, &file, login),
        }
    }

    /// A key in a file that did not sign: fatal only when the person said so; else the next key may do.
    fn unsigned(&mut self, why: NoSignature, file: &KeyFile, login: &mut Login<'_>) -> Result<Option<Reply>, Failure> {
        let path = file.path.display().to_string();
        match why {
            NoSignature::Gone => return Err(login.cut()),
            NoSignature::NoAnswer(why @ (NoAnswer::Refused | NoAnswer::Interrupted)) => {
                return Err(login.no_answer(why, "publickey"));
            }
            NoSignature::NoAnswer(why @ NoAnswer::NoProgram(_)) => {
                let failure = login.no_answer(why, "publickey");
                login.hindered.get_or_insert(failure);
                self.useless.push(format!("{path} (locked)"));
            }
            NoSignature::NoAnswer(NoAnswer::NobodyThere) => {
                let failure = Failure::new(Code::AuthNeedsPerson, format!("log in as {} with {path}", login.target.user()))
                    .said("the key has a passphrase and there is nobody to ask for it")
                    .hint(format!("load it once: ssh-add {path}"));
                login.hindered.get_or_insert(failure);
                self.useless.push(format!("{path} (locked)"));
            }
            NoSignature::WrongPassphrase => {
                let whose = if file.public.is_some() { "the server takes the key" } else { "try the key again" };
                let hint = format!("{whose} {path}: give its passphrase, or load it once: ssh-add {path}");
                self.wrong_passphrase.get_or_insert(hint);
                self.useless.push(format!("{path} (wrong passphrase)"));
            }
            NoSignature::Failed(words) => self.useless.push(format!("{path} ({words})")),
        }
        Ok(None)
    }

    /// Asks the server whether it takes the key and signs only then. The time of a person (a passphrase, a touch on a token)
    /// is not the network's.
    async fn offer<S: Signer>(
        &self,
        identity: &Identity,
        signer: &mut S,
        login: &mut Login<'_>,
    ) -> Result<Result<russh::client::AuthResult, Spent>, S::Error> {
        let user = login.user();
        let Some(public) = identity.public.clone() else { return Err(russh::SendError {}.into()) };
        let hash = self.hash(&public, identity.certificate.is_some(), login).await;
        let handle = &mut login.link.handle;
        let offering = async {
            match identity.certificate.clone() {
                Some(certificate) => handle.authenticate_certificate_with(user, certificate, hash, signer).await,
                None => handle.authenticate_publickey_with(user, public, hash, signer).await,
            }
        };
        let result = match &identity.holder {
            Holder::File(file) if file.open().is_some() => login.budget.within(offering).await,
            Holder::File(_) | Holder::Agent => {
                tokio::time::timeout(A_PERSONS_TIME, offering).await.map_err(|_| Spent { limit: A_PERSONS_TIME })
            }
        };
        match result {
            Ok(answer) => answer.map(Ok),
            Err(spent) => Ok(Err(spent)),
        }
    }

    /// The hash for an RSA key: the best that both sides take. Other keys have none.
    async fn hash(&self, public: &PublicKey, certificate: bool, login: &Login<'_>) -> Option<HashAlg> {
        if !public.algorithm().is_rsa() {
            return None;
        }
        let allowed = self.rules.keys.rsa_hashes(certificate);
        match login.link.handle.best_supported_rsa_hash().await {
            Ok(Some(best)) if allowed.contains(&best) => best,
            // A server from before RFC 8308: SHA-1 only where the person allowed it by name.
            Ok(None) if allowed.contains(&None) => None,
            _ => allowed.into_iter().flatten().next(),
        }
    }

    /// Puts the key that let us in into the agent, when AddKeysToAgent says so.
    pub(super) async fn remember(&self, login: &Login<'_>) {
        let (Some(socket), Some((key, path))) = (&self.socket, &self.used) else { return };
        // A key in an old format has no comment of its own; ssh takes its path then.
        let comment = if key.comment().is_empty() { path.clone() } else { key.comment().to_string() };
        let constraints = match Adding::of(login.target) {
            Adding::No => return,
            Adding::Yes(constraints) => constraints,
            Adding::Ask => {
                let prompt = format!("Add key {path} ({comment}) to agent?");
                let question = Question { prompt, echo: true, preface: String::new() };
                match login.ask.permit(&question).await {
                    // As ssh takes it: nothing typed (the OK of an askpass) is yes.
                    Ok(answer) if ["", "yes"].contains(&answer.reveal().trim().to_ascii_lowercase().as_str()) => Vec::new(),
                    Ok(_) | Err(_) => return,
                }
            }
        };
        agent::add(socket, (key, &comment), &constraints).await;
    }
}
