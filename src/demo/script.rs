//! What a scripted model answers: one scene for each prompt, one reply for each time the model is asked.
//!
//! Nothing is kept between requests: which reply of a scene is due follows from the conversation that each request carries.

use serde_json::Value;

/// A part of a text that is streamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// One delta.
    Text(String),
    /// Nothing until this gate is opened.
    Wait(String),
}

/// One thing a reply consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A message to the person, in deltas.
    Say(Vec<Piece>),
    /// A command for the agent to run.
    Command {
        /// The command line.
        cmd: String,
        /// Why it must run outside of the sandbox: makes Codex ask for an approval.
        escalate: Option<String>,
    },
    /// A change of files in the words of `apply_patch`; under `sandbox_mode = "read-only"` Codex asks for an approval.
    Patch(String),
    /// A call of any other function that Codex offers the model.
    Call {
        /// Its name; one of a namespace is `NAMESPACE.NAME`.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
}

impl Output {
    /// A message, a delta a word.
    #[must_use]
    pub fn say(text: &str) -> Self {
        Self::Say(text.split_inclusive(' ').map(|word| Piece::Text(word.to_owned())).collect())
    }

    /// A command inside the sandbox.
    #[must_use]
    pub fn run(cmd: &str) -> Self {
        Self::Command { cmd: cmd.to_owned(), escalate: None }
    }

    /// A command that needs an approval.
    #[must_use]
    pub fn ask(cmd: &str, why: &str) -> Self {
        Self::Command { cmd: cmd.to_owned(), escalate: Some(why.to_owned()) }
    }

    /// A new file.
    #[must_use]
    pub fn add_file(path: &str, content: &str) -> Self {
        let lines: String = content.lines().map(|line| format!("+{line}\n")).collect();
        Self::Patch(format!("*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch\n"))
    }

    /// One line of a file replaced by another.
    #[must_use]
    pub fn change_line(path: &str, old: &str, new: &str) -> Self {
        Self::Patch(format!("*** Begin Patch\n*** Update File: {path}\n@@\n-{old}\n+{new}\n*** End Patch\n"))
    }

    /// Whether Codex comes back with the outcome of it.
    fn is_call(&self) -> bool {
        matches!(self, Self::Command { .. } | Self::Patch(_) | Self::Call { .. })
    }
}

/// What the model answers when it is asked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// These, in this order, and the end of the response.
    Outputs(Vec<Output>),
    /// An HTTP error.
    Refuse {
        /// The status.
        status: u16,
        /// The text of the error.
        message: String,
    },
    /// These, and then the stream breaks off.
    Cut(Vec<Output>),
}

impl Reply {
    fn calls(&self) -> usize {
        match self {
            Self::Outputs(outputs) | Self::Cut(outputs) => outputs.iter().filter(|output| output.is_call()).count(),
            Self::Refuse { .. } => 0,
        }
    }
}

/// What the model does for one prompt, reply by reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene(pub Vec<Reply>);

impl Scene {
    /// With one more reply.
    #[must_use]
    pub fn then(mut self, output: Output) -> Self {
        self.0.push(Reply::Outputs(vec![output]));
        self
    }

    /// With a reply of any kind.
    #[must_use]
    pub fn reply(mut self, reply: Reply) -> Self {
        self.0.push(reply);
        self
    }

    /// A scene written in the prompt itself, a step a line: `say TEXT`, `run CMD`, `ask CMD`, `write PATH TEXT`, `wait GATE`,
    /// `fail TEXT`, `cut`. None when the first line is none of these.
    #[must_use]
    pub fn parse(prompt: &str) -> Option<Self> {
        let mut scene = Self::default();
        let mut saying: Vec<Output> = Vec::new();
        for line in prompt.lines().filter(|line| !line.trim().is_empty()) {
            let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            let call = match verb {
                "say" => Ok(Output::say(rest)),
                "wait" => Ok(Output::Say(vec![Piece::Wait(rest.to_owned())])),
                "run" => Err(Output::run(rest)),
                "ask" => Err(Output::ask(rest, "the script says so")),
                "write" => {
                    rest.split_once(' ').map_or_else(|| Err(Output::add_file(rest, "")), |(p, t)| Err(Output::add_file(p, t)))
                }
                "fail" => {
                    scene.0.push(Reply::Refuse { status: 400, message: rest.to_owned() });
                    continue;
                }
                "cut" => {
                    scene.0.push(Reply::Cut(std::mem::take(&mut saying)));
                    continue;
                }
                _ if scene.0.is_empty() && saying.is_empty() => return None,
                _ => continue,
            };
            match call {
                Ok(say) => saying.push(say),
                Err(call) => {
                    saying.push(call);
                    scene.0.push(Reply::Outputs(std::mem::take(&mut saying)));
                }
            }
        }
        if !saying.is_empty() {
            scene.0.push(Reply::Outputs(saying));
        }
        Some(scene)
    }

