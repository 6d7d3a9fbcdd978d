//! Lists of algorithms against `ssh -G` and `ssh -Q`, and what is offered to a server.

use std::process::Command;

use outpost::demo::host::{Account, Host};
use outpost::host::target::Target;
use outpost::ssh::algorithms::{UserKeys, lists, preferred};
use outpost::ssh::host_key::Checker;
use russh::keys::PublicKey;

use crate::bed::{Sandbox, run};

fn ssh(args: &[&str]) -> String {
    run(Command::new("ssh").args(["-F", "/dev/null"]).args(args), b"").exits(0).stdout
}

fn value(printed: &str, keyword: &str) -> String {
    let line = printed.lines().find_map(|l| l.strip_prefix(&format!("{keyword} ")));
    line.unwrap_or_default().to_owned()
}

fn target(options: &[&str]) -> Target {
    let options: Vec<&str> = options.iter().flat_map(|o| ["-o", o]).collect();
    Target::from_ssh_g("box".parse().unwrap(), &ssh(&[&options[..], &["-G", "box"]].concat()), &ssh(&["-G", "box"]))
}

#[test]
fn plus_minus_and_caret_as_ssh_evaluates_them() {
    let defaults = ssh(&["-G", "box"]);
    for (keyword, values) in [
        (
            "HostKeyAlgorithms",
            &[
                "+ssh-rsa",
                "-ssh-ed25519",
                "-*ecdsa*,rsa*",
                "^rsa-sha2-256,ssh-ed25519",
                "ssh-ed25519,rsa-sha2-512",
                "+ssh-ed25519,ssh-rsa",
                "^ssh-rsa",
            ][..],
        ),
        ("PubkeyAcceptedAlgorithms", &["+ssh-rsa", "-*-cert-v01@openssh.com", "^rsa-sha2-512", "+ssh-rsa*", "-sk-*,*-sk-*"]),
        ("CASignatureAlgorithms", &["+ssh-rsa", "-rsa-sha2-256", "^rsa-sha2-256", "-ecdsa-*"]),
        (
            "KexAlgorithms",
            &[
                "+diffie-hellman-group14-sha1",
                "-*sha256*",
                "^curve25519-sha256",
                "curve25519-sha256,ecdh-sha2-nistp256",
                "-ecdh-*,diffie-*",
                "^ecdh-sha2-nistp521,curve25519-sha256",
            ],
        ),
        (
            "Ciphers",
            &["+3des-cbc", "-chacha20*", "^aes256-gcm@openssh.com", "aes128-ctr,aes256-ctr", "+aes128-cbc,3des-cbc", "-*-ctr"],
        ),
        ("MACs", &["+hmac-md5", "-*-etm@openssh.com", "^hmac-sha2-512", "hmac-sha2-256", "-umac-??@openssh.com,hmac-sha1*"]),
    ] {
        let lower = keyword.to_ascii_lowercase();
        let query = if keyword == "CASignatureAlgorithms" { "sig" } else { keyword };
        let supported = ssh(&["-Q", query]);
        let supported: Vec<&str> = supported.lines().collect();
        for given in values {
            let printed = value(&ssh(&["-o", &format!("{keyword}={given}"), "-G", "box"]), &lower);
            let ours = lists::assemble(given, &value(&defaults, &lower), &supported).join(",");
            assert_eq!(ours, printed, "{keyword} {given}");
            assert_eq!(lists::assemble(&printed, &value(&defaults, &lower), &supported).join(","), printed, "stays what it is");
        }
    }
}

#[test]
fn the_order_by_known_keys_holds_for_the_default_and_what_is_added_or_taken_out() {
    for (given, expected) in [
        (&[][..], true),
        (&["HostKeyAlgorithms=+ssh-rsa"], true),
        (&["HostKeyAlgorithms=-ssh-ed25519*"], true),
        (&["HostKeyAlgorithms=^rsa-sha2-512"], false),
        (&["HostKeyAlgorithms=rsa-sha2-512,ssh-ed25519"], false),
    ] {
        assert_eq!(lists::follows_default(&target(given), "hostkeyalgorithms"), expected, "{given:?}");
    }
}

