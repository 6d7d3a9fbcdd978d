//! What waits for a person is listed, and answered from another terminal than the one that runs the thread: real codex.

use outpost::demo::script::{Output, Scene, Script};
use serde_json::json;

use super::bed::Terminal;
use super::run::Bed;

fn call(name: &str, arguments: serde_json::Value) -> Scene {
    Scene::default().then(Output::Call { name: name.to_owned(), arguments }).then(Output::say("Thanks."))
}

async fn bed() -> Bed {
    let question = json!({"id": "q", "header": "Colour", "question": "Which colour?",
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}]});
    let permissions = json!({"reason": "to fetch", "permissions": {"network": {"enabled": true}}});
    let script = Script::default()
        .on("please ask", call("request_user_input", json!({"questions": [question]})))
        .on("please permit", call("request_permissions", permissions));
    Bed::with(script, "[features]\ndefault_mode_request_user_input = true\nrequest_permissions_tool = true\n").await
}

impl Bed {
    async fn waiting(&self, prompt: &str, state: &str) -> String {
        let ran = self.run(&["run", "--detach", "devbox:app", prompt]).await.exits(0);
        let thread = ran.stdout.trim().to_owned();
        self.becomes(&thread, state).await;
        thread
    }

    /// Waits until a thread waits, for an approval or an answer.
    async fn waits_for_a_person(&self, thread: &str) {
        for _ in 0..100 {
            if self.state(thread).await.starts_with("waits") {
                return;
            }
        }
        panic!("{thread} does not wait");
    }

    /// The last thing the model was told.
    fn told(&self) -> String {
        self.model.requests().last().unwrap()["input"].as_array().unwrap().last().unwrap().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_from_another_terminal() {
    let bed = bed().await;
    let thread = bed.waiting("please ask", "waitsForAnswer").await;
    let shown = bed.run(&["thread", "show", &thread]).await.exits(0).stdout;
    assert!(shown.contains("waits   Which colour?") && shown.contains(&format!("outpost thread answer {thread}")), "{shown}");
    let listed = bed.run(&["threads", "devbox"]).await.exits(0).stdout;
    assert!(listed.contains("needs an answer") && listed.contains("    ? Which colour?"), "{listed}");
    let ran = bed.run(&["thread", "approve", &thread]).await.exits(4);
    assert!(ran.stderr.contains("nothing of this kind waits there"), "{}", ran.stderr);
    let ran = bed.run(&["thread", "answer", &thread]).await.exits(2);
    assert!(ran.stderr.contains("Which colour?"), "{}", ran.stderr);
    let ran = bed.run(&["thread", "answer", &thread, "Blue"]).await.exits(0);
    assert_eq!(ran.stderr, format!("{thread}: Which colour?\n  answered\n"));
    bed.becomes(&thread, "idle").await;
    assert!(bed.told().contains("Blue"), "{}", bed.told());
}

/// No key that ends something answers something.
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_a_question_is_no_answer() {
    let bed = bed().await;
    for (key, code, state) in
        [("C-c", "[exit 1]", "idle"), ("C-\\", "[exit 1]", "waitsForAnswer"), ("C-d", "[exit 1]", "waitsForAnswer")]
    {
        let asked = bed.model.requests().len();
        let run = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "please ask"]);
        run.shows("  answer:");
        run.press(&[key]);
        let screen = run.shows(code);
        let thread = screen.split_whitespace().find(|word| word.starts_with("devbox:0")).expect("its id").to_owned();
        bed.becomes(&thread, state).await;
        assert_eq!(bed.model.requests().len(), asked + 1, "{key}: the model hears nothing more: {screen}");
        if state == "idle" {
            continue;
        }
        for key in ["C-c", "C-\\", "C-d"] {
            let answer = Terminal::outpost(&bed.sandbox, &["thread", "answer", &thread]);
            answer.shows("  answer:");
            answer.press(&[key]);
            answer.shows("[exit 130]");
        }
        assert_eq!(bed.state(&thread).await, "waitsForAnswer");
    }
}

