//! Random faults over random turns: what the front end heard is held against what the server has.
//!
//! `tests/chaos` runs it for long; here it runs for a few turns. OUTPOST_CHAOS_SEED, _TURNS and _PAUSE_MS (the mean time
//! between faults) choose another life; a seed gives the same turns and the same order of faults, not the same instants.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use outpost::app_server::durable::driver::Settings;
use outpost::app_server::durable::event::Event;
use outpost::app_server::durable::policy::Pace;
use outpost::demo::model::Model;
use outpost::demo::script::{Output, Piece, Reply, Scene, Script};
use outpost::rpc::peer::Incoming;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::bed::faulty::{Fault, Faulty, Mood};
use super::bed::front::{self, Front, method, params, text};
use super::bed::{Codex, Host, Sandbox, kill_servers, on_host};

#[expect(clippy::disallowed_methods, reason = "a test is its own main")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[expect(clippy::disallowed_methods, reason = "faults come by the clock")]
async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// One turn: what the model does, and which gates it stops at.
struct Plan {
    scene: Scene,
    gates: Vec<String>,
}

fn plan(turn: usize, rng: &mut SmallRng) -> Plan {
    let (mut replies, mut gates) = (Vec::new(), Vec::new());
    for part in 0..rng.random_range(1..5) {
        let mut pieces = Vec::new();
        for word in 0..rng.random_range(1..12) {
            pieces.push(Piece::Text(format!("t{turn}p{part}w{word} ")));
            if rng.random_bool(0.2) {
                let gate = format!("{turn}-{part}-{word}");
                gates.push(gate.clone());
                pieces.push(Piece::Wait(gate));
            }
        }
        let mut outputs = vec![Output::Say(pieces)];
        let file = format!("did-{turn}-{part}");
        match rng.random_range(0..5) {
            0 => outputs.push(Output::run(&format!("echo x >> {file}"))),
            1 => outputs.push(Output::run("for i in 1 2 3 4; do echo line $i; sleep 0.1; done")),
            2 => outputs.push(Output::ask(&format!("echo x >> {file}"), "chaos")),
            3 => outputs.push(Output::add_file(&file, "x")),
            _ => outputs.push(Output::run("true")),
        }
        replies.push(Reply::Outputs(outputs));
    }
    replies.push(Reply::Outputs(vec![Output::say("the end")]));
    Plan { scene: Scene(replies), gates }
}

/// What was done to the link and the server.
#[derive(Default)]
struct Done {
    faults: AtomicUsize,
    kills: AtomicUsize,
    swallowed: AtomicUsize,
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |n: &AtomicUsize| n.load(Ordering::Relaxed);
        let (faults, kills, swallowed) = (of(&self.faults), of(&self.kills), of(&self.swallowed));
        write!(f, "{faults} faults ({kills} kills of the server, {swallowed} half-open links)")
    }
}

struct World {
    host: Arc<Host>,
    wire: Faulty,
    done: Done,
    /// Before its first prompt a thread lives in the server's memory alone; that a killed server takes it along is promised.
    kept: AtomicBool,
}

impl World {
    /// One fault after another, for ever.
    async fn torment(&self, sandbox: &Sandbox, mut rng: SmallRng, mean: u64) {
        loop {
            pause(rng.random_range(mean / 4..mean * 2)).await;
            self.done.faults.fetch_add(1, Ordering::Relaxed);
            match rng.random_range(0..100) {
                0..40 => self.wire.fault(Fault::Cut),
                40..60 => self.wire.fault(Fault::Reset),
                60..75 => self.wire.fault(Fault::HalfClose),
                75..90 => {
                    self.wire.mood(Mood::Refuse);
                    self.wire.fault(Fault::Cut);
                    pause(rng.random_range(0..1_500)).await;
                    self.wire.mood(Mood::Good);
                }
                90..95 => {
                    self.done.swallowed.fetch_add(1, Ordering::Relaxed);
                    self.wire.mood(Mood::Swallow);
                    pause(rng.random_range(100..3_000)).await;
                    self.wire.mood(Mood::Good);
                }
                _ if !self.kept.load(Ordering::Relaxed) => self.wire.fault(Fault::Cut),
                _ => {
                    self.done.kills.fetch_add(1, Ordering::Relaxed);
                    kill_servers(sandbox);
                }
            }
        }
    }
}

