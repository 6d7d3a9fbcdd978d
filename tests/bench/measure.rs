//! One measurement a run: `tests/bench/run` prepares the hosts and the distance, and puts the figures side by side.
//!
//! Outpost's side is the library that the program is made of; OpenSSH's side is the installed `ssh` with the same remote work.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a measurement that cannot be taken ends with a panic"
)]

mod flights;

use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use outpost::app_server::Server;
use outpost::host::resolve::resolve;
use outpost::name::Alias;
use outpost::paths::Local;
use outpost::project::{Host, reach};
use outpost::remote::Want;
use outpost::rpc::websocket;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};
use outpost::step::Nobody;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

fn main() {
    let began = Instant::now();
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [what, alias, rest @ ..] = &words[..] else { return };
    let number = rest.first().and_then(|n| n.parse().ok()).unwrap_or(1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(what, &Bed::new(alias), (began, number)));
    runtime.shutdown_background();
}

async fn measure(what: &str, bed: &Bed, (began, number): (Instant, usize)) {
    match what {
        "cold-ours" => {
            bed.reach().await;
            println!("{:.1}", ms(began));
        }
        "cold-ssh" => {
            bed.proxy_by_ssh().await;
            println!("{:.1}", ms(began));
        }
        "flights-ours" | "flights-ssh" => {
            let counted = flights::count();
            let held = if what.ends_with("ours") { Some(bed.reach().await) } else { None };
            if held.is_none() {
                bed.proxy_by_ssh().await;
            }
            println!("{}", counted.load(Ordering::Relaxed));
        }
        "four-ssh" => {
            for command in ["command -v codex", "codex --version", "true"] {
                bed.ssh(command).stdout(Stdio::null()).status().await.unwrap();
            }
            bed.proxy_by_ssh().await;
            println!("{:.1}", ms(began));
        }
        "exec-ours" => {
            let session = bed.session().await;
            session.exec("true").await.unwrap().wait().await;
            println!("{:.1}", ms(began));
        }
        "exec-ssh" => {
            assert!(bed.ssh("true").status().await.unwrap().success());
            println!("{:.1}", ms(began));
        }
        "warm-ours" => println!("{:.1}", bed.warm().await),
        "bulk-ours" | "bulk-ssh" => println!("{:.1}", bed.bulk(what.ends_with("ours"), number).await),
        "pingpong-ours" | "pingpong-ssh" => bed.ping_pong(what.ends_with("ours"), number).await,
        "many-ours" => bed.many_ours(number).await,
        "many-ssh" => bed.many_ssh(number).await,
        other => println!("what is '{other}'?"),
    }
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

struct Bed {
    local: Local,
    alias: Alias,
}

impl Bed {
    fn new(alias: &str) -> Self {
        let vars: std::collections::HashMap<_, _> = std::env::vars_os().collect();
        let home = std::path::PathBuf::from(std::env::var_os("HOME").unwrap());
        let ssh_config = std::env::var_os("OUTPOST_SSH_CONFIG").map(Into::into);
        let codex_home = std::env::var_os("CODEX_HOME").unwrap().into();
        Self { local: Local { home, user: "root".into(), codex_home, ssh_config, vars }, alias: alias.parse().unwrap() }
    }

    fn context(&self) -> Context<'_> {
        Context { local: &self.local, ask: &NobodyToAsk, watch: &Nobody }
    }

    async fn reach(&self) -> Host {
        reach(&self.context(), &self.alias, Want::server()).await.unwrap()
    }

    async fn session(&self) -> Session {
        let target = resolve(&self.local, &self.alias).await.unwrap();
        Session::open(&target, &self.context()).await.unwrap()
    }

    fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.local.ssh_config.as_ref().unwrap()).arg("-T").args([self.alias.as_str(), command]);
        ssh.kill_on_drop(true);
        ssh
    }

    fn piped(&self, command: &str) -> (Child, Reader, Writer) {
        let mut child = self.ssh(command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (reader, writer) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        (child, Box::new(reader), Box::new(writer))
    }

    /// A client of the app-server over `ssh HOST 'codex app-server proxy'`, to its answer to `initialize`.
    async fn proxy_by_ssh(&self) {
        let (_child, reader, writer) = self.piped("codex app-server proxy");
        let wire = websocket::client(tokio::io::join(reader, writer)).await.unwrap();
        Server::open(wire).await.unwrap();
    }

    /// Another client on a live connection.
    async fn warm(&self) -> f64 {
        let host = self.reach().await;
        let socket = host.facts.socket.clone().unwrap();
        let began = Instant::now();
        let stream = host.session.get().unix_socket(&socket).await.unwrap();
        Server::open(websocket::client(stream).await.unwrap()).await.unwrap();
        ms(began)
    }

    async fn run(&self, ours: bool, command: &str) -> (Box<dyn std::any::Any>, Reader, Writer) {
        if ours {
            let session = self.session().await;
            let exec = session.exec(command).await.unwrap();
            (Box::new(session), exec.stdout, exec.stdin)
        } else {
            let (child, reader, writer) = self.piped(command);
            (Box::new(child), reader, writer)
        }
    }

    /// MiB a second from the remote over one channel, from the first byte on.
    async fn bulk(&self, ours: bool, mib: usize) -> f64 {
        let (_held, mut reader, _writer) = self.run(ours, &format!("exec head -c {} /dev/zero", mib << 20)).await;
        let mut buffer = vec![0; 1 << 18];
        let mut read = reader.read(&mut buffer).await.unwrap();
        let began = Instant::now();
        while let Ok(n @ 1..) = reader.read(&mut buffer).await {
            read += n;
        }
        assert_eq!(read, mib << 20, "all of it arrived");
        f64::from(u32::try_from(mib).unwrap()) / began.elapsed().as_secs_f64()
    }

    /// 64 bytes there and back.
    async fn ping_pong(&self, ours: bool, rounds: usize) {
        let (_held, mut reader, mut writer) = self.run(ours, "exec cat").await;
        let mut times: Vec<Duration> = Vec::with_capacity(rounds);
        let mut buffer = [7; 64];
        for _ in 0..rounds + 200 {
            let began = Instant::now();
            writer.write_all(&buffer).await.unwrap();
            writer.flush().await.unwrap();
            reader.read_exact(&mut buffer).await.unwrap();
            times.push(began.elapsed());
        }
        let mut times = times.split_off(200);
        times.sort();
        println!("{} {}", times[rounds / 2].as_micros(), times[rounds * 99 / 100].as_micros());
    }

    /// So many hosts at once: seconds until each one's command answered, and the memory of it all while they are held.
    async fn many_ours(&self, count: usize) {
        let began = Instant::now();
        let all = (0..count).map(|n| async move {
            let bed = Self::new(&format!("{}{n}", self.alias));
            let session = bed.session().await;
            let mut exec = session.exec(UP).await.unwrap();
            exec.stdout.read_u8().await.unwrap();
            (session, exec)
        });
        let _held = futures_util::future::join_all(all).await;
        println!("{:.2} {}", began.elapsed().as_secs_f64(), memory(&[std::process::id()]));
    }

    async fn many_ssh(&self, count: usize) {
        let began = Instant::now();
        let all = (0..count).map(|n| async move {
            let bed = Self::new(&format!("{}{n}", self.alias));
            let (child, mut reader, writer) = bed.piped(UP);
            reader.read_u8().await.unwrap();
            (child, reader, writer)
        });
        let held = futures_util::future::join_all(all).await;
        let took = began.elapsed().as_secs_f64();
        let all: Vec<u32> = held.iter().filter_map(|(child, ..)| child.id()).collect();
        println!("{took:.2} {}", memory(&all));
    }
}

/// Says that it is there and waits for the end of its input.
const UP: &str = "echo up; exec cat";

/// What these processes have now, in KiB: their proportional share of every page (a page that n processes have counts as 1/n for
/// each, so that what 200 `ssh` share counts once), and what is resident.
fn memory(pids: &[u32]) -> String {
    let sum = |what: &str| pids.iter().map(|pid| kib(*pid, what)).sum::<u64>();
    format!("{} {}", sum("Pss:"), sum("Rss:"))
}

fn kib(pid: u32, what: &str) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|l| l.strip_prefix(what)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
