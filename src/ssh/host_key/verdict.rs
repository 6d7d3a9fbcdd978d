//! What the files say of a key that a server presented: the order of OpenSSH's checks, as a pure function.

use russh::keys::Certificate;
use russh::keys::ssh_key::public::KeyData;

use super::certificate;
use super::fingerprint;
use super::known::{Entry, Place};
use super::line::Marker;
use super::policy::Policy;

/// A key or a certificate that a server proved to hold the key of.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The plain key.
    pub key: KeyData,
    /// The certificate it came in.
    pub certificate: Option<Certificate>,
}

/// What the files hold for a host.
#[derive(Debug, Clone, Default)]
pub struct Lookup {
    /// Under its name; with the port where that is not 22.
    pub named: Vec<Entry>,
    /// Where the port is not 22: under its name alone.
    pub portless: Option<Vec<Entry>>,
    /// With CheckHostIP: under its address.
    pub address: Option<Vec<Entry>>,
    /// The name that a certificate must list: never with a port.
    pub principal: String,
}

/// How a host is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// By its key in this line.
    Key(Entry),
    /// By a certificate of the authority in this line.
    Authority(Entry),
    /// By a person who accepted it just now.
    Person,
    /// NoHostAuthenticationForLocalhost: it is not looked at.
    Localhost,
}

/// Who revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedBy {
    /// A `@revoked` line.
    Line(Place),
    /// The file of RevokedHostKeys.
    File(std::path::PathBuf),
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The host is who it says.
    Known {
        /// How.
        by: By,
        /// With CheckHostIP: its address is not known yet.
        address_is_new: bool,
    },
    /// No line is about this host.
    Unknown {
        /// Why the certificate it presented was of no use, where it had one of a known authority.
        certificate: Option<String>,
    },
    /// The files have another key for this host; one of another type counts.
    Changed {
        /// The line to show.
        line: Entry,
        /// Whether it is about the address and not the name.
        address: bool,
    },
    /// The key, or the authority that signed it, is revoked.
    Revoked(RevokedBy),
    /// The key may not be used: too short, or a type that HostKeyAlgorithms leaves out.
    Barred(String),
}

/// Judges by the lines alone.
#[must_use]
pub fn judge(presented: &Presented, lookup: &Lookup, policy: &Policy) -> Verdict {
    if let Some(bits) = fingerprint::short_rsa(&presented.key, policy.certificate.min_rsa_bits) {
        return Verdict::Barred(format!("it has {bits} bits where RequiredRSASize asks for {}", policy.certificate.min_rsa_bits));
    }
    if let Some(place) = revoked(presented, lookup) {
        return Verdict::Revoked(RevokedBy::Line(place));
    }
    // russh does not hold what the server presents against what was negotiated. The plain key inside a certificate needs no
    // place of its own in the list.
    if !allowed(presented, policy) {
        return Verdict::Barred(format!("HostKeyAlgorithms leaves {} out", presented.key.algorithm().as_str()));
    }
    let mut flaw = None;
    let certified = presented.certificate.as_ref().and_then(|c| certified(c, lookup, policy, &mut flaw));
    if let Some(by) = certified {
        return Verdict::Known { by, address_is_new: false };
    }
    by_key(presented, lookup, flaw)
}

/// A `@revoked` line wins wherever it stands. OpenSSH does not let one without a port stop a host on another port; we do.
fn revoked(presented: &Presented, lookup: &Lookup) -> Option<Place> {
    let authority = presented.certificate.as_ref().map(Certificate::signature_key);
    let everywhere = [Some(&lookup.named), lookup.portless.as_ref(), lookup.address.as_ref()].into_iter().flatten().flatten();
    everywhere
        .filter(|e| e.marker == Marker::Revoked)
        .find(|e| e.means(&presented.key) || authority.is_some_and(|a| e.means(a)))
        .map(|e| e.place.clone())
}

/// A certificate that is flawed is as good as none: its plain key is looked up next.
fn certified(certificate: &Certificate, lookup: &Lookup, policy: &Policy, flaw: &mut Option<String>) -> Option<By> {
    if let Some(authority) = authority(certificate, &lookup.named) {
        *flaw = certificate::flaw(certificate, &lookup.principal, &policy.certificate);
        return flaw.is_none().then(|| By::Authority(authority.clone()));
    }
    // From here on as OpenSSH's second look, without the port: certificate first, then its plain key.
    let portless = lookup.portless.as_ref()?;
    if let Some(authority) = authority(certificate, portless) {
        *flaw = certificate::flaw(certificate, &lookup.principal, &policy.certificate);
        if flaw.is_none() {
            return Some(By::Authority(authority.clone()));
        }
    }
    same(certificate.public_key(), portless).map(|entry| By::Key(entry.clone()))
}

fn authority<'a>(certificate: &Certificate, entries: &'a [Entry]) -> Option<&'a Entry> {
    entries.iter().find(|e| e.marker == Marker::Authority && e.means(certificate.signature_key()))
}

