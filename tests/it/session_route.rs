//! The way to a host: jump hosts, proxies, silence, and what else a channel can carry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use outpost::failure::Code;
use outpost::host::resolve::resolve;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::exec::ExitStatus;
use outpost::ssh::forward::Listen;
use outpost::ssh::session::{Alone, Context, Session, Terminal};
use outpost::ssh::shell::{Pty, Size};
use outpost::step::Nobody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::bed::{Host, Sandbox};
use crate::session::{open, said};

/// A TCP port in front of a host's sshd; while `flows` is false nothing goes through.
async fn port(host: &Host, flows: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = host.sshd_config();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut sshd = tokio::process::Command::new("/usr/sbin/sshd");
            sshd.args(["-i", "-e", "-f"]).arg(&host).kill_on_drop(true);
            sshd.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
            let mut child = sshd.spawn().unwrap();
            let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let (read, write) = stream.into_split();
            tokio::spawn(pump(read, input, flows.clone()));
            tokio::spawn(pump(output, write, flows.clone()));
            tokio::spawn(async move { child.wait().await });
        }
    });
    port
}

async fn pump(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, mut flows: watch::Receiver<bool>) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if flows.wait_for(|f| *f).await.is_err() || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// A host behind a port instead of a ProxyCommand.
pub(crate) async fn behind_a_port(sandbox: &Sandbox, alias: &str, more: &str) -> (Host, u16, watch::Sender<bool>) {
    let host = sandbox.host(&format!("{alias}-sshd")).build();
    let (flows, receiver) = watch::channel(true);
    let port = port(&host, receiver).await;
    let (key, user) = (host.client_key(), sandbox.local().user);
    let known = sandbox.path().join(format!("known-{alias}"));
    let public = std::fs::read_to_string(host.dir.join("hostkey_ed25519.pub")).unwrap();
    std::fs::write(&known, format!("[127.0.0.1]:{port} {public}")).unwrap();
    sandbox.add_ssh_config(&format!(
        "Host {alias}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {}\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n{more}",
        key.display(),
        known.display()
    ));
    (host, port, flows)
}

#[tokio::test]
async fn field_08_jump_hosts_and_proxies() {
    let sandbox = Sandbox::new();
    let first = sandbox.host("first").build();
    let (_second, port, _flows) = behind_a_port(&sandbox, "second", "  ProxyJump first\n").await;
    let (last, ..) = behind_a_port(&sandbox, "last", &format!("  ProxyJump first,second:{port}\n")).await;
    let session = open(&sandbox, "last").await.unwrap();
    assert_eq!(said(&session, "echo $OUTPOST_BED").await.0, format!("{}\n", last.dir.display()));
    assert!(session.facts().address.ends_with("through second"), "{:?}", session.facts());
    assert_eq!(first.logins(), 1);
    session.close().await;

    // Each hop's key is checked: the second one's is unknown now.
    std::fs::write(sandbox.path().join("known-second"), "").unwrap();
    let failure = open(&sandbox, "last").await.err().unwrap();
    assert_eq!((failure.code, failure.host.as_deref()), (Code::HostKeyUnknown, Some("second")), "{failure}");
}

#[tokio::test]
async fn a_jump_host_that_forbids_it_is_named() {
    let sandbox = Sandbox::new();
    sandbox.host("bastion").sshd("AllowTcpForwarding no").build();
    let (..) = behind_a_port(&sandbox, "inner", "  ProxyJump bastion\n").await;
    let failure = open(&sandbox, "inner").await.err().unwrap();
    assert_eq!((failure.code, failure.host.as_deref()), (Code::JumpRefused, Some("bastion")), "{failure}");
    sandbox.add_ssh_config("Host round\n  ProxyJump round\n");
    assert_eq!(open(&sandbox, "round").await.err().unwrap().code, Code::ResolveRefused);
    sandbox.add_ssh_config("Host ping\n  ProxyJump pong\nHost pong\n  ProxyJump ping\n");
    assert_eq!(open(&sandbox, "ping").await.err().unwrap().code, Code::KeywordUnsupported);
}

