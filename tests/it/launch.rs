//! Starting and joining the app-server on a host: the real codex where it matters, small programs for the faults.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outpost::config::hosts::HostSettings;
use outpost::failure::{Code, Failure};
use outpost::remote::facts::Ending;
use outpost::remote::{self, Framing, How, Limits, Remote, Stopped, Want};
use outpost::ssh::session::Session;
use outpost::step::{Nobody, Progress, Watch};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use outpost::demo::leftovers::{end_processes, processes};

use crate::bed::{Codex, Host, NewHost, Sandbox, alive, native};
use crate::shells::{ECHO, attached, program, says_it_again, session};

const NO_MODEL: &str = "http://127.0.0.1:9/v1";

/// A host with a codex, and a session with it.
struct Lab {
    host: Host,
    session: Session,
    settings: HostSettings,
    sandbox: Sandbox,
}

impl Lab {
    /// With the real codex and whatever else the host shall be.
    async fn real(more: impl FnOnce(NewHost<'_>) -> NewHost<'_>) -> Self {
        Self::build(|_, host| more(host.codex(&Codex::real(NO_MODEL)))).await
    }

    /// With this script as `codex`.
    async fn script(text: &str) -> Self {
        Self::build(|sandbox, host| {
            let codex = program(sandbox, "bin/codex", &format!("#!/bin/sh\n{text}\n"));
            host.codex(&Codex::in_folder(codex.parent().unwrap()))
        })
        .await
    }

    async fn build(more: impl for<'a> FnOnce(&'a Sandbox, NewHost<'a>) -> NewHost<'a>) -> Self {
        let sandbox = Sandbox::new();
        let host = more(&sandbox, sandbox.host("devbox")).build();
        let session = session(&sandbox, &host).await;
        Self { host, session, settings: HostSettings::default(), sandbox }
    }

    async fn up(&self, want: Want) -> Result<Remote, Failure> {
        remote::bring_up(&self.session, &self.settings, want, &Nobody).await
    }

    async fn refused(&self, want: Want) -> Failure {
        self.up(want).await.map(|remote| panic!("{:?}", remote.facts)).unwrap_err()
    }

    async fn how(&self) -> How {
        self.up(Want::server()).await.unwrap().server.how
    }

    fn codex_home(&self) -> PathBuf {
        self.host.home.join(".codex")
    }

    fn socket(&self) -> PathBuf {
        self.codex_home().join("app-server-control/app-server-control.sock")
    }

    /// The record of the server that was started.
    fn record(&self) -> PathBuf {
        let entries = std::fs::read_dir(self.codex_home().join("outpost")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths
            .find(|path| path.extension().is_none() && path.file_name().unwrap().to_str().unwrap().starts_with("server@"))
            .unwrap()
    }

    fn pid(&self) -> i32 {
        let record = std::fs::read_to_string(self.record()).unwrap();
        record.lines().find_map(|line| line.strip_prefix("pid=")).unwrap().parse().unwrap()
    }

    fn kill_server(&self) {
        let pid = self.pid();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        while alive(pid) {
            std::thread::yield_now();
        }
    }

    /// The app-servers of this sandbox.
    fn servers(&self) -> Vec<i32> {
        let is_server = |pid: &i32| {
            let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains("app-server\0--listen") && alive(*pid)
        };
        processes(self.sandbox.path()).into_iter().filter(is_server).collect()
    }
}

/// Asserts that a WebSocket server answers the HTTP upgrade.
async fn upgrades(remote: Remote) {
    let mut stream = BufReader::new(remote.server.stream);
    let ask = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert_eq!(line, "HTTP/1.1 101 Switching Protocols\r\n", "{}", remote.server.stderr.text());
}

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
async fn folders_are_looked_at_before_a_server_is_started() {
    let lab = Lab::real(|host| host.rc("file", "")).await;
    for (folder, code) in [("none", Code::FolderMissing), ("~/file", Code::FolderNotDirectory)] {
        let failure = lab.refused(Want::server().in_folder(folder)).await;
        assert_eq!(failure.code, code, "{failure:?}");
    }
    assert!(lab.servers().is_empty());
    let odd = lab.host.home.join("it's a\n\"$folder\" ");
    std::fs::create_dir(&odd).unwrap();
    let remote = lab.up(Want::check().in_folder("it's a\n\"$folder\" ")).await.unwrap();
    assert_eq!(remote.facts.folder.as_deref(), odd.to_str());
}

#[derive(Default)]
struct Told(std::sync::Mutex<Vec<String>>);

impl Watch for Told {
    fn progress(&self, progress: Progress) {
        if let Progress::Warning { text, .. } = progress {
            self.0.lock().unwrap().push(text);
        }
    }
}

#[tokio::test]
async fn field_26_a_slow_shell_is_told_and_costs_one_login() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        host.rc(".profile", "sleep 0.4").codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let told = Told::default();
    let mut want = attached();
    want.limits.slow = Duration::from_millis(300);
    let remote = remote::bring_up(&lab.session, &lab.settings, want, &told).await.unwrap();
    assert!(remote.facts.shell_took >= Duration::from_millis(400));
    let told = told.0.into_inner().unwrap().concat();
    assert!(told.starts_with("shell start-up took 0."), "{told}");
    assert_eq!((lab.host.logins(), lab.host.sessions()), (1, 1));
}

#[tokio::test]
async fn field_26_a_shell_that_waits_for_ever_is_given_up() {
    let lab = Lab::build(|_, host| host.rc(".profile", "sleep 1000")).await;
    let mut want = attached();
    want.limits = Limits { shell: Duration::from_millis(500), ..want.limits };
    assert_eq!(lab.refused(want).await.code, Code::ShellTimeout);
    end_processes(lab.sandbox.path());
}

#[tokio::test]
async fn field_28_known_places_are_offered() {
    let lab = Lab::build(|_, host| host).await;
    let place = lab.host.home.join(".nvm/versions/node/v22.1.0/bin");
    std::fs::create_dir_all(&place).unwrap();
    let path = place.join("codex");
    std::fs::write(&path, ECHO).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexMissing);
    assert!(failure.hint.contains(path.to_str().unwrap()), "{failure:?}");
    let settings = HostSettings { codex: Some("~/.nvm/versions/node/v22.1.0/bin/codex".into()), ..HostSettings::default() };
    says_it_again(remote::bring_up(&lab.session, &settings, attached(), &Nobody).await.unwrap()).await;
}

