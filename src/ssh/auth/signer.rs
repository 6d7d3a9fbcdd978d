//! Signs with a key in a file, and asks for its passphrase only when the server has said that it would take the key.

use std::sync::Arc;

use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, PrivateKey, signature};

use super::key_file::{BadKey, KeyFile};
use crate::ssh::ask::{Ask, NoAnswer, Question, Secret};

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoSignature {
    /// The link is gone.
    Gone,
    /// Nobody gave the passphrase.
    NoAnswer(NoAnswer),
    /// Every passphrase was wrong.
    WrongPassphrase,
    /// The key cannot sign this; the words say why.
    Failed(String),
}

impl From<russh::SendError> for NoSignature {
    fn from(_: russh::SendError) -> Self {
        Self::Gone
    }
}

/// A key in a file, unlocked at most once.
pub(crate) struct FileSigner<'a> {
    pub(crate) file: Arc<KeyFile>,
    pub(crate) ask: &'a dyn Ask,
    /// How often a passphrase may be asked for (NumberOfPasswordPrompts); 0 in batch mode.
    pub(crate) prompts: u32,
    pub(crate) unlocked: Option<Arc<PrivateKey>>,
}

impl FileSigner<'_> {
    /// The private key, asked for when it is locked.
    pub(crate) async fn key(&mut self) -> Result<Arc<PrivateKey>, NoSignature> {
        if let Some(key) = self.unlocked.clone().or_else(|| self.file.open()) {
            self.unlocked = Some(Arc::clone(&key));
            return Ok(key);
        }
        if self.prompts == 0 {
            return Err(NoSignature::NoAnswer(NoAnswer::NobodyThere));
        }
        for _ in 0..self.prompts {
            let typed = self.passphrase().await.map_err(NoSignature::NoAnswer)?;
            if typed.reveal().is_empty() {
                break;
            }
            match self.file.unlock(typed).await {
                Ok(key) => return Ok(Arc::clone(self.unlocked.insert(key))),
                Err(BadKey::WrongPassphrase) => {}
                Err(other) => return Err(NoSignature::Failed(other.to_string())),
            }
        }
        Err(NoSignature::WrongPassphrase)
    }

    async fn passphrase(&self) -> Result<Secret, NoAnswer> {
        let prompt = format!("Enter passphrase for key '{}': ", self.file.path.display());
        self.ask.ask(&Question { prompt, echo: false, preface: String::new() }).await
    }
}

impl russh::Signer for FileSigner<'_> {
    type Error = NoSignature;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, NoSignature> {
        let key = self.key().await?;
        let blob = sign(&key, hash, &to_sign).map_err(|e| NoSignature::Failed(e.to_string()))?;
        blob.encode(&mut to_sign).map_err(|e| NoSignature::Failed(e.to_string()))?;
        Ok(to_sign)
    }
}

fn sign(key: &PrivateKey, hash: Option<HashAlg>, data: &[u8]) -> Result<Vec<u8>, signature::Error> {
    let signature: Signature = if let KeypairData::Rsa(pair) = key.key_data() {
        signature::Signer::try_sign(&(pair, hash), data)?
    } else {
        signature::Signer::try_sign(key.key_data(), data)?
    };
    let mut blob = Vec::new();
    signature.encode(&mut blob).map_err(signature::Error::from_source)?;
    Ok(blob)
}
