//! What the person's ssh configuration says about host keys.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::ssh::algorithms::lists;

/// StrictHostKeyChecking. A changed or revoked key stops the connection under each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strict {
    /// An unknown key is refused.
    Yes,
    /// A person is asked.
    Ask,
    /// An unknown key is added.
    AcceptNew,
    /// To OpenSSH also "go on with a changed key"; to us the same as [`Strict::AcceptNew`].
    No,
}

/// UpdateHostKeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Keys that the server announces are not looked at.
    No,
    /// They are learned.
    Yes,
    /// A person is asked before.
    Ask,
}

/// What a certificate is held against.
#[derive(Debug, Clone)]
pub struct CertificatePolicy {
    /// Seconds since 1970.
    pub now: u64,
    /// CASignatureAlgorithms.
    pub algorithms: Vec<String>,
    /// RequiredRSASize.
    pub min_rsa_bits: u32,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Policy {
    /// StrictHostKeyChecking.
    pub strict: Strict,
    /// UpdateHostKeys.
    pub update: Update,
    /// BatchMode: nobody is asked.
    pub batch: bool,
    /// HashKnownHosts.
    pub hash: bool,
    /// VisualHostKey.
    pub visual: bool,
    /// CheckHostIP.
    pub check_ip: bool,
    /// NoHostAuthenticationForLocalhost.
    pub trust_localhost: bool,
    /// VerifyHostKeyDNS, which is not done here: a key that nobody knows is told of with the way out.
    pub dns: bool,
    /// HostKeyAlgorithms.
    pub algorithms: Vec<String>,
    /// What certificates are held against.
    pub certificate: CertificatePolicy,
}

/// OpenSSH's default for RequiredRSASize.
const MIN_RSA_BITS: u32 = 1024;

impl Policy {
    /// Reads it from what `ssh -G` printed.
    ///
    /// # Errors
    /// A word that means nothing: guessing at one would be guessing at security.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        let certificate = CertificatePolicy {
            now: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            algorithms: lists::of(target, "casignaturealgorithms"),
            min_rsa_bits: required_rsa_size(target)?,
        };
        Ok(Self {
            strict: strict(target.first("stricthostkeychecking"))?,
            update: update(target.first("updatehostkeys"))?,
            batch: switch(target, "batchmode")?,
            hash: switch(target, "hashknownhosts")?,
            visual: switch(target, "visualhostkey")?,
            check_ip: switch(target, "checkhostip")?,
            trust_localhost: switch(target, "nohostauthenticationforlocalhost")?,
            dns: !matches!(target.first("verifyhostkeydns"), None | Some("no" | "false")),
            algorithms: lists::of(target, "hostkeyalgorithms"),
            certificate,
        })
    }
}

/// RequiredRSASize; what OpenSSH cannot read at all is too short in any case.
///
/// # Errors
/// When it is no number.
pub fn required_rsa_size(target: &Target) -> Result<u32, Failure> {
    match target.first("requiredrsasize") {
        None => Ok(MIN_RSA_BITS),
        Some(text) => text.parse().map(|bits: u32| bits.max(MIN_RSA_BITS)).map_err(|_| unknown("RequiredRSASize", text)),
    }
}

fn strict(value: Option<&str>) -> Result<Strict, Failure> {
    match value.unwrap_or("ask") {
        "true" | "yes" => Ok(Strict::Yes),
        "false" | "no" | "off" => Ok(Strict::No),
        "ask" => Ok(Strict::Ask),
        "accept-new" => Ok(Strict::AcceptNew),
        other => Err(unknown("StrictHostKeyChecking", other)),
    }
}

fn update(value: Option<&str>) -> Result<Update, Failure> {
    match value.unwrap_or("false") {
        "true" | "yes" => Ok(Update::Yes),
        "false" | "no" => Ok(Update::No),
        "ask" => Ok(Update::Ask),
        other => Err(unknown("UpdateHostKeys", other)),
    }
}

fn switch(target: &Target, keyword: &str) -> Result<bool, Failure> {
    match target.first(keyword).unwrap_or("no") {
        "true" | "yes" => Ok(true),
        "false" | "no" => Ok(false),
        other => Err(unknown(keyword, other)),
    }
}

fn unknown(keyword: &str, value: &str) -> Failure {
    Failure::new(Code::KeywordUnsupported, format!("read {keyword}"))
        .said(format!("\"{value}\" is not a value of it"))
        .hint(format!("Correct {keyword} in your ssh configuration."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_host_key_checking_takes_these_words_and_no_others() {
        for (word, expected) in [
            ("true", Some(Strict::Yes)),
            ("yes", Some(Strict::Yes)),
            ("false", Some(Strict::No)),
            ("no", Some(Strict::No)),
            ("off", Some(Strict::No)),
            ("ask", Some(Strict::Ask)),
            ("accept-new", Some(Strict::AcceptNew)),
            ("Yes", None),
            ("", None),
            ("accept", None),
            ("1", None),
        ] {
            assert_eq!(strict(Some(word)).ok(), expected, "{word:?}");
        }
        assert_eq!(strict(None).ok(), Some(Strict::Ask));
    }
}
