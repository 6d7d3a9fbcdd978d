//! `outpost forward` against a real sshd: by the built-in carrier and by the system's ssh.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::bed::{Sandbox, process::Watchdog};

const CARRIERS: [&str; 2] = ["builtin", "ssh"];

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// A running `outpost forward --json`.
struct Forward {
    child: Child,
    out: BufReader<ChildStdout>,
    _watchdog: Watchdog,
    ports: Vec<u16>,
}

impl Forward {
    fn start(sandbox: &Sandbox, carrier: &str, args: &[&str]) -> Self {
        Self::start_with(sandbox, (carrier, &[]), args)
    }

    fn start_with(sandbox: &Sandbox, (carrier, vars): (&str, &[(&str, &str)]), args: &[&str]) -> Self {
        let mut command = sandbox.outpost(&[&["--carrier", carrier, "forward", "--json"], args].concat());
        let mut child = command.envs(vars.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let (watchdog, out) = (Watchdog::over(&child), BufReader::new(child.stdout.take().unwrap()));
        let mut forward = Self { child, out, _watchdog: watchdog, ports: Vec::new() };
        let count = args.iter().filter(|arg| arg.contains(':')).count();
        forward.ports = (0..count).map(|_| forward.line("listening")["port"].as_u64().unwrap().try_into().unwrap()).collect();
        forward
    }

    /// The next line of a type.
    fn line(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).unwrap() > 0, "it ended before {kind}");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["type"] == kind {
                return line;
            }
        }
    }

    /// The next news of the link.
    fn link(&mut self, state: &str) {
        while self.line("link")["state"] != state {}
    }

    fn connect(&self, index: usize) -> TcpStream {
        connect(self.ports[index])
    }

    /// Ctrl-C.
    fn stop(mut self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// A server that does this with each connection.
fn server(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Reads all, then answers with it.
fn answer_at_the_end(mut stream: TcpStream) {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    stream.write_all(&all).ok();
}

fn asked(mut stream: TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

#[test]
fn many_connections_each_with_its_own_ends() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").build();
    let port = server(answer_at_the_end);
    for (number, carrier) in CARRIERS.into_iter().enumerate() {
        let forward = Forward::start(&sandbox, carrier, &["devbox", &format!("0:{port}")]);
        let all: Vec<_> = (0..30_u8)
            .map(|n| {
                let stream = forward.connect(0);
                std::thread::spawn(move || asked(stream, &vec![n; 300_000]).unwrap() == vec![n; 300_000])
            })
            .collect();
        assert!(all.into_iter().all(|thread| thread.join().unwrap()), "{carrier}");
        forward.stop();
        assert_eq!(host.logins(), number + 1);
    }
}

#[test]
fn an_answer_may_end_before_the_question() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    let (sender, heard) = std::sync::mpsc::channel();
    let port = server(move |mut stream| {
        stream.write_all(b"bye").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        sender.send(rest).unwrap();
    });
    for carrier in CARRIERS {
        let forward = Forward::start(&sandbox, carrier, &["devbox", &format!("0:{port}")]);
        let (mut stream, mut text) = (forward.connect(0), String::new());
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "bye");
        stream.write_all(b"but wait").unwrap();
        drop(stream);
        assert_eq!(heard.recv_timeout(LIMIT).unwrap(), "but wait", "{carrier}");
    }
}

/// How many pieces of 64 KiB a sender has: 80 MiB, more than a window, the memory and a file hold.
const PIECES: u64 = 1280;

/// A piece that says which it is.
fn piece(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(8192)
}

/// Reads the pieces from this one on; the first that is not there as it was sent.
fn missing(stream: &mut TcpStream, from: u64) -> Option<u64> {
    let mut read = vec![0; 65536];
    (from..PIECES).find(|number| stream.read_exact(&mut read).is_err() || read != piece(*number))
}

