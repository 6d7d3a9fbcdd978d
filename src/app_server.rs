//! The codex app-server on the remote: started or joined, and what its messages mean.

pub mod durable;
pub mod launch;
pub mod protocol;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::failure::{Code, Failure};
use crate::rpc::SILENT;
use crate::rpc::peer::{Incoming, Peer};
use crate::rpc::pending::CallError;
use crate::rpc::wire::Wire;
use protocol::{AccountRead, Initialized, view};

/// A connection to an app-server on which `initialize` was answered.
pub struct Server {
    /// For calls.
    pub peer: Peer,
    /// What the server sends on its own.
    pub incoming: mpsc::Receiver<Incoming>,
    /// What it said of itself.
    pub initialized: Initialized,
}

/// How long a server may take to answer `initialize`: the first start of a release took 2.4 s (APP-SERVER.md), on a slow
/// disk some times that.
const INITIALIZE_LIMIT: Duration = Duration::from_secs(30);

impl Server {
    /// Says hello. Health is an answered `initialize`, nothing less.
    ///
    /// # Errors
    /// [`Code::ServerSilent`] without an answer in time, [`Code::ServerRefused`] in the server's words.
    pub async fn open(wire: Wire) -> Result<Self, Failure> {
        let (peer, incoming) = Peer::start(wire);
        let hello = json!({
            "clientInfo": { "name": "outpost", "title": "Outpost", "version": env!("CARGO_PKG_VERSION") },
            "capabilities": { "experimentalApi": true },
        });
        let silent = Failure::new(Code::ServerSilent, "ask the app-server for initialize")
            .said(format!("no answer within {} s", INITIALIZE_LIMIT.as_secs()))
            .hint(SILENT);
        let answer = tokio::time::timeout(INITIALIZE_LIMIT, peer.call("initialize", hello)).await.map_err(|_| silent)?;
        let answer = answer.map_err(|e| e.failure("ask the app-server for initialize"))?;
        let initialized = view(&answer).unwrap_or_default();
        peer.notify("initialized", json!(null)).await.map_err(|e| e.failure("tell the app-server that we are ready"))?;
        Ok(Self { peer, incoming, initialized })
    }

    /// Lets through only a server that knows threads: the oldest ones answer `initialize` and nothing that we could use.
    ///
    /// # Errors
    /// [`Code::CodexTooOld`] with its version.
    pub async fn knows_threads(&self) -> Result<(), Failure> {
        match self.peer.read("thread/list", json!({ "limit": 1 })).await {
            Err(CallError::Refused(error)) if protocol::is_unknown_method(&error.message) => Err(self.too_old(&error.message)),
            _ => Ok(()),
        }
    }

    /// Lets through only a server that takes turns. One that was told to stop answers everything else; it is asked for a turn of a
    /// thread that nobody has, which any other refuses for that.
    ///
    /// # Errors
    /// [`Code::ServerDraining`].
    pub async fn takes_turns(&self) -> Result<(), Failure> {
        let nobodys = json!({ "threadId": "00000000-0000-7000-8000-000000000000", "input": [] });
        match self.peer.read("turn/start", nobodys).await.map_err(|e| e.failure("ask the app-server whether it takes turns")) {
            Err(failure) if failure.code == Code::ServerDraining => Err(failure),
            _ => Ok(()),
        }
    }

    /// The failure of a server that does not know what we need.
    #[must_use]
    pub fn too_old(&self, words: &str) -> Failure {
        let version = self.initialized.version().unwrap_or("this release");
        let words: String = words.chars().take(120).collect();
        Failure::new(Code::CodexTooOld, "ask the app-server for its threads")
            .said(format!("{version} does not know them: {words}"))
            .hint("update it there: outpost install HOST  or  npm install -g @openai/codex")
    }

    /// How many of its threads are at work; none when it does not tell.
    pub async fn at_work(&self) -> Option<usize> {
        /// More are not asked about: one is enough to leave the server alone.
        const ASKED: usize = 50;
        let loaded = self.peer.read("thread/loaded/list", json!({})).await.ok()?;
        let ids: Vec<String> = serde_json::from_value(loaded.get("data")?.clone()).ok()?;
        let mut active = 0;
        for id in ids.iter().take(ASKED) {
            let read = self.peer.read("thread/read", json!({ "threadId": id })).await.ok()?;
            active += usize::from(read.pointer("/thread/status/type").and_then(Value::as_str) == Some("active"));
        }
        Some(active)
    }

    /// Who is signed in on the remote, in a few words.
    ///
    /// # Errors
    /// [`Code::NotSignedIn`] when an account is needed and there is none.
    pub async fn signed_in(&self) -> Result<String, Failure> {
        let tried = "ask the app-server for account/read";
        let answer = match self.peer.read("account/read", json!({})).await {
            Ok(answer) => view::<AccountRead>(&answer).unwrap_or_default(),
            Err(CallError::Refused(_)) => return Ok("this release does not tell".to_owned()),
            Err(error) => return Err(error.failure(tried)),
        };
        match answer.account {
            Some(account) => Ok(account.email.unwrap_or(account.r#type)),
            None if answer.requires_openai_auth => {
                Err(Failure::new(Code::NotSignedIn, tried).said("nobody is signed in there").hint("outpost login HOST"))
            }
            None => Ok("its model provider needs no account".to_owned()),
        }
    }
}
