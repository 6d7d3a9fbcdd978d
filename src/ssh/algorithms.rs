//! Which algorithms a connection may use: the lists of the ssh configuration, cut to what russh can do.

pub mod lists;

use std::borrow::Cow;

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, HashAlg};
use russh::{Preferred, cipher, compression, kex, mac};

use super::host_key::{Checker, fingerprint, policy};
use crate::failure::{Code, Failure};
use crate::host::target::Target;

/// The names that are no algorithms but say what we understand; strict key exchange (Terrapin) hangs on them.
const EXTENSIONS: [kex::Name; 2] = [kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];

/// Our order where the person's files leave OpenSSH's: post-quantum first.
const FIRST_KEX: &[&str] = &["mlkem768x25519-sha256"];

/// Our order on machines that compute AES in hardware, where it outruns ChaCha20 several times.
const FIRST_CIPHERS: &[&str] = &["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"];

/// What to offer in the key exchange.
///
/// # Errors
/// A list of the configuration has nothing that russh can do.
pub fn preferred(target: &Target, checker: &Checker) -> Result<Preferred, Failure> {
    let (keys, certificates) = host_keys(target)?;
    let order = checker.order(&keys, &certificates, lists::follows_default(target, "hostkeyalgorithms"));
    let mut kex: Vec<kex::Name> = cut(target, "KexAlgorithms", FIRST_KEX)?;
    kex.extend(EXTENSIONS);
    let first = if has_aes() { FIRST_CIPHERS } else { &[] };
    Ok(Preferred {
        kex: kex.into(),
        key: order.keys.into(),
        host_key_certificates: order.certificates.into(),
        cipher: cut::<cipher::Name>(target, "Ciphers", first)?.into(),
        mac: cut::<mac::Name>(target, "MACs", &[])?.into(),
        compression: compressions(target),
    })
}

/// The names of a list that russh knows, in their order; `first` goes to the front where the list is OpenSSH's default.
fn cut<N>(target: &Target, keyword: &str, first: &[&str]) -> Result<Vec<N>, Failure>
where
    N: for<'a> TryFrom<&'a str>,
{
    let lower = keyword.to_ascii_lowercase();
    let mut names = lists::of(target, &lower);
    if target.is_default(&lower) {
        names.retain(|n| !first.contains(&n.as_str()));
        names.splice(0..0, first.iter().map(|n| (*n).to_owned()));
    }
    let known: Vec<N> = names.iter().filter(|n| is_offered(n)).filter_map(|n| N::try_from(n.as_str()).ok()).collect();
    if known.is_empty() { Err(nothing(target, keyword, &names)) } else { Ok(known) }
}

/// No encryption, no integrity and the server's half of an extension are never offered, whatever a file says.
fn is_offered(name: &str) -> bool {
    !matches!(name, "none" | "clear" | "ext-info-s" | "ext-info-c") && !name.starts_with("kex-strict-")
}

fn nothing(target: &Target, keyword: &str, names: &[String]) -> Failure {
    Failure::new(Code::NoCommonAlgorithm, format!("prepare the key exchange with {}", target.host_name()))
        .said(format!("{keyword} allows only {}, of which Outpost can do none by itself", names.join(",")))
        .hint(format!("Use --carrier ssh for this host, or allow more in {keyword}."))
        .at(&target.alias)
}

/// HostKeyAlgorithms: plain ones, and those in certificates.
fn host_keys(target: &Target) -> Result<(Vec<Algorithm>, Vec<Algorithm>), Failure> {
    let names = lists::of(target, "hostkeyalgorithms");
    let plain: Vec<Algorithm> = names.iter().filter_map(|n| plain_algorithm(n)).collect();
    let certificates: Vec<Algorithm> = names.iter().filter_map(|n| certificate_algorithm(n)).collect();
    if plain.is_empty() && certificates.is_empty() {
        return Err(nothing(target, "HostKeyAlgorithms", &names));
    }
    Ok((plain, certificates))
}

fn plain_algorithm(name: &str) -> Option<Algorithm> {
    Algorithm::new(name).ok().filter(|a| !matches!(a, Algorithm::Other(_) | Algorithm::Dsa) && a.as_str() == name)
}

fn certificate_algorithm(name: &str) -> Option<Algorithm> {
    let known = |a: &Algorithm| !matches!(a, Algorithm::Other(_) | Algorithm::Dsa) && a.to_certificate_type() == name;
    Algorithm::new_certificate(name).ok().filter(known)
}

