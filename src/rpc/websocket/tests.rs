//! A client and a server of ours, and others that are neither.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::rpc::message::{MAX_MESSAGE_BYTES, Message, RequestId};
use crate::rpc::wire::NOT_SENT_TOO_LARGE;

async fn both() -> (Wire, Wire) {
    let (a, b) = duplex(64 * 1024);
    let (client, server) = tokio::join!(client(a), server(b, |_| Ok(())));
    (client.expect("a client"), server.expect("a server"))
}

#[tokio::test]
async fn messages_cross_in_order_both_ways() {
    let (client, mut server) = both().await;
    let (mut from, to) = (client.from, client.to);
    let sending = tokio::spawn(async move {
        for n in 0..1_000 {
            to.send(Message::notification("a", json!(n))).await.expect("open");
        }
        to
    });
    for n in 0..1_000 {
        assert_eq!(server.from.recv().await, Some(Message::notification("a", json!(n))));
        server.to.send(Message::notification("b", json!(n))).await.expect("open");
        assert_eq!(from.recv().await, Some(Message::notification("b", json!(n))));
    }
    drop(sending.await);
    assert_eq!(server.from.recv().await, None, "dropping the sender closes");
    assert_eq!(server.ended.why().code, Code::LinkLost);
}

#[tokio::test]
async fn field_57_messages_up_to_the_limit_pass_and_larger_ones_come_back() {
    let (mut client, mut server) = both().await;
    let fits = Value::String("x".repeat(MAX_MESSAGE_BYTES - 100));
    client.to.send(Message::notification("a", fits.clone())).await.expect("open");
    assert_eq!(server.from.recv().await, Some(Message::notification("a", fits)));
    let big = Value::String("x".repeat(MAX_MESSAGE_BYTES));
    client.to.send(Message::request(RequestId::Number(1), "a", big)).await.expect("open");
    let Some(Message::Response { result: Err(e), .. }) = client.from.recv().await else { panic!("sent") };
    assert_eq!(e.code, NOT_SENT_TOO_LARGE);
    client.to.send(Message::notification("still", json!(1))).await.expect("open");
    assert_eq!(server.from.recv().await, Some(Message::notification("still", json!(1))));
}

