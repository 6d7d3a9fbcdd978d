//! What a person reads when a host key stops a connection: both fingerprints, the line of the file, what to do.

use outpost::failure::{Code, Failure};
use outpost::ssh::host_key::Decision;

use super::lab::Lab;

/// Code, text and hint, with what differs from run to run replaced.
fn told(lab: &Lab, failure: &Failure) -> String {
    let text = format!("[{}] {failure}\n→ {}", failure.code.as_str(), failure.hint);
    let mut text = text.replace(&*lab.host.dir.to_string_lossy(), "[DIR]");
    for (name, file) in [("HOST", "hostkey_ed25519"), ("OTHER", "other"), ("RSA", "other_rsa"), ("CA", "ca")] {
        if let Ok(key) = russh::keys::PublicKey::read_openssh_file(lab.path(&format!("{file}.pub"))) {
            text = text.replace(&key.fingerprint(russh::keys::HashAlg::Sha256).to_string(), &format!("SHA256:[{name}]"));
        }
    }
    text
}

fn stop(lab: &Lab, options: &[&str]) -> String {
    match lab.decide(options) {
        Ok(Decision::Stop(failure)) | Err(failure) => told(lab, &failure),
        Ok(other) => panic!("{other:?}"),
    }
}

/// FIELD-FAILURES.md row 15: unknown, unknown where nobody can be asked, and changed are three different things.
#[tokio::test]
async fn field_15_unknown_or_changed_host_key() {
    let (told, codes) = tokio::task::spawn_blocking(|| {
        let lab = Lab::new(&["ed25519"]);
        lab.write("known", "");
        let strict = stop(&lab, &["StrictHostKeyChecking=yes"]);
        assert_eq!(lab.decide(&["StrictHostKeyChecking=ask"]), Ok(Decision::Ask));
        let target = lab.target(&["StrictHostKeyChecking=ask"]);
        let checker = lab.checker(&["StrictHostKeyChecking=ask"]).unwrap();
        let presented = lab.presented(&target, &checker).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let nobody = runtime.block_on(checker.accept(&presented, &outpost::ssh::ask::NobodyToAsk)).unwrap_err();
        lab.write("known", "# one\nbox.example {other}\n");
        let changed = stop(&lab, &["StrictHostKeyChecking=no"]);
        ([strict, self::told(&lab, &nobody), changed].join("\n\n"), nobody.code)
    })
    .await
    .unwrap();
    assert_eq!(codes, Code::HostKeyUnknown);
    insta::assert_snapshot!(told);
}

#[test]
fn changed() {
    let lab = Lab::new(&["ed25519"]);
    let mut all = Vec::new();
    for (known, global, options) in [
        ("box.example {other}\n", "", &[][..]),
        ("{hash:box.example} {other}\n", "", &[]),
        ("box.example {other_rsa}\n", "", &[]),
        ("\n\n*.example {other}\n", "", &[]),
        ("", "box.example {other}\n", &[]),
        ("[box.example]:2222 {other}\n", "", &["Port=2222"]),
        ("box.example {other}\n", "", &["UserKnownHostsFile=\"{dir}/a file\""]),
    ] {
        lab.write("known", known);
        lab.write("a file", known);
        lab.write("global", global);
        all.push(stop(&lab, options));
    }
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn revoked_barred_and_unreadable() {
    let lab = Lab::new(&["ed25519"]);
    lab.certify("ed25519", &["-h", "-s", "ca", "-n", "far.example"]);
    lab.write("revoked", "{ed25519}\n");
    lab.write("nonsense", "nonsense\n");
    let mut all = Vec::new();
    for (known, options) in [
        ("@revoked * {ed25519}\n", &[][..]),
        ("@cert-authority * {ca}\n@revoked * {ca}\n", &[]),
        ("", &["RevokedHostKeys={dir}/revoked"]),
        ("", &["RevokedHostKeys={dir}/missing"]),
        ("", &["RevokedHostKeys={dir}/nonsense"]),
        ("@cert-authority * {ca}\n", &["StrictHostKeyChecking=yes"]),
        ("", &["StrictHostKeyChecking=no", "UserKnownHostsFile=none"]),
        ("", &["KnownHostsCommand=/usr/bin/keys-of %H"]),
        ("", &["VerifyHostKeyDNS=yes", "StrictHostKeyChecking=yes"]),
    ] {
        lab.write("known", known);
        all.push(stop(&lab, options));
    }
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn rsa_keys_that_are_too_short() {
    let lab = Lab::new(&["rsa"]);
    lab.write("known", "box.example {rsa}\n");
    let text = stop(&lab, &["RequiredRSASize=4096"]);
    let (before, after) = text.split_once("SHA256:").unwrap();
    insta::assert_snapshot!(format!("{before}SHA256:[RSA]{}", &after[43..]));
}

/// The same through the whole program: three situations, three codes, exit 5, one connection each, nothing written.
#[test]
fn field_15_check_tells_them_apart() {
    let sandbox = crate::bed::Sandbox::new();
    let host = sandbox.host("box").unknown().build();
    let key = super::lab::public(&host.dir.join("hostkey_ed25519"));
    let other = super::lab::public(&host.dir.join("id"));
    for (known, code) in [
        (String::new(), "host-key-unknown"),
        (format!("box {other}\n"), "host-key-changed"),
        (format!("box {key}\n@revoked * {key}\n"), "host-key-revoked"),
    ] {
        std::fs::write(sandbox.known_hosts(), &known).unwrap();
        let ran = sandbox.run(&["check", "box", "--json"]).exits(5);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let steps = report[0]["steps"].as_array().unwrap();
        let step = steps.iter().find(|s| s["step"] == "host key").unwrap();
        assert_eq!((&report[0]["ready"], &step["ok"]), (&false.into(), &false.into()), "{}", ran.stdout);
        assert!(ran.stdout.contains(code) && ran.stdout.contains("SHA256:"), "{}", ran.stdout);
        assert_eq!(std::fs::read_to_string(sandbox.known_hosts()).unwrap(), known);
    }
    assert_eq!(host.logins(), 0);
}

/// Handshake, signature, verdict and login with each type, by its key and by a certificate.
#[test]
fn every_type_goes_through_the_whole_program() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let lab = Lab::with_gate(&[kind]);
        for (known, certified) in [("box.example {KIND}\n", false), ("@cert-authority *.example {ca}\n", true)] {
            if certified {
                lab.certify(kind, &["-h", "-s", "ca_rsa", "-n", "box.example"]);
            }
            let known = known.replace("KIND", kind).replace("{ca}", "{ca_rsa}");
            std::fs::write(lab.sandbox.known_hosts(), lab.fill(&known)).unwrap();
            let ran = lab.sandbox.run(&["check", "box", "--json"]);
            let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            let ok = |name: &str| report[0]["steps"].as_array().unwrap().iter().any(|s| s["step"] == name && s["ok"] == true);
            assert!(ok("host key") && ok("logged in"), "{kind} {certified}: {}", ran.stdout);
            assert_eq!(ran.stdout.contains("certificate, authority in"), certified, "{}", ran.stdout);
        }
    }
}
