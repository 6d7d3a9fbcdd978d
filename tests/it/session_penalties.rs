//! sshd's rate limits, modelled with russh's server where the installed sshd has none: PerSourcePenalties (from 9.8 on) and
//! MaxStartups. Whatever we do at one address, neither may ever turn us away.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use outpost::failure::{Code, Failure};
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::{Context, Session};
use russh::keys::PrivateKey;
use russh::server::{Auth, Config, Handler};
use russh::{MethodKind, MethodSet};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::bed::Sandbox;
use crate::session_login::{Notes, Person, open, target};

/// sshd's defaults: a refused login, a connection without a try, and where it begins to refuse the source.
const AUTHFAIL: Duration = Duration::from_secs(5);
const NOAUTH: Duration = Duration::from_secs(1);
const MIN: Duration = Duration::from_secs(15);

/// From so many unauthenticated connections on a stock sshd drops new ones at random.
const MAX_STARTUPS: usize = 10;

/// What sshd holds against our address.
#[derive(Default)]
struct Book {
    stands_until: Option<Instant>,
    /// Connections that were turned away.
    turned_away: usize,
    starting: usize,
    most_starting: usize,
}

impl Book {
    fn penalise(&mut self, cost: Duration) {
        let now = Instant::now();
        self.stands_until = Some(self.stands_until.unwrap_or(now).max(now) + cost);
    }

    fn stands(&self) -> Duration {
        self.stands_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Lets a connection in, or not.
    fn let_in(&mut self) -> bool {
        if self.stands() >= MIN || self.starting >= MAX_STARTUPS {
            self.turned_away += 1;
            return false;
        }
        self.starting += 1;
        self.most_starting = self.most_starting.max(self.starting);
        true
    }
}

/// One connection.
struct Gate {
    book: Arc<Mutex<Book>>,
    lets_in: Arc<AtomicBool>,
    tried: bool,
    inside: bool,
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut book = self.book.lock().unwrap();
        if !self.inside {
            book.starting -= 1;
            book.penalise(if self.tried { AUTHFAIL } else { NOAUTH });
        }
    }
}

impl Handler for Gate {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        Ok(Auth::Reject { proceed_with_methods: Some(password()), partial_success: false })
    }

    async fn auth_password(&mut self, _: &str, _: &str) -> Result<Auth, russh::Error> {
        self.tried = true;
        let reject = Auth::Reject { proceed_with_methods: Some(password()), partial_success: false };
        Ok(if self.lets_in.load(Ordering::Relaxed) { Auth::Accept } else { reject })
    }

    async fn auth_succeeded(&mut self, _: &mut russh::server::Session) -> Result<(), russh::Error> {
        self.inside = true;
        self.book.lock().unwrap().starting -= 1;
        Ok(())
    }
}

fn password() -> MethodSet {
    let mut methods = MethodSet::empty();
    methods.push(MethodKind::Password);
    methods
}

struct Bed {
    sandbox: Sandbox,
    port: u16,
    host_key: String,
    book: Arc<Mutex<Book>>,
    lets_in: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
}

impl Bed {
    async fn new() -> Self {
        let key = PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
        let host_key = key.public_key().to_openssh().unwrap();
        let config =
            Arc::new(Config { keys: vec![key], auth_rejection_time: Duration::ZERO, methods: password(), ..Config::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let bed = Self {
            sandbox: Sandbox::new(),
            port,
            host_key,
            book: Arc::default(),
            lets_in: Arc::new(AtomicBool::new(true)),
            served: Arc::default(),
        };
        let (book, lets_in, served) = (Arc::clone(&bed.book), Arc::clone(&bed.lets_in), Arc::clone(&bed.served));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                served.fetch_add(1, Ordering::Relaxed);
                let gate = Gate { book: Arc::clone(&book), lets_in: Arc::clone(&lets_in), tried: false, inside: false };
                tokio::spawn(serve(Arc::clone(&config), stream, gate));
            }
        });
        bed
    }

    async fn open(&self, known: bool) -> Result<Session, Failure> {
        self.open_by("", known).await
    }

    /// With these lines of `ssh -G` too.
    async fn open_by(&self, way: &str, known: bool) -> Result<Session, Failure> {
        let line = if known { format!("[127.0.0.1]:{} {}\n", self.port, self.host_key) } else { String::new() };
        let file = self.sandbox.write(if known { "known" } else { "unknown" }, &line);
        let printed = format!(
            "{way}hostname 127.0.0.1\nport {}\nuser me\nstricthostkeychecking true\nuserknownhostsfile {}\nidentityagent none\n\
             numberofpasswordprompts 1\n",
            self.port,
            file.display()
        );
        let person = Person::who_says(&[Ok("secret")]);
        open(&self.sandbox.local(), &target(&printed), if known { &person } else { &NobodyToAsk }, &Notes::default()).await
    }

    fn stands(&self) -> Duration {
        self.book.lock().unwrap().stands()
    }

    fn turned_away(&self) -> usize {
        self.book.lock().unwrap().turned_away
    }
}

