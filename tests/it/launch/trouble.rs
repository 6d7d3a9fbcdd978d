//! Hosts on which an app-server cannot start, stay or be trusted.

use std::os::unix::fs::PermissionsExt;

use outpost::failure::Code;
use outpost::remote::facts::Ending;
use outpost::remote::{Framing, How, Want};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::commands::run;
use super::{Lab, upgrades};
use crate::bed::Codex;
use crate::shells::{ECHO, program, says_it_again};

#[tokio::test(flavor = "multi_thread")]
async fn field_34_a_server_that_dies_says_why() {
    let lab =
        Lab::script("case $* in *--listen*) sleep 0.2; echo 'config.toml: line 3 is wrong' >&2; exit 1 ;; esac; exit 1").await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!((failure.code, failure.said.as_str()), (Code::ServerDied, "config.toml: line 3 is wrong"));
    // What the hint says.
    assert!(failure.hint.contains("outpost logs HOST"), "{failure:?}");
    assert_eq!(run(&lab.sandbox, &["logs", "devbox"]).exits(0).stdout, "config.toml: line 3 is wrong\n");
    let lab = Lab::script("exit 7").await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!((failure.code, failure.said.as_str()), (Code::ServerDied, "it said nothing; its exit code is 7"));
    let lab = Lab::script("echo \"error: unrecognized subcommand 'app-server'\" >&2; exit 2").await;
    assert_eq!(lab.refused(Want::server()).await.code, Code::CodexTooOld);
}

/// In the words of 0.20.0, which has no app-server, and of 0.44.0, whose app-server knows no threads.
#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_is_too_old_is_refused_with_its_version() {
    let listen = "*--listen*) echo \"error: unexpected argument '--listen' found\" >&2; exit 2 ;;";
    let none = format!(
        "case $* in --version) echo codex-cli 0.20.0 ;; {listen} *--help*) echo 'Usage: codex [OPTIONS] [PROMPT]' ;; *) exit 1 ;; esac"
    );
    let other = format!(
        r#"case $* in --version) echo codex-cli 0.44.0 ;; {listen}
*--help*) echo 'Usage: codex app-server [OPTIONS]' ;;
app-server) while read -r line; do
  id=$(printf %s "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case $line in
    *'"initialize"'*) echo "{{\"id\":$id,\"result\":{{\"userAgent\":\"codex_cli_rs/0.44.0 (Debian) x\"}}}}" ;;
    *'"id"'*) echo "{{\"id\":$id,\"error\":{{\"code\":-32600,\"message\":\"Invalid request\"}}}}" ;;
  esac
