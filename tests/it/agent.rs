//! ForwardAgent: a real ssh-agent here, a real sshd and the real codex there.

use std::path::{Path, PathBuf};

use outpost::app_server::durable::link::Link;
use outpost::app_server::durable::settings::Settings;
use outpost::demo::model::Model;
use outpost::demo::script::Script;
use outpost::remote::facts::Agent;
use outpost::remote::{self, How, Remote, Want};
use outpost::ssh::session::Session;
use outpost::step::Nobody;
use serde_json::json;

use crate::bed::front::{Front, params, text};
use crate::bed::{Codex, Host, NewHost, Sandbox, kill_servers};
use crate::session::{open, said};
use crate::session_keys::{add, agent};

const NO_MODEL: &str = "http://127.0.0.1:9/v1";

struct Lab {
    sandbox: Sandbox,
    host: Host,
    agent: PathBuf,
}

impl Lab {
    /// A host that is lent an agent with one key.
    fn new(codex: &Codex, more: impl FnOnce(NewHost<'_>) -> NewHost<'_>) -> Self {
        let sandbox = Sandbox::new();
        let agent = agent(&sandbox, "agent.sock");
        let lent = sandbox.host("dev").ssh(&format!("ForwardAgent {}", agent.display()));
        let host = more(lent.codex(codex)).build();
        add(&agent, &host.client_key());
        Self { sandbox, host, agent }
    }

    fn link(&self) -> PathBuf {
        let name = nix::unistd::gethostname().unwrap();
        self.host.home.join(format!(".codex/outpost/agent@{}", name.to_str().unwrap()))
    }

    async fn up(&self, session: &Session, want: Want) -> Remote {
        let want = Want { agent: session.lends_agent(), ..want };
        remote::bring_up(session, &Default::default(), want, &Nobody).await.unwrap()
    }
}

/// What a command of the agent prints in a turn.
async fn printed(front: &mut Front, (thread, id): (&str, &str), command: &str) -> String {
    front.call("turn/start", Front::prompt(thread, id, &format!("run {command}"))).await;
    let ran = front.until("a command", |m| !text(params(m), &["item", "aggregatedOutput"]).is_empty()).await;
    front.until_method("turn/completed").await;
    text(params(&ran), &["item", "aggregatedOutput"]).to_owned()
}

/// FIELD-FAILURES.md row 16: a server that stays keeps the agent over a lost link and the login that follows.
#[tokio::test(flavor = "multi_thread")]
async fn field_16_a_lent_agent_lives_over_a_reconnect() {
    for carrier in ["builtin", "ssh"] {
        let model = Model::start(Script::default()).await.unwrap();
        let lab = Lab::new(&Codex::real(&model.base_url()), |host| host);
        lab.sandbox.run(&["hosts", "set", "dev", &format!("carrier={carrier}")]).exits(0);
        let mut front = Front::reach(&lab.sandbox, "dev", Settings::own()).await;
        let wanted = json!({"cwd": lab.host.home, "sandbox": "danger-full-access", "approvalPolicy": "never"});
        let started = front.call("thread/start", wanted).await;
        let thread = text(&started, &["thread", "id"]).to_owned();
        let before = printed(&mut front, (&thread, "a"), "ssh-add -l").await;
        assert!(before.contains("(ED25519)"), "{carrier}: {before}");
        let first = std::fs::read_link(lab.link()).unwrap();

        lab.host.cut();
        front.until_state("lost", |s| matches!(s.link, Link::Lost { .. })).await;
        front.until_state("up", |s| s.link == Link::Up).await;
        let after = printed(&mut front, (&thread, "b"), "ssh-add -l").await;
        assert_eq!(after, before, "{carrier}");
        let second = std::fs::read_link(lab.link()).unwrap();
        assert_ne!(first, second, "{carrier}: each login has a socket of its own");
        let path = printed(&mut front, (&thread, "c"), "echo $SSH_AUTH_SOCK").await;
        assert_eq!(Path::new(path.trim()), lab.link(), "{carrier}: the same name for it all the time");
    }
}

#[tokio::test]
async fn nothing_is_lent_that_nobody_asked_for() {
    let sandbox = Sandbox::new();
    let agent = agent(&sandbox, "agent.sock");
    sandbox.add_ssh_config(&format!("Host *\n  IdentityAgent {}\n", agent.display()));
    let host = sandbox.host("dev").codex(&Codex::real(NO_MODEL)).build();
    let session = open(&sandbox, "dev").await.unwrap();
    assert!(!session.lends_agent());
    let want = Want { agent: session.lends_agent(), ..Want::server() };
    let remote = remote::bring_up(&session, &Default::default(), want, &Nobody).await.unwrap();
    assert_eq!((remote.server.how, remote.facts.agent), (How::Started, None));
    let left: Vec<_> = std::fs::read_dir(host.home.join(".codex/outpost")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("agent@")), "{left:?}");
}

