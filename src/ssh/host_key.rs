//! Who a server is: host keys and host certificates against known_hosts, exactly as OpenSSH judges them.
//!
//! A [`Checker`] is made for one target before the connection. Inside russh's callback [`Checker::decide`] says at once whether
//! to go on; where a person must be asked, the connection is given up, [`Checker::accept`] asks, and the connection that
//! follows is made with the checker pinned to the accepted key. A changed or revoked key stops everything, whatever
//! StrictHostKeyChecking says: that is the one deviation from OpenSSH.

pub mod asking;
pub mod certificate;
pub mod files;
pub mod fingerprint;
pub mod known;
pub mod krl;
pub mod line;
pub mod order;
pub mod pattern;
pub mod policy;
pub mod replace;
pub mod revoked;
pub mod tell;
pub mod update;
pub mod verdict;
pub mod write;

use std::net::IpAddr;

use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_key::public::KeyData;

use self::asking::Accepted;
use self::known::KnownFile;
use self::policy::{Policy, Strict};
use self::revoked::Revoked;
use self::verdict::{By, Lookup, RevokedBy, Verdict};
use super::ask::Ask;
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;

pub use self::verdict::Presented;

/// Judges the host key of one target.
#[derive(Debug, Clone)]
pub struct Checker {
    /// The name that the files know the host by: HostKeyAlias, or the host, with its port where that is not 22.
    name: String,
    address: Option<IpAddr>,
    aliased: bool,
    port: u16,
    files: Vec<KnownFile>,
    lookup: Lookup,
    revoked: Option<Revoked>,
    policy: Policy,
    pinned: Option<KeyData>,
}

/// What to do with a connection whose server presented a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on; the key is known.
    Known(Known),
    /// Go on, and call [`Checker::remember`] soon: StrictHostKeyChecking says to add an unknown key.
    Add,
    /// Give the connection up and call [`Checker::accept`]; nobody is asked while the server waits.
    Ask,
    /// Stop, with this.
    Stop(Failure),
}

/// A key that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// How.
    pub by: By,
    /// CheckHostIP: the address is to be added under this name.
    pub new_address: Option<String>,
    /// For a person, where VisualHostKey wants it.
    pub picture: Option<String>,
}

impl Presented {
    /// From what russh hands to `check_server_key`.
    #[must_use]
    pub fn new(presented: &PublicKeyOrCertificate) -> Self {
        Self { key: presented.public_key().key_data().clone(), certificate: presented.certificate().cloned() }
    }

    /// Type and fingerprint, for a person.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint::named(&self.key)
    }
}

impl Checker {
    /// Reads the files that the target names.
    ///
    /// # Errors
    /// RevokedHostKeys cannot be read, a file is too large, or a setting has a value that we cannot honour.
    pub fn new(target: &Target, local: &Local) -> Result<Self, Failure> {
        if let Some(command) = target.first("knownhostscommand").filter(|c| *c != "none") {
            return Err(tell::known_hosts_command(command).at(&target.alias));
        }
        let policy = Policy::of(target).map_err(|e| e.at(&target.alias))?;
        let files = files::known_hosts(target, local).map_err(|e| e.at(&target.alias))?;
        let revoked = files::revoked(target, local).and_then(|path| path.map(|p| Revoked::read(&p)).transpose());
        let alias = target.first("hostkeyalias").filter(|a| !a.is_empty());
        let host = alias.unwrap_or(target.host_name()).to_ascii_lowercase();
        let port = target.port();
        let name = if alias.is_some() { host.clone() } else { with_port(&host, port) };
        let portless = (name != host).then(|| known::entries(&files, &host));
        let lookup = Lookup { named: known::entries(&files, &name), portless, address: None, principal: host };
        let revoked = revoked.map_err(|e| e.at(&target.alias))?;
        Ok(Self { name, address: None, aliased: alias.is_some(), port, files, lookup, revoked, policy, pinned: None })
    }

    /// With the address that was connected to; not to be called for a connection through a ProxyCommand or a jump host.
    #[must_use]
    pub fn at(mut self, address: IpAddr) -> Self {
        let name = with_port(&address.to_string(), self.port);
        if self.policy.check_ip && !address.is_loopback() && name != self.name {
            self.lookup.address = Some(known::entries(&self.files, &name));
        }
        self.address = Some(address);
        self
    }

    /// Holds the next connection to the key that a person accepted.
    #[must_use]
    pub fn pin(mut self, accepted: &Accepted) -> Self {
        self.pinned = Some(accepted.key.clone());
        self
    }