fn by_key(presented: &Presented, lookup: &Lookup, certificate: Option<String>) -> Verdict {
    if let Some(line) = same(&presented.key, &lookup.named) {
        return with_address(presented, lookup, By::Key(line.clone()));
    }
    if let Some(line) = other(&presented.key, &lookup.named) {
        return Verdict::Changed { line: line.clone(), address: false };
    }
    if let Some(line) = lookup.portless.as_ref().and_then(|entries| same(&presented.key, entries)) {
        return with_address(presented, lookup, By::Key(line.clone()));
    }
    match lookup.address.as_ref().and_then(|entries| mismatch(&presented.key, entries)) {
        Some(line) => Verdict::Changed { line: line.clone(), address: true },
        None => Verdict::Unknown { certificate },
    }
}

/// CheckHostIP: the address must not be known by another key. OpenSSH lets a person go on nevertheless; we do not.
fn with_address(presented: &Presented, lookup: &Lookup, by: By) -> Verdict {
    let Some(entries) = &lookup.address else {
        return Verdict::Known { by, address_is_new: false };
    };
    match mismatch(&presented.key, entries) {
        Some(line) => Verdict::Changed { line: line.clone(), address: true },
        None => Verdict::Known { by, address_is_new: same(&presented.key, entries).is_none() },
    }
}

fn mismatch<'a>(key: &KeyData, entries: &'a [Entry]) -> Option<&'a Entry> {
    if same(key, entries).is_some() { None } else { other(key, entries) }
}

fn same<'a>(key: &KeyData, entries: &'a [Entry]) -> Option<&'a Entry> {
    entries.iter().find(|e| e.marker == Marker::Key && e.is(key))
}

/// The line to show of those with another key: one of the same type rather than the last.
fn other<'a>(key: &KeyData, entries: &'a [Entry]) -> Option<&'a Entry> {
    let plain = || entries.iter().filter(|e| e.marker == Marker::Key);
    plain().find(|e| e.key.algorithm() == key.algorithm()).or_else(|| plain().next_back())
}

