//! What the owner of an `outpost endpoint` is told, and crowds at its doors: who counts, and when there is no room.

use outpost::rpc::websocket;
use serde_json::json;
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::tungstenite::Error;

use super::clients::Client;
use super::served::Served;
use crate::bed::faulty::{Fault, Mood};
use crate::bed::{Codex, Sandbox};
use crate::durable::Bed;

/// A sandbox with a host whose codex is the stand-in.
fn bed() -> (Sandbox, crate::bed::Host) {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").codex(&Codex::stand_in(&sandbox, &json!({}))).build();
    (sandbox, host)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_lost_to_the_owner_only_when_it_is() {
    let bed = Bed::new().await;
    let served = Served::begin(&bed.sandbox, &["--pace", "200"]).await;
    let first = Client::join(&served, "first").await;
    let second = Client::join(&served, "second").await;
    let came = "a client came; there is one now\na client came; there are 2 now\n";
    assert_eq!(served.tells("there are 2 now\n"), came);
    bed.wire.mood(Mood::Refuse);
    bed.wire.fault(Fault::Cut);
    served.tells("devbox: link lost");
    bed.wire.mood(Mood::Good);
    let told = served.tells("devbox: link up; the same server\n");
    assert!(told.starts_with(&format!("{came}devbox: link lost ")) && told.matches("link lost").count() == 1, "{told}");
    drop(first);
    served.tells("a client went; there is one now\n");
    drop(second);
    served.tells("a client went; none is left\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_say_nothing_keep_nobody_out() {
    let (sandbox, _host) = bed();
    let served = Served::begin(&sandbox, &["--ws"]).await;
    let address = served.said["ws"].as_str().unwrap().strip_prefix("ws://").unwrap().to_owned();
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(TcpStream::connect(&address).await.unwrap());
    }
    let _client = Client::join(&served, "at the socket").await;
    let bearer = std::fs::read_to_string(served.said["token_file"].as_str().unwrap()).unwrap();
    let mut request =
        tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(format!("ws://{address}")).unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
    let opened = tokio_tungstenite::client_async(request, TcpStream::connect(&address).await.unwrap()).await;
    assert!(opened.is_ok(), "{:?}", opened.err());
    let told = served.tells("a client came; there are 2 now\n");
    assert_eq!(told.matches("a client came").count(), 2, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_both_sides_are_told() {
    let (sandbox, _host) = bed();
    let served = Served::begin(&sandbox, &["--clients", "1"]).await;
    let first = Client::join(&served, "first").await;
    let stream = UnixStream::connect(served.socket()).await.unwrap();
    match tokio_tungstenite::client_async("ws://localhost/", stream).await {
        Err(Error::Http(refused)) => assert_eq!(refused.status(), 503),
        other => panic!("{other:?}"),
    }
    let told = served.tells("somebody was not let in: let a client in: 1 are there\n");
    assert_eq!(told.matches("a client came").count(), 1, "{told}");
    drop(first);
    served.tells("none is left");
    Client::join(&served, "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn running_out_of_descriptors_is_no_end() {
    let (sandbox, _host) = bed();
    let outpost = sandbox.outpost(&["endpoint", "devbox", "--json"]);
    let mut command = std::process::Command::new("/bin/sh");
    sandbox.clean(&mut command);
    command.args(["-c", "ulimit -n 40; exec \"$@\"", "sh"]).arg(outpost.get_program()).args(outpost.get_args());
    let served = Served::begin_by(&sandbox, command).await;
    let mut clients = Vec::new();
    for _ in 0..60 {
        let stream = UnixStream::connect(served.socket()).await.unwrap();
        clients.push(tokio::spawn(websocket::client(stream)));
    }
    served.tells("Too many open files");
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    drop(clients);
    Client::join(&served, "late").await;
}
