//! What waits for a person in threads, in a line each, for a listing.

use super::run::approve;
use crate::app_server::Server;
use crate::name::ThreadId;
use crate::thread::{Options, Thread};

/// The most threads that are asked: each costs a round trip or two.
const MOST: usize = 20;

/// The questions of threads that wait. One that cannot be asked has none: the listing says that it waits all the same.
pub async fn of(server: Server, threads: Vec<ThreadId>) -> Vec<(ThreadId, Vec<String>)> {
    let mut all = Vec::new();
    let mut server = server;
    for id in threads.into_iter().take(MOST) {
        let Ok(mut thread) = Thread::resume(server, &id, &Options::default()).await else { return all };
        let waiting = thread.waiting().await.unwrap_or_default();
        all.push((id, waiting.iter().map(approve::short).collect()));
        server = thread.into_server();
    }
    all
}
