//! One server, started once, joined by all, stopped by us alone.

use std::time::{Duration, Instant};

use outpost::demo::leftovers::end_processes;
use outpost::remote::{self, Framing, How, Stopped, Want};
use outpost::step::Nobody;

use super::{Lab, NO_MODEL, Told, upgrades};
use crate::bed::{Codex, alive, native};
use crate::shells::{program, session};

#[tokio::test]
async fn a_server_is_started_then_joined() {
    let lab = Lab::real(|host| host).await;
    let first = lab.up(Want::server()).await.unwrap();
    assert_eq!((first.server.how, first.server.framing), (How::Started, Framing::WebSocket));
    upgrades(first).await;
    let second = lab.up(Want::server().in_folder("~")).await.unwrap();
    assert_eq!(second.server.how, How::Joined);
    assert_eq!(second.facts.folder.as_deref(), lab.host.home.to_str());
    upgrades(second).await;
    assert_eq!((lab.host.logins(), lab.host.sessions()), (1, 2));
}

#[tokio::test]
async fn a_check_leaves_no_server() {
    let lab = Lab::real(|host| host).await;
    let remote = lab.up(Want::check()).await.unwrap();
    assert_eq!(remote.server.how, How::Attached);
    let codex = remote.facts.codex.clone().unwrap();
    assert_eq!(codex.version.as_deref(), Some("0.169.0"));
    drop(remote);
    assert!(!lab.socket().exists());
}

#[tokio::test]
async fn field_32_a_server_has_the_usual_places_on_its_path() {
    let lab = Lab::build(|_, host| host.rc(".profile", "export PATH=$HOME/bin").codex(&Codex::real(NO_MODEL))).await;
    assert_eq!(lab.how().await, How::Started);
    let environ = std::fs::read_to_string(format!("/proc/{}/environ", lab.pid())).unwrap();
    let path = environ.split('\0').find(|v| v.starts_with("PATH=")).unwrap();
    assert!(path.ends_with("/home/bin:/usr/local/bin:/usr/bin:/bin"), "{path}");
    let told = Told::default();
    remote::bring_up(&lab.session, &lab.settings, Want::server(), &told).await.unwrap();
    let told = told.0.into_inner().unwrap().concat();
    assert!(told.contains("[path-incomplete]"), "{told}");
}

#[tokio::test]
async fn field_33_a_started_server_holds_no_channel() {
    let lab = Lab::real(|host| host).await;
    let remote = lab.up(Want::server()).await.unwrap();
    drop(remote.server.stream);
    tokio::time::timeout(Duration::from_secs(10), remote.server.status).await.expect("the command ended").ok();
    assert!(alive(lab.pid()));
}

#[tokio::test]
async fn field_38_a_stale_socket_is_replaced() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    std::fs::write(format!("{}.survived", lab.record().display()), "").unwrap();
    lab.kill_server();
    assert!(lab.socket().exists());
    upgrades(lab.up(Want::server()).await.unwrap()).await;
    assert!(alive(lab.pid()));
}

#[tokio::test]
async fn a_server_that_dies_while_its_session_stands_was_not_ended_by_the_host() {
    let lab = Lab::real(|host| host).await;
    let remote = lab.up(Want::server()).await.unwrap();
    lab.kill_server();
    // The shell that started it is still there, or waits to see it outlive the session: that no host does that ends them.
    assert_eq!(lab.how().await, How::Started);
    drop(remote);
}

#[tokio::test]
async fn field_39_many_starters_one_server() {
    let lab = Lab::real(|host| host).await;
    let all = futures_util::future::join_all((0..6).map(|_| lab.up(Want::server()))).await;
    let hows: Vec<How> = all.iter().map(|remote| remote.as_ref().unwrap().server.how).collect();
    assert_eq!(hows.iter().filter(|how| **how == How::Started).count(), 1, "{hows:?}");
    assert_eq!(lab.servers(), [lab.pid()]);
    for remote in all {
        upgrades(remote.unwrap()).await;
    }
}

