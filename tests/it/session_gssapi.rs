//! GSSAPI: a real Kerberos and a real sshd that takes nothing else. russh cannot do it; the system's `ssh` can, and carries us.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use outpost::failure::Code;
use outpost::host::resolve::resolve;
use outpost::paths::Local;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};
use outpost::step::Nobody;

use crate::bed::{Sandbox, run, until};
use crate::session::{open_asking, said};

/// A key distribution centre of the sandbox, in which the account of the tests and the host `gss.example` are.
struct Kerberos {
    kdc: Child,
    vars: Vec<(&'static str, String)>,
}

impl Kerberos {
    fn new(sandbox: &Sandbox) -> Self {
        let dir = sandbox.path().join("kerberos");
        std::fs::create_dir(&dir).unwrap();
        // An address of our own: nobody else takes the port on it before the server does.
        let [a, b, c] = rand::random::<[u8; 3]>().map(|byte| byte % 250 + 1);
        let place = std::net::TcpListener::bind((std::net::Ipv4Addr::new(127, a, b, c), 0)).unwrap().local_addr().unwrap();
        let at = dir.display();
        let config = format!(
            "[libdefaults]\ndefault_realm = BED.TEST\ndns_lookup_kdc = false\ndns_lookup_realm = false\n\
             dns_canonicalize_hostname = false\nrdns = false\n[realms]\nBED.TEST = {{\n kdc = {place}\n}}\n"
        );
        let kdc = format!(
            "[kdcdefaults]\nkdc_listen = {place}\nkdc_tcp_listen = {place}\n[realms]\nBED.TEST = {{\n database_name = {at}/principal\n \
             key_stash_file = {at}/stash\n acl_file = {at}/acl\n}}\n[logging]\nkdc = FILE:{at}/log\n"
        );
        std::fs::write(dir.join("krb5.conf"), config).unwrap();
        std::fs::write(dir.join("kdc.conf"), kdc).unwrap();
        let vars = vec![
            ("KRB5_CONFIG", format!("{at}/krb5.conf")),
            ("KRB5_KDC_PROFILE", format!("{at}/kdc.conf")),
            ("KRB5CCNAME", format!("FILE:{at}/tickets")),
            ("KRB5_KTNAME", format!("FILE:{at}/keytab")),
        ];
        let program = |name: &str, words: &[&str]| {
            let mut command = Command::new(name);
            sandbox.clean(&mut command);
            command.envs(vars.iter().map(|(n, v)| (*n, v.as_str()))).args(words);
            command
        };
        let done = |name: &str, words: &[&str], input: &str| drop(run(&mut program(name, words), input.as_bytes()).exits(0));
        done("/usr/sbin/kdb5_util", &["create", "-s", "-r", "BED.TEST", "-P", "master"], "");
        let user = sandbox.local().user;
        for query in [
            &format!("addprinc -pw ticket {user}"),
            "addprinc -randkey host/gss.example",
            &format!("ktadd -k {at}/keytab host/gss.example"),
        ] {
            done("/usr/sbin/kadmin.local", &["-r", "BED.TEST", "-q", query], "");
        }
        let mut kdc = program("/usr/sbin/krb5kdc", &["-n", "-r", "BED.TEST"]);
        let kdc = kdc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the centre serves", || log(&dir).contains("commencing operation"));
        done("kinit", &[&user], "ticket\n");
        Self { kdc, vars }
    }

    /// This machine, with a ticket.
    fn local(&self, sandbox: &Sandbox) -> Local {
        let mut local = sandbox.local();
        local.vars.extend(self.vars.iter().map(|(name, value)| ((*name).into(), value.into())));
        local
    }
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

impl Drop for Kerberos {
    fn drop(&mut self) {
        self.kdc.kill().ok();
        self.kdc.wait().ok();
    }
}

#[tokio::test]
async fn gssapi_is_the_system_sshs_and_it_logs_in() {
    let sandbox = Sandbox::new();
    let kerberos = Kerberos::new(&sandbox);
    let only = ["GSSAPIAuthentication yes", "GSSAPIStrictAcceptorCheck no", "PubkeyAuthentication no"];
    let only = only.iter().chain(&["PasswordAuthentication no", "KbdInteractiveAuthentication no"]);
    let new = only.fold(sandbox.host("gss"), |host, line| host.sshd(line));
    let host = new.ssh("HostName gss.example").ssh("HostKeyAlias gss").ssh("GSSAPIAuthentication yes").build();
    let local = kerberos.local(&sandbox);
    let failure = open_asking(&local, "gss", &NobodyToAsk).await.err().unwrap();
    assert_eq!(failure.code, Code::AuthRefused);
    assert!(failure.said.starts_with("Permission denied (gssapi-with-mic)"), "{failure}");
    assert_eq!(
        failure.hint,
        "this server takes gssapi-with-mic, which only the system ssh can do: --carrier ssh, or for good: outpost hosts set gss \
         carrier=ssh"
    );
    let target = resolve(&local, &"gss".parse().unwrap()).await.unwrap();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    let session = Session::open_with_system_ssh(&target, &context).await.unwrap();
    assert_eq!(said(&session, "echo by ticket").await.0, "by ticket\n");
    session.close().await;
    assert!(host.log().contains("Accepted gssapi-with-mic for "), "{}", host.log());
    assert_eq!(host.logins(), 1);
}
