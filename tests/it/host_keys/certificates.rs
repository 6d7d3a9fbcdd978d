//! Host certificates made by `ssh-keygen -s`, good ones and bad ones.

use super::lab::{Case, Lab, Verdict};
use Verdict::{Changed, Known, Revoked, Unknown};

const AUTHORITY: &str = "@cert-authority *.example {ca}\n";

#[test]
fn a_good_certificate() {
    let lab = Lab::new(&["ed25519"]);
    lab.certify("ed25519", &["-h", "-s", "ca", "-n", "first.example,box.example", "-V", "-1d:+1d", "-z", "7"]);
    let port: &[&str] = &["Port=2222"];
    let plain: &[&str] = &["HostKeyAlgorithms=ssh-ed25519"];
    for (name, known, options, expected, ours) in [
        ("its authority", AUTHORITY, &[][..], Known, None),
        ("its authority for every host", "@cert-authority * {ca}\n", &[], Known, None),
        ("its authority, hashed name", "@cert-authority {hash:box.example} {ca}\n", &[], Known, None),
        ("its authority for other hosts", "@cert-authority *.org {ca}\n", &[], Unknown, None),
        ("another authority", "@cert-authority * {other}\n", &[], Unknown, None),
        ("another authority first", "@cert-authority * {other}\n@cert-authority * {ca}\n", &[], Known, None),
        ("the authority without its marker", "box.example {ca}\n", &[], Changed, None),
        ("the plain key", "box.example {ed25519}\n", &[], Known, None),
        ("another authority and the plain key", "@cert-authority * {other}\nbox.example {ed25519}\n", &[], Known, None),
        ("another plain key and its authority", "box.example {other}\n@cert-authority * {ca}\n", &[], Known, None),
        ("another plain key and another authority", "box.example {other}\n@cert-authority * {other}\n", &[], Changed, None),
        ("its authority is revoked", "@cert-authority * {ca}\n@revoked * {ca}\n", &[], Revoked, None),
        ("its key is revoked", "@cert-authority * {ca}\n@revoked * {ed25519}\n", &[], Revoked, None),
        ("the authority without the port", AUTHORITY, port, Known, None),
        ("the authority with the port", "@cert-authority [box.example]:2222 {ca}\n", port, Known, None),
        (
            "another key with the port, the authority without",
            "[box.example]:2222 {other}\n@cert-authority * {ca}\n",
            port,
            Known,
            None,
        ),
        (
            "the authority is revoked without the port",
            "@cert-authority [*]:2222 {ca}\n@revoked box.example {ca}\n",
            port,
            Known,
            Some(Revoked),
        ),
        ("certificates are not allowed", AUTHORITY, plain, Unknown, None),
        ("certificates are not allowed, the plain key", "box.example {ed25519}\n", plain, Known, None),
        ("only certificates are allowed", AUTHORITY, &["HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com"], Known, None),
        (
            "only certificates, no authority",
            "box.example {ed25519}\n",
            &["HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com"],
            Known,
            None,
        ),
        ("an alias that it does not list", "@cert-authority * {ca}\n", &["HostKeyAlias=alias"], Unknown, None),
        ("an alias that it lists", "@cert-authority first.* {ca}\n", &["HostKeyAlias=first.example"], Known, None),
        ("its authority may not sign so", AUTHORITY, &["CASignatureAlgorithms=rsa-sha2-512"], Unknown, None),
    ] {
        lab.check(&Case { options, ours, ..Case::new(name, known, expected) });
    }
}

