//! What a connection does on the wire because the configuration says so: new keys, compression, marks, limits of time.

use std::time::{Duration, Instant};

use outpost::failure::Code;
use outpost::ssh::session::Session;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{Sandbox, on_a_terminal, run};
use crate::session::open;
use crate::session_route::behind_a_port;

/// Sends so many MiB there and back over one channel and holds what came against what went.
async fn there_and_back(session: &Session, mib: u64) {
    let sent: Vec<u8> = (0..mib << 17).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
    let mut cat = session.exec("exec cat").await.unwrap();
    let (mut stdin, expected) = (cat.stdin, sent.len());
    let sending = tokio::spawn(async move {
        stdin.write_all(&sent).await.unwrap();
        stdin.shutdown().await.unwrap();
        sent
    });
    let mut came = Vec::with_capacity(expected);
    cat.stdout.read_to_end(&mut came).await.unwrap();
    let sent = sending.await.unwrap();
    assert!(sent == came, "{} of {} bytes, or others", came.len(), sent.len());
}

#[tokio::test]
async fn data_is_whole_over_new_keys_whoever_wants_them() {
    for (ours, theirs) in [("1M", "default none"), ("default none", "1M"), ("1M", "1M"), ("default none", "default none")] {
        let sandbox = Sandbox::new();
        let new = sandbox.host("dev").ssh(&format!("RekeyLimit {ours}")).sshd(&format!("RekeyLimit {theirs}"));
        let host = new.sshd("LogLevel DEBUG1").build();
        let session = open(&sandbox, "dev").await.unwrap();
        there_and_back(&session, 16).await;
        there_and_back(&session, 1).await;
        let exchanges = host.log().matches("SSH2_MSG_NEWKEYS received").count();
        let expected = if ours == "1M" || theirs == "1M" { 10..200 } else { 1..2 };
        assert!(expected.contains(&exchanges), "{exchanges} with {ours} here and {theirs} there");
        assert_eq!(host.logins(), 1);
    }
}

#[tokio::test]
async fn compression_is_used_where_it_is_asked_for() {
    for (wish, used) in [("yes", "compression: zlib@openssh.com"), ("no", "compression: none")] {
        let sandbox = Sandbox::new();
        let host = sandbox.host("dev").ssh(&format!("Compression {wish}")).sshd("LogLevel DEBUG1").build();
        let session = open(&sandbox, "dev").await.unwrap();
        assert!(host.log().contains(used), "{}", host.log());
        there_and_back(&session, 4).await;
        let mut zeros = session.exec("exec head -c 8000000 /dev/zero").await.unwrap();
        let mut came = Vec::new();
        zeros.stdout.read_to_end(&mut came).await.unwrap();
        assert!(came.len() == 8_000_000 && came.iter().all(|byte| *byte == 0), "{}", came.len());
    }
}

/// The marks that a program gave its sockets, in order, without repetitions.
fn marks(log: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    let mut marks: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once("IP_TOS, [")?.1.split_once(']'))
        .map(|(mark, _)| mark.to_owned())
        .collect();
    marks.dedup();
    marks
}

/// IPQoS as the system calls of both programs show it: the second value is for what has no terminal.
#[tokio::test(flavor = "multi_thread")]
async fn packets_are_marked_as_ssh_marks_them() {
    let sandbox = Sandbox::new();
    let (_host, ..) = behind_a_port(&sandbox, "dev", "  IPQoS af21 cs1\n").await;
    let outpost = env!("CARGO_BIN_EXE_outpost");
    let config = sandbox.ssh_config();
    for (terminal, ours, theirs) in [
        (false, vec!["shell", "-T", "dev", "true"], vec!["-T", "dev", "true"]),
        (true, vec!["shell", "-t", "dev", "true"], vec!["-tt", "dev", "true"]),
    ] {
        let mut told = Vec::new();
        let file = ["-F", config.to_str().unwrap()];
        for (program, words) in [(outpost, ours), ("ssh", [&file[..], &theirs].concat())] {
            let log = sandbox.path().join("trace");
            let mut strace = std::process::Command::new("strace");
            sandbox.clean(&mut strace);
            strace.args(["-f", "-qq", "-e", "trace=setsockopt", "-o"]).arg(&log).arg(program).args(words);
            let ran = tokio::task::spawn_blocking(move || match terminal {
                true => on_a_terminal(&strace, "[never]", &[]).1,
                false => run(&mut strace, b"").stderr,
            });
            let said = ran.await.unwrap();
            told.push((program, marks(&log), said));
        }
        let expected: &[&str] = if terminal { &["72"] } else { &["72", "32"] };
        for (program, marks, said) in told {
            assert_eq!(marks, expected, "{program}, a terminal: {terminal}\n{said}");
        }
    }
}

/// ConnectTimeout is for all of the bring-up: here the server stops answering once the keys are exchanged.
#[tokio::test]
async fn a_login_that_is_not_answered_is_given_up_in_time() {
    let sandbox = Sandbox::new();
    let (_host, _, flows) = behind_a_port(&sandbox, "slow", "  ConnectTimeout 2\n").await;
    let stops = Stops(flows);
    let local = sandbox.local();
    let target = outpost::host::resolve::resolve(&local, &"slow".parse().unwrap()).await.unwrap();
    let context = outpost::ssh::session::Context { local: &local, ask: &outpost::ssh::ask::NobodyToAsk, watch: &stops };
    let began = Instant::now();
    let failure = Session::open(&target, &context).await.err().unwrap();
    assert_eq!((failure.code, failure.said.as_str()), (Code::ConnectTimeout, "no answer within 2 s"), "{failure}");
    assert!(began.elapsed() >= Duration::from_secs(1));
}

/// Stops the wire when the login begins.
struct Stops(tokio::sync::watch::Sender<bool>);

impl outpost::step::Watch for Stops {
    fn progress(&self, progress: outpost::step::Progress) {
        if progress == outpost::step::Progress::Began(outpost::step::Step::LoggedIn) {
            self.0.send_replace(false);
        }
    }
}
