//! What waits for a person in threads.

use crate::app_server::Server;
use crate::name::ThreadId;
use crate::thread::event::Approval;
use crate::thread::{Options, Thread};

/// The most threads that are asked: each costs a round trip or two.
const MOST: usize = 20;

/// The questions of threads that wait. One that cannot be asked has none: the listing says that it waits all the same.
pub async fn of(server: Server, threads: Vec<ThreadId>) -> Vec<(ThreadId, Vec<Approval>)> {
    let mut all = Vec::new();
    let mut server = server;
    for id in threads.into_iter().take(MOST) {
        let Ok(mut thread) = Thread::resume(server, &id, &Options::default()).await else { return all };
        all.push((id, thread.waiting().await.unwrap_or_default()));
        server = thread.into_server();
    }
    all
}