fn allowed(presented: &Presented, policy: &Policy) -> bool {
    let names = fingerprint::signature_names(&presented.key, presented.certificate.is_some());
    names.iter().any(|name| policy.algorithms.iter().any(|a| a == name))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::path::Path;

    use super::*;
    use crate::host::target::Target;
    use crate::paths::Local;
    use crate::ssh::host_key::{Checker, Decision, Known, line};

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICaE+IEpbGiy4V9Dp+qOA/SD2eM7Iru3uNoN68DLBlL0";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC67wd32xJWr/WLPFvZItEQ2I8aVBYiNjSps4CE54m4Y";

    fn presented() -> Presented {
        Presented { key: line::key(ONE.as_bytes()).unwrap(), certificate: None }
    }

    fn checker(dir: &Path, known: &str, settings: &str, address: &str) -> Checker {
        let file = dir.join("known");
        std::fs::write(&file, known.replace("{one}", ONE).replace("{other}", OTHER)).unwrap();
        let printed = format!("hostname box\nuserknownhostsfile {}\nglobalknownhostsfile /dev/null\n{settings}", file.display());
        let target = Target::from_ssh_g("box".parse().unwrap(), &printed, "");
        let vars = std::collections::HashMap::new();
        let local = Local { home: dir.into(), user: "me".into(), codex_home: dir.into(), ssh_config: None, vars };
        Checker::new(&target, &local).unwrap().at(address.parse::<IpAddr>().unwrap())
    }

    /// Not comparable with `ssh` on one machine: it never checks the address of a loopback connection.
    #[test]
    fn check_host_ip() {
        let dir = tempfile::tempdir().unwrap();
        for (known, settings, address, expected) in [
            ("box {one}\n", "checkhostip no\n", "10.0.0.7", "known"),
            ("box {one}\n", "checkhostip yes\n", "10.0.0.7", "known, new 10.0.0.7"),
            ("box {one}\n", "checkhostip yes\nport 2222\n", "fe80::1", "known, new [fe80::1]:2222"),
            ("box,10.0.0.7 {one}\n", "checkhostip yes\n", "10.0.0.7", "known"),
            ("box {one}\n10.0.0.7 {other}\n", "checkhostip yes\n", "10.0.0.7", "changed, its address"),
            ("box {one}\n10.0.0.7 {other}\n", "checkhostip no\n", "10.0.0.7", "known"),
            ("box {one}\n127.0.0.1 {other}\n", "checkhostip yes\n", "127.0.0.1", "known"),
            ("10.0.0.7 {other}\n", "checkhostip yes\n", "10.0.0.7", "changed, its address"),
            ("10.0.0.7 {one}\n", "checkhostip yes\n", "10.0.0.7", "unknown"),
            ("box {one}\n@revoked 10.0.0.7 {one}\n", "checkhostip yes\n", "10.0.0.7", "revoked"),
            ("box {other}\n10.0.0.7 {one}\n", "checkhostip yes\n", "10.0.0.7", "changed"),
        ] {
            let checker = checker(dir.path(), known, settings, address);
            let told = match (checker.judge(&presented()), checker.decide(&presented())) {
                (_, Decision::Known(Known { new_address: Some(new), .. })) => format!("known, new {new}"),
                (_, Decision::Known(_)) => "known".to_owned(),
                (Verdict::Changed { address: true, .. }, Decision::Stop(_)) => "changed, its address".to_owned(),
                (Verdict::Changed { .. }, Decision::Stop(_)) => "changed".to_owned(),
                (Verdict::Revoked(_), Decision::Stop(_)) => "revoked".to_owned(),
                (Verdict::Unknown { .. }, Decision::Ask) => "unknown".to_owned(),
                other => panic!("{other:?}"),
            };
            assert_eq!(told, expected, "{known:?} {settings:?} {address}");
        }
    }

    #[test]
    fn a_loopback_host_may_be_left_unchecked() {
        let dir = tempfile::tempdir().unwrap();
        let setting = "nohostauthenticationforlocalhost yes\n";
        for (settings, address, expected) in
            [(setting, "127.0.0.1", true), (setting, "::1", true), (setting, "10.0.0.7", false), ("", "127.0.0.1", false)]
        {
            let verdict = checker(dir.path(), "box {other}\n", settings, address).judge(&presented());
            assert_eq!(matches!(verdict, Verdict::Known { by: By::Localhost, .. }), expected, "{address}");
        }
        let aliased = format!("{setting}hostkeyalias box\n");
        assert!(matches!(checker(dir.path(), "box {other}\n", &aliased, "::1").judge(&presented()), Verdict::Changed { .. }));
    }

    #[test]
    fn the_exchange_is_signed_as_it_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        for (settings, name, expected) in [
            ("", "ssh-ed25519", true),
            ("", "rsa-sha2-512", true),
            ("", "ssh-rsa", false),
            ("", "sk-ssh-ed25519@openssh.com", true),
            ("hostkeyalgorithms +ssh-rsa\n", "ssh-rsa", true),
            ("hostkeyalgorithms rsa-sha2-512-cert-v01@openssh.com\n", "rsa-sha2-512", true),
            ("hostkeyalgorithms rsa-sha2-512-cert-v01@openssh.com\n", "rsa-sha2-256", false),
            ("hostkeyalgorithms sk-ssh-ed25519-cert-v01@openssh.com\n", "sk-ssh-ed25519@openssh.com", true),
            ("", "", false),
        ] {
            let blob = [&u32::try_from(name.len()).unwrap().to_be_bytes()[..], name.as_bytes(), b"\0\0\0\x01x"].concat();
            let checker = checker(dir.path(), "", settings, "10.0.0.7");
            assert_eq!(checker.signed(&blob).is_ok(), expected, "{settings:?} {name}");
            assert!(checker.signed(&blob[..3]).is_err());
        }
    }

    /// What no installed OpenSSH makes happen, as it is told.
    #[test]
    fn rare_reasons_to_stop_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut told = Vec::new();
        let of = |known, settings| checker(dir.path(), known, settings, "10.0.0.7");
        told.push(of("", "").signed(b"\0\0\0\x07ssh-rsa").unwrap_err());
        let accepted = crate::ssh::host_key::asking::Accepted { key: presented().key, told: String::new() };
        let other = Presented { key: line::key(OTHER.as_bytes()).unwrap(), certificate: None };
        for decision in [
            of("", "").pin(&accepted).decide(&other),
            of("box {one}\n", "hostkeyalgorithms rsa-sha2-512\n").decide(&presented()),
            of("box {one}\n10.0.0.7 {other}\n", "checkhostip yes\n").decide(&presented()),
        ] {
            let Decision::Stop(failure) = decision else { panic!("{decision:?}") };
            told.push(failure);
        }
        for setting in ["stricthostkeychecking maybe\n", "requiredrsasize big\n"] {
            told.push(Policy::of(&Target::from_ssh_g("box".parse().unwrap(), setting, "")).unwrap_err());
        }
        let lines = told.iter().map(|f| format!("[{}] {f}\n  {}\n", f.code.as_str(), f.hint)).collect::<String>();
        insta::assert_snapshot!(lines.replace(&*dir.path().to_string_lossy(), "[DIR]"));
    }

    #[test]
    fn a_setting_that_is_no_word_of_openssh_is_an_error() {
        for setting in ["stricthostkeychecking maybe\n", "updatehostkeys sometimes\n", "requiredrsasize big\n", "checkhostip 1\n"]
        {
            let target = Target::from_ssh_g("box".parse().unwrap(), setting, "");
            assert!(Policy::of(&target).is_err(), "{setting}");
        }
    }
}
