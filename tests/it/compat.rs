//! What `docs/COMPATIBILITY.md` says of a release of Codex: `tests/compat` runs these against each, the suite against one.
//!
//! Nothing here names a version: what a release can do is asked, and the lines that begin with `compat:` tell it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use outpost::demo::leftovers::end_processes;
use serde_json::Value;

use super::bed::{Ran, native};
use super::run::{Bed, first, lines};

/// What the release says of itself.
fn version(codex: &std::path::Path) -> String {
    let output = std::process::Command::new(codex).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().rsplit(' ').next().unwrap().to_owned()
}

#[expect(clippy::print_stdout, reason = "what `tests/compat` reads")]
pub(crate) fn tell(what: &str, found: &str) {
    println!("compat: {} {what}: {found}", version(&native()));
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_with_a_command_an_approval_and_a_file() {
    let bed = Bed::new().await;
    let prompt = "say I look around.\nrun echo seen\nask touch asked\nwrite new.txt hello\nsay All done.";
    let ran = bed.run(&["run", "devbox:app", prompt, "--approve", "always", "--json"]).await.exits(0);
    let told = lines(&ran);
    let server = first(&told, "server");
    assert_eq!(server["version"], version(&native()));
    assert!(bed.host.home.join("app/asked").exists(), "{}", ran.stdout);
    assert_eq!(std::fs::read_to_string(bed.host.home.join("app/new.txt")).unwrap(), "hello\n");
    assert!(ran.stdout.contains("All done."), "{}", ran.stdout);
    tell("app-server", server["state"].as_str().unwrap());
    tell("turn, approval, file", "yes");
}

/// Whether servers of this release outlive a session.
fn stays(ran: &Ran) -> bool {
    !ran.stderr.contains("[server-attached]")
}

#[tokio::test(flavor = "multi_thread")]
async fn started_joined_stopped() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "devbox:app", "say one"]).await.exits(0);
    if !stays(&ran) {
        return tell("stays", "no, and that is told");
    }
    let again = bed.run(&["run", "--last", "devbox:app", "say two", "--json"]).await.exits(0);
    assert_eq!(first(&lines(&again), "server")["state"], "joined");
    let stopped = bed.run(&["stop", "devbox"]).await.exits(0).stdout;
    assert_eq!(stopped, "devbox: the app-server has ended\n");
    tell("stays", "started, joined, stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_projects_at_once() {
    let bed = Bed::new().await;
    std::fs::create_dir(bed.host.home.join("other")).unwrap();
    bed.run(&["projects", "add", "devbox:~/app"]).await.exits(0);
    bed.run(&["projects", "add", "devbox:other", "--name", "second"]).await.exits(0);
    let ran = bed.run(&["run", "-p", "app", "-p", "second", "say from both", "--json"]).await.exits(0);
    let told = lines(&ran);
    assert_eq!(of_type(&told, "thread").len(), 2, "{}", ran.stdout);
    tell("two at once", "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_prompt_goes_on() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "--detach", "devbox:app", "wait held\nsay later"]).await;
    if !stays(&ran) {
        assert!(ran.status == 6 && ran.stderr.contains("error[server-attached]"), "{ran:?}");
        return tell("detached", "refused");
    }
    let thread = ran.exits(0).stdout.trim().to_owned();
    bed.model.reached("held").await;
    bed.model.open("held");
    let log = bed.run(&["thread", "log", "--follow", &thread]).await.exits(0);
    assert!(log.stdout.contains("later"), "{}\n{}", log.stdout, log.stderr);
    tell("detached", "yes");
}

/// Some releases listen for everybody when they are told to; others refuse, and nothing is there to be told.
#[tokio::test(flavor = "multi_thread")]
async fn a_public_listener() {
    let bed = Bed::new().await;
    let command = format!("exec {} app-server --listen ws://0.0.0.0:0 2>&1", native().display());
    let mut server = bed.host.ssh_command(&command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut told = said.by_ref().take_while(|line| !line.contains("refusing to start"));
    let listens = told.any(|line| line.contains("listening on: ws://0.0.0.0:"));
    // It goes on to talk, and one that nobody reads would end.
    std::thread::spawn(move || said.for_each(drop));
    let checked = bed.run(&["check", "devbox"]).await.exits(0).stdout;
    assert_eq!(checked.contains("[public-listener]"), listens, "{checked}");
    end_processes(bed.sandbox.path());
    server.wait().unwrap();
    tell("public listener", if listens { "told" } else { "codex refuses" });
}

/// A running server of this release, and the release that the suite is written for on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn the_running_server_and_the_codex_on_the_disk() {
    let bed = Bed::new().await;
    let ran = bed.run(&["run", "devbox:app", "say one"]).await.exits(0);
    let newest = super::bed::newest();
    bed.run(&["hosts", "set", "devbox", &format!("codex={}", newest.display())]).await.exits(0);
    let again = bed.run(&["run", "devbox:app", "say two"]).await.exits(0);
    assert!(again.stdout.contains("two"), "{again:?}");
    let skewed = stays(&ran) && version(&native()) != version(&newest);
    assert_eq!(again.stderr.contains("[version-skew]"), skewed, "{}", again.stderr);
    tell("other release on the disk", if skewed { "told, and works" } else { "does not arise" });
}