#[tokio::test]
async fn field_29_a_wrapper_without_its_node_is_named() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", "#!/usr/bin/env node\nthrow 1\n");
        let bin = codex.parent().unwrap().display();
        // Nothing but the wrapper is on this PATH; the programs of the script come from the usual places behind it.
        host.rc(".profile", &format!("PATH={bin}; export PATH"))
    })
    .await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexNoNode, "{failure:?}");
}

#[tokio::test]
async fn field_29_the_native_program_beside_a_wrapper_runs() {
    let package = native().ancestors().nth(4).unwrap().with_file_name("codex");
    let lab = Lab::build(|sandbox, host| {
        let bin = sandbox.write("bin/README", "").parent().unwrap().to_owned();
        std::os::unix::fs::symlink(package.join("bin/codex.js"), bin.join("codex")).unwrap();
        host.rc(".profile", &format!("PATH={}; export PATH", bin.display()))
    })
    .await;
    let remote = lab.up(Want::check()).await.unwrap();
    assert_eq!(Path::new(&remote.facts.runs).canonicalize().unwrap(), native().canonicalize().unwrap());
    assert_eq!(remote.facts.codex.unwrap().version.as_deref(), Some("0.169.0"));
}

#[tokio::test]
async fn field_30_every_codex_is_shown_with_its_version() {
    let lab = Lab::build(|sandbox, host| {
        let old = program(sandbox, "old/codex", &ECHO.replace("9.9.9", "0.1.0"));
        let new = program(sandbox, "new/codex", ECHO);
        let path = [old, new].map(|p| p.parent().unwrap().display().to_string()).join(":");
        host.rc(".profile", &format!("export PATH={path}:$PATH"))
    })
    .await;
    let facts = lab.up(Want::check()).await.unwrap().facts;
    let shown: Vec<_> = facts.candidates.iter().take(2).map(|c| c.version.as_deref()).collect();
    assert_eq!(shown, [Some("0.1.0"), Some("9.9.9")]);
    assert_eq!(facts.codex.unwrap().version.as_deref(), Some("0.1.0"));
}

#[tokio::test]
async fn field_31_a_path_is_a_path_under_fish() {
    let lab = Lab::real(|host| host.shell("/usr/bin/fish")).await;
    let facts = lab.up(Want::check()).await.unwrap().facts;
    assert!(facts.path.split(':').all(|folder| folder.starts_with('/')), "{}", facts.path);
}

