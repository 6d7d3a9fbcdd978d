//! Which host keys to ask a server for first.

use russh::keys::Algorithm;
use russh::keys::ssh_key::public::KeyData;

use super::Checker;
use super::line::Marker;

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
}

fn same_type(key: &KeyData, algorithm: &Algorithm) -> bool {
    match (key, algorithm) {
        (KeyData::Rsa(_), Algorithm::Rsa { .. }) => true,
        (key, algorithm) => key.algorithm() == *algorithm,
    }
}