    /// The name that known_hosts has, or would get, for this host.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the files say of a key.
    #[must_use]
    pub fn judge(&self, presented: &Presented) -> Verdict {
        let local = self.address.is_some_and(|a| a.is_loopback()) && !self.aliased;
        if self.policy.trust_localhost && local {
            return Verdict::Known { by: By::Localhost, address_is_new: false };
        }
        if let Some(list) = self.revoked.as_ref().filter(|list| list.holds(presented)) {
            return Verdict::Revoked(RevokedBy::File(list.path.clone()));
        }
        let verdict = verdict::judge(presented, &self.lookup, &self.policy);
        let accepted =
            matches!(verdict, Verdict::Unknown { .. } | Verdict::Known { .. }) && self.pinned.as_ref() == Some(&presented.key);
        if accepted { Verdict::Known { by: By::Person, address_is_new: false } } else { verdict }
    }

    /// What to do, by the verdict and StrictHostKeyChecking. Once pinned, only the accepted key passes.
    #[must_use]
    pub fn decide(&self, presented: &Presented) -> Decision {
        let verdict = self.judge(presented);
        let pinned = self.pinned.as_ref().filter(|key| **key != presented.key);
        match (verdict, pinned, self.policy.strict) {
            (Verdict::Known { .. } | Verdict::Unknown { .. }, Some(pinned), _) => {
                Decision::Stop(self.not_the_accepted(presented, pinned))
            }
            (Verdict::Known { by, address_is_new }, None, _) => Decision::Known(self.known(presented, by, address_is_new)),
            (Verdict::Unknown { .. }, None, Strict::AcceptNew | Strict::No) if self.keeps() => Decision::Add,
            (Verdict::Unknown { .. }, None, Strict::Ask) if self.keeps() => Decision::Ask,
            (Verdict::Unknown { certificate }, None, _) => Decision::Stop(self.unknown(presented, certificate.as_deref())),
            (Verdict::Changed { line, address }, ..) => Decision::Stop(self.changed(presented, &line, address)),
            (Verdict::Revoked(by), ..) => Decision::Stop(self.revoked(presented, &by)),
            (Verdict::Barred(why), ..) => Decision::Stop(self.barred(presented, &why)),
        }
    }

    /// Without a file of the person's own (`UserKnownHostsFile none`) OpenSSH accepts no unknown key, whoever says yes.
    fn keeps(&self) -> bool {
        self.files.iter().any(|f| f.own)
    }

    fn known(&self, presented: &Presented, by: By, address_is_new: bool) -> Known {
        let new_address = self.address.filter(|_| address_is_new).map(|a| with_port(&a.to_string(), self.port));
        let print = || format!("Host key fingerprint is {}", fingerprint::sha256(&presented.key));
        // Whoever was asked about it has seen it.
        let picture = (self.policy.visual && self.pinned.is_none())
            .then(|| format!("{}\n{}", print(), fingerprint::randomart(&presented.key)));
        Known { by, new_address, picture }
    }

    /// Asks a person about an unknown key, and adds it to the files when they accept.
    ///
    /// # Errors
    /// Nobody is there, or they refuse.
    pub async fn accept(&self, presented: &Presented, ask: &dyn Ask) -> Result<Accepted, Failure> {
        asking::accept(self, presented, ask).await
    }

    /// Adds an unknown key to the person's first file. What comes back is to be shown to them; a failure to write is no more
    /// than a warning, as with `ssh`.
    ///
    /// # Errors
    /// The warning.
    pub async fn remember(&self, presented: &Presented) -> Result<String, String> {
        let names = match (&self.lookup.address, self.address) {
            (Some(entries), Some(address)) if entries.is_empty() => {
                vec![self.name.clone(), with_port(&address.to_string(), self.port)]
            }
            _ => vec![self.name.clone()],
        };
        self.write(names, vec![presented.key.clone()]).await
    }

    /// CheckHostIP: adds the address of a known host.
    ///
    /// # Errors
    /// A warning.
    pub async fn remember_address(&self, presented: &Presented, address: &str) -> Result<String, String> {
        self.write(vec![address.to_owned()], vec![presented.key.clone()]).await
    }

    async fn write(&self, names: Vec<String>, keys: Vec<KeyData>) -> Result<String, String> {
        let Some(file) = self.files.iter().find(|f| f.own) else {
            return Err(format!("the host key of {} is not kept: UserKnownHostsFile names no file", self.name));
        };
        let addition = write::Addition { names, keys, hash: self.policy.hash };
        write::append_apart(file.path.clone(), addition).await
    }
}

/// As OpenSSH writes a name with a port that is not 22.
fn with_port(host: &str, port: u16) -> String {
    if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") }
}

/// A failure about the host key of a target, without its words.
fn failure(code: Code, name: &str) -> Failure {
    Failure::new(code, format!("check the host key of {name}"))
}
