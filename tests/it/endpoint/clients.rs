//! `outpost endpoint` with clients of our own: who is let in, several at once, and how long they are kept.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use outpost::rpc::peer::{Incoming, Peer};
use outpost::rpc::websocket;
use serde_json::{Value, json};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::served::Served;
use crate::bed::faulty::{Fault, Mood};
use crate::bed::front::{Front, method, params, request_id, text};
use crate::durable::Bed;

pub(super) struct Client {
    peer: Peer,
    incoming: mpsc::Receiver<Incoming>,
    hello: Value,
}

impl Client {
    pub(super) async fn join(served: &Served, name: &str) -> Self {
        let stream = UnixStream::connect(served.socket()).await.unwrap();
        let (peer, incoming) = Peer::start(websocket::client(stream).await.unwrap());
        let info = json!({"clientInfo": {"name": name, "version": "0"}, "capabilities": {"experimentalApi": true}});
        let hello = peer.call("initialize", info).await.unwrap();
        peer.notify("initialized", Value::Null).await.unwrap();
        Self { peer, incoming, hello }
    }

    pub(super) async fn until(&mut self, wanted: &str) -> Incoming {
        self.until_all(&[wanted]).await
    }

    /// Listens until each of them was heard, in whatever order; gives the last.
    async fn until_all(&mut self, wanted: &[&str]) -> Incoming {
        let mut missing = wanted.to_vec();
        loop {
            let next = tokio::time::timeout(std::time::Duration::from_secs(60), self.incoming.recv()).await;
            let next = next.unwrap_or_else(|_| panic!("never heard {missing:?}")).expect("the connection stands");
            missing.retain(|wanted| *wanted != method(&next));
            if missing.is_empty() {
                return next;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_on_loopback_wants_the_token_and_no_web_page() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &["--ws"]).await;
    let said = served.said.clone();
    let (url, file) = (said["ws"].as_str().unwrap(), Path::new(said["token_file"].as_str().unwrap()));
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let bearer = format!("Bearer {}", std::fs::read_to_string(file).unwrap());
    let address = url.strip_prefix("ws://").unwrap();
    let connect = async |headers: &[(&'static str, &str)]| {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        tokio_tungstenite::client_async(request, TcpStream::connect(address).await.unwrap()).await
    };
    for (headers, status) in [
        (&[][..], 401),
        (&[("authorization", "Bearer 0123")], 401),
        (&[("authorization", &bearer), ("origin", "https://example.org")], 403),
        (&[("authorization", &bearer), ("host", "example.org")], 403),
    ] {
        match connect(headers).await {
            Err(Error::Http(refused)) => assert_eq!(refused.status(), status, "{headers:?}"),
            other => panic!("{headers:?}: {other:?}"),
        }
    }
    let (mut socket, _) = connect(&[("authorization", &bearer)]).await.unwrap();
    let hello = json!({"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "web", "version": "0"}}});
    futures_util::SinkExt::send(&mut socket, Message::text(hello.to_string())).await.unwrap();
    let answer = futures_util::StreamExt::next(&mut socket).await.unwrap().unwrap();
    let answer: Value = serde_json::from_str(answer.to_text().unwrap()).unwrap();
    assert!(text(&answer, &["result", "userAgent"]).ends_with("(web; 0)"), "{answer}");
    drop(served);
    assert!(!file.exists(), "the token goes with the endpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_clients_share_one_connection_and_a_thread_over_a_cut() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &[]).await;
    let mut first = Client::join(&served, "first").await;
    let mut second = Client::join(&served, "second").await;
    for (client, name) in [(&first, "(first; 0)"), (&second, "(second; 0)")] {
        assert!(text(&client.hello, &["userAgent"]).ends_with(name), "an initialize of its own: {}", client.hello);
    }
    assert_eq!(bed.host.logins(), 1);
    let started = first.peer.call("thread/start", json!({"cwd": bed.host.home.join("app")})).await.unwrap();
    let thread = text(&started, &["thread", "id"]).to_owned();
    first.peer.call("turn/start", Front::prompt(&thread, "c1", "say hello")).await.unwrap();
    first.until("turn/completed").await;
    second.peer.call("thread/resume", json!({"threadId": thread})).await.unwrap();
    first.peer.call("turn/start", Front::prompt(&thread, "c2", "ask touch asked\nsay bye")).await.unwrap();
    let asked = first.until("item/commandExecution/requestApproval").await;
    second.until("item/commandExecution/requestApproval").await;
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    first.peer.respond(request_id(&asked), Ok(json!({"decision": "accept"}))).await.unwrap();
    bed.wire.mood(Mood::Good);
    // Both hear that it is settled and how the turn ends: after a cut the first may come when the second was told.
    for client in [&mut first, &mut second] {
        client.until_all(&["serverRequest/resolved", "turn/completed"]).await;
    }
    assert!(bed.host.home.join("app/asked").exists());
    assert_eq!(bed.host.logins(), 2, "one new connection for both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_given_up_after_the_persons_limit() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &["--limit", "5"]).await;
    let mut client = Client::join(&served, "patient").await;
    let started = client.peer.call("thread/start", json!({"cwd": bed.host.home.join("app")})).await.unwrap();
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    let (peer, prompt) = (client.peer.clone(), Front::prompt(text(&started, &["thread", "id"]), "c1", "say it never went"));
    let sending = tokio::spawn(async move { peer.call("turn/start", prompt).await });
    let heard = async {
        let mut warned = Vec::new();
        while let Some(message) = client.incoming.recv().await {
            warned.extend((method(&message) == "warning").then(|| text(params(&message), &["message"]).to_owned()));
        }
        warned
    };
    let warned = tokio::time::timeout(std::time::Duration::from_secs(60), heard).await.expect("it is still kept");
    assert!(sending.await.unwrap().is_err());
    // The prompt is the person's again.
    assert!(warned.last().is_some_and(|w| w.ends_with("yours to send again: say it never went")), "{warned:?}");
}