#[test]
fn who_does_not_read_harms_nobody_else_and_loses_nothing() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    let (sender, sent) = std::sync::mpsc::channel();
    let flood = server(move |mut stream| {
        let all = (0..PIECES).all(|number| stream.write_all(&piece(number)).is_ok());
        sender.send(all).ok();
    });
    let port = server(answer_at_the_end);
    let to = [format!("0:{flood}"), format!("0:{port}")];
    for (carrier, side) in [("builtin", "-L"), ("builtin", "-R"), ("ssh", "-L")] {
        let args = ["devbox", "-R", to[0].as_str(), "-R", to[1].as_str()];
        let args: Vec<&str> = args.into_iter().filter(|word| side == "-R" || *word != "-R").collect();
        let forward = Forward::start(&sandbox, carrier, &args);
        let mut stalled = forward.connect(0);
        stalled.read_exact(&mut [0; 65536]).unwrap();
        for _ in 0..20 {
            let answer = asked(forward.connect(1), &[1; 1_000_000]);
            assert!(
                answer.as_ref().is_ok_and(|all| all.len() == 1_000_000),
                "{carrier} {side} {:?}",
                answer.map(|all| all.len())
            );
        }
        // The built-in carrier cannot make its sender wait, so all of it is kept here; ssh's sender waits.
        if (carrier, side) == ("builtin", "-L") {
            assert!(sent.recv_timeout(LIMIT).unwrap());
            assert_eq!(asked(forward.connect(1), &[1; 100]).unwrap().len(), 100);
        }
        assert_eq!(missing(&mut stalled, 1), None, "{carrier} {side}");
        assert_eq!(stalled.read(&mut [0]).unwrap(), 0, "{carrier} {side}");
        forward.stop();
    }
}

#[test]
fn what_cannot_be_kept_for_who_does_not_read_is_said() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    let flood = server(|mut stream| while stream.write_all(&[7; 65536]).is_ok() {});
    let mut forward =
        Forward::start_with(&sandbox, ("builtin", &[("TMPDIR", "/nonexistent")]), &["devbox", &format!("0:{flood}")]);
    let mut stalled = forward.connect(0);
    let told = forward.line("port");
    assert_eq!(told["state"], "broke", "{told}");
    let why = told["why"].as_str().unwrap();
    assert!(why.contains("files in /nonexistent: No such file") && why.contains("--carrier ssh"), "{told}");
    // A reset, not an end as if that were all.
    std::io::copy(&mut stalled, &mut std::io::sink()).unwrap_err();
}

#[test]
fn forwards_come_back_with_the_link() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").build();
    let port = server(answer_at_the_end);
    for carrier in CARRIERS {
        let args = ["devbox", &format!("0:{port}"), "-R", &format!("0:{port}")];
        let mut forward = Forward::start(&sandbox, carrier, &args);
        for index in [0, 1] {
            assert_eq!(asked(forward.connect(index), b"before").unwrap(), b"before", "{carrier}");
        }
        host.cut();
        forward.link("lost");
        // What comes while there is no link waits for it.
        assert_eq!(asked(forward.connect(0), b"after").unwrap(), b"after", "{carrier}");
        forward.link("up");
        let again = || TcpStream::connect(("127.0.0.1", forward.ports[1])).and_then(|stream| asked(stream, b"there"));
        let began = std::time::Instant::now();
        while again().ok().as_deref() != Some(b"there") {
            assert!(began.elapsed() < LIMIT, "{carrier}");
        }
        forward.stop();
    }
}

#[test]
fn nobody_on_the_other_end_is_told() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut forward = Forward::start(&sandbox, "builtin", &["devbox", &format!("0:{free}")]);
    assert!(asked(forward.connect(0), b"x").is_err());
    let told = forward.line("port");
    assert_eq!((told["state"].as_str(), told["to"].as_str()), (Some("unreached"), Some(format!("localhost:{free}").as_str())));
    // Over the system's ssh the connection itself only ends; ssh says why.
    let mut forward = Forward::start(&sandbox, "ssh", &["devbox", &format!("0:{free}")]);
    assert_eq!(asked(forward.connect(0), b"x").unwrap_or_default(), b"");
    let told = forward.line("port");
    assert_eq!((told["state"].as_str(), told["to"].as_str()), (Some("unreached"), Some(format!("localhost:{free}").as_str())));
    assert!(told["why"].as_str().unwrap().contains("Connection refused"), "{told}");
}