done ;; *) exit 1 ;; esac"#
    );
    for (script, version) in [(none, "0.20.0"), (other, "0.44.0")] {
        let lab = Lab::script(&script).await;
        for args in [&["check", "devbox"][..], &["run", "devbox:", "say hi"]] {
            let ran = run(&lab.sandbox, args).exits(6);
            let said = ran.stdout + &ran.stderr;
            for words in ["codex-too-old", version, "outpost install devbox"] {
                assert!(said.contains(words), "{args:?} {words}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn field_35_logind_that_kills_is_seen_beforehand() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        let said = "#!/bin/sh\ncase $* in *KillUserProcesses*) exit 0 ;; esac\nexec /bin/grep \"$@\"\n";
        program(sandbox, "bin/grep", said);
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let told = super::Told::default();
    let remote = outpost::remote::bring_up(&lab.session, &lab.settings, Want::server(), &told).await.unwrap();
    assert_eq!((remote.server.how, remote.facts.ends_sessions), (How::Attached, Some(Ending::Logind)));
    let told = told.0.into_inner().unwrap().concat();
    assert!(told.contains("[host-ends-sessions]"), "{told}");
    says_it_again(remote).await;
}

#[tokio::test]
async fn a_host_remembered_as_ending_sessions_gets_an_attached_server() {
    let mut lab = Lab::real(|host| host).await;
    lab.settings.session_attached = Some(true);
    let remote = lab.up(Want { early: b"GET / HTTP/1.1\r\nX: y\r\n\r\n".to_vec(), ..Want::server() }).await.unwrap();
    assert_eq!((remote.server.how, remote.server.framing), (How::Attached, Framing::Lines));
    let mut stream = BufReader::new(remote.server.stream);
    stream
        .write_all(b"{\"id\":1,\"method\":\"initialize\",\"params\":{\"clientInfo\":{\"name\":\"t\",\"version\":\"0\"}}}\n")
        .await
        .unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("{\"id\":1,\"result\":"), "{line}");
}

#[tokio::test]
async fn field_36_a_long_codex_home_is_no_matter() {
    let long = "x".repeat(120);
    let mut lab = Lab::real(|host| host.rc(&format!("{long}/config.toml"), "")).await;
    lab.settings.codex_home = Some(format!("~/{long}"));
    upgrades(lab.up(Want::server()).await.unwrap()).await;
    assert_eq!(lab.how().await, How::Joined);
}

#[tokio::test(flavor = "multi_thread")]
async fn field_37_a_refused_socket_folder_is_told_in_the_servers_words() {
    let lab = Lab::real(|host| host).await;
    let control = lab.codex_home().join("app-server-control");
    std::fs::write(&control, "not a folder").unwrap();
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::SocketRefused, "{failure:?}");
    assert!(failure.said.contains("app-server-control"), "{failure:?}");
    // A check sees it beforehand, and knows whose matter it is.
    let checked: Value = serde_json::from_str(&run(&lab.sandbox, &["check", "devbox", "--json"]).exits(6).stdout).unwrap();
    let steps = checked[0]["steps"].as_array().unwrap().clone();
    let [.., codex, server] = steps.as_slice() else { panic!("{checked}") };
    assert_eq!((&codex["step"], &codex["ok"]), (&json!("codex"), &json!(true)));
    assert_eq!((&server["step"], &server["code"]), (&json!("app-server"), &json!("socket-refused")));
    assert!(server["hint"].as_str().unwrap().contains("outpost shell devbox rm -r "), "{server}");
    std::fs::remove_file(&control).unwrap();
    std::os::unix::fs::symlink(lab.host.home.join("elsewhere"), &control).unwrap();
    std::fs::create_dir(lab.host.home.join("elsewhere")).unwrap();
    assert_eq!(lab.refused(Want::server()).await.code, Code::SocketRefused);
    // What the hint says is enough.
    std::fs::remove_file(&control).unwrap();
    assert_eq!(lab.how().await, How::Started);
}

#[tokio::test]
async fn field_42_a_socket_folder_of_somebody_else_is_refused() {
    let lab = Lab::real(|host| host).await;
    let elsewhere = lab.sandbox.path().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::create_dir_all(lab.socket().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("sock"), lab.socket()).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(elsewhere.join("sock")).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(lab.refused(Want::server()).await.code, Code::SocketForeign);
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o700)).unwrap();
    if nix::unistd::getuid().is_root() {
        std::os::unix::fs::chown(&elsewhere, Some(65_534), None).unwrap();
        let failure = lab.refused(Want::server()).await;
        assert_eq!(failure.code, Code::SocketForeign);
        assert!(failure.said.contains("65534"), "{failure:?}");
    }
}

#[tokio::test]
async fn field_43_databases_on_a_network_home_are_named() {
    let died = "case $* in *--listen*) echo 'Error: failed to open database: locking protocol' >&2 ;; esac; exit 1";
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", &format!("#!/bin/sh\n{died}\n"));
        program(sandbox, "bin/stat", "#!/bin/sh\necho nfs\n");
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::NetworkHome, "{failure:?}");
    assert!(failure.hint.contains("CODEX_SQLITE_HOME"));
}