/// Releases before 0.133 have no lock of their own, nor has the stand-in: ours decides alone.
#[tokio::test]
async fn field_39_our_own_lock_decides_too() {
    for _ in 0..3 {
        let lab = Lab::build(|sandbox, host| {
            // One that takes its time: all others come before it listens.
            let stand_in = Codex::stand_in(sandbox, &serde_json::json!({}));
            let real = sandbox.path().join("stand-in/codex").display().to_string();
            let slow = format!("#!/bin/sh\ncase $* in *--listen*) sleep 0.5 ;; esac\nexec {real} \"$@\"\n");
            let codex = program(sandbox, "slow/codex", &slow);
            host.codex(&stand_in).codex(&Codex::in_folder(codex.parent().unwrap()))
        })
        .await;
        let all = futures_util::future::join_all((0..5).map(|_| lab.up(Want::server()))).await;
        let hows: Vec<How> = all.iter().map(|remote| remote.as_ref().unwrap().server.how).collect();
        assert_eq!(hows.iter().filter(|how| **how == How::Started).count(), 1, "{hows:?}");
        assert_eq!(lab.servers(), [lab.pid()]);
    }
}

#[tokio::test]
async fn field_40_reconnects_leave_one_server() {
    let lab = Lab::real(|host| host).await;
    for _ in 0..12 {
        drop(lab.up(Want::server()).await.unwrap());
    }
    assert_eq!(lab.servers(), [lab.pid()]);
    // And when the whole link is cut, without a goodbye.
    for _ in 0..8 {
        let session = session(&lab.sandbox, &lab.host).await;
        let remote = remote::bring_up(&session, &lab.settings, Want::server(), &Nobody).await.unwrap();
        assert_eq!(remote.server.how, How::Joined);
        lab.host.cut();
        drop(remote);
    }
    assert_eq!(lab.servers(), [lab.pid()]);
}

#[tokio::test]
async fn field_41_67_a_server_of_others_is_joined_and_never_stopped() {
    let lab = Lab::real(|host| host).await;
    let stop = || remote::stop(&lab.session, &lab.settings, false, &Nobody);
    assert_eq!(stop().await.unwrap(), Stopped::None);
    // Somebody else's server on the default socket, as Codex's own daemon starts it.
    let line = ". ~/.profile; exec codex app-server --listen unix:// --managed-daemon </dev/null >/dev/null 2>&1";
    let mut theirs = lab.host.ssh_command(line).spawn().unwrap();
    while !lab.socket().exists() {
        tokio::task::yield_now().await;
    }
    assert_eq!(lab.how().await, How::Joined);
    assert_eq!(stop().await.unwrap(), Stopped::NotOurs);
    assert_eq!(lab.servers().len(), 1);
    end_processes(lab.sandbox.path());
    theirs.wait().unwrap();
}

#[tokio::test]
async fn field_41_a_reused_number_is_not_signalled() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    let pid = lab.pid();
    let path = lab.record();
    let record = std::fs::read_to_string(&path).unwrap();
    for other in ["start=", "exe=", "boot=", "machine="] {
        // A program is told by its path or by its file: both are another's.
        let forged =
            record.replace(other, &format!("{other}9")).replace("file=", if other == "exe=" { "file=9" } else { "file=" });
        std::fs::write(&path, forged).unwrap();
        assert_eq!(remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap(), Stopped::NotOurs, "{other}");
        assert!(alive(pid), "{other}");
    }
}

#[tokio::test]
async fn our_server_is_stopped() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    let pid = lab.pid();
    assert_eq!(remote::stop(&lab.session, &lab.settings, false, &Nobody).await.unwrap(), Stopped::Ours);
    assert!(!alive(pid));
    assert_eq!(lab.how().await, How::Started);
}

