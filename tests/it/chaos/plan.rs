//! What the model does in each turn: messages with pauses, commands, approvals, changes of files, questions of every kind.

use outpost::demo::script::{Output, Piece, Reply, Scene, Script};
use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::json;

/// One turn.
pub(super) struct Plan {
    /// The words of its prompt, which no other prompt holds.
    pub(super) words: String,
    /// What the model does.
    pub(super) scene: Scene,
    /// The gates it stops at, in order.
    pub(super) gates: Vec<String>,
    /// Words that are added while it runs, which no other words hold; the model takes note of them, and is done.
    pub(super) more: Option<String>,
    /// Whether the second front end adds them, where there is one.
    pub(super) by_second: bool,
    /// The texts of its messages.
    pub(super) said: Vec<String>,
}

/// Lines for codex's config.toml: it shall put questions of these kinds too.
pub(super) const QUESTIONS: &str = "[features]\ndefault_mode_request_user_input = true\nrequest_permissions_tool = true";

/// What the model calls so that Codex puts a question of another kind; `kind` is one of four.
fn question(kind: usize) -> Output {
    let options = json!([{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}]);
    let asked = json!([{"id": "q", "header": "Colour", "question": "Which colour?", "options": options}]);
    let (name, arguments) = match kind {
        0 => ("request_user_input", json!({"questions": asked})),
        1 => ("request_permissions", json!({"reason": "to fetch", "permissions": {"network": {"enabled": true}}})),
        2 => ("mcp__asker.ask", json!({})),
        _ => ("look", json!({"where": "there"})),
    };
    Output::Call { name: name.to_owned(), arguments }
}

impl Plan {
    /// The script, and this turn's part of it.
    pub(super) fn added_to(&self, script: Script) -> Script {
        let noted = Scene::default().then(Output::say("noted"));
        self.more.iter().fold(script.on(&self.words, self.scene.clone()), |script, more| script.on(more, noted.clone()))
    }
}

/// Turn `turn` of front end `front`.
pub(super) fn plan((front, turn): (usize, usize), rng: &mut SmallRng) -> Plan {
    let (mut replies, mut gates, mut said) = (Vec::new(), Vec::new(), vec!["the end".to_owned(), "noted".to_owned()]);
    let mut elicited = false;
    let name = format!("{front}-{turn}");
    for part in 0..rng.random_range(1..5) {
        let mut pieces = Vec::new();
        for word in 0..rng.random_range(1..12) {
            pieces.push(Piece::Text(format!("t{turn}p{part}w{word} ")));
            if rng.random_bool(0.2) {
                let gate = format!("{name}-{part}-{word}");
                gates.push(gate.clone());
                pieces.push(Piece::Wait(gate));
            }
        }
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Wait(_) => String::new(),
        };
        said.push(pieces.iter().map(text).collect());
        let mut outputs = vec![Output::Say(pieces)];
        let file = format!("did-{name}-{part}");
        match rng.random_range(0..8) {
            0 => outputs.push(Output::run(&format!("echo x >> {file}"))),
            1 => outputs.push(Output::run("sleep 0.3; for i in 1 2 3 4; do echo line $i; sleep 0.1; done")),
            2 => outputs.push(Output::ask(&format!("echo x >> {file}"), "chaos")),
            3 => outputs.push(Output::add_file(&file, "x")),
            4 => {
                // Two elicitations of one turn cannot be told apart.
                let kind = rng.random_range(0..4);
                let kind = if kind == 2 && std::mem::replace(&mut elicited, true) { 0 } else { kind };
                outputs.push(question(kind));
            }
            _ => outputs.push(Output::run("true")),
        }
        replies.push(Reply::Outputs(outputs));
    }
    replies.push(Reply::Outputs(vec![Output::say("the end")]));
    let more = rng.random_bool(0.3).then(|| format!("more-{name};"));
    Plan { words: format!("turn-{name};"), scene: Scene(replies), gates, more, by_second: rng.random_bool(0.5), said }
}
