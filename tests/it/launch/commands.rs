//! `outpost stop`, `logs` and `install`, as a person runs them.

use std::path::Path;
use std::time::Duration;

use outpost::remote::How;

use super::Lab;
use crate::bed::{Codex, Ran, Sandbox, alive};
use crate::run::Bed;
use crate::shells::{ECHO, program};

fn run(sandbox: &Sandbox, args: &[&str]) -> Ran {
    tokio::task::block_in_place(|| sandbox.run(args))
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_and_logs() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(run(&lab.sandbox, &["logs", "devbox"]).exits(6).stdout, "");
    assert_eq!(run(&lab.sandbox, &["stop", "devbox"]).exits(0).stdout, "devbox: no app-server of ours runs there\n");
    assert_eq!(lab.how().await, How::Started);
    let pid = lab.pid();
    let log = lab.codex_home().join("outpost/server.log");
    std::fs::write(&log, "one\ntwo \u{1b}]0;title\u{7} é\nthree\n").unwrap();
    let said = run(&lab.sandbox, &["logs", "devbox", "-n", "2"]).exits(0).stdout;
    assert_eq!(said, "two ␛]0;title␇ é\nthree\n");
    assert_eq!(run(&lab.sandbox, &["stop", "devbox"]).exits(0).stdout, "devbox: the app-server has ended\n");
    assert!(!alive(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_waits_for_a_running_turn() {
    let bed = Bed::new().await;
    let thread = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0).stdout;
    let mut stopping = std::pin::pin!(bed.run(&["stop", "devbox"]));
    // Not a wait for something to happen: that it does not end by itself can only be seen for a while.
    assert!(tokio::time::timeout(Duration::from_millis(800), stopping.as_mut()).await.is_err());
    bed.model.open("held");
    assert_eq!(stopping.await.exits(0).stdout, "devbox: the app-server has ended\n");
    let items = bed.items(thread.trim()).await;
    assert!(items.iter().any(|item| item["text"] == "later"), "{items:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_now_waits_for_no_turn() {
    let bed = Bed::new().await;
    bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0);
    assert_eq!(bed.run(&["stop", "devbox", "--now"]).await.exits(0).stdout, "devbox: the app-server has ended\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_leaves_a_server_of_others_alone() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    std::fs::remove_file(lab.record()).unwrap();
    let said = run(&lab.sandbox, &["stop", "devbox", "--now"]).exits(6).stderr;
    assert!(said.contains("server-not-ours"), "{said}");
    assert_eq!(lab.servers().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_is_installed_by_npm() {
    let npm = format!(
        "#!/bin/sh\n[ \"$1\" = prefix ] && {{ echo /nowhere; exit; }}\nmkdir -p \"$HOME/.local/bin\"\ncat >\"$HOME/.local/bin/codex\" <<'E'\n{ECHO}E\n\
         chmod +x \"$HOME/.local/bin/codex\"\necho \"added 1 package\"\n"
    );
    let lab = Lab::build(|sandbox, host| {
        let npm = program(sandbox, "bin/npm", &npm);
        host.rc(".profile", "export PATH=$HOME/.local/bin:$PATH").codex(&Codex::in_folder(npm.parent().unwrap()))
    })
    .await;
    let asked = run(&lab.sandbox, &["install", "devbox"]);
    assert!(asked.status != 0 && asked.stderr.contains("--yes"), "{asked:?}");
    let said = run(&lab.sandbox, &["install", "devbox", "--yes"]).exits(0).stdout;
    let codex = lab.host.home.join(".local/bin/codex");
    let expected = format!(
        "npm install -g --no-fund --no-audit @openai/codex --prefix {}/.local\nadded 1 package\ndevbox: 9.9.9, {}\n",
        lab.host.home.display(),
        codex.display()
    );
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_codex_of_this_machine_is_uploaded() {
    let lab = Lab::build(|_, host| host.rc(".profile", "export PATH=$HOME/.local/bin:$PATH")).await;
    let target = if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-musl" } else { "x86_64-unknown-linux-musl" };
    let here = program(&lab.sandbox, &format!("npm/vendor/{target}/bin/codex"), ECHO);
    let install = |bin: &Path| {
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let mut command = lab.sandbox.outpost(&["install", "devbox", "--from", "local", "--yes"]);
        tokio::task::block_in_place(|| crate::bed::run(command.env("PATH", path), b""))
    };
    let said = install(here.parent().unwrap()).exits(0).stdout;
    let link = lab.host.home.join(".local/bin/codex");
    assert_eq!(said, format!("{}\ndevbox: 9.9.9, {0}\n", link.display()));
    assert!(std::fs::read_link(&link).unwrap().ends_with(".local/lib/outpost-codex/bin/codex"));
    // What a person put there is not replaced.
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, "mine").unwrap();
    let said = install(here.parent().unwrap()).exits(6).stderr;
    assert!(said.contains("install-failed") && said.contains("already"), "{said}");
}
