//! Nothing that a remote says drives the terminal, whatever prints it: held for every front end that turns remote words to text.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use tokio::time::Instant;

use super::run::{approve, paint::Painter, which};
use super::{plain, report, table, threads};
use crate::app_server::durable::event::{Agent, Server};
use crate::app_server::durable::link::{Link, State};
use crate::app_server::protocol::approval::Asked;
use crate::app_server::protocol::view;
use crate::endpoint;
use crate::failure::{Code, Failure};
use crate::name::TurnId;
use crate::project::tunnel::{Rule, Side};
use crate::rpc::message::RequestId;
use crate::thread::View;
use crate::thread::event::{Approval, Change, ChangeKind, End, Event, TurnEnd};

/// Text of all kinds, much of it evil.
fn remote() -> impl Strategy<Value = String> {
    let evil = prop_oneof![
        Just("\u{1b}]0;title\u{7}".to_owned()),
        Just("\u{1b}]52;c;ZXZpbA==\u{1b}\\".to_owned()),
        Just("\u{1b}[2J\u{1b}[H".to_owned()),
        Just("\u{1b}[3".to_owned()),
        Just("1m".to_owned()),
        Just("\u{9b}6n".to_owned()),
        Just("\r\u{8}\u{7f}".to_owned()),
        Just("\u{202e}\u{2066}\u{2028}".to_owned()),
        Just("\n".to_owned()),
        "\\PC{0,8}",
        "[\u{0}-\u{ff}]{0,8}",
    ];
    proptest::collection::vec(evil, 0..6).prop_map(|parts| parts.concat())
}

/// What is left that could drive a terminal, our own colours aside.
fn driving(text: &str) -> Option<char> {
    // What is harmless stays as it is.
    let kept = plain::text(text);
    let ours = |text: &str| {
        text.chars()
            .filter(|c| !matches!(c, '\n' | '\t'))
            .find(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(c) || ('\u{2066}'..='\u{2069}').contains(c))
    };
    if kept == text { ours(text) } else { text.chars().find(|c| !kept.contains(*c)).or(Some('?')) }
}

fn events(a: &str, b: &str) -> Vec<Event> {
    let (item, piece) = (a.to_owned(), b.to_owned());
    let change = |kind| Change { path: a.to_owned(), kind, diff: format!("@@ {b}\n+{a}\n-{b}\n {a}") };
    let changes = vec![
        change(ChangeKind::Add),
        change(ChangeKind::Delete),
        change(ChangeKind::Update { move_path: Some(b.to_owned()) }),
        change(ChangeKind::Other),
    ];
    vec![
        Event::Prompted { message_id: None, text: piece.clone() },
        Event::Said { item: item.clone(), piece: piece.clone() },
        Event::Thought { item: item.clone(), piece: piece.clone() },
        Event::Command { item: item.clone(), command: piece.clone(), cwd: item.clone() },
        Event::Output { item: item.clone(), piece: piece.clone() },
        Event::Ran { item: item.clone(), end: End::Failed, exit_code: Some(1), took: Some(Duration::from_millis(5)) },
        Event::Changed { item: item.clone(), end: End::Done, changes },
        Event::Plan(vec![(item.clone(), piece.clone())]),
        Event::Did(piece.clone()),
        Event::Told(piece.clone()),
        Event::Warning(piece.clone()),
        Event::Error { text: piece.clone(), will_retry: true },
        Event::TurnEnded(TurnId(item), TurnEnd::Failed(piece)),
    ]
}

