//! What the system's `ssh` says when it fails, as one of our causes. Its words are English in every locale.

use crate::failure::{Code, Failure};

/// A piece of what ssh says, the cause, and what to do; the first that is found counts.
const CAUSES: &[(&str, Code, &str)] = &[
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        Code::HostKeyChanged,
        "ask whoever runs the host whether its key was changed; only then remove the old line",
    ),
    ("is marked as revoked", Code::HostKeyRevoked, "do not log in: the key was revoked"),
    ("REVOKED HOST KEY", Code::HostKeyRevoked, "do not log in: the key was revoked"),
    ("host key is known for", Code::HostKeyUnknown, "connect once with ssh in a terminal and compare the fingerprint"),
    ("Host key verification failed", Code::HostKeyUnknown, "connect once with ssh in a terminal and compare the fingerprint"),
    (
        "Too many authentication failures",
        Code::AuthRefused,
        "name the one key this host takes: IdentityFile and IdentitiesOnly yes",
    ),
    ("Permission denied (", Code::AuthRefused, "see that ssh logs in to this host in a terminal"),
    ("Could not resolve hostname", Code::NameNotFound, "check HostName in the ssh configuration, or the network's DNS"),
    ("timed out", Code::ConnectTimeout, "is the machine up and on this network (VPN)?"),
    ("Unable to negotiate", Code::NoCommonAlgorithm, "the host offers only algorithms that this ssh refuses; see ssh -Q kex"),
    ("Bad configuration option", Code::ResolveRefused, "mend the ssh configuration"),
    ("bad configuration options", Code::ResolveRefused, "mend the ssh configuration"),
    ("Connection refused", Code::Unreachable, "is it the right port, and does sshd run there?"),
    ("No route to host", Code::Unreachable, "is the machine up and on this network?"),
    ("Network is unreachable", Code::Unreachable, "is this machine on the network?"),
    ("Exceeded MaxStartups", Code::AuthCut, "wait a minute before the next try"),
    ("Not allowed at this time", Code::AuthCut, "wait a minute before the next try"),
    (
        "kex_exchange_identification",
        Code::AuthCut,
        "the server hung up before it said who it is: wait a minute before the next try",
    ),
    (
        "banner exchange",
        Code::AuthCut,
        "the way to the host ended before it said who it is: see that ssh gets there in a terminal",
    ),
    ("stdio forwarding failed", Code::JumpRefused, "see that the host may be reached from the jump host"),
    ("Connection closed", Code::AuthCut, "wait a minute before the next try"),
    ("Connection reset", Code::AuthCut, "wait a minute before the next try"),
];

/// The failure that these words mean.
pub(super) fn failure(stderr: &str, status: &str) -> Failure {
    let known = CAUSES.iter().find(|(words, ..)| stderr.contains(words));
    let (code, hint) =
        known.map_or((Code::CarrierFailed, "try the same host with ssh in a terminal"), |(_, code, hint)| (*code, *hint));
    let said = if stderr.trim().is_empty() { status } else { stderr.trim() };
    Failure::new(code, "log in with the system ssh").said(said).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sshs_words_have_causes() {
        for (stderr, code) in [
            ("me@host: Permission denied (publickey,password).", Code::AuthRefused),
            (
                "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
                Code::HostKeyChanged,
            ),
            (
                "No ED25519 host key is known for dev and you have requested strict checking.\nHost key verification failed.",
                Code::HostKeyUnknown,
            ),
            ("Host key verification failed.", Code::HostKeyUnknown),
            ("ssh: Could not resolve hostname x: Name or service not known", Code::NameNotFound),
            ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", Code::ConnectTimeout),
            ("ssh: connect to host 10.0.0.1 port 22: Connection refused", Code::Unreachable),
            (
                "Unable to negotiate with 10.0.0.1 port 22: no matching key exchange method found. Their offer: x",
                Code::NoCommonAlgorithm,
            ),
            (
                "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
                Code::AuthCut,
            ),
            ("banner exchange: Connection to UNKNOWN port 65535: Broken pipe", Code::AuthCut),
            ("Connection reset by 10.0.0.1 port 22", Code::AuthCut),
            ("/c line 1: Bad configuration option: usekeychain", Code::ResolveRefused),
            ("", Code::CarrierFailed),
        ] {
            assert_eq!(failure(stderr, "exit status: 255").code, code, "{stderr}");
        }
        let told: String = CAUSES
            .iter()
            .map(|(words, ..)| failure(words, ""))
            .chain([failure("", "exit status: 255")])
            .map(|failure| format!("[{}] {}\n  {}\n", failure.code.as_str(), failure.said, failure.hint))
            .collect();
        insta::assert_snapshot!(told);
    }
}