fn offered(options: &[&str]) -> Result<[String; 4], String> {
    let sandbox = Sandbox::without_gate();
    let options = [options, &["UserKnownHostsFile=/dev/null", "GlobalKnownHostsFile=/dev/null"]].concat();
    let target = target(&options);
    let checker = Checker::new(&target, &sandbox.local()).map_err(|f| f.to_string())?;
    let all = preferred(&target, &checker).map_err(|f| format!("{f} → {}", f.hint))?;
    let join = |names: Vec<&str>| names.join(",");
    Ok([
        join(all.kex.iter().map(AsRef::as_ref).collect()),
        join(all.cipher.iter().map(AsRef::as_ref).collect()),
        join(all.mac.iter().map(AsRef::as_ref).collect()),
        join(all.key.iter().map(AsRef::as_ref).collect()),
    ])
}

#[test]
fn a_list_of_the_person_s_stays_in_their_order() {
    let [kex, ciphers, macs, keys] = offered(&[
        "KexAlgorithms=ecdh-sha2-nistp256,sntrup761x25519-sha512@openssh.com,curve25519-sha256",
        "Ciphers=aes256-ctr,chacha20-poly1305@openssh.com",
        "MACs=umac-64@openssh.com,hmac-sha2-256",
        "HostKeyAlgorithms=rsa-sha2-256,ssh-ed25519,ssh-ed25519-cert-v01@openssh.com",
    ])
    .unwrap();
    assert_eq!(kex, "ecdh-sha2-nistp256,curve25519-sha256,ext-info-c,kex-strict-c-v00@openssh.com");
    assert_eq!(ciphers, "aes256-ctr,chacha20-poly1305@openssh.com");
    assert_eq!(macs, "hmac-sha2-256");
    assert_eq!(keys, "rsa-sha2-256,ssh-ed25519");
}

#[test]
fn openssh_s_default_gets_our_order() {
    let [kex, ciphers, macs, keys] = offered(&[]).unwrap();
    assert!(kex.starts_with("mlkem768x25519-sha256,curve25519-sha256,"), "{kex}");
    assert!(kex.ends_with(",ext-info-c,kex-strict-c-v00@openssh.com"), "{kex}");
    let gcm = ciphers.find("aes128-gcm@openssh.com").unwrap() < ciphers.find("chacha20").unwrap();
    assert!(gcm || !cfg!(target_arch = "x86_64"), "{ciphers}");
    assert!(macs.starts_with("hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"), "{macs}");
    assert!(keys.starts_with("ssh-ed25519,ecdsa-sha2-nistp256,"), "{keys}");
    assert!(!format!("{kex}{ciphers}{macs}").contains("none"));
}

#[test]
fn a_list_that_only_ssh_can_do_names_the_way_out() {
    for (option, keyword) in [
        ("KexAlgorithms=sntrup761x25519-sha512@openssh.com", "KexAlgorithms"),
        ("MACs=umac-64@openssh.com,umac-128@openssh.com", "MACs"),
    ] {
        let told = offered(&[option]).unwrap_err();
        assert!(told.contains(keyword) && told.contains("Use --carrier ssh for this host"), "{told}");
    }
}