#[test]
fn nobody_on_the_other_end_is_told_over_a_control_master_of_ones_own() {
    let sandbox = Sandbox::new();
    let control = sandbox.path().join("cm");
    let host = sandbox.host("devbox").ssh(&format!("ControlPath {}", control.display())).build();
    let mut master = std::process::Command::new("ssh");
    master.arg("-F").arg(sandbox.ssh_config()).args(["-oControlMaster=yes", "devbox", "echo up; exec cat"]);
    let mut master = master.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let _watchdog = Watchdog::over(&master);
    BufReader::new(master.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mute, port) = (server(drop), server(answer_at_the_end));
    let to = [mute, free, port].map(|port| format!("0:{port}"));
    let mut forward = Forward::start(&sandbox, "ssh", &["devbox", &to[0], &to[1], &to[2]]);
    // Who listens and says nothing is no trouble.
    assert_eq!(asked(forward.connect(0), b"").unwrap_or_default(), b"");
    assert_eq!(asked(forward.connect(1), b"x").unwrap_or_default(), b"");
    let told = forward.line("port");
    assert_eq!((told["state"].as_str(), told["to"].as_str()), (Some("unreached"), Some(format!("localhost:{free}").as_str())));
    assert!(told["why"].as_str().unwrap().contains("your running ssh (ControlMaster) was told why"), "{told}");
    assert_eq!(asked(forward.connect(2), b"well").unwrap(), b"well");
    forward.stop();
    assert_eq!(host.logins(), 1);
    drop(master.stdin.take());
    assert!(master.wait().unwrap().success(), "the person's own ssh was ended");
}

#[test]
fn ports_that_cannot_be_had_are_said() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    sandbox.host("strict").sshd("AllowTcpForwarding no").build();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ran = sandbox.run(&["forward", "devbox", &format!("{port}:3000")]).exits(1);
    insta::assert_snapshot!(ran.stderr.replace(&port.to_string(), "[PORT]"), @r"
    error[port-taken]: listen on 127.0.0.1 port [PORT]
      said: Address already in use (os error 98)
      try:  choose another port here: 0:3000 lets the system choose
    ");
    for carrier in CARRIERS {
        let ran = sandbox.run(&["--carrier", carrier, "forward", "strict", "-R", "0:80"]).exits(5);
        assert!(ran.stderr.contains("error[ssh-channel-refused]: strict: listen on localhost port 0"), "{}", ran.stderr);
    }
    for (word, said) in [("http", "is not a port"), ("70000", "is not a port"), ("3000:0", "port 0")] {
        assert!(sandbox.run(&["forward", "devbox", word]).exits(2).stderr.contains(said));
    }
    sandbox.run(&["forward", "devbox", "0:1", "3:4", "3:5"]).exits(2);
    sandbox.run(&["forward", "devbox"]).exits(2);
}

#[test]
fn a_person_reads_what_listens_where() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    let terminal = super::bed::Terminal::outpost(&sandbox, &["forward", "devbox", "0:3000", "-R", "0:3128"]);
    let screen = terminal.shows("forwarding; Ctrl-C ends it");
    let ports = regex(&screen);
    insta::assert_snapshot!(ports, @r"
    127.0.0.1:N -> devbox, localhost:3000
    devbox, localhost:N -> localhost:3128
    forwarding; Ctrl-C ends it
    ");
    terminal.press(&["C-c"]);
    terminal.shows("[exit 0]");
}

/// The lines with the ports that the system chose as N.
fn regex(screen: &str) -> String {
    let word = |word: &str| match word.rsplit_once(':') {
        Some((host, port)) if port.len() == 5 => format!("{host}:N"),
        _ => word.to_owned(),
    };
    let lines = screen.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split(' ').map(word).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}
