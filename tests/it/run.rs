//! `outpost run` and `check` on real parts: real sshd, real codex, a scripted model.

use outpost::demo::model::Model;
use outpost::demo::script::Script;
use serde_json::Value;

use super::bed::{Codex, Host, Ran, Sandbox};

/// A sandbox with a host `devbox` that has the real codex, and its model.
struct Bed {
    sandbox: Sandbox,
    host: Host,
    _model: Model,
}

impl Bed {
    async fn new() -> Self {
        let model = Model::start(Script::default()).await.unwrap();
        let sandbox = Sandbox::new();
        let host = sandbox.host("devbox").codex(&Codex::real(&model.base_url())).build();
        std::fs::create_dir(host.home.join("app")).unwrap();
        Self { sandbox, host, _model: model }
    }

    async fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.sandbox.outpost(args);
        tokio::task::spawn_blocking(move || super::bed::process::run(&mut command, b"")).await.unwrap()
    }
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_with_a_command_an_approval_and_a_file_change() {
    let bed = Bed::new().await;
    let prompt = "say I look around.\nrun echo seen\nask touch asked\nwrite new.txt hello\nsay All done.";
    let ran = bed.run(&["run", "devbox:app", prompt, "--approve", "always"]).await.exits(0);
    println!("{}\n{}", ran.stdout, ran.stderr);
    assert!(bed.host.home.join("app/asked").exists());
    assert_eq!(std::fs::read_to_string(bed.host.home.join("app/new.txt")).unwrap(), "hello\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_lists_the_steps() {
    let bed = Bed::new().await;
    let ran = bed.run(&["check", "devbox"]).await.exits(0);
    println!("{}\n{}", ran.stdout, ran.stderr);
    let ran = bed.run(&["check", "devbox", "--json"]).await.exits(0);
    println!("{:?}\n{}", lines(&ran), ran.stderr);
}
