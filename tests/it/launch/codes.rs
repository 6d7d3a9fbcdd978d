//! Codes of `docs/FAILURES.md` that no other test meets on real parts.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use outpost::failure::Code;
use outpost::remote::{Limits, Want};
use serde_json::json;

use super::commands::run;
use super::preflight::warnings;
use super::{Lab, NO_MODEL};
use crate::bed::{Codex, NewHost, Ran, Sandbox, native, process};
use crate::shells::{ECHO, program};

#[tokio::test]
async fn a_codex_that_cannot_be_run_is_told_in_its_words() {
    let lab = Lab::script("echo 'codex: GLIBC_2.39 not found' >&2; exit 127").await;
    let failure = lab.refused(Want::check()).await;
    assert_eq!(failure.code, Code::CodexBroken);
    assert!(failure.said.contains("GLIBC_2.39"), "{failure:?}");
    let mut lab = Lab::build(|_, host| host.rc("plain/codex", ECHO)).await;
    lab.settings.codex = Some("~/plain/codex".into());
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexBroken);
    assert!(failure.said.contains("not executable"), "{failure:?}");
}

#[tokio::test]
async fn a_codex_home_that_is_not_there_is_named() {
    let mut lab = Lab::real(|host| host.rc(".profile", "[ ! -e ~/set ] || export CODEX_HOME=/nowhere/of/rc")).await;
    lab.settings.codex_home = Some("~/nowhere".into());
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexHomeMissing);
    assert!(failure.tried.contains("/nowhere"), "{failure:?}");
    std::fs::write(lab.host.home.join("set"), "").unwrap();
    lab.settings.codex_home = None;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexHomeMissing);
    assert!(failure.tried.contains("/nowhere/of/rc"), "{failure:?}");
}

#[tokio::test]
async fn a_server_that_never_listens_is_given_up() {
    let lab = Lab::script("case $* in *--listen*) exec sleep 1000 ;; esac; exit 1").await;
    let mut want = Want::server();
    // Long enough for the login shell on a busy machine: the end of this wait is the end of the test.
    want.limits = Limits { shell: Duration::from_secs(10), answer: Duration::from_secs(2), ..want.limits };
    assert_eq!(lab.refused(want).await.code, Code::ServerSilent);
}

/// It listens, and takes connections: an inode, and a listener, are no health.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_nothing_is_not_taken_for_a_healthy_one() {
    let lab = Lab::build(|sandbox, host| host.codex(&Codex::stand_in(sandbox, &json!({"silent": true})))).await;
    let ran = run(&lab.sandbox, &["run", "devbox:", "say hi"]).exits(6);
    assert!(ran.stderr.contains("error[server-silent]"), "{ran:?}");
}

/// Something on the host ends the script while it runs.
#[tokio::test]
async fn half_an_answer_is_named_as_that() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        program(sandbox, "bin/uname", "#!/bin/sh\nkill -9 $PPID\n");
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::FactsBroken, "{failure:?}");
}

/// A shell that is held to what the modes of files say, whoever it is.
pub(super) fn without_privileges(host: NewHost<'_>) -> NewHost<'_> {
    if !nix::unistd::getuid().is_root() {
        return host;
    }
    let drop = "exec setpriv --bounding-set=-dac_override,-dac_read_search /bin/bash \"$@\"";
    let shell = program(host.sandbox, "shells/bash", &format!("#!/bin/bash\nexport SHELL=/bin/bash\n{drop}\n"));
    host.shell(shell)
}

#[tokio::test]
async fn a_folder_that_may_not_be_read_is_named() {
    let lab = Lab::real(without_privileges).await;
    let secret = lab.host.home.join("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o000)).unwrap();
    let failure = lab.refused(Want::server().in_folder("secret")).await;
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(failure.code, Code::FolderUnreadable, "{failure:?}");
    assert!(failure.said.contains("Permission denied") && lab.servers().is_empty(), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_another_host_works_in_is_told() {
    let lab = Lab::real(|host| host).await;
    lab.how().await;
    // As the other host wrote it.
    let record = std::fs::read_to_string(lab.record()).unwrap();
    let other = lab.record().with_file_name("server@farbox");
    std::fs::write(other, record.replace("machine=", "machine=f").replace("boot=", "boot=f")).unwrap();
    let (ready, codes) = warnings(&lab.sandbox);
    assert!(ready && codes.contains(&"home-shared".to_owned()), "{codes:?}");
    assert!(run(&lab.sandbox, &["check", "devbox"]).stdout.contains("shared with farbox"));
}

fn said(sandbox: &Sandbox, args: &[&str], code: &str) -> Ran {
    let ran = run(sandbox, args);
    assert!(ran.stderr.contains(&format!("error[{code}]")), "{args:?} {code}: {ran:?}");
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_told_in_its_words() {
    let refuse = json!({"refuse": {"thread/start": "no room here"}});
    let lab = Lab::build(|sandbox, host| host.codex(&Codex::stand_in(sandbox, &refuse))).await;
    let ran = said(&lab.sandbox, &["run", "devbox:", "say hi"], "server-refused").exits(6);
    assert!(ran.stderr.contains("no room here"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_protocol_is_told() {
    let answer = "printf 'HTTP/1.1 400 Bad Request\\r\\n\\r\\n'";
    let script = format!("case $* in *proxy*) {answer} ;; *) exec {} \"$@\" ;; esac", native().display());
    let lab = Lab::script(&script).await;
    let ran = said(&lab.sandbox, &["run", "devbox:", "say hi"], "server-protocol").exits(6);
    assert!(ran.stderr.contains("400"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_told() {
    let lab = Lab::build(|sandbox, host| host.codex(&Codex::stand_in(sandbox, &json!({})))).await;
    let prompt = "x".repeat(17 * 1024 * 1024);
    let ran = tokio::task::block_in_place(|| lab.sandbox.run_with(&["run", "devbox:", "-"], &prompt)).exits(6);
    assert!(ran.stderr.contains("error[message-too-large]"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_machine_lacks_or_refuses_is_no_matter_of_the_host() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").codex(&Codex::real(NO_MODEL)).build();
    let tools = sandbox.write("tools/README", "links").with_file_name("ssh");
    std::os::unix::fs::symlink("/usr/bin/ssh", &tools).unwrap();
    let mut open = sandbox.outpost(&["open", "devbox:"]);
    open.env("PATH", tools.parent().unwrap());
    let ran = tokio::task::block_in_place(|| process::run(&mut open, b"")).exits(1);
    assert!(ran.stderr.contains("error[local-codex-missing]"), "{ran:?}");
    // A disk that is full.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut hosts = sandbox.outpost(&["hosts"]);
    let ended = hosts.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(words.contains("error[local-io]") && ended.status.code() == Some(1), "{words}");
}
