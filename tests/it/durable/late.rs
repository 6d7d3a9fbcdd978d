//! A way to the host that goes on delivering what it had of a connection after the connection was cut.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use outpost::app_server::durable::driver::Durable;
use outpost::app_server::durable::settings::Settings;
use outpost::demo::model::Model;
use outpost::demo::script::Script;
use outpost::name::Alias;
use outpost::project::keeper::Keeper;
use outpost::remote::Want;
use outpost::rpc::peer::Peer;
use outpost::ssh::ask::NobodyToAsk;
use outpost::ssh::session::Context;
use outpost::step::Nobody;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::bed::front::{Front, text};
use crate::bed::{Codex, Host, Sandbox};

/// The wire: what comes from the client is held as long as `hold` says at that moment.
#[derive(Clone)]
struct Late {
    hold: watch::Sender<Duration>,
    held: watch::Sender<usize>,
    cuts: watch::Sender<usize>,
    delivered: watch::Sender<usize>,
}

impl Late {
    async fn serve(self, listener: TcpListener, host: Arc<Host>) {
        while let Ok((client, _)) = listener.accept().await {
            client.set_nodelay(true).unwrap();
            tokio::spawn(self.clone().connection(client, Arc::clone(&host)));
        }
    }

    async fn connection(self, client: TcpStream, host: Arc<Host>) {
        let (mut from_host, to_host) = tokio::io::split(host.connect_pipe());
        let (mut from_client, mut to_client) = client.into_split();
        let (queue, waiting) = mpsc::unbounded_channel();
        let mut cuts = self.cuts.subscribe();
        tokio::spawn(self.clone().deliver(waiting, to_host));
        let up = async {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
                let hold = *self.hold.borrow();
                queue.send((Instant::now() + hold, buffer[..n].to_vec())).unwrap();
                if !hold.is_zero() {
                    self.held.send_modify(|held| *held += n);
                }
            }
        };
        tokio::select! {
            () = up => {}
            _ = tokio::io::copy(&mut from_host, &mut to_client) => {}
            _ = cuts.changed() => {}
        }
    }

    /// Whatever became of the client.
    async fn deliver(
        self,
        mut waiting: mpsc::UnboundedReceiver<(Instant, Vec<u8>)>,
        mut to_host: tokio::io::WriteHalf<outpost::ssh::ByteStream>,
    ) {
        let mut last = Instant::now();
        while let Some((at, bytes)) = waiting.recv().await {
            last = last.max(at);
            tokio::time::sleep_until(last).await;
            drop(to_host.write_all(&bytes).await);
            drop(to_host.flush().await);
        }
        self.delivered.send_modify(|connections| *connections += 1);
    }
}

/// Whether a client has the first connection, which a proxy of the host carries, or a channel of its own to the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Proxy,
    Socket,
}

async fn reach(sandbox: &Sandbox, by: By) -> Peer {
    let local = sandbox.local();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    let alias: Alias = "devbox".parse().unwrap();
    let (keeper, reached) = Keeper::reach(&context, &alias, Want::server()).await.unwrap();
    let identity = reached.identity();
    let durable = match by {
        By::Proxy => Durable::start((reached.into_wire(), identity), keeper.dial(), Settings::own()),
        By::Socket => Durable::join(identity, keeper.dial(), Settings::own()),
    };
    let (peer, mut incoming) = Peer::start(durable.wire);
    tokio::spawn(async move { while incoming.recv().await.is_some() {} });
    let hello = json!({"clientInfo": {"name": "front", "version": "0"}, "capabilities": {"experimentalApi": true}});
    peer.call("initialize", hello).await.unwrap();
    peer.notify("initialized", Value::Null).await.unwrap();
    peer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_arrives_long_after_its_connection_was_cut_is_not_run_twice() {
    for by in [By::Proxy, By::Socket] {
        let model = Model::start(Script::default()).await.unwrap();
        let sandbox = Sandbox::new();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lines = ["HostName 127.0.0.1".into(), format!("Port {port}"), "ProxyCommand none".into()];
        let new = lines.iter().fold(sandbox.host("devbox"), |new, line: &String| new.ssh(line));
        let host = Arc::new(new.codex(&Codex::real(&model.base_url())).build());
        let public = std::fs::read_to_string(host.dir.join("hostkey_ed25519.pub")).unwrap();
        let mut known = std::fs::OpenOptions::new().append(true).open(sandbox.known_hosts()).unwrap();
        writeln!(known, "[127.0.0.1]:{port} {public}").unwrap();
        let new = || watch::Sender::new(0);
        let wire = Late { hold: watch::Sender::new(Duration::ZERO), held: new(), cuts: new(), delivered: new() };
        let serving = tokio::spawn(wire.clone().serve(listener, Arc::clone(&host)));

        let peer = reach(&sandbox, by).await;
        let started = peer.call("thread/start", json!({"cwd": host.home})).await.unwrap();
        let thread = text(&started, &["thread", "id"]).to_owned();
        peer.call("turn/start", Front::prompt(&thread, "c1", "say first")).await.unwrap();
        let words = format!("say {}", "x".repeat(4_000));
        let prompt = Front::prompt(&thread, "c2", &words);
        // Long enough for the next link, and the search for the prompt there.
        wire.hold.send_replace(Duration::from_secs(5));
        let asking = tokio::spawn({
            let peer = peer.clone();
            async move { peer.call("turn/start", prompt).await }
        });
        wire.held.subscribe().wait_for(|held| *held > 4_000).await.unwrap();
        wire.hold.send_replace(Duration::ZERO);
        wire.cuts.send_modify(|cuts| *cuts += 1);
        asking.await.unwrap().unwrap();
        wire.delivered.subscribe().wait_for(|connections| *connections > 0).await.unwrap();
        // Behind what was late, if it was heard: both are the server's now.
        peer.call("turn/start", Front::prompt(&thread, "c3", "say last")).await.unwrap();
        let kept = async || {
            let asked = json!({"threadId": thread, "limit": 100});
            let items = peer.call("thread/items/list", asked).await.unwrap();
            let ids = items["data"].as_array().unwrap().iter().map(|e| text(&e["item"], &["clientId"]).to_owned());
            let mut ids: Vec<String> = ids.filter(|id| !id.is_empty()).collect();
            ids.sort();
            ids
        };
        while !kept().await.contains(&"c3".to_owned()) {}
        assert_eq!(kept().await, ["c1", "c2", "c3"], "{by:?}");
        serving.abort();
    }
}