/// No turn takes as long, whatever happens to its link.
const LONGEST: Duration = Duration::from_secs(150);

/// Follows one prompt to the end of its turn; gives how the turn ended.
async fn follow(front: &mut Front, id: &str, rng: &mut SmallRng) -> String {
    let mut turn = None;
    loop {
        let next = front.until("the end of a turn", |m| is_end(m) || is_question(m) || is_prompt(m, id)).await;
        if is_question(&next) {
            let (peer, id) = (front.peer.clone(), front::request_id(&next));
            let decision = if rng.random_bool(0.7) { "accept" } else { "decline" };
            let wait = rng.random_range(0..600);
            // It ends with the connection at the latest.
            tokio::spawn(async move {
                pause(wait).await;
                drop(peer.respond(id, Ok(json!({"decision": decision}))).await);
            });
        } else if is_prompt(&next, id) {
            turn = Some(text(params(&next), &["turnId"]).to_owned());
        } else if turn.as_deref() == Some(text(params(&next), &["turn", "id"])) {
            return text(params(&next), &["turn", "status"]).to_owned();
        }
    }
}

fn is_end(message: &Incoming) -> bool {
    method(message) == "turn/completed"
}

fn is_question(message: &Incoming) -> bool {
    matches!(message, Incoming::Request { .. })
}

fn is_prompt(message: &Incoming, id: &str) -> bool {
    method(message) == "item/completed" && text(params(message), &["item", "clientId"]) == id
}

/// All items of a thread, oldest first.
async fn items(front: &Front, thread: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let asked = json!({"threadId": thread, "limit": 100, "sortDirection": "asc", "cursor": cursor});
        let page = front.call("thread/items/list", asked).await;
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            return all;
        }
    }
}