#[tokio::test]
async fn field_51_each_cause_has_its_code() {
    let sandbox = Sandbox::new();
    sandbox.host("proxy").ssh("ProxyCommand sh -c 'echo no way out >&2; exit 3'").build();
    sandbox.add_ssh_config("Host nowhere\n  HostName no-such-name.invalid\nHost dead\n  HostName 127.0.0.1\n  Port 1\n");
    sandbox.add_ssh_config("Host odd\n  HostName 127.0.0.1\n  ProxyCommand nc $(id) %r\n  User a;b\n");
    let mut told = String::new();
    for alias in ["proxy", "nowhere", "dead", "odd"] {
        let failure = open(&sandbox, alias).await.err().unwrap();
        told.push_str(&format!("{failure} [{}]\n  {}\n", failure.code.as_str(), failure.hint));
    }
    insta::assert_snapshot!(told, @r"
    proxy: ProxyCommand sh -c 'echo no way out >&2; exit 3': no way out
    exit status: 3 [ssh-proxy-command]
      run the command by hand in a terminal; it must carry the bytes of the connection
    nowhere: look up no-such-name.invalid: Name or service not known [ssh-name-not-found]
      check HostName for 'nowhere' in the ssh configuration, or the network's DNS
    dead: connect to 127.0.0.1 port 1: 127.0.0.1: Connection refused [ssh-unreachable]
      nothing listens on port 1 there: is it the right port, and does sshd run?
    odd: put the user 'a;b' into a command line: it holds a character that a shell would act on [keyword-unsupported]
      give the host a plain HostName and User; where it must be so, your ssh may take it: --carrier ssh, or for good: outpost hosts set odd carrier=ssh
    ");
}

#[tokio::test]
async fn field_02_and_03_what_is_meant_for_a_persons_own_session() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let forward = format!("LocalForward {} 127.0.0.1:80", taken.local_addr().unwrap());
    sandbox.host("dev").ssh("RemoteCommand sudo -iu nobody").ssh(&forward).ssh("ExitOnForwardFailure yes").build();
    let session = open(&sandbox, "dev").await.unwrap();
    assert_eq!(said(&session, "echo fine").await.0, "fine\n");
}

#[tokio::test]
async fn field_53_forwarding_forbidden_or_one_session_only() {
    let sandbox = Sandbox::new();
    let new = sandbox.host("dev").sshd("AllowStreamLocalForwarding no").sshd("AllowTcpForwarding no").sshd("MaxSessions 1");
    let host = new.build();
    let session = open(&sandbox, "dev").await.unwrap();
    for refused in [session.unix_socket("/run/x").await.err(), session.tcp("127.0.0.1", 80).await.err()] {
        assert_eq!(refused.map(|f| f.code), Some(Code::ChannelRefused));
    }
    let mut held = session.exec("echo x; exec cat").await.unwrap();
    held.stdout.read_u8().await.unwrap();
    let failure = session.exec("true").await.err().unwrap();
    assert_eq!((failure.code, failure.hint.contains("MaxSessions")), (Code::ChannelRefused, true), "{failure}");
    assert_eq!(host.logins(), 1);
}

/// A ping and a command, twenty times; how long the fastest took.
async fn fastest_of_twenty(session: &Session) -> Duration {
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        session.ping(Duration::from_secs(30)).await.unwrap();
        assert_eq!(said(session, "echo alive").await, ("alive\n".into(), ExitStatus::Code(0)));
        fastest = fastest.min(began.elapsed());
    }
    fastest
}

