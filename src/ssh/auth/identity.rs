//! Which keys to offer, in ssh's order: certificates named by the configuration, keys of the agent that a file names, the
//! agent's other keys, keys in files.

use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Certificate, PublicKey};

use super::key_file::{BadKey, KeyFile, certificate, with_suffix};
use crate::failure::Failure;
use crate::host::target::Target;
use crate::paths::Local;
use crate::ssh::algorithms::UserKeys;
use crate::ssh::tokens::Tokens;

/// Who holds the private half.
#[derive(Debug, Clone)]
pub(crate) enum Holder {
    Agent,
    File(Arc<KeyFile>),
}

/// One key to offer.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The public half; only a locked key in an old format has none.
    pub(crate) public: Option<PublicKey>,
    /// The certificate to offer in its place.
    pub(crate) certificate: Option<Certificate>,
    pub(crate) holder: Holder,
    /// How a person knows it: its file, or its comment in the agent.
    pub(crate) label: String,
    /// Whether the configuration names it, by a file of its own or of its public half.
    pub(crate) named: bool,
}

/// What the configuration names, read once.
#[derive(Debug, Default)]
pub(crate) struct Files {
    keys: Vec<Arc<KeyFile>>,
    /// Certificates that CertificateFile names.
    named: Vec<(PathBuf, Certificate)>,
    /// Certificates found beside a key.
    beside: Vec<(PathBuf, Certificate)>,
    /// Files that give no key, and why; the usual ones that are merely absent are not told.
    pub(crate) useless: Vec<(PathBuf, BadKey)>,
}

impl Files {
    /// Reads IdentityFile and CertificateFile; waits for the disk.
    pub(crate) fn read(target: &Target, local: &Local) -> Result<Self, Failure> {
        let tokens = Tokens::new(target, local);
        let mut files = Self::default();
        for text in target.all("certificatefile") {
            let path = tokens.path(text)?;
            match certificate(&path) {
                Ok(found) => files.named.push((path, found)),
                Err(why) => files.useless.push((path, why)),
            }
        }
        for text in target.all("identityfile").iter().filter(|t| *t != "none") {
            files.add_key(tokens.path(text)?, target.is_default("identityfile"));
        }
        Ok(files)
    }

    fn add_key(&mut self, path: PathBuf, usual: bool) {
        let beside = with_suffix(&path, "-cert.pub");
        match KeyFile::read(&path) {
            Ok(key) => self.keys.push(Arc::new(key)),
            Err(BadKey::Missing) if usual => return,
            Err(why) => self.useless.push((path, why)),
        }
        if let Ok(found) = certificate(&beside) {
            self.beside.push((beside, found));
        }
    }

    fn holder_of(&self, data: &KeyData, agent: &[AgentIdentity]) -> Option<Holder> {
        let in_agent = agent.iter().any(|i| i.public_key().key_data() == data);
        let in_file = || self.keys.iter().find(|k| k.can_sign() && k.public.as_ref().is_some_and(|p| p.key_data() == data));
        if in_agent { Some(Holder::Agent) } else { in_file().cloned().map(Holder::File) }
    }

    fn named_by_a_file(&self, data: &KeyData) -> bool {
        self.keys.iter().filter_map(|k| k.public.as_ref()).any(|p| p.key_data() == data)
    }
}

/// What may be offered at all.
pub(crate) struct Rules {
    /// Offer nothing that no file names.
    only_named: bool,
    pub(crate) keys: UserKeys,
}

impl Rules {
    pub(crate) fn of(target: &Target) -> Result<Self, Failure> {
        Ok(Self { only_named: target.first("identitiesonly") == Some("yes"), keys: UserKeys::of(target)? })
    }

    fn allows(&self, identity: &Identity) -> Result<(), String> {
        identity.public.as_ref().map_or(Ok(()), |public| self.keys.allow(public.key_data(), identity.certificate.is_some()))
    }
}

/// The keys to offer, best first, and those that may not be offered, with the reason.
pub(crate) fn in_order(files: &Files, agent: &[AgentIdentity], rules: &Rules) -> (Vec<Identity>, Vec<String>) {
    let certificates = files.named.iter().chain(&files.beside).filter_map(|(path, found)| {
        let holder = files.holder_of(found.public_key(), agent)?;
        Some(Identity {
            public: Some(PublicKey::new(found.public_key().clone(), "")),
            certificate: Some(found.clone()),
            holder,
            label: path.display().to_string(),
            named: true,
        })
    });
    let of_agent: Vec<Identity> = agent.iter().map(|held| from_agent(held, files)).collect();
    let named = of_agent.iter().filter(|i| i.named);
    let unnamed = of_agent.iter().filter(|i| !rules.only_named && !i.named);
    let in_files =
        files.keys.iter().filter(|k| k.can_sign() && !of_agent.iter().any(|i| i.public == k.public && i.certificate.is_none()));
    let mut all: Vec<Identity> = certificates.collect();
    all.extend(named.chain(unnamed).cloned());
    all.extend(in_files.map(from_file));
    let mut barred = Vec::new();
    all.retain(|identity| match rules.allows(identity) {
        Ok(()) => true,
        Err(why) => {
            barred.push(format!("{} ({why})", identity.label));
            false
        }
    });
    (all, barred)
}

fn from_agent(identity: &AgentIdentity, files: &Files) -> Identity {
    let certificate = match identity {
        AgentIdentity::PublicKey { .. } => None,
        AgentIdentity::Certificate { certificate, .. } => Some(certificate.clone()),
    };
    let label = format!("{} (agent)", identity.comment());
    Identity {
        public: Some(PublicKey::new(identity.public_key().key_data().clone(), "")),
        certificate,
        holder: Holder::Agent,
        label,
        named: files.named_by_a_file(identity.public_key().key_data()),
    }
}

fn from_file(key: &Arc<KeyFile>) -> Identity {
    let public = key.public.as_ref().map(|p| PublicKey::new(p.key_data().clone(), ""));
    let (holder, label) = (Holder::File(Arc::clone(key)), key.path.display().to_string());
    Identity { public, certificate: None, holder, label, named: true }
}