#[tokio::test]
async fn field_32_a_server_has_the_usual_places_on_its_path() {
    let lab = Lab::build(|_, host| host.rc(".profile", "export PATH=$HOME/bin").codex(&Codex::real(NO_MODEL))).await;
    assert_eq!(lab.how().await, How::Started);
    let environ = std::fs::read_to_string(format!("/proc/{}/environ", lab.pid())).unwrap();
    let path = environ.split('\0').find(|v| v.starts_with("PATH=")).unwrap();
    assert!(path.ends_with("/home/bin:/usr/local/bin:/usr/bin:/bin"), "{path}");
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
async fn field_34_a_server_that_dies_says_why() {
    let lab =
        Lab::script("case $* in *--listen*) sleep 0.2; echo 'config.toml: line 3 is wrong' >&2; exit 1 ;; esac; exit 1").await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!((failure.code, failure.said.as_str()), (Code::ServerDied, "config.toml: line 3 is wrong"));
    let lab = Lab::script("echo \"error: unrecognized subcommand 'app-server'\" >&2; exit 2").await;
    assert_eq!(lab.refused(Want::server()).await.code, Code::CodexTooOld);
}

#[tokio::test]
async fn field_35_a_host_that_ends_what_stays_behind_gets_nothing_to_end() {
    let lab = Lab::real(|host| host).await;
    let remote = lab.up(Want::server()).await.unwrap();
    assert_eq!(remote.server.how, How::Started);
    // The host ends the session, and with it every process that came of it.
    end_processes(lab.sandbox.path());
    drop(remote);
    let lab = Lab { session: session(&lab.sandbox, &lab.host).await, ..lab };
    let remote = lab.up(Want::server()).await.unwrap();
    assert_eq!((remote.server.how, remote.facts.ends_sessions), (How::Attached, Some(Ending::Reaped)));
    // A server that ended while somebody looked, or after it was seen to stay, was not ended by the host.
    std::fs::write(format!("{}.survived", lab.record().display()), "").unwrap();
    assert_eq!(lab.how().await, How::Started);
}

#[tokio::test]
async fn field_35_logind_that_kills_is_seen_beforehand() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        let said = "#!/bin/sh\ncase $* in *KillUserProcesses*) exit 0 ;; esac\nexec /bin/grep \"$@\"\n";
        program(sandbox, "bin/grep", said);
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let remote = lab.up(Want::server()).await.unwrap();
    assert_eq!((remote.server.how, remote.facts.ends_sessions), (How::Attached, Some(Ending::Logind)));
    says_it_again(remote).await;
}

#[tokio::test]
async fn a_host_remembered_as_ending_sessions_gets_an_attached_server() {
    let mut lab = Lab::real(|host| host).await;
    lab.settings.session_attached = Some(true);
    let remote = lab.up(Want { early: b"GET / HTTP/1.1\r\nX: y\r\n\r\n".to_vec(), ..Want::server() }).await.unwrap();
    assert_eq!((remote.server.how, remote.server.framing), (How::Attached, Framing::Lines));
    let mut stream = BufReader::new(remote.server.stream);
    stream
        .write_all(b"{\"id\":1,\"method\":\"initialize\",\"params\":{\"clientInfo\":{\"name\":\"t\",\"version\":\"0\"}}}\n")
        .await
        .unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    assert!(line.starts_with("{\"id\":1,\"result\":"), "{line}");
}

#[tokio::test]
async fn field_36_a_long_codex_home_is_no_matter() {
    let long = "x".repeat(120);
    let mut lab = Lab::real(|host| host.rc(&format!("{long}/config.toml"), "")).await;
    lab.settings.codex_home = Some(format!("~/{long}"));
    upgrades(lab.up(Want::server()).await.unwrap()).await;
    assert_eq!(lab.how().await, How::Joined);
}

#[tokio::test]
async fn field_37_a_refused_socket_folder_is_told_in_the_servers_words() {
    let lab = Lab::real(|host| host).await;
    let control = lab.codex_home().join("app-server-control");
    std::fs::write(&control, "not a folder").unwrap();
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::ServerDied, "{failure:?}");
    assert!(failure.said.contains("app-server-control"), "{failure:?}");
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

#[tokio::test]
async fn field_40_reconnects_leave_one_server() {
    let lab = Lab::real(|host| host).await;
    for _ in 0..12 {
        drop(lab.up(Want::server()).await.unwrap());
    }
    assert_eq!(lab.servers(), [lab.pid()]);
}

#[tokio::test]
async fn field_41_only_our_own_server_is_stopped() {
    let lab = Lab::real(|host| host).await;
    let stop = || remote::stop(&lab.session, &lab.settings, false, &Nobody);
    assert_eq!(stop().await.unwrap(), Stopped::None);
    // Somebody else's server on the default socket.
    let mut theirs =
        lab.host.ssh_command(". ~/.profile; exec codex app-server --listen unix:// </dev/null >/dev/null 2>&1").spawn().unwrap();
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
    let record = std::fs::read_to_string(lab.record()).unwrap();
    let forged = record.replace("start=", "start=9");
    std::fs::write(lab.record(), forged).unwrap();
    assert_eq!(remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap(), Stopped::NotOurs);
    assert!(alive(pid));
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
async fn field_42_a_socket_folder_of_somebody_else_is_refused() {
    let lab = Lab::real(|host| host).await;
    let elsewhere = lab.sandbox.path().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::create_dir_all(lab.socket().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("sock"), lab.socket()).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(elsewhere.join("sock")).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(lab.refused(Want::server()).await.code, Code::SocketForeign);
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o700)).unwrap();
    if nix::unistd::getuid().is_root() {
        std::os::unix::fs::chown(&elsewhere, Some(65_534), None).unwrap();
        let failure = lab.refused(Want::server()).await;
        assert_eq!(failure.code, Code::SocketForeign);
        assert!(failure.said.contains("65534"), "{failure:?}");
    }
}

