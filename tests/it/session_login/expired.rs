//! A password that has expired, on a server that says so itself (SSH_MSG_USERAUTH_PASSWD_CHANGEREQ): ssh2 for Node.js is one.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use outpost::host::resolve::resolve;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};
use outpost::step::Nobody;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{Person, keygen, told};
use crate::bed::Sandbox;

/// The server, a host `old` of the sandbox.
async fn server(sandbox: &Sandbox) -> Child {
    let key = sandbox.path().join("hostkey");
    keygen(&key, &[]);
    let mut node = Command::new("node");
    node.args(["-e", include_str!("expired.js")]).arg(&key).env("NODE_PATH", crate::bed::cache().join("ssh2/node_modules"));
    let mut node = node.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("node");
    let mut port = String::new();
    BufReader::new(node.stdout.take().unwrap()).read_line(&mut port).await.unwrap();
    let port: u16 = port.trim().parse().expect("tests/run installs ssh2");
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let known = sandbox.write("known", &format!("[127.0.0.1]:{port} {public}"));
    sandbox.add_ssh_config(&format!(
        "Host old\n  HostName 127.0.0.1\n  Port {port}\n  User me\n  IdentityAgent none\n  UserKnownHostsFile {}\n  \
         GlobalKnownHostsFile none\n",
        known.display()
    ));
    node
}

#[tokio::test]
async fn a_password_that_the_server_wants_changed_is_named_with_the_way_out() {
    let sandbox = Sandbox::new();
    let _server = server(&sandbox).await;
    let person = Person::who_says(&[Ok("old secret")]);
    let failure = crate::session::open_asking(&sandbox.local(), "old", &person).await.err().unwrap();
    insta::assert_snapshot!(told(&failure), @r"
    old: log in as me (password): the server answered the password with neither yes nor no: it most likely wants a new one [auth-password-expired]
      the system ssh can give it one: ssh old in a terminal, or --carrier ssh
    ");
    assert_eq!(person.was_asked(), ["me@127.0.0.1's password: "], "once");

    // The way out leads in: ssh asks for the old and the new one.
    let text = "#!/bin/sh\ncase $1 in *new*|*Retype*) echo 'new secret';; *) echo 'old secret';; esac\n";
    let askpass = sandbox.write("askpass", text);
    std::fs::set_permissions(&askpass, PermissionsExt::from_mode(0o755)).unwrap();
    let mut local = sandbox.local();
    local.vars.insert("SSH_ASKPASS".into(), askpass.into());
    local.vars.insert("SSH_ASKPASS_REQUIRE".into(), "force".into());
    let target = resolve(&local, &"old".parse().unwrap()).await.unwrap();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    Session::open_with_system_ssh(&target, &context).await.unwrap().close().await;
}