fn compressions(target: &Target) -> Cow<'static, [compression::Name]> {
    match target.first("compression") {
        Some("yes" | "true") => vec![compression::ZLIB_LEGACY, compression::ZLIB, compression::NONE].into(),
        _ => vec![compression::NONE].into(),
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

/// Whether a recording of the session stays closed to a later quantum computer.
#[must_use]
pub fn is_post_quantum(kex_name: &str) -> bool {
    kex_name.starts_with("mlkem768x25519-") || kex_name.starts_with("sntrup761x25519-")
}

/// Which of a person's keys may be offered to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserKeys {
    accepted: Vec<String>,
    min_rsa_bits: u32,
}

impl UserKeys {
    /// By PubkeyAcceptedAlgorithms and RequiredRSASize.
    ///
    /// # Errors
    /// RequiredRSASize is no number.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        let min_rsa_bits = policy::required_rsa_size(target)?;
        Ok(Self { accepted: lists::of(target, "pubkeyacceptedalgorithms"), min_rsa_bits })
    }

    /// Whether a key, in a certificate or not, may be offered; else why not, for a person.
    ///
    /// # Errors
    /// The reason.
    pub fn allow(&self, key: &KeyData, certificate: bool) -> Result<(), String> {
        if let Some(bits) = fingerprint::short_rsa(key, self.min_rsa_bits) {
            return Err(format!("it has {bits} bits where RequiredRSASize asks for {}", self.min_rsa_bits));
        }
        let names = fingerprint::signature_names(key, certificate);
        let allowed = names.iter().any(|n| self.accepted.contains(n));
        if allowed { Ok(()) } else { Err(format!("PubkeyAcceptedAlgorithms leaves {} out", names.join(", "))) }
    }

    /// The hashes that an RSA key may sign with, in the order of PubkeyAcceptedAlgorithms; none means SHA-1 (`ssh-rsa`).
    #[must_use]
    pub fn rsa_hashes(&self, certificate: bool) -> Vec<Option<HashAlg>> {
        let suffix = if certificate { "-cert-v01@openssh.com" } else { "" };
        let hash = |name: &String| match name.strip_suffix(suffix)? {
            "rsa-sha2-512" => Some(Some(HashAlg::Sha512)),
            "rsa-sha2-256" => Some(Some(HashAlg::Sha256)),
            "ssh-rsa" => Some(None),
            _ => None,
        };
        self.accepted.iter().filter_map(hash).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn post_quantum_exchanges() {
        for (name, expected) in [
            ("mlkem768x25519-sha256", true),
            ("sntrup761x25519-sha512@openssh.com", true),
            ("sntrup761x25519-sha512", true),
            ("curve25519-sha256", false),
            ("diffie-hellman-group18-sha512", false),
            ("", false),
        ] {
            assert_eq!(is_post_quantum(name), expected, "{name}");
        }
    }

    /// Without an `ssh` to ask, the lists are those of OpenSSH 9.2, and the forms are evaluated here.
    #[test]
    fn without_ssh() {
        let target = |text| Target::from_ssh_g("box".parse().unwrap(), text, "");
        let (keys, certificates) = host_keys(&target("")).unwrap();
        assert_eq!((keys.len(), certificates.len()), (8, 8));
        let (keys, certificates) = host_keys(&target("hostkeyalgorithms -*cert*,ecdsa*,sk-*\n")).unwrap();
        let names: Vec<&str> = keys.iter().map(Algorithm::as_str).collect();
        assert_eq!((names.join(","), certificates.len()), ("ssh-ed25519,rsa-sha2-512,rsa-sha2-256".to_owned(), 0));
        let ciphers: Vec<cipher::Name> = cut(&target("ciphers ^aes256-ctr\n"), "Ciphers", &[]).unwrap();
        assert_eq!(ciphers.first().map(AsRef::as_ref), Some("aes256-ctr"));
        assert!(cut::<cipher::Name>(&target("ciphers none\n"), "Ciphers", &[]).is_err());
        assert!(cut::<mac::Name>(&target("macs none,umac-64@openssh.com\n"), "MACs", &[]).is_err());
        assert!(
            cut::<kex::Name>(&target("kexalgorithms none,ext-info-s,kex-strict-c-v00@openssh.com\n"), "KexAlgorithms", &[])
                .is_err()
        );
    }
}
