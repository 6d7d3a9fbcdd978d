//! Holds what a front end heard against what the server has.

use std::collections::{HashMap, HashSet};

use outpost::rpc::peer::Incoming;
use serde_json::Value;

use super::client::{Client, Life, Told};
use super::shared::{Decision, question};
use crate::bed::front::{method, params, text};

/// An item as it was told (or shown when its thread was resumed), and as the server keeps it.
type Pair<'a> = (&'a Value, &'a Value);

/// All that must hold of a front end's lives; panics with what does not.
pub(super) fn compare(client: &Client, stored: &[Value], said: &[&str]) {
    let (last, earlier) = client.lives.split_last().unwrap();
    for life in earlier {
        let (told, kept) = lists(life, stored);
        assert!(
            told.len() <= kept.len() && are_same(&told, &kept),
            "what a killed process had told is a beginning\n{}",
            both(&told, &kept)
        );
    }
    let (told, kept) = lists(last, stored);
    assert!(
        told.len() == kept.len() && are_same(&told, &kept),
        "each finished item once, in the server's order\n{}",
        both(&told, &kept)
    );
    for life in &client.lives {
        let (told, kept) = lists(life, stored);
        let pairs: Vec<Pair> = told.into_iter().zip(kept).collect();
        items_begin_once(life);
        texts_add_up(life, &pairs, stored);
        finished_as_stored(&pairs);
        cut_off_is_true(life, said);
        interrupted_is_said(life, (client.is_second, std::ptr::eq(life, last)));
        asked_and_settled_once(life, std::ptr::eq(life, last));
        declined_by_a_person(life, client);
        turns_begin_and_end_once(life, std::ptr::eq(life, last));
    }
}

fn item_id(entry: &Value) -> &str {
    text(entry, &["item", "id"])
}

fn of<'a>(life: &'a Life, wanted: &'static str) -> impl Iterator<Item = &'a Value> {
    life.heard.iter().filter(move |m| method(m) == wanted).map(params)
}

/// The finished items in the order in which they were shown and told, and as the server keeps them, which it does not with what
/// was declined. A release that makes up ids of what is finished (0.149 and before) does not keep the commands.
fn lists<'a>(life: &'a Life, stored: &'a [Value]) -> (Vec<&'a Value>, Vec<&'a Value>) {
    let completed = of(life, "item/completed").filter(|p| text(p, &["item", "status"]) != "declined");
    let forgets = stored.iter().any(made_up);
    let compared = |entry: &&Value| !forgets || text(entry, &["item", "type"]) != "commandExecution";
    (life.shown.iter().chain(completed).filter(compared).collect(), stored.iter().filter(compared).collect())
}

/// Whether the server made up the id when the item was read; 0.169 never does.
fn made_up(entry: &Value) -> bool {
    item_id(entry).starts_with("item-")
}

fn are_same(told: &[&Value], kept: &[&Value]) -> bool {
    let same = |(told, kept): (&&Value, &&Value)| {
        let like = |field| told["item"].get(field) == kept["item"].get(field);
        let reads_like = told["turnId"] == kept["turnId"] && like("type") && like("text") && like("content");
        item_id(told) == item_id(kept) || (made_up(told) || made_up(kept)) && reads_like
    };
    told.iter().zip(kept).all(same)
}

fn both(told: &[&Value], kept: &[&Value]) -> String {
    let ids = |list: &[&Value]| list.iter().map(|e| format!("{} {}", text(e, &["item", "type"]), item_id(e))).collect::<Vec<_>>();
    format!("told {:#?}\nkept {:#?}", ids(told), ids(kept))
}

/// Whatever ends has begun, once; what ran when the thread was resumed began before.
fn items_begin_once(life: &Life) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    of(life, "item/started").for_each(|p| *times.entry(item_id(p)).or_default() += 1);
    for completed in of(life, "item/completed") {
        let known = life.running.iter().any(|turn| turn == text(completed, &["turnId"]));
        let begun = times.get(item_id(completed)).copied().unwrap_or(usize::from(known));
        assert_eq!(begun, 1, "it begins once: {completed}");
    }
    assert!(times.values().all(|n| *n == 1), "each item begins once: {times:?}");
}

