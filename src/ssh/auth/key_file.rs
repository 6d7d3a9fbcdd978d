//! A private key in a file: what can be known of it without its passphrase, and unlocking it.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{Certificate, PrivateKey, PublicKey, decode_secret_key};

use crate::paths::read_text;
use crate::ssh::ask::Secret;

/// What an identity file turned out to be.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile {
    /// The path as it will be shown.
    pub(crate) path: PathBuf,
    /// Its public half; unknown for a locked key in an old format without a `.pub` beside it.
    pub(crate) public: Option<PublicKey>,
    secret: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Open(Arc<PrivateKey>),
    Locked(Arc<LockedText>),
    /// Only the public half is here: the agent, or a token, has the other.
    Elsewhere,
}

/// The text of a locked key; not shown by `Debug`.
struct LockedText(String);

impl std::fmt::Debug for LockedText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LockedText(…)")
    }
}

/// Why a file gives no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadKey {
    #[error("no such file")]
    Missing,
    #[error("{0}")]
    Unreadable(String),
    #[error("its permissions {0:o} are too open; ssh ignores such a key (chmod 600)")]
    TooOpen(u32),
    #[error("it is not a key that can be read; convert it with: ssh-keygen -p -f FILE")]
    NotAKey,
    #[error("it is not a certificate")]
    NotACertificate,
    #[error("the passphrase is wrong")]
    WrongPassphrase,
}

impl From<io::Error> for BadKey {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Unreadable(e.to_string()) }
    }
}

impl KeyFile {
    /// Reads an identity file, and the `.pub` beside it where the file alone does not say enough.
    pub(crate) fn read(path: &Path) -> Result<Self, BadKey> {
        let beside = public(&with_suffix(path, ".pub"));
        let text = match read_text(path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let public = beside.ok_or(BadKey::Missing)?;
                return Ok(Self { path: path.to_owned(), public: Some(public), secret: Content::Elsewhere });
            }
            Err(e) => return Err(e.into()),
        };
        if let Ok(public) = PublicKey::from_openssh(text.trim()) {
            return Ok(Self { path: path.to_owned(), public: Some(public), secret: Content::Elsewhere });
        }
        private_enough(path)?;
        let (secret, known) = content(text)?;
        Ok(Self { path: path.to_owned(), public: known.or(beside), secret })
    }

    /// Whether the private half can be had from this file.
    pub(crate) fn can_sign(&self) -> bool {
        !matches!(self.secret, Content::Elsewhere)
    }

    /// The key, when no passphrase guards it.
    pub(crate) fn open(&self) -> Option<Arc<PrivateKey>> {
        match &self.secret {
            Content::Open(key) => Some(Arc::clone(key)),
            Content::Locked(_) | Content::Elsewhere => None,
        }
    }

    /// Opens a locked key. The key derivation is slow on purpose and runs beside the other tasks.
    pub(crate) async fn unlock(&self, passphrase: Secret) -> Result<Arc<PrivateKey>, BadKey> {
        let text = match &self.secret {
            Content::Open(key) => return Ok(Arc::clone(key)),
            Content::Locked(text) => Arc::clone(text),
            Content::Elsewhere => return Err(BadKey::Missing),
        };
        let work = move || decode_secret_key(&text.0, Some(passphrase.reveal()));
        let key = tokio::task::spawn_blocking(work).await.map_err(|e| BadKey::Unreadable(e.to_string()))?;
        key.map(Arc::new).map_err(|_| BadKey::WrongPassphrase)
    }
}

fn content(text: String) -> Result<(Content, Option<PublicKey>), BadKey> {
    match decode_secret_key(&text, None) {
        Ok(key) => {
            let public = key.public_key().clone();
            Ok((Content::Open(Arc::new(key)), Some(public)))
        }
        Err(_) if text.contains("BEGIN EC PRIVATE KEY") => Err(BadKey::NotAKey),
        Err(russh::keys::Error::KeyIsEncrypted) => locked(text),
        Err(_) if text.contains("ENCRYPTED") => locked(text),
        Err(_) => Err(BadKey::NotAKey),
    }
}

fn locked(text: String) -> Result<(Content, Option<PublicKey>), BadKey> {
    let public = PrivateKey::from_openssh(&text).ok().map(|key| key.public_key().clone());
    Ok((Content::Locked(Arc::new(LockedText(text))), public))
}

/// ssh ignores a key that others may read, when it is ours.
fn private_enough(path: &Path) -> Result<(), BadKey> {
    let meta = fs::metadata(path).map_err(|e| BadKey::Unreadable(e.to_string()))?;
    let mode = meta.permissions().mode() & 0o777;
    if meta.uid() == nix::unistd::getuid().as_raw() && mode & 0o077 != 0 {
        return Err(BadKey::TooOpen(mode));
    }
    Ok(())
}

fn public(path: &Path) -> Option<PublicKey> {
    PublicKey::from_openssh(read_text(path).ok()?.trim()).ok()
}

/// A certificate in a file.
pub(crate) fn certificate(path: &Path) -> Result<Certificate, BadKey> {
    Certificate::from_openssh(read_text(path)?.trim()).map_err(|_| BadKey::NotACertificate)
}

/// `id_ed25519` with `-cert.pub` or `.pub` behind it.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russh::keys::Algorithm;
    use russh::keys::ssh_key::LineEnding;

    use super::*;

    fn read(text: &str) -> Result<KeyFile, BadKey> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("id");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
        assert!(certificate(&path).is_err());
        KeyFile::read(&path)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_damaged_key_is_refused_and_never_shown(at in 0_usize..400, cut in 0_usize..40, put in "\\PC{0,3}") {
            let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).expect("a key");
            let whole = key.to_openssh(LineEnding::LF).expect("text").to_string();
            prop_assert!(read(&whole).expect("whole").open().is_some());
            let (head, rest) = whole.split_at(at.min(whole.len()));
            let damaged = format!("{head}{put}{}", rest.get(cut.min(rest.len())..).unwrap_or_default());
            let read = read(&damaged);
            if let Ok(file) = &read {
                let same = file.open().is_none_or(|open| open.public_key().key_data() == key.public_key().key_data());
                prop_assert!(same, "another key than the one that was written");
            }
            let secret = whole.lines().nth(3).expect("a line of it");
            let shown = format!("{read:?} {}", read.as_ref().err().map(ToString::to_string).unwrap_or_default());
            prop_assert!(!shown.contains(secret), "{}", shown);
        }

        #[test]
        fn any_text_is_a_key_or_none(text in "(-----BEGIN (OPENSSH|RSA|EC|ENCRYPTED) PRIVATE KEY-----\n)?[A-Za-z0-9+/=\n]{0,200}(-----END OPENSSH PRIVATE KEY-----)?") {
            let read = read(&text);
            prop_assert!(read.is_err() || read.is_ok_and(|file| file.open().is_none()));
        }
    }
}
