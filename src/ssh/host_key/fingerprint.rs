//! How a key is shown to a person and named on the wire.

use russh::keys::ssh_key::public::{KeyData, RsaPublicKey};
use russh::keys::{EcdsaCurve, HashAlg};

/// The fingerprint that OpenSSH shows by default: `SHA256:` and base64.
#[must_use]
pub fn sha256(key: &KeyData) -> String {
    super::line::plain(key).fingerprint(HashAlg::Sha256).to_string()
}

/// The type as OpenSSH writes it to people.
#[must_use]
pub fn kind(key: &KeyData) -> &'static str {
    match super::line::plain(key) {
        KeyData::Dsa(_) => "DSA",
        KeyData::Ecdsa(_) => "ECDSA",
        KeyData::Ed25519(_) => "ED25519",
        KeyData::Rsa(_) => "RSA",
        KeyData::SkEcdsaSha2NistP256(_) => "ECDSA-SK",
        KeyData::SkEd25519(_) => "ED25519-SK",
        KeyData::Certificate(_) | KeyData::Other(_) | _ => "unknown",
    }
}

/// Type and fingerprint in one.
#[must_use]
pub fn named(key: &KeyData) -> String {
    format!("{} {}", kind(key), sha256(key))
}

/// OpenSSH's picture of a key.
#[must_use]
pub fn randomart(key: &KeyData) -> String {
    let key = super::line::plain(key);
    key.fingerprint(HashAlg::Sha256).to_randomart(&format!("[{} {}]", kind(key), bits(key)))
}

fn bits(key: &KeyData) -> u32 {
    let curve = key.ecdsa().map(|ecdsa| match ecdsa.curve() {
        EcdsaCurve::NistP256 => 256,
        EcdsaCurve::NistP384 => 384,
        EcdsaCurve::NistP521 => 521,
    });
    let rsa = key.rsa().map(RsaPublicKey::key_size);
    rsa.or(curve).unwrap_or(if key.is_dsa() { 1024 } else { 256 })
}

/// The size of an RSA key that is below `least`.
#[must_use]
pub fn short_rsa(key: &KeyData, least: u32) -> Option<u32> {
    super::line::plain(key).rsa().map(|rsa| rsa.key_size()).filter(|bits| *bits < least)
}

/// The names under which a key of this type may sign an exchange.
#[must_use]
pub fn signature_names(key: &KeyData, certificate: bool) -> Vec<String> {
    let suffix = if certificate { "-cert-v01@openssh.com" } else { "" };
    if key.is_rsa() {
        return ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"].map(|name| format!("{name}{suffix}")).into();
    }
    let algorithm = key.algorithm();
    vec![if certificate { algorithm.to_certificate_type() } else { algorithm.as_str().to_owned() }]
}
