//! Where the handshake meets the judgement of a host key.

use russh::keys::{HashAlg, PublicKeyOrCertificate};

use crate::failure::Failure;

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
