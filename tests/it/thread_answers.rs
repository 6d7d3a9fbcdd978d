//! What waits for a person is listed, and answered from another terminal than the one that runs the thread: real codex.

use outpost::demo::script::{Output, Scene, Script};
use serde_json::json;

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
        let thread = format!("devbox:{}", ran.stdout.trim());
        self.becomes(&thread, state).await;
        thread
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
    bed.run(&["thread", "answer", &thread, "Blue"]).await.exits(0);
    bed.becomes(&thread, "idle").await;
    assert!(bed.told().contains("Blue"), "{}", bed.told());
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