/// The pieces of a message, or of what a command prints, that was told from its beginning are the whole; of one that never ended its turn says so.
fn texts_add_up(life: &Life, pairs: &[Pair], stored: &[Value]) {
    let begun: HashSet<&str> = of(life, "item/started").map(item_id).collect();
    let mut said: HashMap<&str, Vec<&str>> = HashMap::new();
    for delta in of(life, "item/agentMessage/delta").chain(of(life, "item/commandExecution/outputDelta")) {
        said.entry(text(delta, &["itemId"])).or_default().push(text(delta, &["delta"]));
    }
    let finished: HashSet<&str> = of(life, "item/completed").map(item_id).collect();
    for (told, kept) in pairs.iter().filter(|(told, _)| begun.contains(item_id(told)) && finished.contains(item_id(told))) {
        let pieces = said.get(item_id(told)).map(Vec::as_slice).unwrap_or_default();
        match text(kept, &["item", "type"]) {
            "agentMessage" => assert_eq!(pieces.concat(), text(kept, &["item", "text"]), "the pieces add up: {told}"),
            "commandExecution" => output_adds_up(pieces, text(kept, &["item", "aggregatedOutput"])),
            _ => {}
        }
    }
    let ended: HashMap<&str, &str> =
        of(life, "turn/completed").map(|p| (text(p, &["turn", "id"]), text(p, &["turn", "status"]))).collect();
    // A release that does not keep the commands of a turn cannot say how one ended meanwhile; then that is told.
    let forgot = forgot(life);
    let may_be_lost = |open: &Value| forgot && text(open, &["item", "type"]) == "commandExecution";
    // Codex lets go of a message that streams when words for its turn come, and never ends or keeps it.
    let added: HashSet<&str> =
        stored.iter().filter(|e| text(e, &["item", "clientId"]).starts_with('s')).map(|e| text(e, &["turnId"])).collect();
    let kept: HashSet<&str> = stored.iter().map(item_id).collect();
    let gave_way = |open: &Value| {
        text(open, &["item", "type"]) == "agentMessage"
            && added.contains(text(open, &["turnId"]))
            && !kept.contains(item_id(open))
    };
    for open in of(life, "item/started").filter(|p| !finished.contains(item_id(p)) && !may_be_lost(p) && !gave_way(p)) {
        let status = ended.get(text(open, &["turnId"])).copied().unwrap_or("interrupted");
        assert_eq!(status, "interrupted", "an item that never ended belongs to a turn that was interrupted: {open}");
    }
}

/// What a command printed. Codex may begin to pass it on late, without a cut too; from then on it is all there, in order, once.
fn output_adds_up(pieces: &[&str], whole: &str) {
    let Some(first) = pieces.first() else { return };
    let told = pieces.concat();
    if whole.starts_with(first) {
        assert_eq!(told, whole, "the pieces add up");
    } else {
        assert!(whole.contains(&told), "what it printed is told once and in order: {told:?} of {whole:?}");
    }
}

/// A finished item was told as the server keeps it.
fn finished_as_stored(pairs: &[Pair]) {
    // What was shown has no thread beside it.
    for (told, kept) in pairs.iter().filter(|(told, _)| told.get("threadId").is_some()) {
        for field in ["type", "text", "status", "exitCode", "aggregatedOutput", "command"] {
            assert_eq!(told["item"].get(field), kept["item"].get(field), "{field} of {told}");
        }
    }
}