/// Holds what was heard against what the server has.
fn compare(front: &Front, stored: &[Value]) {
    let of = |wanted: &str| front.heard.iter().filter(move |m| method(m) == wanted).map(params).collect::<Vec<_>>();
    let id = |p: &&Value| text(p, &["item", "id"]).to_owned();
    let completed = of("item/completed");
    // The server does not keep what was declined.
    let kept: Vec<String> = completed.iter().filter(|p| text(p, &["item", "status"]) != "declined").map(id).collect();
    let listed: Vec<String> = stored.iter().map(|e| text(e, &["item", "id"]).to_owned()).collect();
    assert_eq!(kept, listed, "each finished item once, in the server's order");
    let mut times: HashMap<String, usize> = HashMap::new();
    of("item/started").iter().for_each(|p| *times.entry(id(p)).or_default() += 1);
    completed.iter().for_each(|p| assert_eq!(times.get(&id(p)), Some(&1), "it begins once: {p}"));
    assert!(times.values().all(|n| *n == 1), "each item begins once");
    let mut said: HashMap<String, String> = HashMap::new();
    for delta in of("item/agentMessage/delta") {
        said.entry(text(delta, &["itemId"]).to_owned()).or_default().push_str(text(delta, &["delta"]));
    }
    for entry in stored.iter().filter(|e| text(e, &["item", "type"]) == "agentMessage") {
        let whole = text(entry, &["item", "text"]);
        assert_eq!(said.get(text(entry, &["item", "id"])).map_or("", String::as_str), whole, "the pieces add up");
    }
    let begun: Vec<&str> = of("turn/started").iter().map(|p| text(p, &["turn", "id"])).collect();
    let ended: Vec<&str> = of("turn/completed").iter().map(|p| text(p, &["turn", "id"])).collect();
    assert_eq!(begun, ended, "each turn begins and ends once");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// The bed of one life.
struct Bed {
    sandbox: Sandbox,
    model: Arc<Model>,
    world: World,
}

impl Bed {
    async fn new(plans: &[Plan]) -> Self {
        let script = plans.iter().enumerate().fold(Script::default(), |s, (n, p)| s.on(&format!("turn-{n};"), p.scene.clone()));
        let model = Arc::new(Model::start(script).await.unwrap());
        let (sandbox, mut wire) = (Sandbox::new(), Faulty::new().await);
        let new = wire.ssh_lines().iter().fold(sandbox.host("devbox"), |new, line| new.ssh(line));
        let host = Arc::new(new.codex(&Codex::real(&model.base_url())).build());
        std::fs::create_dir(host.home.join("app")).unwrap();
        wire.lead_to(Arc::clone(&host), &sandbox);
        Self { sandbox, model, world: World { host, wire, done: Done::default(), kept: AtomicBool::new(false) } }
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
        std::future::pending::<()>().await;
    }

    /// One app-server on the host. After a kill it may be one inside of the session (the host may be one that ends what
    /// sessions leave behind), and that of a link before it ends when its sshd has noticed.
    async fn has_one_server(&self) {
        let servers = || on_host(&self.sandbox, "app-server").len() - on_host(&self.sandbox, "proxy").len();
        for _ in 0..200 {
            if servers() == 1 {
                return;
            }
            pause(50).await;
        }
        panic!("{} app-servers on the host", servers());
    }

    /// What is on the host and in this process once the front end has gone.
    async fn leaves_nothing(&self, descriptors_before: usize) {
        // Beside other tests of this process the count says nothing.
        let alone = setting("OUTPOST_CHAOS_SEED", 0) != 0;
        let clean = || on_host(&self.sandbox, "proxy").is_empty() && (!alone || descriptors() <= descriptors_before + 4);
        for _ in 0..100 {
            if clean() {
                break;
            }
            pause(50).await;
        }
        let (proxies, now) = (on_host(&self.sandbox, "proxy").len(), descriptors());
        assert!(clean(), "{proxies} proxies are left on the host; {now} descriptors, {descriptors_before} before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_told_twice() {
    let (seed, turns) = (setting("OUTPOST_CHAOS_SEED", 1), usize::try_from(setting("OUTPOST_CHAOS_TURNS", 5)).unwrap());
    let mut rng = SmallRng::seed_from_u64(seed);
    let plans: Vec<Plan> = (0..turns).map(|turn| plan(turn, &mut rng)).collect();
    let bed = Bed::new(&plans).await;
    let fds = descriptors();
    let pace = Pace { first: Duration::from_millis(50), most: Duration::from_secs(1), good: Duration::from_secs(20) };
    let mut front = Front::reach(&bed.sandbox, "devbox", Settings { pace, ..Settings::own() }).await;
    let app = bed.world.host.home.join("app");
    let thread = front.thread(&app).await;
    let mut outcomes: HashMap<String, usize> = HashMap::new();
    let live = async {
        for turn in 0..turns {
            let id = format!("c{turn}");
            front.call("turn/start", Front::prompt(&thread, &id, &format!("turn-{turn};"))).await;
            let followed = tokio::time::timeout(LONGEST, follow(&mut front, &id, &mut rng)).await;
            let outcome = followed.unwrap_or_else(|_| panic!("turn {turn} does not end: {:#?}", front.story()));
            *outcomes.entry(outcome).or_default() += 1;
            bed.world.kept.store(true, Ordering::Relaxed);
        }
    };
    let gates = plans.iter().flat_map(|p| p.gates.clone()).collect();
    tokio::select! {
        () = live => {}
        () = bed.world.torment(&bed.sandbox, SmallRng::seed_from_u64(seed + 1), setting("OUTPOST_CHAOS_PAUSE_MS", 700)) => {}
        () = bed.open_gates(gates, SmallRng::seed_from_u64(seed + 2)) => {}
    }
    bed.world.wire.mood(Mood::Good);
    let stored = items(&front, &thread).await;
    compare(&front, &stored);
    let given_back = std::iter::from_fn(|| front.events.try_recv().ok()).any(|e| matches!(e, Event::GivenBack { .. }));
    let prompts = stored.iter().filter(|e| text(e, &["item", "type"]) == "userMessage").count();
    assert_eq!((prompts, given_back), (turns, false), "each prompt runs once");
    // Codex's own sandbox leaves empty folders behind when it is killed.
    for file in std::fs::read_dir(&app).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()) {
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n", "{}: each command runs once", file.display());
    }
    bed.has_one_server().await;
    drop(front);
    bed.leaves_nothing(fds).await;
    println!("seed {seed}: {turns} turns {outcomes:?}, {} items, {}", stored.len(), bed.world.done);
}