#[tokio::test]
async fn a_jump_host_is_lent_nothing() {
    let sandbox = Sandbox::new();
    let socket = agent(&sandbox, "agent.sock");
    sandbox.add_ssh_config(&format!("Match all\n  ForwardAgent {}\n", socket.display()));
    // The jump host is one that would tell: whoever asks it for an agent is written down in its log.
    let jump = sandbox.host("jump").sshd("LogLevel DEBUG1").build();
    let dev = sandbox.host("dev").sshd("LogLevel DEBUG1").build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    sandbox.write(
        "ssh_config",
        &format!(
            "Host far\n  HostName 127.0.0.1\n  Port {port}\n  ProxyJump jump\n  HostKeyAlias dev\n  User {}\n  IdentityFile {}\n  \
             IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n{}",
            sandbox.local().user,
            dev.client_key().display(),
            sandbox.known_hosts().display(),
            std::fs::read_to_string(sandbox.ssh_config()).unwrap()
        ),
    );
    let behind = dev.connect_pipe();
    tokio::spawn(async move {
        let (mut stream, mut behind) = (listener.accept().await.unwrap().0, behind);
        drop(tokio::io::copy_bidirectional(&mut stream, &mut behind).await);
    });
    let session = open(&sandbox, "far").await.unwrap();
    assert!(said(&session, "ssh-add -l").await.0.contains("no identities"), "an empty agent answers");
    assert!(dev.log().contains("auth-agent-req@openssh.com"), "{}", dev.log());
    assert!(!jump.log().contains("auth-agent-req"), "{}", jump.log());
}

#[tokio::test]
async fn a_check_says_who_can_use_it_and_leaves_nothing() {
    let lab = Lab::new(&Codex::real(NO_MODEL), |host| host);
    let told = |json: &str| {
        let report: serde_json::Value = serde_json::from_str(json).unwrap();
        let steps = report[0]["steps"].as_array().unwrap();
        let warnings = steps.iter().flat_map(|s| s["warnings"].as_array().unwrap());
        warnings.filter(|w| w["text"].as_str().unwrap().contains("ssh-agent")).cloned().collect::<Vec<_>>()
    };
    let ran = lab.sandbox.run(&["check", "dev", "--json"]);
    insta::assert_json_snapshot!(told(&ran.stdout), @r#"
    [
      {
        "code": null,
        "text": "your ssh-agent is lent to this host (ForwardAgent): while you are connected, every client of its app-server can use it",
        "hint": "ForwardAgent no for dev in the ssh configuration takes it back"
      }
    ]
    "#);
    assert!(!lab.link().exists() && !lab.host.home.join(".codex/outpost").exists());
    // The agent is gone: that is said, and the check goes on.
    std::fs::remove_file(&lab.agent).unwrap();
    let ran = lab.sandbox.run(&["check", "dev"]);
    assert!(ran.stdout.contains("note: ForwardAgent is set, but no agent listens at"), "{}", ran.stdout);
}

#[tokio::test]
async fn what_stands_in_the_way_is_said() {
    let refused = Lab::new(&Codex::real(NO_MODEL), |host| host.sshd("AllowAgentForwarding no"));
    let session = open(&refused.sandbox, "dev").await.unwrap();
    assert_eq!(refused.up(&session, Want::check()).await.facts.agent, Some(Agent::Refused));

    let own = Lab::new(&Codex::real(NO_MODEL), |host| host.rc(".profile", "export SSH_AUTH_SOCK=$HOME/mine"));
    let session = open(&own.sandbox, "dev").await.unwrap();
    assert_eq!(own.up(&session, Want::check()).await.facts.agent, Some(Agent::Own));
}

#[tokio::test]
async fn a_server_from_before_cannot_use_it() {
    let lab = Lab::new(&Codex::real(NO_MODEL), |host| host);
    let session = open(&lab.sandbox, "dev").await.unwrap();
    let first = remote::bring_up(&session, &Default::default(), Want::server(), &Nobody).await.unwrap();
    assert_eq!((first.server.how, first.facts.agent), (How::Started, None));
    let second = lab.up(&session, Want::server()).await;
    assert_eq!((second.server.how, second.facts.agent), (How::Joined, Some(Agent::Unused)));
    assert_eq!(kill_servers(&lab.sandbox), 1);
    std::fs::write(record(&lab).with_extension("survived"), "").unwrap();
    let third = lab.up(&session, Want::server()).await;
    assert_eq!((third.server.how, third.facts.agent), (How::Started, Some(Agent::Lent)));
    let fourth = lab.up(&session, Want::check()).await;
    assert_eq!((fourth.server.how, fourth.facts.agent), (How::Joined, Some(Agent::Lent)));
}

fn record(lab: &Lab) -> PathBuf {
    let name = nix::unistd::gethostname().unwrap();
    lab.host.home.join(format!(".codex/outpost/server@{}", name.to_str().unwrap()))
}

/// A host can open no more connections to the agent than a person's programs would.
#[tokio::test]
async fn a_host_has_few_connections_to_the_agent_at_once() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path().join("slow-agent.sock");
    let agent = tokio::net::UnixListener::bind(&socket).unwrap();
    let _host = sandbox.host("dev").ssh(&format!("ForwardAgent {}", socket.display())).build();
    let session = open(&sandbox, "dev").await.unwrap();
    // That somebody listens there was looked at first.
    drop(agent.accept().await.unwrap());
    let ask = "for n in $(seq 20); do (ssh-add -l >/dev/null 2>&1; echo gone) & done; wait";
    let mut exec = session.exec(ask).await.unwrap();
    let mut gone = [0; 5];
    for _ in 0..4 {
        tokio::io::AsyncReadExt::read_exact(&mut exec.stdout, &mut gone).await.unwrap();
    }
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(agent.accept().await.unwrap().0);
    }
    // One that ends makes room for another.
    held.pop();
    tokio::io::AsyncReadExt::read_exact(&mut exec.stdout, &mut gone).await.unwrap();
    let again = session.exec("ssh-add -l").await.unwrap();
    held.push(agent.accept().await.unwrap().0);
    drop((held, again));
}
