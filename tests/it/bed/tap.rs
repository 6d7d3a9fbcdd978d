//! A wire that breaks at a message: what the real server was asked, and what became of the answer, is known for certain.

use std::sync::{Arc, Mutex};

use outpost::app_server::durable::driver::Dial;
use outpost::rpc::message::{Message, RequestId};
use outpost::rpc::wire::Wire;

/// Where the link breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// The request is lost with the link: the server never has it.
    Request,
    /// The server has carried it out; its answer is lost with the link.
    Answer,
}

/// What becomes of a message on its way to the server.
enum Crosses {
    Answered,
    /// The link breaks instead of this answer.
    Unanswered(RequestId),
}

/// Breaks one link at one message; the links before and after it are as good as the wire beneath.
#[derive(Clone, Default)]
pub(crate) struct Tap(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    method: Option<&'static str>,
    at: Option<At>,
    /// How often the method crossed to the server since it was named.
    crossed: usize,
}

impl Tap {
    /// The link breaks at the next request of this method.
    pub(crate) fn breaks(&self, method: &'static str, at: At) {
        *self.0.lock().unwrap() = Plan { method: Some(method), at: Some(at), crossed: 0 };
    }

    /// How often requests of that method reached the server.
    pub(crate) fn crossed(&self) -> usize {
        self.0.lock().unwrap().crossed
    }

    /// The same dial, tapped.
    pub(crate) fn dial(&self, mut dial: Dial) -> Dial {
        let tap = self.clone();
        Box::new(move || {
            let (tap, dialling) = (tap.clone(), dial());
            Box::pin(async move { dialling.await.map(|(wire, identity)| (tap.on(wire), identity)) })
        })
    }

    /// The same wire, tapped.
    pub(crate) fn on(&self, server: Wire) -> Wire {
        let (client, ours) = Wire::pair();
        let tap = self.clone();
        tokio::spawn(async move {
            let _over = tap.relay(ours, server).await;
        });
        client
    }

    /// Passes messages on until either side ends, or the link breaks.
    async fn relay(&self, mut client: Wire, mut server: Wire) -> Option<()> {
        let mut lost = None;
        loop {
            tokio::select! {
                message = client.from.recv() => {
                    let message = message?;
                    match self.asks(&message)? {
                        Crosses::Answered => {}
                        Crosses::Unanswered(id) => lost = Some(id),
                    }
                    server.to.send(message).await.ok()?;
                }
                message = server.from.recv() => {
                    let message = message?;
                    if matches!(&message, Message::Response { id, .. } if lost.as_ref() == Some(id)) {
                        return None;
                    }
                    client.to.send(message).await.ok()?;
                }
            }
        }
    }

    /// What becomes of a message on its way to the server; none when the link breaks before it.
    fn asks(&self, message: &Message) -> Option<Crosses> {
        let mut plan = self.0.lock().unwrap();
        let Message::Request { id, method, .. } = message else { return Some(Crosses::Answered) };
        if plan.method != Some(method.as_str()) {
            return Some(Crosses::Answered);
        }
        match plan.at.take() {
            Some(At::Request) => None,
            at => {
                plan.crossed += 1;
                Some(at.map_or(Crosses::Answered, |_| Crosses::Unanswered(id.clone())))
            }
        }
    }
}