fn approvals(a: &str, b: &str) -> Vec<Approval> {
    let change = Change { path: a.to_owned(), kind: ChangeKind::Update { move_path: None }, diff: b.to_owned() };
    let asked = [
        ("item/commandExecution/requestApproval", json!({"command": a, "cwd": b, "reason": a, "itemId": b})),
        ("item/fileChange/requestApproval", json!({"reason": a, "grantRoot": b, "itemId": a})),
        ("item/permissions/requestApproval", json!({"permissions": {a: b}, "reason": a, "itemId": b})),
        (
            "item/tool/requestUserInput",
            json!({"questions": [{"id": a, "question": b, "header": a, "options": [{"label": a, "description": b}]}], "itemId": a}),
        ),
        ("mcpServer/elicitation/request", json!({"serverName": a, "message": b, "url": a, "mode": "url"})),
    ];
    let read = asked.iter().filter_map(|(method, params)| Asked::read(method, params));
    read.map(|asked| Approval { id: RequestId::Number(0), asked, changes: vec![change.clone()] }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn field_safety_of_a_turn(a in remote(), b in remote()) {
        let mut painter = Painter::new(false);
        for event in events(&a, &b) {
            let text = painter.paint(&event);
            prop_assert_eq!(driving(&text), None, "{:?}: {:?}", event, text);
        }
        prop_assert_eq!(driving(&painter.pause()), None);
    }

    #[test]
    fn field_safety_of_questions(a in remote(), b in remote()) {
        let approvals = approvals(&a, &b);
        prop_assert!(approvals.len() >= 3);
        for approval in approvals {
            for text in [approve::question(&approval), approve::more(&approval, &Painter::new(false)), plain::line(&approve::short(&approval))] {
                prop_assert_eq!(driving(&text), None, "{:?}", text);
            }
        }
    }

    /// What `login` shows of a remote codex, and says of its state.
    #[test]
    fn field_safety_of_signing_in(a in remote(), b in remote()) {
        for text in super::login::shown(&a, &b) {
            prop_assert_eq!(driving(&text), None, "{:?}", text);
        }
    }

    /// What `endpoint` and `forward` tell of their clients, links and ports.
    #[test]
    fn field_safety_of_what_serves(a in remote(), b in remote()) {
        let why = || Failure { host: Some(a.clone()), ..Failure::new(Code::LinkLost, b.clone()).said(a.clone()) };
        let lost = Link::Lost { since: Instant::now(), again: None, why: Failure { code: Code::HostKeyChanged, ..why() } };
        let state = State { link: lost, server: Server::Unknown, agent: Agent::Idle };
        let given = endpoint::News::GivenBack { words: a.clone(), sent: true };
        for news in [endpoint::News::Went(1, Some(why())), endpoint::News::Refused(why()), endpoint::News::State(state), given] {
            let mut shown = State { link: Link::Up, server: Server::Unknown, agent: Agent::Idle };
            let text = super::endpoint::told(&mut shown, &a, &news).unwrap_or_default();
            prop_assert_eq!(driving(&text), None, "{:?}", text);
        }
        let rule = Rule { side: Side::Here, port: 1, to: a.clone(), to_port: 2 };
        for text in super::forward::told(&rule, &a, &why()) {
            prop_assert_eq!(driving(&text), None, "{:?}", text);
        }
    }

    /// What completions say of threads and projects beside their names.
    #[test]
    fn field_safety_of_completions(a in remote()) {
        let text = super::completions::names::harmless(&a);
        prop_assert_eq!(driving(&text), None, "{:?}", text);
        prop_assert!(!text.contains('\n'), "{:?}", text);
    }

    #[test]
    fn field_safety_of_failures_and_tables(a in remote(), b in remote()) {
        let failure = Failure { host: Some(a.clone()), ..Failure::new(Code::ServerRefused, b.clone()).said(a.clone()).hint(b.clone()) };
        let told = report::failure(&failure);
        prop_assert_eq!(driving(&told), None, "{:?}", told);
        let thread: Option<View> = view(&json!({"id": "t", "cwd": b, "preview": a, "name": b}));
        let title = thread.as_ref().map(which::title).unwrap_or_default();
        let table = table::table(&[vec![plain::line(title), plain::line(&a)]]);
        prop_assert_eq!(driving(&table), None, "{:?}", table);
        for columns in [None, Some(80)] {
            let thread = json!({"id": "t", "cwd": b, "preview": a, "gitInfo": {"branch": b}, "status": {"type": a}});
            let listed = view::<View>(&thread).map(|view| threads::shown(view, &b, columns)).unwrap_or_default();
            prop_assert_eq!(driving(&listed), None, "{:?}", listed);
        }
    }
}