/// The terminal that shows the question goes on, and what is typed there afterwards is for what comes then.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_answered_elsewhere_is_gone_from_the_screen() {
    let bed = bed().await;
    let run = Terminal::outpost(&bed.sandbox, &["run", "devbox:app"]);
    run.shows("›");
    run.line("please ask");
    let screen = run.shows("  answer:");
    let thread = screen.split_whitespace().find(|word| word.starts_with("devbox:0")).expect("its id").to_owned();
    run.type_text("Re");
    bed.run(&["thread", "answer", &thread, "Blue"]).await.exits(0);
    run.shows("answered elsewhere");
    run.shows("Thanks.");
    run.shows_times("›", 2);
    run.line("say It is heard.");
    run.shows_times("It is heard.", 2);
    assert!(bed.model.requests().iter().any(|request| request.to_string().contains("Blue")));
    run.press(&["C-d"]);
    run.shows("[exit 0]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_is_given_or_not_from_another_terminal() {
    let bed = bed().await;
    for (act, told) in [("approve", true), ("decline", false)] {
        let thread = bed.waiting("please permit", "waitsForApproval").await;
        let listed = bed.run(&["threads", "devbox"]).await.exits(0).stdout;
        assert!(listed.contains("    ? The agent asks to get more permissions"), "{listed}");
        bed.run(&["thread", act, &thread]).await.exits(0);
        bed.becomes(&thread, "idle").await;
        assert_eq!(bed.told().contains("enabled"), told, "{act}: {}", bed.told());
    }
}

/// With an MCP server whose tools ask.
async fn bed_of_the_asker() -> Bed {
    let tools = ["ask", "choose", "do"];
    let script = tools.iter().fold(Script::default(), |script, tool| {
        script.on(&format!("please {tool}"), call(&format!("mcp__asker.{tool}"), json!({})))
    });
    let bed = Bed::with(script, "").await;
    bed.host.gets_the_asker();
    bed
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_of_an_mcp_server_is_filled_in_from_another_terminal() {
    let bed = bed_of_the_asker().await;
    let ran = bed.run(&["run", "--detach", "devbox:app", "please choose"]).await.exits(0);
    let thread = ran.stdout.trim().to_owned();
    bed.waits_for_a_person(&thread).await;
    let shown = bed.run(&["thread", "show", &thread]).await.exits(0).stdout;
    assert!(shown.contains("The MCP server asker asks: which one?"), "{shown}");
    assert!(shown.contains(&format!("outpost thread answer {thread}")), "{shown}");
    let ran = bed.run(&["thread", "approve", &thread]).await.exits(2);
    assert!(ran.stderr.contains("· colour: red | blue") && ran.stderr.contains("outpost thread answer"), "{}", ran.stderr);
    let ran = bed.run(&["thread", "answer", &thread, "colour=green"]).await.exits(2);
    assert!(ran.stderr.contains("'green' is not what 'colour' takes"), "{}", ran.stderr);
    bed.run(&["thread", "answer", &thread, "colour=blue"]).await.exits(0);
    bed.becomes(&thread, "idle").await;
    assert!(bed.told().contains("took it: 'colour':'blue','count':2"), "{}", bed.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_words_is_approved_from_another_terminal() {
    let bed = bed_of_the_asker().await;
    for (prompt, act, told) in [
        ("please ask", "approve", "took it"),
        ("please ask", "decline", "did not want to"),
        ("please do", "approve", "it was done"),
        ("please do", "decline", "rejected"),
    ] {
        let ran = bed.run(&["run", "--detach", "devbox:app", prompt]).await.exits(0);
        let thread = ran.stdout.trim().to_owned();
        bed.waits_for_a_person(&thread).await;
        bed.run(&["thread", act, &thread]).await.exits(0);
        bed.becomes(&thread, "idle").await;
        assert!(bed.told().contains(told), "{prompt}, {act}: {}", bed.told());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_filled_in_on_the_terminal_that_runs_the_thread() {
    let bed = bed_of_the_asker().await;
    let run = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "please choose"]);
    run.shows("[y] yes, once");
    run.press(&["y"]);
    run.shows("? colour: red | blue");
    run.line("green");
    run.shows("is not what 'colour' takes");
    run.line("blue");
    run.shows("? count: a whole number; 2 if left out");
    run.press(&["Enter"]);
    run.shows("[exit 0]");
    assert!(bed.told().contains("took it: 'colour':'blue','count':2"), "{}", bed.told());
    // Nobody who knows the words: a yes to everything is none to this.
    let ran = bed.run(&["run", "devbox:app", "please choose", "--approve", "always"]).await.exits(0);
    assert!(ran.stderr.contains("declined (it wants words, and nobody is there to ask)"), "{}", ran.stderr);
    assert!(bed.told().contains("did not want to"), "{}", bed.told());
    let ran = bed.run(&["run", "devbox:app", "please do", "--approve", "always"]).await.exits(0);
    assert!(ran.stderr.contains("The MCP server asker asks") && ran.stderr.contains("accepted"), "{}", ran.stderr);
}