    /// The reply that is due after this many outcomes of calls; none when the scene is over.
    fn due(&self, mut outcomes: usize) -> Option<&Reply> {
        for reply in &self.0 {
            let calls = reply.calls();
            if calls == 0 || outcomes < calls {
                return Some(reply);
            }
            outcomes -= calls;
        }
        None
    }
}

/// The scenes by what the prompt holds.
#[derive(Debug, Clone, Default)]
pub struct Script {
    scenes: Vec<(String, Scene)>,
}

impl Script {
    /// Plays `scene` for a prompt that holds `words`; the first such line of the script wins.
    #[must_use]
    pub fn on(mut self, words: &str, scene: Scene) -> Self {
        self.scenes.push((words.to_owned(), scene));
        self
    }

    /// The scene for a prompt: of the script, written in the prompt itself ([`Scene::parse`]), or a plain answer.
    #[must_use]
    pub fn scene(&self, prompt: &str) -> Scene {
        let own = self.scenes.iter().find(|(words, _)| prompt.contains(words.as_str())).map(|(_, scene)| scene.clone());
        own.or_else(|| Scene::parse(prompt)).unwrap_or_else(|| Scene::default().then(Output::say("Nothing to do.")))
    }

    /// The reply to the body of a `POST /v1/responses`.
    #[must_use]
    pub fn answer(&self, request: &Value) -> Reply {
        let (prompt, outcomes) = asked(request);
        let over = || Reply::Outputs(vec![Output::say("Done.")]);
        self.scene(&prompt).due(outcomes).cloned().unwrap_or_else(over)
    }
}

/// The file that the demonstration changes.
pub const GREETING: &str = "Hello, nobody!\nWelcome to this machine.\n";

/// The prompt of the demonstration.
pub const PROMPT: &str = "Make the greeting greet the machine it is on, and try it.";

/// What the model does in the demonstration: looks, changes a file, asks to run a command.
#[must_use]
pub fn demonstration() -> Script {
    let look = vec![Output::say("I look at what is here first."), Output::run("ls; cat greeting.txt")];
    let change = vec![
        Output::say("The greeting names nobody. I change that line."),
        Output::change_line("greeting.txt", "Hello, nobody!", "Hello from devbox!"),
    ];
    let try_it = vec![
        Output::say("Now I try it. The script asks the system who it runs as."),
        Output::ask("./greet.sh", "greet.sh asks the system for your user name"),
    ];
    let scene = Scene(vec![Reply::Outputs(look), Reply::Outputs(change), Reply::Outputs(try_it)]);
    Script::default().on(PROMPT, scene.then(Output::say("The greeting in greeting.txt now names devbox.")))
}

/// The last thing the person wrote, and how many outcomes of calls came since.
#[must_use]
pub fn asked(request: &Value) -> (String, usize) {
    let input = request.get("input").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut outcomes = 0;
    for item in input.iter().rev() {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind.ends_with("_output") {
            outcomes += 1;
        }
        if kind == "message" && item.get("role").and_then(Value::as_str) == Some("user") {
            let parts = item.get("content").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            return (texts.join("\n"), outcomes);
        }
    }
    (String::new(), outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(prompt: &str, outcomes: usize) -> Value {
        let mut input = vec![
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>"}]}),
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}),
        ];
        input.extend((0..outcomes).map(|_| json!({"type": "function_call_output"})));
        json!({ "input": input })
    }

    #[test]
    fn replies_follow_from_the_conversation() {
        let scene = Scene::default().then(Output::run("ls")).then(Output::ask("rm x", "why")).then(Output::say("good bye"));
        let script = Script::default().on("clean up", scene);
        let at = |outcomes| script.answer(&request("please clean up", outcomes));
        assert_eq!(at(0), Reply::Outputs(vec![Output::run("ls")]));
        assert_eq!(at(1), Reply::Outputs(vec![Output::ask("rm x", "why")]));
        assert_eq!(at(2), Reply::Outputs(vec![Output::say("good bye")]));
        assert_eq!(script.answer(&request("hello", 0)), Reply::Outputs(vec![Output::say("Nothing to do.")]));
    }

    #[test]
    fn a_prompt_can_be_its_own_script() {
        let scene = Scene::parse("say one\nrun ls\nwait g\nsay two\nfail no").expect("a scene");
        let wait = Output::Say(vec![Piece::Wait("g".into())]);
        assert_eq!(
            scene.0,
            [
                Reply::Outputs(vec![Output::say("one"), Output::run("ls")]),
                Reply::Refuse { status: 400, message: "no".into() },
                Reply::Outputs(vec![wait, Output::say("two")]),
            ]
        );
        assert_eq!(Scene::parse("Fix the bug"), None);
    }
}
