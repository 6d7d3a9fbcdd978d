//! RevokedHostKeys: plain lists, and KRLs made by `ssh-keygen -k`.

use std::process::Command;

use super::lab::{Case, Lab, Verdict};
use crate::bed::run;
use Verdict::{Known, Revoked, Unreadable};

const OPTION: &[&str] = &["RevokedHostKeys={dir}/revoked"];
const ONE: &str = "box.example {ed25519}\n";
const AUTHORITY: &str = "@cert-authority * {ca}\n";

#[test]
fn plain_lists() {
    let lab = Lab::new(&["ed25519"]);
    for (name, list, expected) in [
        ("an empty list", "", Known),
        ("another key", "{other}\n", Known),
        ("the key", "{ed25519}\n", Revoked),
        ("the key behind others", "# old ones\n\n{other_rsa} who\n  {ed25519} who\n", Revoked),
        ("no newline at the end", "{ed25519}", Revoked),
        ("CRLF", "{ed25519}\r\n", Revoked),
        ("a line that is no key behind it", "{ed25519}\nnonsense\n", Unreadable),
        ("a line that is no key", "{other}\nnonsense\n", Unreadable),
        ("an empty line with CR", "\r\n{other}\n", Unreadable),
        ("a line of known_hosts", "box.example {ed25519}\n", Unreadable),
        ("a broken KRL", "SSHKRL\n\0nonsense", Unreadable),
        ("an RSA key that is too short", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQC7\n{other}\n", Unreadable),
    ] {
        lab.write("revoked", list);
        // Of a list with a bad line `ssh` reads the lines before it, and may stop there; we refuse the list. Both stop.
        let ours = name.ends_with("behind it").then_some(Unreadable);
        let expected = if ours.is_some() { Revoked } else { expected };
        lab.check(&Case { options: OPTION, ours, ..Case::new(name, ONE, expected) });
    }
}

#[test]
fn files_that_cannot_be_read_refuse() {
    let lab = Lab::new(&["ed25519"]);
    for (name, options) in [
        ("missing", &["RevokedHostKeys={dir}/missing", "StrictHostKeyChecking=no"][..]),
        ("a folder", &["RevokedHostKeys={dir}/home"]),
        ("a file as a folder", &["RevokedHostKeys={dir}/known/x"]),
    ] {
        lab.check(&Case { options, ..Case::new(name, ONE, Unreadable) });
    }
    lab.check(&Case { options: &["RevokedHostKeys=none"], ..Case::new("none", ONE, Known) });
}

/// Makes the KRL `revoked` from a specification.
fn krl(lab: &Lab, spec: &str, args: &[&str]) {
    lab.write("spec", spec);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-k", "-f", "revoked"]).args(args).arg("spec").current_dir(&lab.host.dir);
    run(&mut command, b"").exits(0);
}

#[test]
fn krls_of_keys() {
    let lab = Lab::new(&["ed25519"]);
    for (name, spec, expected) in [
        ("nothing", "# nothing\n", Known),
        ("another key", "{other}\n", Known),
        ("the key", "{other_rsa}\n{ed25519}\n", Revoked),
        ("the key, explicitly", "key: {ed25519}\n", Revoked),
        ("its SHA-1", "sha1: {ed25519}\n", Revoked),
        ("its SHA-256", "sha256: {ed25519}\n", Revoked),
        ("the SHA-256 of another", "sha256: {other}\n", Known),
    ] {
        krl(&lab, spec, &[]);
        lab.check(&Case { options: OPTION, ..Case::new(name, ONE, expected) });
    }
}

#[test]
fn krls_of_certificates() {
    let lab = Lab::new(&["ed25519"]);
    lab.certify("ed25519", &["-h", "-s", "ca", "-n", "box.example", "-z", "70000"]);
    let ca: &[&str] = &["-s", "ca.pub"];
    let other: &[&str] = &["-s", "other.pub"];
    for (name, spec, args, expected) in [
        ("its serial", "serial: 70000\n", ca, Revoked),
        ("another serial", "serial: 70001\n", ca, Known),
        ("a range with it", "serial: 69000-71000\n", ca, Revoked),
        ("a range without it", "serial: 1-69999\n", ca, Known),
        ("a list with it", "serial: 3\nserial: 900\nserial: 70000\nserial: 5000000\n", ca, Revoked),
        (
            "a bitmap with it",
            "serial: 69990\nserial: 69993\nserial: 69997\nserial: 70000\nserial: 70003\nserial: 70004\n",
            ca,
            Revoked,
        ),
        (
            "a bitmap without it",
            "serial: 69990\nserial: 69993\nserial: 69997\nserial: 70001\nserial: 70003\nserial: 70004\n",
            ca,
            Known,
        ),
        ("its serial at another authority", "serial: 70000\n", other, Known),
        ("its serial at every authority", "serial: 70000\n", &["-s", "none"], Revoked),
        ("its id", "id: the host\n", ca, Revoked),
        ("another id", "id: The host\n", ca, Known),
        ("its id at another authority", "id: the host\n", other, Known),
        ("its id at every authority", "id: the host\n", &["-s", "none"], Revoked),
        ("its key", "key: {ed25519}\n", &[], Revoked),
        ("its authority", "key: {ca}\n", &[], Revoked),
        ("the SHA-256 of its authority", "sha256: {ca}\n", &[], Revoked),
    ] {
        krl(&lab, spec, args);
        lab.check(&Case { options: OPTION, ..Case::new(name, AUTHORITY, expected) });
    }
    std::fs::copy(lab.path("hostkey_ed25519-cert.pub"), lab.path("revoked")).unwrap();
    lab.check(&Case { options: OPTION, ..Case::new("the certificate in a plain list", AUTHORITY, Revoked) });
    lab.write("revoked", "{ca}\n");
    lab.check(&Case { options: OPTION, ..Case::new("its authority in a plain list", AUTHORITY, Revoked) });
}

#[test]
fn certificates_without_a_serial_are_not_revoked_by_one() {
    let lab = Lab::new(&["ed25519"]);
    lab.certify("ed25519", &["-h", "-s", "ca", "-n", "box.example"]);
    krl(&lab, "serial: 1-5000\n", &["-s", "ca.pub"]);
    lab.check(&Case { options: OPTION, ..Case::new("serial 0", AUTHORITY, Known) });
}

#[test]
fn a_krl_that_was_cut_or_changed_never_lets_a_key_pass_that_it_revokes() {
    let lab = Lab::new(&["ed25519"]);
    krl(&lab, "key: {ed25519}\nsha1: {other}\n", &[]);
    lab.write("known", ONE);
    let whole = std::fs::read(lab.path("revoked")).unwrap();
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(lab.path("revoked"), &whole[..length]).unwrap();
        let read = lab.checker(OPTION);
        // An empty file is an empty list; one that ends where its sections end is a KRL with fewer of them.
        let failed = read.is_err();
        assert!(failed || length == 0 || length == 44, "{length} of {}", whole.len());
    }
}
