//! Which host keys to ask a server for first, and whether it signed as it was asked to.

use russh::keys::Algorithm;
use russh::keys::ssh_key::public::KeyData;

use super::line::Marker;
use super::{Checker, failure};
use crate::failure::{Code, Failure};

/// The order in which host keys are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// For `Preferred.key`.
    pub keys: Vec<Algorithm>,
    /// For `Preferred.host_key_certificates`.
    pub certificates: Vec<Algorithm>,
}

impl Checker {
    /// In which order to ask for host keys: certificates where an authority is known for the host, then the types of its known
    /// keys, then the rest. `in_order` are the names of HostKeyAlgorithms; unless `ours_to_order`, their order stays.
    #[must_use]
    pub fn order(&self, in_order: &[Algorithm], certificates: &[Algorithm], ours_to_order: bool) -> Order {
        let portless = self.lookup.portless.as_deref().unwrap_or_default();
        let authority = self.lookup.named.iter().chain(portless).any(|e| e.marker == Marker::Authority);
        let certificates = if authority || in_order.is_empty() { certificates.to_vec() } else { Vec::new() };
        let known = |a: &Algorithm| self.lookup.named.iter().any(|e| e.marker == Marker::Key && same_type(&e.key, a));
        let best_is_known = in_order.first().is_some_and(known);
        let mut keys = in_order.to_vec();
        if ours_to_order && !best_is_known {
            keys.sort_by_key(|a| !known(a));
        }
        Order { keys, certificates }
    }

    /// Whether the server signed the key exchange as HostKeyAlgorithms allows: russh takes SHA-1 from an RSA key whatever was
    /// negotiated. `signature` is that of `Handle::agent_session_binding`.
    ///
    /// # Errors
    /// It did not.
    pub fn signed(&self, signature: &[u8]) -> Result<(), Failure> {
        let name = signature_name(signature).unwrap_or("nothing that can be read");
        // That of a certificate is the key's: `sk-ssh-ed25519@openssh.com` signs for `sk-ssh-ed25519-cert-v01@openssh.com`.
        let plain = name.strip_suffix("@openssh.com").unwrap_or(name);
        let allowed = |a: &String| a == name || a.strip_suffix("-cert-v01@openssh.com") == Some(plain);
        if self.policy.algorithms.iter().any(allowed) {
            return Ok(());
        }
        Err(failure(Code::NoCommonAlgorithm, &self.name)
            .said(format!("it signed with {name}, which HostKeyAlgorithms leaves out"))
            .hint("Ask who runs the host; a server that does this is very old, or somebody is in between."))
    }
}

/// A signature begins with the name of its algorithm.
fn signature_name(signature: &[u8]) -> Option<&str> {
    let (length, rest) = signature.split_first_chunk::<4>()?;
    std::str::from_utf8(rest.get(..u32::from_be_bytes(*length) as usize)?).ok()
}

fn same_type(key: &KeyData, algorithm: &Algorithm) -> bool {
    match (key, algorithm) {
        (KeyData::Rsa(_), Algorithm::Rsa { .. }) => true,
        (key, algorithm) => key.algorithm() == *algorithm,
    }
}
