//! Whether a host certificate holds for a name now, as OpenSSH checks it once its authority is known.

use russh::keys::Certificate;

use super::policy::CertificatePolicy;

/// Why the certificate does not hold; nothing when it does. The words are OpenSSH's.
#[must_use]
pub fn flaw(certificate: &Certificate, principal: &str, policy: &CertificatePolicy) -> Option<String> {
    let now = policy.now;
    let listed = certificate.valid_principals();
    let signed_with = certificate.signature().algorithm();
    // Who parsed the certificate has not checked that its authority signed it.
    if certificate.verify_signature().is_err() {
        return Some("Certificate invalid: bad signature".to_owned());
    }
    let flaws = [
        (!certificate.cert_type().is_host(), "Certificate invalid: not a host certificate"),
        (now < certificate.valid_after(), "Certificate invalid: not yet valid"),
        (now >= certificate.valid_before(), "Certificate invalid: expired"),
        (!listed.is_empty() && !listed.iter().any(|p| p == principal), "Certificate invalid: name is not a listed principal"),
        (!certificate.critical_options().is_empty(), "Certificate contains unsupported critical options"),
        (!policy.algorithms.iter().any(|a| a == signed_with.as_str()), "Certificate signed with disallowed algorithm"),
    ];
    let flaw = flaws.into_iter().find_map(|(bad, words)| bad.then(|| words.to_owned()));
    let bits = certificate.signature_key().rsa().map(|rsa| rsa.key_size()).filter(|bits| *bits < policy.min_rsa_bits);
    flaw.or_else(|| {
        bits.map(|bits| format!("the authority's RSA key has {bits} bits, RequiredRSASize asks for {}", policy.min_rsa_bits))
    })
}