#[test]
fn bad_certificates_are_as_good_as_none() {
    for (name, args) in [
        ("expired", &["-h", "-n", "box.example", "-V", "-2d:-1d"][..]),
        ("not yet valid", &["-h", "-n", "box.example", "-V", "+1d:+2d"]),
        ("for another name", &["-h", "-n", "far.example"]),
        ("for a wildcard", &["-h", "-n", "*.example"]),
        ("for the name with the port", &["-h", "-n", "[box.example]:22"]),
        ("an unknown critical option", &["-h", "-n", "box.example", "-O", "critical:x@y=1"]),
    ] {
        let lab = Lab::new(&["ed25519"]);
        lab.certify("ed25519", &[&["-s", "ca"], args].concat());
        lab.check(&Case::new(name, AUTHORITY, Unknown));
        let both = format!("{AUTHORITY}box.example {{ed25519}}\n");
        lab.check(&Case::new(name, &both, Known));
        let other = format!("{AUTHORITY}box.example {{other}}\n");
        lab.check(&Case::new(name, &other, Changed));
    }
}

#[test]
fn a_certificate_for_nobody_in_particular() {
    let lab = Lab::new(&["ed25519"]);
    lab.certify("ed25519", &["-h", "-s", "ca", "-O", "extension:x@y=1"]);
    lab.check(&Case::new("no principals, an unknown extension", AUTHORITY, Known));
}

#[test]
fn authorities_with_rsa_keys() {
    let authority = "@cert-authority *.example {ca_rsa}\n";
    let sha2 = Lab::new(&["ed25519"]);
    sha2.certify("ed25519", &["-h", "-s", "ca_rsa", "-n", "box.example", "-t", "rsa-sha2-512"]);
    sha2.check(&Case::new("SHA-2", authority, Known));
    let long: &[&str] = &["RequiredRSASize=4096"];
    // 9.2 looks at the size of host keys only; we at that of authorities too.
    sha2.check(&Case { options: long, ours: Some(Unknown), ..Case::new("too short", authority, Known) });
    let sha1 = Lab::new(&["ed25519"]);
    sha1.certify("ed25519", &["-h", "-s", "ca_rsa", "-n", "box.example", "-t", "ssh-rsa"]);
    sha1.check(&Case::new("SHA-1", authority, Unknown));
    let allowed: &[&str] = &["CASignatureAlgorithms=+ssh-rsa"];
    sha1.check(&Case { options: allowed, ..Case::new("SHA-1, allowed", authority, Known) });
}

#[test]
fn certificates_of_several_keys() {
    let lab = Lab::new(&["ed25519", "rsa"]);
    lab.certify("rsa", &["-h", "-s", "ca", "-n", "box.example"]);
    for (name, known, expected) in [
        ("of the RSA key", AUTHORITY, Known),
        ("of the RSA key, the other key known", "@cert-authority *.example {ca}\nbox.example {ed25519}\n", Known),
        ("no authority, the RSA key known", "box.example {rsa}\n", Known),
    ] {
        lab.check(&Case::new(name, known, expected));
    }
}

/// sshd itself does not present a user certificate as a host's; ours is given one by hand.
#[test]
fn a_user_certificate_is_no_host_certificate() {
    use outpost::ssh::host_key::{Presented, certificate, policy::CertificatePolicy};
    use russh::keys::PublicKeyOrCertificate;
    let lab = Lab::new(&["ed25519"]);
    lab.certify("ed25519", &["-s", "ca", "-n", "box.example"]);
    let certificate = russh::keys::Certificate::read_file(&lab.path("hostkey_ed25519-cert.pub")).unwrap();
    let presented = Presented::new(&PublicKeyOrCertificate::Certificate(certificate));
    lab.write("known", AUTHORITY);
    let checker = lab.checker(&["StrictHostKeyChecking=yes"]).unwrap();
    let verdict = checker.judge(&presented);
    let expected = Some("Certificate invalid: not a host certificate".to_owned());
    assert_eq!(verdict, outpost::ssh::host_key::verdict::Verdict::Unknown { certificate: expected });
    let policy = CertificatePolicy { now: 0, algorithms: vec!["ssh-ed25519".into()], min_rsa_bits: 1024 };
    assert!(certificate::flaw(presented.certificate.as_ref().unwrap(), "box.example", &policy).is_some());
}
