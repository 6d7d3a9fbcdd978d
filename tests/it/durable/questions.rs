//! Every kind of question that codex puts, over a link that is lost while it is open: put once, and its answer arrives.

use outpost::app_server::durable::link::Link;
use outpost::demo::script::{Output, Scene, Script};
use outpost::rpc::peer::Incoming;
use serde_json::{Value, json};

use super::{Bed, is_lost};
use crate::bed::faulty::{Fault, Mood};
use crate::bed::front::{Front, method, params, request_id, text};

/// A question and how codex is made to put it.
struct Kind {
    /// Lines for its config.toml.
    config: &'static str,
    /// The function that the model calls.
    call: (&'static str, Value),
    /// What `thread/start` says beside the folder.
    start: Value,
    /// The request that comes of it.
    request: &'static str,
    /// The answer.
    answer: Value,
    /// What the model is told then.
    told: &'static str,
}

fn kinds() -> Vec<Kind> {
    let question = json!({"id": "q", "header": "Colour", "question": "Which colour?",
        "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}]});
    let tool = json!({"type": "function", "name": "look", "description": "looks", "inputSchema": {"type": "object"}});
    vec![
        Kind {
            config: "[features]\ndefault_mode_request_user_input = true",
            call: ("request_user_input", json!({"questions": [question]})),
            start: json!({}),
            request: "item/tool/requestUserInput",
            answer: json!({"answers": {"q": {"answers": ["Blue"]}}}),
            told: "Blue",
        },
        Kind {
            config: "[features]\nrequest_permissions_tool = true",
            call: ("request_permissions", json!({"reason": "to fetch", "permissions": {"network": {"enabled": true}}})),
            start: json!({}),
            request: "item/permissions/requestApproval",
            answer: json!({"permissions": {"network": {"enabled": true}}, "scope": "turn"}),
            told: "enabled",
        },
        Kind {
            config: "",
            call: ("mcp__asker.ask", json!({})),
            start: json!({}),
            request: "mcpServer/elicitation/request",
            answer: json!({"action": "accept", "content": {"it": "this"}}),
            told: "the person took it",
        },
        Kind {
            config: "",
            call: ("look", json!({"where": "there"})),
            start: json!({"dynamicTools": [tool]}),
            request: "item/tool/call",
            answer: json!({"contentItems": [{"type": "inputText", "text": "seen by the client"}], "success": true}),
            told: "seen by the client",
        },
    ]
}

async fn bed(kind: &Kind) -> Bed {
    let (name, arguments) = kind.call.clone();
    let scene = Scene::default().then(Output::Call { name: name.to_owned(), arguments }).then(Output::say("done"));
    let script = Script::default().on("please ask", scene);
    let bed = Bed::with(script, &[(".codex/config.toml", kind.config)]).await;
    bed.host.gets_the_asker();
    bed
}

#[tokio::test(flavor = "multi_thread")]
async fn field_68_every_kind_of_question_outlives_a_cut() {
    for kind in kinds() {
        for answered_without_a_link in [true, false] {
            let bed = bed(&kind).await;
            let (mut front, _) = bed.front().await;
            let mut start = kind.start.clone();
            start["cwd"] = json!(bed.host.home.join("app"));
            let started = front.call("thread/start", start).await;
            let thread = text(&started, &["thread", "id"]).to_owned();
            front.call("turn/start", Front::prompt(&thread, "c1", "please ask")).await;
            let asked =
                front.until(kind.request, |m| matches!(m, Incoming::Request { .. }) || method(m) == "turn/completed").await;
            assert_eq!(method(&asked), kind.request, "{}", params(&asked));
            bed.wire.mood(Mood::Refuse);
            bed.wire.fault(Fault::Cut);
            front.until_state("lost", is_lost).await;
            if answered_without_a_link {
                front.peer.respond(request_id(&asked), Ok(kind.answer.clone())).await.unwrap();
            }
            bed.wire.mood(Mood::Good);
            front.until_state("up", |s| s.link == Link::Up).await;
            if !answered_without_a_link {
                front.peer.respond(request_id(&asked), Ok(kind.answer.clone())).await.unwrap();
            }
            front.until_method("turn/completed").await;
            let asked = front.heard.iter().filter(|m| method(m) == kind.request).count();
            assert_eq!(asked, 1, "{}: put once", kind.request);
            let last = bed.model.requests().pop().unwrap().to_string();
            assert!(last.contains(kind.told), "{}: {last}", kind.request);
        }
    }
}