#[test]
fn a_person_s_keys_are_held_against_the_lists() {
    let sandbox = Sandbox::without_gate();
    let key = |kind: &str, bits: &str| {
        let path = sandbox.path().join(format!("{kind}{bits}"));
        let mut command = Command::new("ssh-keygen");
        run(command.args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"]).arg(&path), b"").exits(0);
        PublicKey::read_openssh_file(path.with_extension("pub")).unwrap().key_data().clone()
    };
    let (rsa, ed25519) = (key("rsa", "2048"), key("ed25519", "256"));
    for (options, key, certificate, expected) in [
        (&[][..], &rsa, false, Ok(())),
        (&[], &ed25519, true, Ok(())),
        (&["RequiredRSASize=3072"], &rsa, false, Err("it has 2048 bits where RequiredRSASize asks for 3072")),
        (&["RequiredRSASize=3072"], &ed25519, false, Ok(())),
        (
            &["PubkeyAcceptedAlgorithms=-rsa*"],
            &rsa,
            false,
            Err("PubkeyAcceptedAlgorithms leaves rsa-sha2-512, rsa-sha2-256, ssh-rsa out"),
        ),
        (&["PubkeyAcceptedAlgorithms=rsa-sha2-256"], &rsa, false, Ok(())),
        (
            &["PubkeyAcceptedAlgorithms=-*cert*"],
            &ed25519,
            true,
            Err("PubkeyAcceptedAlgorithms leaves ssh-ed25519-cert-v01@openssh.com out"),
        ),
    ] {
        let keys = UserKeys::of(&target(options)).unwrap();
        assert_eq!(keys.allow(key, certificate), expected.map_err(str::to_owned), "{options:?}");
    }
    let hashes = |option: &str| UserKeys::of(&target(&[option])).unwrap().rsa_hashes(false).len();
    assert_eq!((hashes("PubkeyAcceptedAlgorithms=+ssh-rsa"), hashes("PubkeyAcceptedAlgorithms=rsa-sha2-256")), (3, 1));
}

/// Shown where one looks at the steps; whoever works is not told each time.
#[test]
fn an_exchange_that_is_not_post_quantum_is_a_warning_of_check() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").sshd("KexAlgorithms curve25519-sha256").build();
    let ran = sandbox.run(&["check", "dev", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let row = report[0]["steps"].as_array().unwrap().iter().find(|row| row["step"] == "host key").unwrap();
    insta::assert_json_snapshot!(row["warnings"], @r#"
    [
      {
        "code": null,
        "text": "the key exchange with dev (curve25519-sha256) is not post-quantum: whoever records it may read it once there are such computers",
        "hint": "update sshd on dev to OpenSSH 9.9 or later; where it is 9.0 or later, the system ssh has one: --carrier ssh"
      }
    ]
    "#);
    assert!(sandbox.run(&["check", "dev"]).stdout.contains("note: the key exchange with dev"), "text says it too");
    let ran = sandbox.run(&["run", "dev:", "-p", "hello"]);
    assert!(!ran.stderr.contains("post-quantum"), "{}", ran.stderr);
}

/// The installed sshd has no exchange of this kind that russh has: the demonstration's host, which is russh's server, has one.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_quantum_exchange_needs_no_warning() {
    let sandbox = Sandbox::new();
    let home = sandbox.path().join("there");
    std::fs::create_dir(&home).unwrap();
    let vars =
        vec![("PATH".into(), "/usr/bin:/bin".into()), ("SHELL".into(), "/bin/sh".into()), ("HOME".into(), home.clone().into())];
    let host = Host::start(Account { home, vars }).await.unwrap();
    let key = sandbox.write("key", &host.client_key);
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let port = host.address.port();
    let known = sandbox.write("known", &format!("[127.0.0.1]:{port} {}\n", host.host_key));
    sandbox.add_ssh_config(&format!(
        "Host new\n  HostName 127.0.0.1\n  Port {port}\n  User demo\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n",
        key.display(),
        known.display()
    ));
    let mut command = sandbox.outpost(&["check", "new", "--json"]);
    let ran = tokio::task::spawn_blocking(move || run(&mut command, b"")).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let rows = report[0]["steps"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["step"] == "logged in" && row["ok"] == true), "{rows:#?}");
    assert!(!ran.stdout.contains("post-quantum"), "{rows:#?}");
}
