//! What `check` learns before a turn: from `codex doctor`, from a sandbox that is really started, and from the versions.

use serde_json::Value;

use super::Lab;
use super::commands::run;
use crate::bed::{Codex, NewHost, Sandbox, native};
use crate::run::Bed;
use crate::shells::program;

/// The codes of the warnings of `check --json`, and whether a thread could be run.
pub(super) fn warnings(sandbox: &Sandbox) -> (bool, Vec<String>) {
    let ran = run(sandbox, &["check", "devbox", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let steps = report[0]["steps"].as_array().unwrap().iter();
    let warnings = steps.flat_map(|step| step["warnings"].as_array().unwrap().clone());
    let coded = warnings.inspect(|w| assert!(w["code"].is_null() || w["hint"] != "", "nothing to do about {w}"));
    (report[0]["ready"] == true, coded.filter_map(|w| Some(w["code"].as_str()?.to_owned())).collect())
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
    bed.run(&["thread", "log", "--follow", &format!("devbox:{}", id.trim())]).await.exits(0);
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
