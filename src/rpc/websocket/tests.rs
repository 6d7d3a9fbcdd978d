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
