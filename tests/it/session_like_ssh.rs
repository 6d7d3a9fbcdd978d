//! Side by side with the installed `ssh`: tokens, what goes into the agent, how a person is asked.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use outpost::failure::Code;
use outpost::ssh::ask::NobodyToAsk;

use crate::bed::{Sandbox, run};
use crate::session::{open, open_asking};
use crate::session_keys::{agent, held};
use crate::session_login::{Person, keygen};
use crate::session_route::behind_a_port;

/// `ssh` with the sandbox's configuration.
fn ssh(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut ssh = Command::new("ssh");
    sandbox.clean(&mut ssh);
    ssh.arg("-F").arg(sandbox.ssh_config()).args(args);
    ssh
}

/// All tokens of ssh_config(5) that a path takes: the path that `ssh` opens is the path that we open.
#[tokio::test]
async fn tokens_of_a_path() {
    let sandbox = Sandbox::new();
    // sshd refuses whatever is offered, so that the failure names each file.
    let host = sandbox.host("dev").sshd("AuthenticationMethods publickey").sshd("AuthorizedKeysFile none");
    let tokens = ["%%", "%C", "%d", "%h", "%i", "%k", "%L", "%l", "%n", "%p", "%r", "%u", "a%p-%%-%n"];
    let host = host.ssh("HostName dev.example").ssh("Port 2222").ssh("HostKeyAlias dev");
    tokens.iter().fold(host, |host, token| host.ssh(&format!("IdentityFile /nowhere/{token}"))).build();
    let verbose = run(&mut ssh(&sandbox, &["-v", "-oBatchMode=yes", "dev", "true"]), b"").stderr;
    let named = |line: &str| Some(line.strip_prefix("debug1: identity file ")?.split(" type ").next()?.to_owned());
    let of_ssh: Vec<String> =
        verbose.lines().filter_map(named).filter(|path| path.starts_with("/nowhere") && !path.ends_with("-cert")).collect();
    assert_eq!(of_ssh.len(), tokens.len(), "{verbose}");
    // Our home is the sandbox's; that of `ssh` is the account's.
    let home = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().dir;
    let local = outpost::paths::Local { home, ..sandbox.local() };
    let failure = open_asking(&local, "dev", &NobodyToAsk).await.err().unwrap();
    for path in of_ssh {
        assert!(failure.said.contains(&format!("{path} (no such file)")), "{path}: {failure}");
    }
}

