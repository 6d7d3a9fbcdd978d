//! Where the handshake meets the judgement of a host key.

use std::sync::Arc;

use russh::client::Config;
use russh::keys::{HashAlg, PublicKeyOrCertificate};

use super::open::Context;
use super::tokens::Tokens;
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;

/// What became of the key that a server showed.
#[derive(Debug, Clone)]
pub(crate) enum Judged {
    /// It is the right one; the text says how that is known.
    Trusted(String),
    /// It is not, and nothing in this run can change that.
    Refused(Failure),
    /// Nobody knows it: a person, or the setting, decides outside the handshake.
    Unknown,
}

/// Judges the key inside the handshake; must not wait.
pub(crate) type Judge = Box<dyn Fn(&PublicKeyOrCertificate) -> Judged + Send + Sync>;

/// The fingerprint as `ssh-keygen -l` prints it, with the key's type.
pub(crate) fn fingerprint(shown: &PublicKeyOrCertificate) -> String {
    let key = shown.public_key();
    let kind = match shown {
        PublicKeyOrCertificate::PublicKey { .. } => short(key.algorithm().as_str()),
        PublicKeyOrCertificate::Certificate(_) => format!("{}-CERT", short(key.algorithm().as_str())),
    };
    format!("{kind} {}", key.fingerprint(HashAlg::Sha256))
}

fn short(algorithm: &str) -> String {
    match algorithm {
        "ssh-ed25519" => "ED25519".to_owned(),
        "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => "RSA".to_owned(),
        other if other.starts_with("ecdsa") => "ECDSA".to_owned(),
        other => other.to_owned(),
    }
}

/// Puts the judge of a target's host keys together; until the whole of known_hosts is here it knows plain lines only.
pub(crate) fn prepare(
    target: &Target,
    local: &Local,
    pinned: Option<Arc<PublicKeyOrCertificate>>,
    config: Config,
) -> Result<(Config, Judge), Failure> {
    if let Some(pinned) = pinned {
        return Ok((config, super::open::only(pinned)));
    }
    let tokens = Tokens::new(target, local);
    let mut keys = Vec::new();
    for text in target.first("userknownhostsfile").unwrap_or_default().split_whitespace() {
        let known = crate::paths::read_text(&tokens.path(text)?).unwrap_or_default();
        keys.extend(known.lines().filter_map(|l| line(l, target.host_name())));
    }
    let lenient = matches!(target.first("stricthostkeychecking"), Some("no" | "false" | "off" | "accept-new"));
    let judge: Judge = Box::new(move |shown| {
        let data = shown.public_key();
        if keys.iter().any(|k: &russh::keys::PublicKey| k.key_data() == data.key_data()) {
            Judged::Trusted("known".to_owned())
        } else if lenient {
            Judged::Trusted("new".to_owned())
        } else {
            Judged::Unknown
        }
    });
    Ok((config, judge))
}

fn line(line: &str, name: &str) -> Option<russh::keys::PublicKey> {
    let (names, key) = line.split_once(' ')?;
    names.split(',').any(|n| n == name).then(|| russh::keys::PublicKey::from_openssh(key).ok())?
}

/// Asks about an unknown key.
pub(crate) async fn accept(target: &Target, _: Context<'_>, shown: &PublicKeyOrCertificate) -> Result<(), Failure> {
    Err(Failure::new(Code::HostKeyUnknown, format!("check the host key of {}", target.host_name())).said(fingerprint(shown)))
}
