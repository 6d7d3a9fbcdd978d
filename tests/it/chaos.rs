//! Random faults over random turns: what front ends heard is held against what the server has.
//!
//! `tests/chaos` runs it for long, and as a soak; here it runs for a few turns. The variables OUTPOST_CHAOS_… (see [`Setting`])
//! choose another life; a seed gives the same turns and the same order of faults, not the same instants.

mod blows;
mod client;
mod compare;
mod plan;
mod soak;
mod us;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use outpost::demo::model::Model;
use outpost::demo::script::Script;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::bed::faulty::{Faulty, Mood};
use super::bed::{Codex, Sandbox, on_host};
use blows::{Suffers, World, comes_true};
use client::Client;
use plan::{Plan, plan};
use us::{Us, held};

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
    /// How long a soak lasts in seconds; none for a life of so many turns: OUTPOST_CHAOS_SOAK_S.
    soak: Option<u64>,
    suffers: Suffers,
}

impl Setting {
    fn read() -> Self {
        let soak = Some(variable("SOAK_S", 0)).filter(|s| *s > 0);
        let (turns, fronts) = if soak.is_some() { (1_000, 4) } else { (5, 1) };
        let count = |name, default| usize::try_from(variable(name, default)).unwrap();
        Self {
            seed: variable("SEED", 1),
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
}

impl Bed {
    async fn new(plans: &[Vec<Plan>], setting: &Setting) -> Self {
        let script = plans.iter().flatten().fold(Script::default(), |script, plan| plan.added_to(script));
        let model = Arc::new(Model::start(script).await.unwrap());
        let (sandbox, mut wire) = (Sandbox::new(), Faulty::new().await);
        // A greeting that was swallowed is not waited for: the next fault is due.
        let new = wire.ssh_lines().iter().fold(sandbox.host("devbox").ssh("ConnectTimeout 8"), |new, line| new.ssh(line));
        let host = Arc::new(new.codex(&Codex::real(&model.base_url())).build());
        let app = host.home.join("app");
        std::fs::create_dir(&app).unwrap();
        wire.lead_to(Arc::clone(&host), &sandbox);
        let world = World::new((host, wire), Us::new(), setting);
        Self { sandbox, model, world, app }
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
        let mut client = Client::begin(name, self.world.us.socket.subscribe(), &self.app).await;
        for (turn, plan) in plans.iter().enumerate() {
            if setting.soak.is_some_and(|seconds| began.elapsed() > Duration::from_secs(seconds)) {
                break;
            }
            let gates = self.open_gates(plan.gates.clone(), SmallRng::seed_from_u64(rng.random()));
            let work = async {
                tokio::select! {
                    () = client.turn((turn, plan), &mut rng) => {}
                    () = async { gates.await; std::future::pending().await } => {}
                }
            };
            let ended = tokio::time::timeout(LONGEST, work).await;
            ended.unwrap_or_else(|_| panic!("turn {turn} does not end: {}\n{}", client.story(), self.log()));
            if turn == 0 {
                self.world.unprompted.fetch_sub(1, Ordering::Relaxed);
            }
        }
        client
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
        let ours = || self.world.us.held().descriptors;
        assert!(comes_true(|| ours() <= FEW_DESCRIPTORS).await, "we hold {} descriptors", ours());
        self.world.us.kill();
        let proxies = || on_host(&self.sandbox, "proxy");
        assert!(comes_true(|| proxies().is_empty()).await, "proxies are left on the host: {:?}", proxies());
        let logins = || self.world.host.sshds();
        assert!(comes_true(|| logins() == 0).await, "{} sshds are left", logins());
        let server = on_host(&self.sandbox, "--listen");
        let theirs = || server.iter().map(|pid| held(*pid).descriptors).max().unwrap_or(0);
        assert!(comes_true(|| theirs() <= A_SERVERS_DESCRIPTORS).await, "the server holds {} descriptors", theirs());
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

/// Of our process without a client: three for the terminal, the runtime's, the door, one SSH connection (17 were measured).
const FEW_DESCRIPTORS: usize = 24;
/// Of an app-server without a client: its databases, logs and threads (50 were measured).
const A_SERVERS_DESCRIPTORS: usize = 80;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_told_twice() {
    let setting = Setting::read();
    let mut rng = SmallRng::seed_from_u64(setting.seed);
    let plans = |front| (0..setting.turns).map(|turn| plan((front, turn), &mut rng)).collect::<Vec<Plan>>();
    let plans: Vec<Vec<Plan>> = (0..setting.fronts).map(plans).collect();
    let bed = Bed::new(&plans, &setting).await;
    let fronts = plans.iter().enumerate().map(|(name, plans)| bed.live(name, plans, &setting));
    let torment = bed.world.torment(&bed.sandbox, SmallRng::seed_from_u64(setting.seed + 1), setting.pause);
    let samples = async {
        match setting.soak {
            Some(seconds) => soak::watch(&bed, seconds).await,
            None => Vec::new(),
        }
    };
    let (lives, keep) = (async { tokio::join!(join_all(fronts), samples) }, bed.world.us.keep(&bed.sandbox));
    tokio::pin!(keep);
    let (mut clients, samples) = tokio::select! {
        lives = lives => lives,
        () = torment => unreachable!("for ever"),
        () = &mut keep => unreachable!("for ever"),
    };
    bed.world.wire.mood(Mood::Good);
    let judged = async {
        let (mut items, mut words) = (0, 0);
        for client in &mut clients {
            let (stored, fates) = (client.stored().await, client.words_added().await);
            let _teller = Teller(client, &stored);
            compare::compare(client, &stored);
            compare::deeds(client, &bed.app, &stored);
            let added = compare::words_added(&fates, &stored);
            let prompts = stored.iter().filter(|e| super::bed::front::text(e, &["item", "type"]) == "userMessage");
            assert_eq!(prompts.count(), client.outcomes.values().sum::<usize>() + added, "each prompt runs once");
            words += fates.len();
            items += stored.len();
        }
        bed.has_one_server().await;
        (items, words)
    };
    let (items, words) = tokio::select! {
        counts = judged => counts,
        () = &mut keep => unreachable!("for ever"),
    };
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    clients.iter().flat_map(|c| &c.outcomes).for_each(|(how, n)| *outcomes.entry(how.clone()).or_default() += n);
    drop(clients);
    bed.leaves_nothing().await;
    let turns: usize = outcomes.values().sum();
    println!("seed {}: {turns} turns {outcomes:?}, {words} steered, {items} items, {}", setting.seed, bed.world);
    if setting.soak.is_some() {
        soak::judge(&samples);
    }
}