/// What a command takes, and what neither we nor `ssh` take.
#[tokio::test]
async fn tokens_of_a_command() {
    let sandbox = Sandbox::new();
    let told = sandbox.path().join("told");
    let mut blocks = String::new();
    for (n, token) in ["%%", "%h", "%n", "%p", "%r", "%u", "%d", "%C", "%i", "%L", "%k"].iter().enumerate() {
        let block = format!(
            "Host t{n}\n  HostName h.example\n  User \"john\"\n  Port 2222\n  ProxyCommand sh -c 'echo {token} >>{}'\n",
            told.display()
        );
        blocks.push_str(&block);
    }
    blocks.push_str(&format!("Host blank\n  User \"john doe\"\n  ProxyCommand sh -c 'echo %h >>{}'\n", told.display()));
    sandbox.add_ssh_config(&blocks);
    let aliases = (0..11).map(|n| format!("t{n}")).chain(["blank".into()]);
    for alias in aliases {
        std::fs::write(&told, "").unwrap();
        run(&mut ssh(&sandbox, &["-oBatchMode=yes", &alias, "true"]), b"").exits(255);
        let of_ssh = std::fs::read_to_string(&told).unwrap();
        std::fs::write(&told, "").unwrap();
        let failure = open(&sandbox, &alias).await.err().unwrap();
        assert_eq!(std::fs::read_to_string(&told).unwrap(), of_ssh, "{alias}: {failure}");
        assert_eq!(failure.code == Code::KeywordUnsupported, of_ssh.is_empty(), "{alias}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_jump_host() {
    let sandbox = Sandbox::new();
    let gate = sandbox.host("gate-inner-127.0.0.1").build();
    let user = sandbox.local().user;
    let (inner, ..) = behind_a_port(&sandbox, "inner", "  ProxyJump %r@gate-%n-%h\n").await;
    open(&sandbox, "inner").await.unwrap();
    run(&mut ssh(&sandbox, &["inner", "true"]), b"").exits(0);
    assert_eq!((gate.logins(), inner.alias.as_str()), (2, "inner-sshd"));
    let listed = sandbox.run(&["hosts", "--resolve"]).exits(0).stdout;
    assert!(listed.contains(&format!(" through {user}@gate-inner-127.0.0.1")), "{listed}");
}

/// A program that notes what it is asked, and says yes.
fn asker(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let asked = sandbox.path().join("asked");
    let text = format!("#!/bin/sh\nprintf '%s: %s\\n' \"$SSH_ASKPASS_PROMPT\" \"$1\" >>{}\necho yes\n", asked.display());
    let program = sandbox.write("asker", &text);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    (program, asked)
}

/// The key with its comment, and the question before it, by us and by `ssh`.
#[test]
fn a_key_goes_into_the_agent_as_with_ssh() {
    for kind in ["", "PEM"] {
        let sandbox = Sandbox::new();
        let (program, asked) = asker(&sandbox);
        let mut outcomes = Vec::new();
        for (name, by_us) in [("ours", true), ("theirs", false)] {
            let socket = agent(&sandbox, name);
            let host = sandbox.host(name).ssh(&format!("IdentityAgent {}", socket.display())).ssh("AddKeysToAgent ask").build();
            let key = sandbox.path().join("key");
            if by_us && kind == "PEM" {
                keygen(&key, &["-t", "rsa", "-b", "2048", "-m", "PEM"]);
            } else if by_us {
                keygen(&key, &["-C", "me at work"]);
            }
            std::fs::copy(key.with_extension("pub"), host.dir.join("authorized_keys")).unwrap();
            std::fs::copy(&key, host.client_key()).unwrap();
            // Nothing but the private half says what the comment is.
            std::fs::remove_file(host.dir.join("id.pub")).unwrap();
            let mut command = if by_us { sandbox.outpost(&["check", name]) } else { ssh(&sandbox, &[name, "true"]) };
            command.env("SSH_ASKPASS", &program).env("SSH_ASKPASS_REQUIRE", "force");
            run(&mut command, b"");
            let told = [std::fs::read_to_string(&asked).unwrap(), held(&socket)].concat();
            std::fs::remove_file(&asked).unwrap();
            let told = told.replace(&format!("hosts/{name}/"), "hosts/");
            // ssh asks so about a key without a comment, and gives the agent its path.
            outcomes.push(told.replace("((null))", &format!("({})", sandbox.path().join("hosts/id").display())));
        }
        assert!(outcomes[0].starts_with("confirm: Add key "), "{outcomes:?}");
        assert_eq!(outcomes[0], outcomes[1], "{kind}");
    }
}

#[test]
fn an_askpass_that_cannot_be_run_is_named() {
    let sandbox = Sandbox::new();
    let key = sandbox.path().join("locked");
    keygen(&key, &["-N", "open sesame"]);
    let host = sandbox.host("dev").ssh(&format!("IdentityFile {}", key.display())).build();
    std::fs::copy(key.with_extension("pub"), host.dir.join("authorized_keys")).unwrap();
    let told = |sandbox: &Sandbox| {
        let mut command = sandbox.outpost(&["check", "dev"]);
        command.env("SSH_ASKPASS", "/nowhere/asker").env("SSH_ASKPASS_REQUIRE", "force");
        run(&mut command, b"").stdout
    };
    let text = told(&sandbox);
    assert!(text.contains("SSH_ASKPASS /nowhere/asker: No such file"), "{text}");
    std::fs::write(sandbox.known_hosts(), "").unwrap();
    let text = told(&sandbox);
    assert!(text.contains("no key is known") && text.contains("SSH_ASKPASS /nowhere/asker: No such file"), "{text}");
}

/// sshd's default: it takes keys and passwords. What is named is the key, which is at hand.
#[tokio::test]
async fn field_13_a_locked_key_where_passwords_are_taken_too() {
    let sandbox = Sandbox::new();
    let key = sandbox.path().join("locked");
    keygen(&key, &["-N", "open sesame"]);
    let new = sandbox.host("dev").ssh(&format!("IdentityFile {}", key.display())).ssh("NumberOfPasswordPrompts 1");
    let host = new.build();
    std::fs::copy(key.with_extension("pub"), host.dir.join("authorized_keys")).unwrap();
    let mut told = String::new();
    let failure = open_asking(&sandbox.local(), "dev", &NobodyToAsk).await.err().unwrap();
    told.push_str(&format!("{failure} [{}]\n  {}\n", failure.code.as_str(), failure.hint));
    // A wrong passphrase, then a wrong password.
    let person = Person::who_says(&[Ok("wrong"), Ok("wrong"), Ok("wrong")]);
    let failure = open_asking(&sandbox.local(), "dev", &person).await.err().unwrap();
    told.push_str(&format!("{failure} [{}]\n  {}\n", failure.code.as_str(), failure.hint));
    insta::assert_snapshot!(sandbox.stable(&told).replace(&sandbox.local().user, "USER"), @r"
    dev: log in as USER with [SANDBOX]/locked: the key has a passphrase and there is nobody to ask for it [auth-needs-person]
      load it once: ssh-add [SANDBOX]/locked
    dev: log in as USER: Permission denied (publickey,password,keyboard-interactive); offered: [SANDBOX]/hosts/dev/id, keyboard-interactive, password; not usable: [SANDBOX]/locked (wrong passphrase) [auth-refused]
      the server takes the key [SANDBOX]/locked: give its passphrase, or load it once: ssh-add [SANDBOX]/locked
    ");
}
