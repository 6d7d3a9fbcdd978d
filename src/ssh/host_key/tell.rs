//! The words for a host key that stops a connection: both fingerprints, the line of the file, what to do.

use std::path::Path;

use russh::keys::ssh_key::public::KeyData;

use super::fingerprint::named;
use super::known::Entry;
use super::pattern::Match;
use super::policy::Strict;
use super::verdict::RevokedBy;
use super::{Checker, Presented, failure};
use crate::failure::{Code, Failure};

impl Checker {
    /// Nobody accepted the key; `certificate` says why a certificate did not help.
    pub(super) fn unknown(&self, presented: &Presented, certificate: Option<&str>) -> Failure {
        let code = if certificate.is_some() { Code::HostCertificate } else { Code::HostKeyUnknown };
        let flaw = certificate.map(|c| format!("{c}; without the certificate ")).unwrap_or_default();
        failure(code, &self.name)
            .said(format!("{flaw}no key is known for it; it sent {}", named(&presented.key)))
            .hint(self.how_to_accept())
    }

    fn how_to_accept(&self) -> String {
        let dns = "Or let the system ssh ask the DNS for it, as VerifyHostKeyDNS says: --carrier ssh.";
        if self.policy.dns { format!("{} {dns}", self.how_a_person_accepts()) } else { self.how_a_person_accepts() }
    }

    fn how_a_person_accepts(&self) -> String {
        match (self.policy.strict, self.files.iter().find(|f| f.own)) {
            (_, None) => "UserKnownHostsFile is none, so no key can be accepted: name a file there.".to_owned(),
            (Strict::Yes, Some(file)) => format!(
                "StrictHostKeyChecking is yes: when you know by another way that this fingerprint is right, add the key to {} yourself.",
                file.path.display()
            ),
            _ => "Run this on a terminal, or ssh to the host once, and answer yes when you know by another way that the fingerprint \
                  is right."
                .to_owned(),
        }
    }

    /// Another key is known.
    pub(super) fn changed(&self, presented: &Presented, line: &Entry, address: bool) -> Failure {
        let about = if address { "for its address " } else { "" };
        let said = format!(
            "it sent {}, but {about}{} has {}. Somebody may be in between, or the host was set up anew",
            named(&presented.key),
            line.place,
            named(&line.key)
        );
        let remove = match line.matched {
            Match::Name => {
                format!("run ssh-keygen -f {} -R {}", quoted(&line.place.file.to_string_lossy()), quoted(&self.name_of(address)))
            }
            Match::No | Match::Wildcard => format!("take line {} out of {}", line.place.line, line.place.file.display()),
        };
        failure(Code::HostKeyChanged, &self.name).said(said).hint(format!(
            "Ask who runs the host whether its key was changed. Only after you have verified the new fingerprint: {remove}"
        ))
    }

    /// The key is revoked.
    pub(super) fn revoked(&self, presented: &Presented, by: &RevokedBy) -> Failure {
        let place = match by {
            RevokedBy::Line(place) => place.to_string(),
            RevokedBy::File(path) => path.display().to_string(),
        };
        let what = if presented.certificate.is_some() { ", its certificate or the authority that signed it" } else { "" };
        failure(Code::HostKeyRevoked, &self.name)
            .said(format!("its {}{what} is revoked by {place}", named(&presented.key)))
            .hint("Somebody may be using a stolen key. Ask who runs the host; do not connect before.")
    }

    /// The key may not be used.
    pub(super) fn barred(&self, presented: &Presented, why: &str) -> Failure {
        failure(Code::NoCommonAlgorithm, &self.name)
            .said(format!("it sent {}, but {why}", named(&presented.key)))
            .hint("Have the host use another key, or allow this one in your ssh configuration.")
    }

    /// The second connection showed another key than the one that was accepted on the first.
    pub(super) fn not_the_accepted(&self, presented: &Presented, pinned: &KeyData) -> Failure {
        failure(Code::HostKeyChanged, &self.name)
            .said(format!("you accepted {}, then it sent {}", named(pinned), named(&presented.key)))
            .hint("Two machines may answer under this name, or somebody is in between. Ask who runs the host.")
    }

    fn name_of(&self, address: bool) -> String {
        let address = self.address.filter(|_| address).map(|a| super::with_port(&a.to_string(), self.port));
        address.unwrap_or_else(|| self.name.clone())
    }
}

/// KnownHostsCommand is not run by us.
pub(super) fn known_hosts_command(command: &str) -> Failure {
    let program = command
        .split_whitespace()
        .next()
        .map_or(command, |word| Path::new(word).file_name().and_then(std::ffi::OsStr::to_str).unwrap_or(word));
    Failure::new(Code::KeywordUnsupported, "read KnownHostsCommand")
        .said(format!("Outpost does not ask {program} for host keys"))
        .hint("Use --carrier ssh for this host, or put its keys into a file.")
}

/// A word for a person's shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
