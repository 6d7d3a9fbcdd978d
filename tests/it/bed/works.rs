//! The beds hold: what the other tests lie on is tested here.

use outpost::demo::model::Model;
use outpost::demo::script::{Output, Scene, Script};
use tokio::io::AsyncReadExt;

use super::codex::folder;
use super::{Codex, Host, NewHost, Ran, Sandbox};

#[test]
fn any_login_shell_answers_over_the_real_ssh() {
    let sandbox = Sandbox::new();
    let fish = sandbox.host("fishbox").shell("/usr/bin/fish").rc(".config/fish/config.fish", "echo hi").build();
    let bash = sandbox.host("bashbox").rc(".bashrc", "echo rc").sshd("MaxSessions 3").ssh("SetEnv LAB_X=y").build();
    let ran = fish.ssh("echo $HOME; status fish-path").exits(0);
    assert_eq!(ran.stdout, format!("hi\n{}\n/usr/bin/fish\n", fish.home.display()));
    assert_eq!(bash.ssh("echo $SHELL $LAB_X").exits(0).stdout, "rc\n/bin/bash y\n");
    assert_eq!((fish.logins(), bash.logins(), bash.sessions()), (1, 1, 1), "{}", bash.log());
    assert_eq!(sandbox.stable(&format!("{}/x", sandbox.home().display())), "[SANDBOX]/home/x");
}

#[test]
fn an_unknown_host_is_refused_by_the_real_ssh() {
    let sandbox = Sandbox::without_gate();
    let one = sandbox.host("one").build();
    let new: NewHost<'_> = sandbox.host("new").unknown().host_keys(&["ecdsa", "rsa"]);
    let host: Host = new.home_of(&one).ssh("BatchMode yes").build();
    let ran: Ran = host.ssh("true").exits(255);
    assert!(ran.stderr.contains("Host key verification failed"), "{}", ran.stderr);
    assert_eq!((host.alias.as_str(), host.logins()), ("new", 0));
    assert_eq!(sandbox.run_with(&["--version"], "").exits(0).stderr, "");
    assert_eq!(sandbox.run(&["--version"]).exits(0).stderr, "");
    assert_eq!(sandbox.write("a/b", "x"), sandbox.path().join("a/b"));
    assert_eq!(sandbox.local().config_toml(), sandbox.codex_home().join("config.toml"));
}

#[tokio::test]
async fn a_pipe_leads_to_an_sshd() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").build();
    let mut stream = host.connect_pipe();
    let mut banner = [0; 8];
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
}

#[tokio::test]
async fn a_real_codex_runs_a_scripted_turn() {
    let scene = Scene::default().then(Output::run("echo from the agent")).then(Output::say("All done."));
    let model = Model::start(Script::default().on("echo", scene)).await.unwrap();
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").codex(&Codex::real(&model.base_url())).build();
    let command = "bash -lc 'codex exec --skip-git-repo-check \"please echo\" </dev/null'";
    let ran = tokio::task::spawn_blocking(move || (host.ssh(command), host)).await.unwrap().0.exits(0);
    assert!(ran.stdout.ends_with("All done.\n"), "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("from the agent"), "{}", ran.stderr);
    assert_eq!(model.requests().len(), 2);
}

#[test]
fn what_a_sandbox_started_ends_with_it() {
    for killed in [false, true] {
        let mut sandbox = Sandbox::new();
        let host = sandbox.host("devbox").codex(&Codex::in_folder(&folder())).build();
        let ran = host.ssh("bash -lc 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'").exits(0);
        let pid: i32 = ran.stdout.trim().parse().unwrap();
        assert!(outpost::demo::leftovers::processes(sandbox.path()).contains(&pid));
        let path = sandbox.path().to_owned();
        if killed {
            sandbox.abandon();
        } else {
            drop(sandbox);
        }
        // The signal is sent; its effect is not awaited by whoever sent it.
        let ended = std::iter::repeat_with(|| super::process::alive(pid)).take(100_000).any(|alive| !alive);
        assert!(ended && !path.exists());
    }
}
