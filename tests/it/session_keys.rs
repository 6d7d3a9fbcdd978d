//! Keys, certificates and agents against a real `sshd -i` and a real `ssh-agent`.

use std::path::{Path, PathBuf};
use std::process::Command;

use outpost::failure::Code;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};

use crate::bed::{Host, Sandbox};
use crate::session::{open, open_asking, said};
use crate::session_login::{Person, keygen};

/// A real agent on a socket of its own; it ends with the sandbox, whose path stands in its command line.
pub(crate) fn agent(sandbox: &Sandbox, name: &str) -> PathBuf {
    let socket = sandbox.path().join(name);
    let mut command = Command::new("ssh-agent");
    sandbox.clean(&mut command);
    assert!(command.arg("-a").arg(&socket).output().unwrap().status.success());
    socket
}

pub(crate) fn add(socket: &Path, key: &Path) {
    let output = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", socket).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

pub(crate) fn held(socket: &Path) -> String {
    let output = Command::new("ssh-add").arg("-L").env("SSH_AUTH_SOCK", socket).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Lets this key in, and only this one.
fn let_in(host: &Host, public: &Path) {
    std::fs::copy(public, host.dir.join("authorized_keys")).unwrap();
}

fn public(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

#[tokio::test]
async fn every_type_of_key_file_logs_in() {
    let sandbox = Sandbox::new();
    for (alias, options) in [
        ("ed25519", vec!["-t", "ed25519"]),
        ("ecdsa", vec!["-t", "ecdsa", "-b", "521"]),
        ("rsa", vec!["-t", "rsa", "-b", "2048"]),
        ("pem", vec!["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("pkcs8", vec!["-t", "ecdsa", "-m", "PKCS8"]),
    ] {
        let key = sandbox.path().join(format!("key-{alias}"));
        keygen(&key, &options);
        let host = sandbox.host(alias).ssh(&format!("IdentityFile {}", key.display())).build();
        let_in(&host, &public(&key));
        let session = open(&sandbox, alias).await.unwrap_or_else(|f| panic!("{alias}: {f}"));
        assert_eq!(session.facts().auth, format!("publickey {}", key.display()));
    }
}

#[tokio::test]
async fn field_09_agent_only_identity() {
    let sandbox = Sandbox::new();
    let socket = agent(&sandbox, "agent.sock");
    let key = sandbox.path().join("vault");
    keygen(&key, &[]);
    add(&socket, &key);
    std::fs::remove_file(&key).unwrap();
    // The identity file is the public half; the private one is in the agent alone, and no SSH_AUTH_SOCK leads to it.
    let lines = [format!("IdentityFile {}", public(&key).display()), format!("IdentityAgent {}", socket.display())];
    let host = sandbox.host("dev").ssh(&lines[0]).ssh(&lines[1]).ssh("IdentitiesOnly yes").build();
    let_in(&host, &public(&key));
    let session = open(&sandbox, "dev").await.unwrap();
    assert_eq!(session.facts().auth, "publickey bed (agent)");
    assert_eq!(host.logins(), 1);

    // IdentityAgent none: the same key is out of reach.
    sandbox.write(
        "ssh_config",
        &format!("Match host dev\n  IdentityAgent none\n{}", std::fs::read_to_string(sandbox.ssh_config()).unwrap()),
    );
    let failure = open(&sandbox, "dev").await.err().unwrap();
    assert!(matches!(failure.code, Code::AuthRefused | Code::AuthNeedsPerson), "{failure}");
}

#[tokio::test]
async fn certificates_log_in_from_files_and_from_the_agent() {
    let sandbox = Sandbox::new();
    let ca = sandbox.path().join("ca");
    keygen(&ca, &[]);
    let user = sandbox.local().user;
    let socket = agent(&sandbox, "agent.sock");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = sandbox.path().join(format!("cert-{kind}"));
        keygen(&key, &["-t", kind]);
        let sign =
            Command::new("ssh-keygen").args(["-q", "-s"]).arg(&ca).args(["-I", "bed", "-n", &user]).arg(public(&key)).status();
        assert!(sign.unwrap().success());
        add(&socket, &key);
        let beside = PathBuf::from(format!("{}-cert.pub", key.display()));
        let elsewhere = sandbox.path().join(format!("moved-{kind}"));
        std::fs::copy(&beside, &elsewhere).unwrap();
        let trust = format!("TrustedUserCAKeys {}", public(&ca).display());
        let agent = format!("IdentityAgent {}", socket.display());
        let identity = format!("IdentityFile {}", key.display());
        let named = format!("CertificateFile {}", elsewhere.display());
        let hosts = [
            (format!("beside-{kind}"), vec![identity.as_str()]),
            (format!("named-{kind}"), vec![identity.as_str(), named.as_str()]),
            (format!("agent-{kind}"), vec![agent.as_str(), "IdentitiesOnly no"]),
        ];
        for (alias, lines) in hosts {
            let new = lines.iter().fold(sandbox.host(&alias).sshd(&trust).sshd("AuthorizedKeysFile none"), |h, l| h.ssh(l));
            let host = new.build();
            open(&sandbox, &alias).await.unwrap_or_else(|f| panic!("{alias}: {f}\n{}", host.log()));
            assert!(host.log().contains("-CERT "), "{alias}: {}", host.log());
        }
    }
}

#[tokio::test]
async fn a_used_key_goes_into_the_agent_when_asked_for() {
    let sandbox = Sandbox::new();
    let socket = agent(&sandbox, "agent.sock");
    let agent_line = format!("IdentityAgent {}", socket.display());
    let host = sandbox.host("dev").ssh(&agent_line).ssh("AddKeysToAgent yes").build();
    let key = host.dir.join("locked");
    keygen(&key, &["-N", "open sesame"]);
    let_in(&host, &public(&key));
    sandbox.write(
        "ssh_config",
        &format!("Match host dev\n  IdentityFile {}\n{}", key.display(), std::fs::read_to_string(sandbox.ssh_config()).unwrap()),
    );
    let person = Person::who_says(&[Ok("open sesame")]);
    open_asking(&sandbox.local(), "dev", &person).await.unwrap();
    assert!(held(&socket).starts_with("ssh-ed25519 "), "{}", held(&socket));
    open_asking(&sandbox.local(), "dev", &NobodyToAsk).await.expect("the agent has it now");
}

#[tokio::test]
async fn a_person_may_be_asked_before_a_key_goes_into_the_agent() {
    for (answer, there) in [("no", false), ("what?", false), ("yes", true), ("", true)] {
        let sandbox = Sandbox::new();
        let socket = agent(&sandbox, "agent.sock");
        sandbox.host("dev").ssh(&format!("IdentityAgent {}", socket.display())).ssh("AddKeysToAgent ask").build();
        let person = Person::who_says(&[Ok(answer)]);
        open_asking(&sandbox.local(), "dev", &person).await.unwrap();
        assert_eq!(sandbox.stable(&person.was_asked().concat()), "Add key [SANDBOX]/hosts/dev/id (bed) to agent?");
        assert_eq!(held(&socket).starts_with("ssh-ed25519 "), there, "{}", held(&socket));
    }
}

#[tokio::test]
async fn the_agent_of_the_environment_is_asked() {
    let sandbox = Sandbox::new();
    let socket = agent(&sandbox, "agent.sock");
    let key = sandbox.path().join("vault");
    keygen(&key, &[]);
    add(&socket, &key);
    let host = sandbox.host("dev").ssh("IdentityAgent SSH_AUTH_SOCK").ssh("IdentitiesOnly no").build();
    let_in(&host, &public(&key));
    let mut local = sandbox.local();
    let failure = open_asking(&local, "dev", &NobodyToAsk).await.err().unwrap();
    assert!(matches!(failure.code, Code::AuthRefused | Code::AuthNeedsPerson), "{failure}");
    local.vars.insert("SSH_AUTH_SOCK".into(), socket.into());
    let session = open_asking(&local, "dev", &NobodyToAsk).await.unwrap();
    assert_eq!(session.facts().auth, "publickey bed (agent)");
}

#[tokio::test]
async fn a_server_may_want_two_keys() {
    let sandbox = Sandbox::new();
    let keys = ["one", "two"].map(|name| sandbox.path().join(name));
    let new = sandbox.host("dev").sshd("AuthenticationMethods publickey,publickey");
    let host = keys.iter().fold(new, |host, key| {
        keygen(key, &[]);
        host.ssh(&format!("IdentityFile {}", key.display()))
    });
    let host = host.build();
    let both = keys.each_ref().map(|key| std::fs::read_to_string(public(key)).unwrap()).concat();
    std::fs::write(host.dir.join("authorized_keys"), both).unwrap();
    let session = open(&sandbox, "dev").await.unwrap();
    let [one, two] = keys.map(|key| key.display().to_string());
    assert_eq!(session.facts().auth, format!("publickey {one}, publickey {two}"));
}

#[tokio::test]
async fn variables_are_sent_as_the_configuration_says() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").ssh("SendEnv LAB_* LANG").ssh("SetEnv LAB_SET=set LAB_BOTH=mine").build();
    let mut local = sandbox.local();
    let vars = [("LAB_SENT", "sent"), ("LAB_BOTH", "theirs"), ("OTHER", "kept")];
    local.vars.extend(vars.map(|(name, value)| (name.into(), value.into())));
    let target = outpost::host::resolve::resolve(&local, &"dev".parse().unwrap()).await.unwrap();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &outpost::step::Nobody };
    for session in [Session::open(&target, &context).await, Session::open_with_system_ssh(&target, &context).await] {
        let session = session.unwrap();
        let (out, _) = said(&session, "echo $LAB_SENT $LAB_SET $LAB_BOTH ${OTHER-none}").await;
        assert_eq!(out, "sent set mine none\n");
        session.close().await;
    }
}

#[tokio::test]
async fn field_06_one_connection_for_one_refusal() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("dev").sshd("AuthenticationMethods publickey").sshd("AuthorizedKeysFile none").build();
    let failure = open(&sandbox, "dev").await.err().unwrap();
    assert_eq!(failure.code, Code::AuthRefused);
    assert_eq!(failure.code.remedy(), outpost::failure::Remedy::Person);
    assert_eq!(host.log().matches("Connection from").count(), 1, "{}", host.log());
}

#[tokio::test]
async fn too_many_keys_are_the_persons_to_sort_out() {
    let sandbox = Sandbox::new();
    let mut new = sandbox.host("dev").sshd("MaxAuthTries 3");
    for n in 0..5 {
        let key = sandbox.path().join(format!("k{n}"));
        keygen(&key, &[]);
        new = new.ssh(&format!("IdentityFile {}", key.display()));
    }
    let host = new.build();
    let failure = open(&sandbox, "dev").await.err().unwrap();
    insta::assert_snapshot!(sandbox.stable(&format!("{failure}\n{}", failure.hint)).replace(&sandbox.local().user, "USER"), @r"
    dev: log in as USER: Too many authentication failures (offered: [SANDBOX]/k0, [SANDBOX]/k1, [SANDBOX]/k2)
    name the one key this host takes: IdentityFile and IdentitiesOnly yes for 'dev' in the ssh configuration
    ");
    assert_eq!((failure.code, host.log().matches("Connection from").count()), (Code::AuthRefused, 1));
}

/// A server that takes more tries than a stock sshd gets no more of the agent's keys that nobody named.
#[tokio::test]
async fn the_agents_other_keys_are_offered_as_often_as_a_stock_sshd_takes() {
    let sandbox = Sandbox::new();
    let socket = agent(&sandbox, "agent.sock");
    for n in 0..9 {
        let key = sandbox.path().join(format!("k{n}"));
        keygen(&key, &["-C", &format!("key {n}")]);
        add(&socket, &key);
    }
    let new = sandbox.host("dev").sshd("MaxAuthTries 50").sshd("AuthenticationMethods publickey");
    let host = new.ssh("IdentitiesOnly no").ssh(&format!("IdentityAgent {}", socket.display())).build();
    open(&sandbox, "dev").await.expect("the key that the configuration names is offered whatever the agent holds");
    std::fs::write(host.dir.join("authorized_keys"), "").unwrap();
    let failure = open(&sandbox, "dev").await.err().unwrap();
    insta::assert_snapshot!(sandbox.stable(&format!("{failure}\n{}", failure.hint)).replace(&sandbox.local().user, "USER"), @r"
    dev: log in as USER: Permission denied (publickey); offered: key 0 (agent), key 1 (agent), key 2 (agent), key 3 (agent), key 4 (agent), key 5 (agent), [SANDBOX]/hosts/dev/id; not usable: 3 further keys of the agent (not offered: a server takes about 6 tries)
    name the one key this host takes: IdentityFile and IdentitiesOnly yes for 'dev' in the ssh configuration
    ");
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_named() {
    let sandbox = Sandbox::new();
    let open_key = sandbox.path().join("open");
    keygen(&open_key, &[]);
    std::fs::set_permissions(&open_key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let junk = sandbox.write("junk", "this is no key\n");
    std::fs::set_permissions(&junk, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let certificate = format!("CertificateFile {}", sandbox.path().join("absent-cert.pub").display());
    let no_certificate = format!("CertificateFile {}", junk.display());
    let keys = [&open_key, &junk, &sandbox.path().join("absent")].map(|k| format!("IdentityFile {}", k.display()));
    let lines = keys.into_iter().chain([certificate, no_certificate]);
    let only_keys = sandbox.host("dev").sshd("AuthenticationMethods publickey");
    let host = lines.fold(only_keys, |h, l| h.ssh(&l)).build();
    std::fs::write(host.dir.join("authorized_keys"), "").unwrap();
    let failure = open(&sandbox, "dev").await.err().unwrap();
    insta::assert_snapshot!(sandbox.stable(&failure.said), @r"Permission denied (publickey); offered: [SANDBOX]/hosts/dev/id; not usable: [SANDBOX]/absent-cert.pub (no such file), [SANDBOX]/junk (it is not a certificate), [SANDBOX]/open (its permissions 644 are too open; ssh ignores such a key (chmod 600)), [SANDBOX]/junk (it is not a key that can be read; convert it with: ssh-keygen -p -f FILE), [SANDBOX]/absent (no such file)");
}

#[tokio::test]
async fn the_agent_is_lent_only_when_asked_for() {
    let sandbox = Sandbox::new();
    let socket = agent(&sandbox, "agent.sock");
    let host = sandbox.host("dev").build();
    add(&socket, &host.client_key());
    let session = open(&sandbox, "dev").await.unwrap();
    assert_eq!(said(&session, "echo ${SSH_AUTH_SOCK:-none}").await.0, "none\n");
    session.forward_agent(socket);
    assert_eq!(said(&session, "ssh-add -L").await.0.split(' ').next(), Some("ssh-ed25519"));
}
