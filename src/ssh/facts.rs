//! What is known of a connection once it stands.

use super::handler::Seen;

/// What is known of a connection once it stands; texts of the server are raw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Where it leads ("10.0.0.7 port 22", "10.0.0.7 port 22 through bastion").
    pub address: String,
    /// The host key's type and fingerprint.
    pub host_key: String,
    /// The key exchange.
    pub kex: String,
    /// The cipher.
    pub cipher: String,
    /// How we logged in ("publickey /home/me/.ssh/id_ed25519").
    pub auth: String,
    /// The account there.
    pub account: String,
    /// The server's version line.
    pub server: String,
}

impl Facts {
    pub(crate) fn of(seen: &Seen, address: &str, auth: String) -> Self {
        let notes = seen.notes();
        Self {
            address: address.to_owned(),
            host_key: notes.fingerprint.clone(),
            kex: notes.kex.clone(),
            cipher: notes.cipher.clone(),
            auth,
            account: String::new(),
            server: notes.server.clone(),
        }
    }
}