#[tokio::test]
async fn field_43_databases_on_a_network_home_are_named() {
    let died = "case $* in *--listen*) echo 'Error: failed to open database: locking protocol' >&2 ;; esac; exit 1";
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", &format!("#!/bin/sh\n{died}\n"));
        program(sandbox, "bin/stat", "#!/bin/sh\necho nfs\n");
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::NetworkHome, "{failure:?}");
    assert!(failure.hint.contains("CODEX_SQLITE_HOME"));
}

#[tokio::test]
async fn field_44_one_home_on_two_hosts() {
    let lab = Lab::real(|host| host).await;
    assert_eq!(lab.how().await, How::Started);
    // The other host: another name, another machine, a socket on which nobody there listens.
    let record = lab.record();
    std::fs::rename(&record, record.with_file_name("server@otherbox")).unwrap();
    end_processes(lab.sandbox.path());
    let lab = Lab { session: session(&lab.sandbox, &lab.host).await, ..lab };
    let told = Told::default();
    let remote = remote::bring_up(&lab.session, &lab.settings, Want::server(), &told).await.unwrap();
    assert_eq!((remote.server.how, remote.facts.other_hosts.clone()), (How::Started, vec!["otherbox".to_owned()]));
    assert!(told.0.into_inner().unwrap().concat().contains("shared with otherbox"));
    drop(remote);
    // A stop here leaves the other host's record, and a process of that number here, alone.
    assert_eq!(remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap(), Stopped::Ours);
    assert!(record.with_file_name("server@otherbox").exists());
}

#[tokio::test]
async fn field_46_a_folder_that_macos_guards_is_named() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        program(sandbox, "bin/uname", "#!/bin/sh\n[ \"$*\" = '-s -m' ] && echo Darwin arm64 || echo mac\n");
        program(sandbox, "bin/ls", "#!/bin/sh\necho \"ls: $1: Operation not permitted\" >&2; exit 1\n");
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let failure = lab.refused(Want::server().in_folder("~")).await;
    assert_eq!(failure.code, Code::FolderUnreadable);
    assert!(failure.hint.contains("Full Disk Access"), "{failure:?}");
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
async fn a_start_up_file_that_eats_all_input_still_leads_to_the_server() {
    let lab = Lab::real(|host| host.rc(".bashrc", "cat >/dev/null")).await;
    let mut want = Want::server();
    want.limits.patience = Duration::from_millis(300);
    let remote = lab.up(want).await.unwrap();
    assert_eq!(remote.server.how, How::Started);
    upgrades(remote).await;
}

#[tokio::test]
async fn a_public_listener_is_told() {
    let lab = Lab::real(|host| host).await;
    let mut public =
        lab.host.ssh_command("exec sh -c 'sleep 1000; :' codex app-server --listen ws://0.0.0.0:4500").spawn().unwrap();
    let mut listeners = Vec::new();
    while listeners.is_empty() {
        listeners = lab.up(Want::check()).await.unwrap().facts.listeners;
        listeners.retain(|l| l.contains("4500"));
    }
    assert!(listeners[0].contains("ws://0.0.0.0:4500"), "{listeners:?}");
    end_processes(lab.sandbox.path());
    public.wait().unwrap();
}

#[tokio::test]
async fn a_persons_own_way_in_is_gone_through() {
    for shell in ["/bin/bash", "/usr/bin/fish", "/usr/bin/tcsh", "/bin/dash"] {
        let mut lab = Lab::build(|sandbox, host| {
            let codex = program(sandbox, "bin/codex", ECHO);
            program(sandbox, "via", &format!("#!/bin/sh\nexport SHELL={shell} LAB_VIA=1\nexec {shell} -c \"$*\"\n"));
            host.codex(&Codex::in_folder(codex.parent().unwrap()))
        })
        .await;
        let via = lab.sandbox.path().join("via");
        lab.settings.run_through = vec![via.to_str().unwrap().to_owned()];
        let remote = lab.up(attached()).await.unwrap_or_else(|f| panic!("{shell}: {f:?}"));
        assert_eq!(remote.facts.shell, shell);
        says_it_again(remote).await;
    }
}