/// Of a message that never ended what was seen is true: the beginning of what the model said; where something is missing stands a
/// mark, and what follows it was said later.
fn cut_off_is_true(life: &Life, all: &[&str]) {
    let finished: HashSet<&str> = of(life, "item/completed").map(item_id).collect();
    let mut seen: HashMap<&str, String> = HashMap::new();
    for delta in of(life, "item/agentMessage/delta").filter(|p| !finished.contains(text(p, &["itemId"]))) {
        seen.entry(text(delta, &["itemId"])).or_default().push_str(text(delta, &["delta"]));
    }
    let running = |id: &str| {
        of(life, "item/agentMessage/delta")
            .any(|p| text(p, &["itemId"]) == id && life.running.iter().any(|t| t == text(p, &["turnId"])))
    };
    for (item, seen) in seen {
        let mut pieces = seen.split("[…]");
        let first = pieces.next().unwrap_or_default();
        let pieces: Vec<&str> = pieces.collect();
        // Of one that streamed when the thread was resumed the beginning was missed before.
        let late = running(item);
        let follows = |whole: &&&str| {
            let Some(at) = (if late {
                whole.find(first).map(|at| at + first.len())
            } else {
                whole.starts_with(first).then_some(first.len())
            }) else {
                return false;
            };
            let step = |rest: &str, piece: &&str| rest.find(piece).map(|at| at + piece.len());
            pieces.iter().try_fold(&whole[at..], |rest, piece| step(rest, piece).map(|at| &rest[at..])).is_some()
        };
        assert!(all.iter().any(|whole| follows(&whole)), "nobody said this of {item}: {seen}");
    }
}

/// No turn is interrupted here but by the death of its server: the front end is told so before its next turn, or, when that was
/// begun by another one meanwhile, after all that it missed.
fn interrupted_is_said(life: &Life, (is_second, whole): (bool, bool)) {
    let mut silent: Option<&Value> = None;
    for message in &life.heard {
        let of = params(message);
        match method(message) {
            "turn/completed" if text(of, &["turn", "status"]) == "interrupted" => silent = Some(of),
            "warning" if text(of, &["message"]).contains("was interrupted") => silent = None,
            "turn/started" => assert!(is_second || silent.is_none(), "nobody said why it was interrupted: {silent:?}"),
            _ => {}
        }
    }
    assert!(!whole || silent.is_none(), "nobody said why it was interrupted: {silent:?}");
}

/// A question is put once in the life of a connection, and settled once: before the next turn at the latest.
fn asked_and_settled_once(life: &Life, whole: bool) {
    let mut asked: HashMap<String, (String, &Value)> = HashMap::new();
    let (mut settled, mut seen, mut over) = (HashSet::new(), HashSet::new(), HashSet::new());
    let all_settled = |asked: &HashMap<String, (String, &Value)>, settled: &HashSet<String>, over: &HashSet<&str>| {
        // Of a call of a tool of the client's Codex does not tell that it was answered.
        let is_open = |(id, (question, asked)): &(&String, &(String, &Value))| {
            over.contains(text(asked, &["turnId"])) && !settled.contains(*id) && !question.starts_with("item/tool/call")
        };
        let open = asked.iter().find(is_open);
        assert!(open.is_none(), "its turn is over, and it is open: {open:?}");
    };
    for message in &life.heard {
        match message {
            Incoming::Request { id, params, .. } => {
                let question = question(message);
                assert!(seen.insert(question.clone()), "it is asked twice: {message:?}");
                asked.insert(serde_json::to_string(id).unwrap(), (question, params));
            }
            Incoming::Notification { method, params } if method == "serverRequest/resolved" => {
                let id = params["requestId"].to_string();
                assert!(asked.contains_key(&id), "it was never asked: {params}");
                assert!(settled.insert(id), "it is settled twice: {params}");
            }
            Incoming::Notification { method, params } if method == "turn/completed" => {
                over.insert(text(params, &["turn", "id"]));
            }
            Incoming::Notification { method, .. } if method == "turn/started" => all_settled(&asked, &settled, &over),
            Incoming::Notification { .. } => {}
        }
    }
    if whole {
        all_settled(&asked, &settled, &over);
    }
}