async fn serve(config: Arc<Config>, mut stream: TcpStream, gate: Gate) {
    let may = gate.book.lock().unwrap().let_in();
    if !may {
        drop(stream.write_all(b"Not allowed at this time\r\n").await);
        // It was never let in.
        std::mem::forget(gate);
        return;
    }
    if let Ok(running) = russh::server::run_stream(config, stream, gate).await {
        drop(running.await);
    }
}

#[tokio::test]
async fn refused_logins_never_add_up_to_a_lockout() {
    let bed = Bed::new().await;
    bed.lets_in.store(false, Ordering::Relaxed);
    for round in 0..4 {
        let failure = bed.open(true).await.err().unwrap();
        assert_eq!(failure.code, Code::AuthRefused, "{round}: {failure}");
        assert!(bed.stands() < MIN, "{round}: {:?} stand against us", bed.stands());
    }
    // A key that nobody knows costs a little too: we hang up without a try.
    for _ in 0..3 {
        assert_eq!(bed.open(false).await.err().unwrap().code, Code::HostKeyUnknown);
        assert!(bed.stands() < MIN, "{:?} stand against us", bed.stands());
    }
    assert_eq!((bed.turned_away(), bed.served.load(Ordering::Relaxed)), (0, 7), "each was one connection");
}

/// Behind a jump host, and by the system's ssh through it.
#[tokio::test]
async fn refused_logins_are_spaced_by_every_way() {
    let jumped = async {
        let bed = Bed::new().await;
        bed.lets_in.store(false, Ordering::Relaxed);
        bed.sandbox.host("gate").build();
        for round in 0..4 {
            let failure = bed.open_by("proxyjump gate\n", true).await.err().unwrap();
            assert_eq!(failure.code, Code::AuthRefused, "{round}: {failure}");
            assert!(bed.stands() < MIN, "{round}: {:?} stand against us", bed.stands());
        }
        assert_eq!(bed.turned_away(), 0);
    };
    let by_ssh = async {
        let bed = Bed::new().await;
        bed.lets_in.store(false, Ordering::Relaxed);
        bed.sandbox.host("gate").build();
        let known = bed.sandbox.write("known", &format!("[127.0.0.1]:{} {}\n", bed.port, bed.host_key));
        bed.sandbox.add_ssh_config(&format!(
            "Host ward\n  HostName 127.0.0.1\n  Port {}\n  ProxyJump gate\n  UserKnownHostsFile {}\n  NumberOfPasswordPrompts 1\n  \
             IdentityAgent none\n",
            bed.port,
            known.display()
        ));
        let asker = bed.sandbox.write("askpass", "#!/bin/sh\necho secret\n");
        std::fs::set_permissions(&asker, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut local = bed.sandbox.local();
        local.vars.extend([("SSH_ASKPASS".into(), asker.into()), ("SSH_ASKPASS_REQUIRE".into(), "force".into())]);
        let target = outpost::host::resolve::resolve(&local, &"ward".parse().unwrap()).await.unwrap();
        let context = Context { local: &local, ask: &NobodyToAsk, watch: &outpost::step::Nobody };
        for round in 0..4 {
            let failure = Session::open_with_system_ssh(&target, &context).await.err().unwrap();
            assert_eq!(failure.code, Code::AuthRefused, "{round}: {failure}");
            assert!(bed.stands() < MIN, "{round}: {:?} stand against us", bed.stands());
        }
        assert_eq!(bed.turned_away(), 0);
    };
    tokio::join!(jumped, by_ssh);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_hosts_behind_one_address_and_their_reconnects() {
    let bed = Bed::new().await;
    let sessions = futures_util::future::join_all((0..200).map(|_| bed.open(true))).await;
    assert!(sessions.iter().all(Result::is_ok), "{:?}", sessions.iter().find_map(|s| s.as_ref().err()));
    let most = bed.book.lock().unwrap().most_starting;
    assert!(most <= outpost::ssh::rate::AT_ONCE, "{most} logged in at once");
    // Half of them lose their link, and come again all at once.
    drop(sessions);
    let again = futures_util::future::join_all((0..100).map(|_| bed.open(true))).await;
    assert!(again.iter().all(Result::is_ok), "{:?}", again.iter().find_map(|s| s.as_ref().err()));
    assert_eq!((bed.turned_away(), bed.stands()), (0, Duration::ZERO));
}
