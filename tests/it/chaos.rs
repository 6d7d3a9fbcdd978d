//! Random faults over random turns: what front ends heard is held against what the server has.
//!
//! `tests/chaos` runs it for long, and as a soak; here it runs for a few turns. The variables OUTPOST_CHAOS_… (see [`Setting`])
//! choose another life; a seed gives the same turns and the same order of faults, not the same instants.

mod blows;
mod census;
mod client;
mod compare;
mod plan;
mod shared;
mod soak;
mod stored;
mod us;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use outpost::demo::model::Model;
use outpost::demo::script::Script;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

use super::bed::faulty::{Faulty, Mood};
use super::bed::{Codex, Sandbox, on_host};
use blows::{Suffers, World, comes_true};
use client::Client;
use plan::{Plan, plan};
use shared::Shared;
use us::held;

/// What a life is like.
pub(crate) struct Setting {
    /// OUTPOST_CHAOS_SEED.
    seed: u64,
    /// Turns of each front end: OUTPOST_CHAOS_TURNS.
    turns: usize,
    /// Front ends, each with a thread of its own, on one connection to the host: OUTPOST_CHAOS_FRONTS.
    fronts: usize,
    /// The mean time between faults in milliseconds: OUTPOST_CHAOS_PAUSE_MS.
    pause: u64,
    /// Whether a second front end is on the thread of the first one.
    second: bool,
    /// How long a soak lasts in seconds; none for a life of so many turns: OUTPOST_CHAOS_SOAK_S.
    soak: Option<u64>,
    suffers: Suffers,
}