#[tokio::test]
async fn field_50_the_hosts_environment_reaches_the_server() {
    let mut lab = Lab::real(|host| host).await;
    lab.settings.env.insert("HTTPS_PROXY".into(), "http://proxy:3128/?a='b".into());
    assert_eq!(lab.how().await, How::Started);
    let environ = std::fs::read_to_string(format!("/proc/{}/environ", lab.pid())).unwrap();
    assert!(environ.contains("HTTPS_PROXY=http://proxy:3128/?a='b\0"));
    for ours in ["OUTPOST_STAGE", "OUTPOST_PID", "SSH_CONNECTION", "SSH_CLIENT", "SSH_AUTH_SOCK"] {
        assert!(!environ.contains(&format!("{ours}=")), "{ours} is in the server's environment");
    }
}

#[tokio::test]
async fn field_52_53_an_exec_channel_is_enough() {
    let lab = Lab::real(|host| host.sshd("AllowStreamLocalForwarding no\nAllowTcpForwarding no\nMaxSessions 1")).await;
    upgrades(lab.up(Want::server()).await.unwrap()).await;
    assert_eq!(lab.host.logins(), 1);
}

#[tokio::test]
async fn field_66_the_updater_is_never_started() {
    let lab = Lab::build(|sandbox, host| {
        let log = sandbox.path().join("asked");
        let text = format!("#!/bin/sh\necho \"$*\" >>{}\nexec {} \"$@\"\n", log.display(), native().display());
        let codex = program(sandbox, "bin/codex", &text);
        host.codex(&Codex::real(NO_MODEL)).codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    assert_eq!(lab.how().await, How::Started);
    let asked = std::fs::read_to_string(lab.sandbox.path().join("asked")).unwrap();
    let odd: Vec<&str> =
        asked.lines().filter(|l| !l.starts_with("app-server proxy --sock ") && *l != "app-server --listen unix://").collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[tokio::test]
async fn a_public_listener_is_told() {
    let lab = Lab::real(|host| host).await;
    let open = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let like = |name: &str, port: u16| {
        let line =
            format!("exec -a {name} sh -c 'sleep 1000; :' codex app-server --listen ws://0.0.0.0:{port}/{}", std::process::id());
        lab.host.ssh_command(&line).spawn().unwrap()
    };
    // Port 9 of no system listens; and an editor is no app-server.
    let processes = [like("codex", port), like("codex", 9), like("vim", port)];
    let ours = |line: &String| line.contains(&format!("/{}", std::process::id()));
    let mut told = String::new();
    while !(told.contains("there listens for") && told.contains("was started to listen")) {
        let watch = Told::default();
        let facts = remote::bring_up(&lab.session, &lab.settings, Want::check(), &watch).await.unwrap().facts;
        assert!(facts.listeners.iter().all(|line| !line.starts_with("vim")), "{facts:?}");
        told = watch.0.into_inner().unwrap().into_iter().filter(ours).collect();
    }
    assert!(told.contains("[public-listener]"), "{told}");
    end_processes(lab.sandbox.path());
    for mut process in processes {
        process.wait().unwrap();
    }
}

/// What Outpost adds of its own to the login shell's start-up and codex's own time (its `proxy`, its version); the best of several
/// rounds, and more of them while the machine that this runs on does other things.
#[tokio::test]
async fn a_bring_up_adds_less_than_50_ms() {
    const AIM: Duration = Duration::from_millis(50);
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    let (mut ours, mut without) = (Duration::MAX, Duration::MAX);
    let codex = format!("codex --version; codex app-server proxy --sock {} </dev/null", lab.socket().display());
    let command = format!("exec /bin/bash -l -c '{codex}'");
    for round in 0..200 {
        let began = Instant::now();
        lab.session.exec(&command).await.unwrap().wait().await;
        without = without.min(began.elapsed());
        let began = Instant::now();
        let remote = lab.up(Want::server()).await.unwrap();
        ours = ours.min(began.elapsed());
        drop(remote);
        if round >= 12 && ours.saturating_sub(without) < AIM {
            break;
        }
    }
    let added = ours.saturating_sub(without);
    assert!(added < AIM, "{ours:?} against {without:?}: {added:?}");
    println!("bring-up {ours:?}, login shell and codex alone {without:?}, added {added:?}");
}