#[tokio::test]
async fn a_stalled_reader_costs_the_others_nothing() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").build();
    let session = open(&sandbox, "dev").await.unwrap();
    let alone = fastest_of_twenty(&session).await;
    let mut stalled = session.exec("exec cat /dev/zero").await.unwrap();
    let beside = fastest_of_twenty(&session).await;
    // The fastest of each: what the machine does beside this test slows some of them down.
    assert!(beside < alone * 3 + Duration::from_millis(100), "{beside:?} beside it, {alone:?} alone");
    // It may fall behind by 32 MiB; then its own channel is closed, and it is told so.
    assert_eq!((&mut stalled.status).await, Ok(ExitStatus::Unknown));
    let mut read = 0;
    let mut buffer = vec![0; 1 << 20];
    let error = loop {
        match stalled.stdout.read(&mut buffer).await {
            Ok(0) => panic!("an end without a word after {read} bytes"),
            Ok(n) => read += n,
            Err(e) => break e,
        }
    };
    assert!(read <= 32 << 20, "{read}");
    assert_eq!(
        error.to_string(),
        "the reader fell too far behind (32 MiB), its channel was closed; the system ssh lets the sender wait: --carrier ssh"
    );
    session.ping(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn field_54_a_silent_link_is_noticed() {
    let sandbox = Sandbox::new();
    let (_host, _, flows) = behind_a_port(&sandbox, "dev", "  ServerAliveInterval 1\n  ServerAliveCountMax 1\n").await;
    let session = open(&sandbox, "dev").await.unwrap();
    flows.send_replace(false);
    assert_eq!(session.ping(Duration::from_millis(200)).await.err().map(|f| f.code), Some(Code::LinkLost));
    tokio::time::timeout(Duration::from_secs(10), session.closed()).await.expect("given up");
    assert_eq!(session.exec("true").await.err().map(|f| f.code), Some(Code::LinkLost));
}

#[tokio::test]
async fn a_link_that_takes_nothing_more_is_given_up_at_once() {
    let sandbox = Sandbox::new();
    let (_host, _, flows) = behind_a_port(&sandbox, "dev", "").await;
    let session = open(&sandbox, "dev").await.unwrap();
    let mut exec = session.exec("exec cat >/dev/null").await.unwrap();
    flows.send_replace(false);
    // Until the socket is full: from then on the connection's own task waits for room in it, and hears nothing else.
    let stuck = async { while exec.stdin.write_all(&[0; 1 << 20]).await.is_ok() {} };
    drop(tokio::time::timeout(Duration::from_secs(1), stuck).await);
    let closing = async {
        session.close().await;
        session.closed().await;
    };
    tokio::time::timeout(Duration::from_secs(10), closing).await.expect("long before the keepalive would have noticed");
}

#[tokio::test]
async fn ports_and_sockets_go_both_ways() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").build();
    let session = open(&sandbox, "dev").await.unwrap();
    let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = there.local_addr().unwrap().port();
    let (ours, theirs) = tokio::join!(session.tcp("127.0.0.1", port), there.accept());
    echo(ours.unwrap(), theirs.unwrap().0).await;

    let mut listener = session.listen(Listen::Tcp { address: "localhost".into(), port: 0 }).await.unwrap();
    let from_there = TcpStream::connect(("127.0.0.1", listener.port)).await.unwrap();
    echo(listener.incoming.recv().await.unwrap(), from_there).await;
    drop(listener);

    let path = sandbox.path().join("back");
    let mut listener = session.listen(Listen::Unix { path: path.to_str().unwrap().into() }).await.unwrap();
    let from_there = tokio::net::UnixStream::connect(&path).await.unwrap();
    echo(listener.incoming.recv().await.unwrap(), from_there).await;
}

async fn echo(mut a: impl AsyncReadExt + AsyncWriteExt + Unpin, mut b: impl AsyncReadExt + AsyncWriteExt + Unpin) {
    let mut four = [0; 4];
    a.write_all(b"ping").await.unwrap();
    b.read_exact(&mut four).await.unwrap();
    b.write_all(b"pong").await.unwrap();
    a.read_exact(&mut four).await.unwrap();
    assert_eq!(&four, b"pong");
}

#[tokio::test]
async fn a_terminal_has_a_size_and_a_status() {
    let sandbox = Sandbox::new();
    sandbox.host("dev").build();
    let local = sandbox.local();
    let target = resolve(&local, &"dev".parse().unwrap()).await.unwrap();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    let session = Session::open_alone(&target, &context, Alone::Terminal).await.unwrap();
    let size = |columns, rows| Size { columns, rows, ..Size::default() };
    let pty = Pty { term: "xterm".into(), size: size(100, 40), ..Pty::default() };
    let terminal = session.terminal(&pty, Some("stty size; read _; stty size; exit 5")).await.unwrap();
    let Terminal::Streams(mut shell) = terminal else { panic!("a program") };
    let mut line = [0; 8];
    shell.piped.stdout.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"40 100\r\n");
    shell.control.resize(size(80, 24)).await;
    shell.piped.stdin.write_all(b"\n").await.unwrap();
    let mut rest = String::new();
    shell.piped.stdout.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("24 80"), "{rest:?}");
    assert_eq!(shell.piped.status.await.unwrap(), ExitStatus::Code(5));
}

#[tokio::test]
async fn many_at_once_share_one_connection() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("dev").sshd("MaxSessions 50").build();
    let session = Arc::new(open(&sandbox, "dev").await.unwrap());
    let all = (0..20).map(|n| {
        let session: Arc<Session> = Arc::clone(&session);
        tokio::spawn(async move { said(&session, &format!("echo {n}")).await.0 })
    });
    for (n, task) in all.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), format!("{n}\n"));
    }
    assert_eq!(host.logins(), 1);
}