impl Setting {
    fn read() -> Self {
        let soak = Some(variable("SOAK_S", 0)).filter(|s| *s > 0);
        let (turns, fronts) = if soak.is_some() { (1_000, 4) } else { (5, 1) };
        let count = |name, default| usize::try_from(variable(name, default)).unwrap();
        let seed = variable("SEED", 1);
        Self {
            seed,
            second: soak.is_none() && variable("SECOND", seed % 2) > 0,
            turns: count("TURNS", turns),
            fronts: count("FRONTS", fronts),
            pause: variable("PAUSE_MS", if soak.is_some() { 3_000 } else { 700 }),
            // The memory of a process that is killed and started again says nothing.
            suffers: if soak.is_some() { Suffers::Link } else { Suffers::All },
            soak,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test is its own main")]
fn variable(name: &str, default: u64) -> u64 {
    std::env::var(format!("OUTPOST_CHAOS_{name}")).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[expect(clippy::disallowed_methods, reason = "faults come by the clock")]
async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// No turn takes as long, whatever happens to its link.
const LONGEST: Duration = Duration::from_secs(240);

/// The bed of one life.
struct Bed {
    sandbox: Sandbox,
    model: Arc<Model>,
    world: World,
    app: std::path::PathBuf,
    shared: Vec<Arc<Shared>>,
}

impl Bed {
    async fn new(plans: &[Vec<Plan>], setting: &Setting) -> Self {
        let script = plans.iter().flatten().fold(Script::default(), |script, plan| plan.added_to(script));
        let model = Arc::new(Model::start(script).await.unwrap());
        let (sandbox, mut wire) = (Sandbox::new(), Faulty::new().await);
        // A greeting that was swallowed is not waited for: the next fault is due.
        let new = wire.ssh_lines().iter().fold(sandbox.host("devbox").ssh("ConnectTimeout 8"), |new, line| new.ssh(line));
        let new = new.codex(&Codex::real(&model.base_url())).rc(".codex/config.toml", plan::QUESTIONS);
        let host = Arc::new(new.build());
        host.gets_the_asker();
        host.is_also("beside", &sandbox);
        let app = host.home.join("app");
        std::fs::create_dir(&app).unwrap();
        wire.lead_to(Arc::clone(&host), &sandbox);
        let world = World::new((host, wire), setting);
        let shared = || Shared { thread: watch::Sender::new(None), decided: Mutex::default(), second: setting.second };
        let shared = plans.iter().map(|_| Arc::new(shared())).collect();
        Self { sandbox, model, world, app, shared }
    }

    /// Opens the gates in their order, each a little after the model came to it.
    async fn open_gates(&self, gates: Vec<String>, mut rng: SmallRng) {
        for gate in gates {
            // A turn that was interrupted never reaches its other gates.
            if tokio::time::timeout(Duration::from_secs(3), self.model.reached(&gate)).await.is_ok() {
                pause(rng.random_range(0..250)).await;
            }
            self.model.open(&gate);
        }
    }

    /// All turns of one front end, or as many as there is time for.
    async fn live(&self, name: usize, plans: &[Plan], setting: &Setting) -> Client {
        let began = std::time::Instant::now();
        let mut rng = SmallRng::seed_from_u64(setting.seed.wrapping_mul(31) + name as u64);
        let shared = Arc::clone(&self.shared[name]);
        let mut client = Client::begin(name, self.world.us.socket.subscribe(), (&self.app, shared)).await;
        for (turn, plan) in plans.iter().enumerate() {
            if setting.soak.is_some_and(|seconds| began.elapsed() > Duration::from_secs(seconds)) {
                break;
            }
            let gates = self.open_gates(plan.gates.clone(), SmallRng::seed_from_u64(rng.random()));
            let work = async {
                tokio::select! {
                    () = client.turn((turn, plans), &mut rng) => {}
                    () = async { gates.await; std::future::pending().await } => {}
                }
            };
            let ended = tokio::time::timeout(LONGEST, work).await;
            ended.unwrap_or_else(|_| panic!("turn {turn} does not end: {}\n{}", client.story(), self.log()));
            if turn == 0 {
                self.world.unprompted.fetch_sub(1, Ordering::Relaxed);
                self.shared[name].thread.send_replace(Some(client.thread.clone()));
            }
        }
        client
    }

    /// A second front end on the thread of the first one, until it shall stop.
    async fn beside(&self, plans: &[Plan], seed: u64, mut stop: watch::Receiver<bool>) -> Option<Client> {
        let (shared, mut rng) = (Arc::clone(&self.shared[0]), SmallRng::seed_from_u64(seed.wrapping_mul(37)));
        let mut thread = shared.thread.subscribe();
        let thread = tokio::select! {
            thread = thread.wait_for(Option::is_some) => thread.unwrap().clone().unwrap(),
            _ = stop.wait_for(|stop| *stop) => return None,
        };
        let mut client = Client::join(0, self.world.beside.socket.subscribe(), (shared, thread)).await;
        client.watch(plans, &mut rng, stop).await;
        Some(client)
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.sandbox.path().join("us.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(30).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// One app-server on the host. One inside of a session ends when its sshd has noticed.
    async fn has_one_server(&self) {
        let servers = || on_host(&self.sandbox, "app-server").len() - on_host(&self.sandbox, "proxy").len();
        assert!(comes_true(|| servers() == 1).await, "{} app-servers on the host", servers());
    }

    /// What is left on the host and in our process once the front ends have gone, and then our process.
    async fn leaves_nothing(&self) {
        for us in [&self.world.us, &self.world.beside] {
            let (ours, first) = (|| us.held().descriptors, us.at_first());
            assert!(comes_true(|| ours() <= first + MORE).await, "we hold {} descriptors, and {first} at first", ours());
            us.end();
        }
        // A process that was killed leaves its socket, and could do nothing about it.
        let left = || census::sockets(&self.sandbox);
        assert!(comes_true(|| left() <= self.world.killed()).await, "{} sockets of ours are left", left());
        let proxies = || on_host(&self.sandbox, "proxy");
        assert!(comes_true(|| proxies().is_empty()).await, "proxies are left on the host: {:?}", proxies());
        let logins = || self.world.host.sshds();
        assert!(comes_true(|| logins() == 0).await, "{} sshds are left", logins());
        let server = on_host(&self.sandbox, "--listen");
        let theirs = || server.first().map(|pid| held(*pid)).unwrap_or_default();
        let first = server.first().map(|pid| self.world.census.first(*pid)).unwrap_or_default();
        let most = first.descriptors + A_SERVERS_MORE;
        assert!(comes_true(|| theirs().descriptors <= most).await, "the server holds {:?}, and {first:?} at first", theirs());
        let sockets = first.sockets + MORE;
        assert!(comes_true(|| theirs().sockets <= sockets).await, "the server holds {:?}, and {first:?} at first", theirs());
        let strays = || census::strays(&self.sandbox);
        assert!(comes_true(|| strays().is_empty()).await, "left on the host: {:?}", strays());
    }
}

/// Tells all that is known when a comparison fails.
struct Teller<'a>(&'a Client, &'a [serde_json::Value]);

impl Drop for Teller<'_> {
    #[expect(clippy::print_stderr, reason = "what a failed test says")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\n== stored", self.0.story());
            self.1.iter().for_each(|entry| eprintln!("{entry}"));
        }
    }
}

/// Descriptors that a process without a client may hold more than when it began: what the system opens late.
const MORE: usize = 4;
/// An app-server opens its databases, and logs of its threads, when it first needs them.
const A_SERVERS_MORE: usize = 70;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_told_twice() {
    let setting = Setting::read();
    let mut rng = SmallRng::seed_from_u64(setting.seed);
    let plans = |front| (0..setting.turns).map(|turn| plan((front, turn), &mut rng)).collect::<Vec<Plan>>();
    let plans: Vec<Vec<Plan>> = (0..setting.fronts).map(plans).collect();
    let bed = Bed::new(&plans, &setting).await;
    let world = &bed.world;
    let always =
        async { tokio::join!(world.us.keep(&bed.sandbox), world.beside.keep(&bed.sandbox), world.census.take(&bed.sandbox)) };
    tokio::pin!(always);
    let (mut clients, samples) = tokio::select! {
        lived = lived(&bed, &plans, &setting) => lived,
        () = world.torment(&bed.sandbox, SmallRng::seed_from_u64(setting.seed + 1), setting.pause) => unreachable!("for ever"),
        _ = &mut always => unreachable!("for ever"),
    };
    world.wire.mood(Mood::Good);
    let counts = tokio::select! {
        counts = judged(&bed, &plans, &mut clients) => counts,
        _ = &mut always => unreachable!("for ever"),
    };
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    clients.iter().flat_map(|c| &c.outcomes).for_each(|(how, n)| *outcomes.entry(how.clone()).or_default() += n);
    drop(clients);
    bed.leaves_nothing().await;
    let turns: usize = outcomes.values().sum();
    let of = |how| outcomes.get(how).copied().unwrap_or(0);
    let (completed, interrupted) = (of("completed"), of("interrupted"));
    // tests/chaos adds these up.
    println!("seed {}: {turns} turns, {completed} completed, {interrupted} interrupted, {counts}, {world}", setting.seed);
    if setting.soak.is_some() {
        soak::judge(&samples);
    }
}

/// The lives of all front ends, to their ends; a second one comes last.
async fn lived(bed: &Bed, plans: &[Vec<Plan>], setting: &Setting) -> (Vec<Client>, Vec<soak::Sample>) {
    let (stop, stopped) = watch::channel(false);
    let fronts = async {
        let fronts = join_all(plans.iter().enumerate().map(|(name, plans)| bed.live(name, plans, setting))).await;
        stop.send_replace(true);
        fronts
    };
    let beside = async { if setting.second { bed.beside(&plans[0], setting.seed, stopped).await } else { None } };
    let samples = async {
        match setting.soak {
            Some(seconds) => soak::watch(bed, seconds).await,
            None => Vec::new(),
        }
    };
    let (mut clients, second, samples) = tokio::join!(fronts, beside, samples);
    clients.extend(second);
    (clients, samples)
}

/// What was compared.
#[derive(Default)]
struct Counts {
    items: usize,
    words: usize,
    questions: usize,
    seconds: usize,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { items, words, questions, seconds } = self;
        write!(f, "{items} items, {words} steered, {questions} questions, {seconds} seconds")
    }
}

async fn judged(bed: &Bed, plans: &[Vec<Plan>], clients: &mut [Client]) -> Counts {
    let mut counts = Counts { questions: bed.shared.iter().map(|s| s.decided.lock().unwrap().len()).sum(), ..Counts::default() };
    // Of each thread: the prompts that are there, and those that should be.
    let mut prompts: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for client in clients {
        let said: Vec<&str> = plans[client.name].iter().flat_map(|plan| &plan.said).map(String::as_str).collect();
        let (stored, fates) = (client.stored().await, client.words_added().await);
        let _teller = Teller(client, &stored);
        compare::compare(client, &stored, &said);
        if client.is_second {
            counts.seconds += 1;
        } else {
            compare::deeds(client, &bed.app, &stored);
        }
        let added = compare::words_added(&fates, &stored);
        let kept = stored.iter().filter(|e| super::bed::front::text(e, &["item", "type"]) == "userMessage").count();
        let of_thread = prompts.entry(client.name).or_default();
        *of_thread = (kept, of_thread.1 + client.outcomes.values().sum::<usize>() + added);
        counts.words += fates.len();
        counts.items += stored.len();
    }
    for (thread, (kept, sent)) in prompts {
        assert_eq!(kept, sent, "each prompt of thread {thread} runs once");
    }
    bed.has_one_server().await;
    counts
}