/// What is told as declined was declined by somebody, and what was declined is told so.
fn declined_by_a_person(life: &Life, client: &Client) {
    let decided = client.decided();
    let of_item =
        |item: &str| decided.iter().find(|d| text(&d.asked, &["itemId"]) == item && d.method.ends_with("/requestApproval"));
    for told in of(life, "item/completed") {
        let declined = text(told, &["item", "status"]) == "declined";
        match of_item(item_id(told)).filter(|d| !d.method.starts_with("item/permissions")) {
            Some(Decision { yes, .. }) => assert_eq!(declined, !yes, "what was decided: {told}"),
            None => assert!(!declined, "nobody declined it: {told}"),
        }
    }
}

/// The last turn of a life whose process was killed may still have run.
fn turns_begin_and_end_once(life: &Life, whole: bool) {
    let begun = life.running.iter().map(String::as_str).chain(of(life, "turn/started").map(|p| text(p, &["turn", "id"])));
    let begun: Vec<&str> = begun.collect();
    let ended: Vec<&str> = of(life, "turn/completed").map(|p| text(p, &["turn", "id"])).collect();
    let begun = if whole { &begun[..] } else { &begun[..begun.len().min(ended.len())] };
    assert_eq!(begun, ended, "each turn begins and ends once");
}

/// Words for a running turn are in it once, or the front end knows that they are not; gives how many are.
pub(super) fn words_added(told: &[(String, Told)], stored: &[Value]) -> usize {
    let kept = |id: &str| stored.iter().filter(|e| text(e, &["item", "clientId"]) == id).count();
    for (id, told) in told {
        match told {
            Told::Taken => assert_eq!(kept(id), 1, "{id} was answered"),
            Told::GivenBack | Told::Refused(_) => assert_eq!(kept(id), 0, "{id}: {told:?}"),
            Told::Nothing => assert!(kept(id) <= 1, "{id} is there twice"),
        }
    }
    told.iter().map(|(id, _)| kept(id)).sum()
}

/// What was run on the host: each accepted command once, a declined one never, and none in secret.
pub(super) fn deeds(client: &Client, app: &std::path::Path, stored: &[Value]) {
    // Codex's own sandbox leaves empty folders behind when it is killed.
    for file in std::fs::read_dir(app).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()) {
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n", "{}: each command runs once", file.display());
        is_told(client, file.file_name().unwrap().to_str().unwrap(), stored);
    }
    for Decision { yes, asked, .. } in client.decided() {
        let words = asked.to_string();
        let file = words.split_whitespace().find(|w| w.starts_with("did-")).map(|w| w.trim_matches(|c| "\"'\\,".contains(c)));
        if let Some(file) = file.filter(|_| !yes) {
            assert!(!app.join(file).exists(), "{file}: declined, and run all the same");
        }
    }
}

/// What did this is known to the front end, or it knows that it does not know all: a release may not keep commands. A process of
/// ours that was killed, and a server that died, take what nobody had heard yet with them.
fn is_told(client: &Client, deed: &str, stored: &[Value]) {
    let Some(turn) = deed.strip_prefix(&format!("did-{}-", client.name)).and_then(|rest| rest.split('-').next()) else { return };
    let [life] = &client.lives[..] else { return };
    let prompt = format!("c{}-{turn}", client.name);
    let turn = stored.iter().find(|e| text(e, &["item", "clientId"]) == prompt).map(|e| text(e, &["turnId"]));
    let whole = |p: &&Value| Some(text(p, &["turn", "id"])) == turn && text(p, &["turn", "status"]) == "completed";
    if of(life, "turn/completed").any(|p| whole(&p)) {
        let told = of(life, "item/completed").any(|p| p.to_string().contains(deed));
        assert!(told || forgot(life), "{deed} was done, and nobody was told");
    }
}

/// Whether it was told that commands may have ended unseen.
fn forgot(life: &Life) -> bool {
    of(life, "warning").any(|p| text(p, &["message"]).contains("gives it back without its commands"))
}
