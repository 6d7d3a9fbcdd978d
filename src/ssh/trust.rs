//! Where the handshake meets the judgement of a host key.

use std::net::IpAddr;
use std::sync::Arc;

use russh::client::Config;
use russh::keys::PublicKeyOrCertificate;

use super::algorithms;
use super::connection::Link;
use super::host_key::asking::Accepted;
use super::host_key::verdict::By;
use super::host_key::{Checker, Decision, Known, Presented};
use super::open::Context;
use crate::failure::Failure;
use crate::host::target::Target;
use crate::paths::Local;
use crate::step::{Progress, Step, Watch};

/// What became of the key that a server showed.
#[derive(Debug, Clone)]
pub(crate) enum Judged {
    /// It is the right one.
    Known(Box<Known>),
    /// Nobody knows it, and StrictHostKeyChecking says to add it.
    New,
    /// It is not the right one, and nothing in this run can change that.
    Refused(Failure),
    /// Nobody knows it: a person decides, outside the handshake.
    Unknown,
}

/// Judges the key inside the handshake; must not wait.
pub(crate) type Judge = Box<dyn Fn(&PublicKeyOrCertificate) -> Judged + Send + Sync>;

/// Everything that is known about the keys of one target.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    checker: Arc<Checker>,
}

impl Trust {
    /// Reads the files; `address` is where a direct connection leads, `accepted` what a person has just accepted.
    pub(crate) fn of(
        target: &Target,
        local: &Local,
        address: Option<IpAddr>,
        accepted: Option<&Accepted>,
    ) -> Result<Self, Failure> {
        let mut checker = Checker::new(target, local)?;
        if let Some(address) = address {
            checker = checker.at(address);
        }
        if let Some(accepted) = accepted {
            checker = checker.pin(accepted);
        }
        Ok(Self { checker: Arc::new(checker) })
    }

    /// With the algorithms to offer, in the order that the known keys ask for.
    pub(crate) fn prefer(&self, target: &Target, config: Config) -> Result<Config, Failure> {
        Ok(Config { preferred: algorithms::preferred(target, &self.checker)?, ..config })
    }

    pub(crate) fn judge(&self) -> Judge {
        let checker = Arc::clone(&self.checker);
        Box::new(move |shown| match checker.decide(&Presented::new(shown)) {
            Decision::Known(known) => Judged::Known(Box::new(known)),
            Decision::Add => Judged::New,
            Decision::Ask => Judged::Unknown,
            Decision::Stop(failure) => Judged::Refused(failure),
        })
    }

    /// Whether the server signed the handshake as it was asked to.
    pub(crate) fn signed(&self, link: &Link) -> Result<(), Failure> {
        let binding = link.handle.agent_session_binding();
        binding.map_or(Ok(()), |binding| self.checker.signed(binding.signature()))
    }

    /// Asks a person about an unknown key, and keeps it when they accept.
    pub(crate) async fn accept(&self, shown: &PublicKeyOrCertificate, context: Context<'_>) -> Result<Accepted, Failure> {
        let accepted = self.checker.accept(&Presented::new(shown), context.ask).await?;
        tell(context.watch, &accepted.told);
        Ok(accepted)
    }

    /// What is to be written or shown once the key has been taken, before the login as in `ssh`.
    pub(crate) async fn keep(&self, shown: &PublicKeyOrCertificate, judged: &Judged, watch: &dyn Watch) {
        let presented = Presented::new(shown);
        match judged {
            Judged::New => tell(watch, &either(self.checker.remember(&presented).await)),
            Judged::Known(known) => {
                tell(watch, known.picture.as_deref().unwrap_or_default());
                if let Some(address) = &known.new_address {
                    tell(watch, &either(self.checker.remember_address(&presented, address).await));
                }
            }
            Judged::Refused(_) | Judged::Unknown => {}
        }
    }

    pub(crate) fn checker(&self) -> &Arc<Checker> {
        &self.checker
    }
}

fn either(told: Result<String, String>) -> String {
    told.unwrap_or_else(|warning| warning)
}

fn tell(watch: &dyn Watch, text: &str) {
    if !text.is_empty() {
        watch.progress(Progress::news(Step::HostKey, text));
    }
}

/// How the key is known, for a person; nothing for the usual way.
pub(crate) fn how(judged: &Judged) -> String {
    match judged {
        Judged::Known(known) => match &known.by {
            By::Key(_) => String::new(),
            By::Authority(entry) => format!("certificate, authority in {}", entry.place),
            By::Person => "accepted just now".to_owned(),
            By::Localhost => "not looked at, NoHostAuthenticationForLocalhost".to_owned(),
        },
        Judged::New => "new, added to known_hosts".to_owned(),
        Judged::Refused(_) | Judged::Unknown => String::new(),
    }
}
