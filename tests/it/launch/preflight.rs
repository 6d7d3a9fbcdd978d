//! What `check` learns before a turn: from `codex doctor`, from a sandbox that is really started, and from the versions.

use std::process::Stdio;

use outpost::demo::leftovers::end_processes;
use serde_json::Value;

use super::Lab;
use super::commands::run;
use crate::bed::{Codex, NewHost, Sandbox, Terminal, native};
use crate::run::Bed;
use crate::shells::program;

/// The codes of the warnings of `check --json`, and whether a thread could be run.
pub(super) fn warnings(sandbox: &Sandbox) -> (bool, Vec<String>) {
    let ran = run(sandbox, &["check", "devbox", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let steps = report[0]["steps"].as_array().unwrap().iter();
    let warnings = steps.flat_map(|step| step["warnings"].as_array().unwrap().clone());
    let coded = warnings.inspect(|w| assert!(w["code"].is_null() || w["hint"] != "", "nothing to do about {w}"));
    let codes = coded.filter_map(|w| Some(w["code"].as_str()?.to_owned()));
    // The listeners of all accounts are told, those of other tests too.
    (report[0]["ready"] == true, codes.filter(|code| code != "public-listener").collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn field_50_a_host_that_does_not_reach_the_model_is_told() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(warnings(&lab.sandbox), (true, vec!["api-unreachable".to_owned()]));
    let shown = run(&lab.sandbox, &["check", "devbox"]).exits(0).stdout;
    assert!(shown.contains("outpost hosts set devbox env.HTTPS_PROXY=http://PROXY:PORT"), "{shown}");
    run(&lab.sandbox, &["hosts", "set", "devbox", "env.SSL_CERT_FILE=/nowhere.pem"]).exits(0);
    assert_eq!(warnings(&lab.sandbox).1, ["api-unreachable", "network-environment"]);
    let bed = Bed::new().await;
    assert_eq!(warnings(&bed.sandbox), (true, vec![]));
}

/// A mistake in codex's own configuration on the host, which a server starts with all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_codex_that_is_broken_is_named_as_that() {
    let lab = Lab::real(|host| host.rc(".codex/config.toml", "what = = is")).await;
    let (_, found) = warnings(&lab.sandbox);
    assert!(found.contains(&"codex-config-broken".to_owned()) && !found.contains(&"sandbox-broken".to_owned()), "{found:?}");
    let ran = run(&lab.sandbox, &["run", "devbox:", "say hi"]).exits(6);
    assert!(ran.stderr.contains("error[codex-config-broken]") && ran.stderr.contains("config.toml:"), "{ran:?}");
}

/// The doctor waits 8 s for an address that swallows: it is shown that it is waited for, and what it finds is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_that_waits_is_shown_and_heard() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let model = format!("http://{}/v1", silent.local_addr().unwrap());
    let lab = Lab::build(|_, host| host.codex(&Codex::real(&model))).await;
    let terminal = Terminal::outpost(&lab.sandbox, &["check", "devbox"]);
    tokio::task::block_in_place(|| {
        terminal.shows("devbox: waiting for codex doctor");
        terminal.shows("[api-unreachable]");
    });
}

/// One that does not end is a warning; the host is ready all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_that_does_not_end_is_a_warning() {
    let lab = Lab::build(|sandbox, host| {
        let text = format!("#!/bin/sh\n[ \"$1\" = doctor ] && exec sleep 1000\nexec {} \"$@\"\n", native().display());
        let codex = program(sandbox, "bin/codex", &text);
        host.codex(&Codex::real(super::NO_MODEL)).codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let (ready, found) = warnings(&lab.sandbox);
    assert!(ready && found.contains(&"doctor-slow".to_owned()), "{found:?}");
}

/// The updater as codex itself starts it: `daemon start` would copy 400 MB first.
#[tokio::test(flavor = "multi_thread")]
async fn field_66_an_updater_that_runs_is_told() {
    let bed = Bed::new().await;
    assert_eq!(warnings(&bed.sandbox), (true, vec![]));
    let command = format!("exec {} app-server daemon pid-update-loop", native().display());
    let mut updater = bed.host.ssh_command(&command).stdin(Stdio::null()).spawn().unwrap();
    let mut found = Vec::new();
    while found.is_empty() {
        assert!(updater.try_wait().unwrap().is_none(), "codex's updater has ended");
        found = warnings(&bed.sandbox).1;
    }
    assert_eq!(found, ["updater-running"]);
    let shown = run(&bed.sandbox, &["check", "devbox"]).exits(0).stdout;
    assert!(shown.contains("end it: outpost shell devbox kill "), "{shown}");
    end_processes(bed.sandbox.path());
    updater.wait().unwrap();
}

/// A shell in a namespace of its own in which no further one can be made, as on hosts that forbid them.
fn without_namespaces(host: NewHost<'_>) -> NewHost<'_> {
    let inside = "echo 0 >/proc/sys/user/max_user_namespaces; echo 0 >/proc/sys/user/max_mnt_namespaces; exec /bin/bash \"$@\"";
    let text = format!("#!/bin/sh\nexport SHELL=/bin/bash\nexec unshare -Ur /bin/sh -c '{inside}' bash \"$@\"\n");
    let shell = program(host.sandbox, "shells/bash", &text);
    host.shell(shell)
}

#[tokio::test(flavor = "multi_thread")]
async fn field_49_a_sandbox_that_cannot_start_is_told_before_a_turn() {
    let bed = Lab::real(without_namespaces).await;
    assert_eq!(warnings(&bed.sandbox).1, ["api-unreachable", "sandbox-broken"]);
    let shown = run(&bed.sandbox, &["check", "devbox"]).exits(0).stdout;
    assert!(shown.contains("namespace"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn field_48_a_missing_companion_is_told_before_a_turn() {
    let lab = Lab::build(|sandbox, host| {
        let alone = sandbox.write("alone/README", "the program and nothing else").with_file_name("codex");
        if std::fs::hard_link(native(), &alone).is_err() {
            std::fs::copy(native(), &alone).unwrap();
        }
        host.codex(&Codex::real(super::NO_MODEL)).codex(&Codex::in_folder(alone.parent().unwrap()))
    })
    .await;
    let found = warnings(&lab.sandbox).1;
    assert!(found.contains(&"companion-missing".to_owned()), "{found:?}");
}

/// The codex on the disk is another than the one in memory; `outpost stop` is offered while nothing runs, and no sooner.
#[tokio::test(flavor = "multi_thread")]
async fn field_65_disk_and_memory_are_told_apart() {
    let bed = Bed::new().await;
    let id = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await.exits(0).stdout;
    bed.model.reached("held").await;
    let text =
        format!("#!/bin/sh\n[ \"$1\" = --version ] && echo codex-cli 99.1.0 && exit\nexec {} \"$@\"\n", native().display());
    let newer = program(&bed.sandbox, "newer/codex", &text);
    bed.run(&["hosts", "set", "devbox", &format!("codex={}", newer.display())]).await.exits(0);
    let ran = bed.run(&["check", "devbox"]).await.exits(0).stdout;
    assert!(ran.contains("the codex on the disk is 99.1.0  [version-skew]") && ran.contains("a thread is at work"), "{ran}");
    bed.model.open("held");
    bed.run(&["thread", "log", "--follow", id.trim()]).await.exits(0);
    let ran = bed.run(&["run", "devbox:app", "say hi"]).await.exits(0).stderr;
    assert!(ran.contains("[version-skew]") && ran.contains("outpost stop devbox"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn field_30_a_newer_codex_beside_the_one_that_runs_is_offered() {
    let lab = Lab::build(|sandbox, host| {
        let old = crate::shells::ECHO.replace("9.9.9", "0.1.0");
        program(sandbox, "old/codex", &old);
        program(sandbox, "new/codex", crate::shells::ECHO);
        let path = sandbox.path().display();
        host.rc(".profile", &format!("export PATH={path}/old:{path}/new:$PATH"))
    })
    .await;
    let told = super::Told::default();
    let remote = outpost::remote::bring_up(&lab.session, &lab.settings, outpost::remote::Want::check(), &told).await.unwrap();
    assert_eq!(remote.facts.codex.unwrap().version.as_deref(), Some("0.1.0"));
    let told = told.0.into_inner().unwrap().concat();
    assert!(told.contains("/new/codex beside it is 9.9.9  [codex-not-newest]"), "{told}");
}
