//! `outpost run --with-access-token`: a token for one run, on real parts.

use std::path::PathBuf;

use super::bed::{on_host, process, until};
use super::login::{OpenAi, holding};
use super::run::Bed;

const TOKEN: &str = "at-271828182845";

fn homes(bed: &Bed) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(bed.host.home.join(".codex/outpost")).into_iter().flatten().flatten();
    folder.map(|entry| entry.path()).filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("run-")).collect()
}

/// The servers that know the token.
fn servers(bed: &Bed) -> usize {
    let knows = |pid: &i32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environ).contains(TOKEN)
    };
    on_host(&bed.sandbox, "app-server").iter().filter(|pid| knows(pid)).count()
}

async fn run(bed: &Bed, prompt: &str) -> tokio::task::JoinHandle<super::bed::Ran> {
    let mut command = bed.sandbox.outpost(&["run", "--with-access-token", "--approve", "always", "devbox:app", prompt]);
    command.env("CODEX_ACCESS_TOKEN", TOKEN);
    tokio::task::spawn_blocking(move || process::run(&mut command, b""))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_serves_one_run_and_leaves_nothing() {
    let (bed, openai) = (Bed::new().await, OpenAi::start());
    bed.run(&["hosts", "set", "devbox", &format!("env.CODEX_AUTHAPI_BASE_URL={}", openai.url)]).await.exits(0);
    std::fs::write(bed.host.home.join("keep"), "").unwrap();
    let running = run(&bed, "run env; echo \"[$CODEX_ACCESS_TOKEN]\"\nwait held\nsay Done.").await;
    bed.model.reached("held").await;
    // The server has it, in a home of its own; no file has.
    assert_eq!((servers(&bed), homes(&bed).len()), (1, 1));
    assert_eq!(holding(bed.sandbox.path(), TOKEN), Vec::<String>::new());
    bed.model.open("held");
    let ran = running.await.unwrap().exits(0);
    assert!(ran.stdout.contains("[]") && ran.stdout.contains("PATH=") && ran.stdout.contains("Done."), "{}", ran.stdout);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(TOKEN), "{}", ran.stdout);
    until("no home and no server of the token", || homes(&bed).is_empty() && servers(&bed) == 0);
    assert_eq!(holding(bed.sandbox.path(), TOKEN), Vec::<String>::new());
    // The host's own codex never saw any of it.
    assert!(!bed.host.home.join(".codex/auth.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_link_ends_the_run_and_its_home() {
    let bed = Bed::new().await;
    let running = run(&bed, "wait never\nsay x").await;
    bed.model.reached("never").await;
    bed.host.cut();
    let ran = running.await.unwrap().exits(1);
    assert!(ran.stderr.contains("error[turn-interrupted]") && ran.stderr.contains("has ended with the link"), "{}", ran.stderr);
    until("no home and no server of the token", || homes(&bed).is_empty() && servers(&bed) == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_there_is_no_run() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "--with-access-token", "devbox:app", "say x"]).await.exits(2);
    insta::assert_snapshot!(ran.stderr, @r"
    error[usage]: take the access token from CODEX_ACCESS_TOKEN
      said: it is not set
      try:  export CODEX_ACCESS_TOKEN, or sign the host in for good: outpost login HOST --with-access-token
    ");
    bed.run(&["run", "--with-access-token", "--last", "devbox:app"]).await.exits(2);
}