#[tokio::test]
async fn what_is_no_message_is_told_why_the_connection_ends() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::Message as Frame;
    for (frame, code, words) in [
        (Frame::text("hello?"), 1008, "not JSON"),
        (Frame::text(r#"[{"id":1,"method":"a"}]"#), 1008, "neither a request"),
        (Frame::text(r#"{"id":{},"method":"a"}"#), 1008, "neither a request"),
        (Frame::text("x".repeat(10_000)), 1008, "not JSON"),
        (Frame::binary(vec![1, 2]), 1003, "binary"),
    ] {
        let (a, b) = duplex(64 * 1024);
        let (client, server) = tokio::join!(tokio_tungstenite::client_async("ws://localhost/", a), server(b, |_| Ok(())));
        let (mut client, mut server) = (client.expect("a client").0, server.expect("a server"));
        client.send(frame).await.expect("open");
        let Some(Ok(Frame::Close(Some(why)))) = client.next().await else { panic!("it is not told") };
        assert_eq!(u16::from(why.code), code);
        assert!(why.reason.contains(words) && why.reason.len() <= 123, "{}", why.reason);
        assert_eq!(server.from.recv().await, None);
        assert_eq!(server.ended.why().code, Code::ServerProtocol);
    }
}

#[tokio::test]
async fn an_upgrade_sent_early_is_answered_later() {
    let (mut a, b) = duplex(1024);
    let upgrade = Upgrade::new();
    a.write_all(&upgrade.request()).await.expect("open");
    let (client, server) = tokio::join!(client_after(a, upgrade), server(b, |_| Ok(())));
    let mut client = client.expect("a client");
    server.expect("a server").to.send(Message::notification("hi", Value::Null)).await.expect("open");
    assert_eq!(client.from.recv().await, Some(Message::notification("hi", Value::Null)));
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_is_noticed() {
    let (a, mut b) = duplex(64 * 1024);
    let opening = tokio::spawn(client(a));
    let mut head = vec![0; 4096];
    let n = b.read(&mut head).await.expect("the upgrade");
    let head = String::from_utf8_lossy(&head[..n]).into_owned();
    let key = head.split("Sec-WebSocket-Key: ").nth(1).and_then(|k| k.split("\r\n").next()).expect("a key");
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let answer = format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    b.write_all(answer.as_bytes()).await.expect("open");
    let mut client = opening.await.expect("ends").expect("open");
    assert_eq!(client.from.recv().await, None, "and not after a minute of silence");
    assert!(client.ended.why().said.contains("ping"), "{}", client.ended.why());
}

#[tokio::test(start_paused = true)]
async fn a_client_of_this_machine_may_be_silent_for_ever() {
    let (mut a, b) = duplex(64 * 1024);
    a.write_all(&Upgrade::new().request()).await.expect("open");
    let mut served = server(b, |_| Ok(())).await.expect("a client");
    // It is suspended: it reads nothing and answers no ping.
    let hour = tokio::time::timeout(Duration::from_secs(3600), served.from.recv()).await;
    assert!(hour.is_err(), "{hour:?}");
}

#[tokio::test]
async fn what_is_not_json_rpc_ends_the_connection_with_a_reason() {
    let (a, b) = duplex(1024);
    let server = async {
        let mut socket = tokio_tungstenite::accept_async(b).await.expect("a client");
        futures_util::SinkExt::send(&mut socket, tokio_tungstenite::tungstenite::Message::text("hello")).await.expect("open");
        socket
    };
    let (client, _server) = tokio::join!(client(a), server);
    let mut client = client.expect("a client");
    assert_eq!(client.from.recv().await, None);
    assert_eq!(client.ended.why().code, Code::ServerProtocol);
}

#[tokio::test]
async fn visitors_are_judged_by_their_headers() {
    let (a, b) = duplex(1024);
    let admit = |visitor: Visitor<'_>| {
        assert_eq!((visitor.header("host"), visitor.has("origin")), (Some("localhost"), false));
        Err(401)
    };
    let (client, server) = tokio::join!(client(a), server(b, admit));
    assert!(client.is_err_and(|e| e.code == Code::ServerProtocol && e.said.contains("401")));
    assert!(server.is_err());
}

/// What the server of this machine makes of the bytes of a client: whether it was let in, and what it said of itself.
fn served(bytes: &[u8]) -> (bool, Option<(bool, Option<String>)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let seen = std::sync::Mutex::new(None);
    let let_in = runtime.block_on(async {
        let (mut a, b) = duplex(64 * 1024);
        a.write_all(bytes).await.expect("room");
        a.shutdown().await.expect("open");
        let admit = |visitor: Visitor<'_>| {
            let key = visitor.header("authorization").map(str::to_owned);
            *seen.lock().expect("ours") = Some((visitor.has("origin"), key));
            if visitor.has("origin") { Err(403) } else { Ok(()) }
        };
        server(b, admit).await.is_ok()
    });
    (let_in, seen.into_inner().expect("ours"))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    #[test]
    fn nobody_comes_in_by_chance(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        proptest::prop_assert_eq!(served(&bytes), (false, None));
    }

    /// A browser cannot hide where its page is from, nor anybody show two keys.
    #[test]
    fn headers_are_found_however_they_are_written(
        origin in "[oO][rR][iI][gG][iI][nN]", blank in "[ \t]{0,3}", value in "[ -~]{0,20}",
        more in proptest::collection::vec(("[xX]-[A-Za-z]{1,8}", "[ -~]{0,20}"), 0..5), keys in 0_usize..3, has in proptest::prelude::any::<bool>(),
    ) {
        let mut lines: Vec<String> = more.iter().map(|(name, value)| format!("{name}:{blank}{value}")).collect();
        lines.extend((0..keys).map(|n| format!("Authorization:{blank}Bearer {n}")));
        if has {
            lines.push(format!("{origin}:{blank}{value}"));
        }
        let request = String::from_utf8(Upgrade::new().request()).expect("ASCII");
        let request = request.replacen("\r\n\r\n", &format!("\r\n{}\r\n\r\n", lines.join("\r\n")), 1);
        let request = if lines.is_empty() { String::from_utf8(Upgrade::new().request()).expect("ASCII") } else { request };
        let (let_in, seen) = served(request.as_bytes());
        let key = (keys == 1).then(|| "Bearer 0".to_owned());
        proptest::prop_assert_eq!((let_in, seen), (!has, Some((has, key))), "{}", request);
    }
}
