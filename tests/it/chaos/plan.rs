//! What the model does in each turn: messages with pauses, commands, approvals, changes of files.

use outpost::demo::script::{Output, Piece, Reply, Scene, Script};
use rand::RngExt;
use rand::rngs::SmallRng;

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
    let (mut replies, mut gates) = (Vec::new(), Vec::new());
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
        let mut outputs = vec![Output::Say(pieces)];
        let file = format!("did-{name}-{part}");
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
    let more = rng.random_bool(0.3).then(|| format!("more-{name};"));
    Plan { words: format!("turn-{name};"), scene: Scene(replies), gates, more }
}
