//! A prompt whose link goes between its sending and its answer: what the server has of it in the end, and what the model sees.

use std::time::Duration;

use outpost::app_server::durable::event::Event;
use outpost::app_server::durable::settings::Settings;
use outpost::rpc::pending::{CallError, NOT_KNOWN};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Bed;
use crate::bed::front::{Front, method, params, text};
use crate::bed::tap::{At, Tap};

/// What a person adds to a turn that runs.
const WORDS: &str = "and be quick";

/// A turn that runs, and words that are added to it as the link breaks.
struct Turn {
    bed: Bed,
    front: Front,
    tap: Tap,
    thread: String,
}

/// The answer to the words, when it comes.
type Answer = JoinHandle<Result<Value, CallError>>;

impl Turn {
    async fn of(prompt: &str) -> Self {
        let (bed, tap) = (Bed::new().await, Tap::default());
        let front = Front::tapped(&bed.sandbox, "devbox", (Settings::own(), &tap)).await;
        let thread = front.thread(&bed.host.home.join("app")).await;
        front.call("turn/start", Front::prompt(&thread, "c1", prompt)).await;
        Self { bed, front, tap, thread }
    }

    /// In the middle of a message.
    async fn streams() -> Self {
        let mut turn = Self::of("slowly").await;
        turn.front.until("two", |m| text(params(m), &["delta"]).contains("two")).await;
        turn
    }

    /// The words are sent, the link breaks, and is back.
    async fn told(&mut self, method: &'static str, at: At, id: Option<&str>) -> Answer {
        let turns = self.front.call("thread/turns/list", json!({"threadId": self.thread, "limit": 1})).await;
        let mut words = Front::prompt(&self.thread, id.unwrap_or_default(), WORDS);
        words["expectedTurnId"] = turns["data"][0]["id"].clone();
        if id.is_none() {
            words.as_object_mut().unwrap().remove("clientUserMessageId");
        }
        self.tap.breaks(method, at);
        let peer = self.front.peer.clone();
        let answer = tokio::spawn(async move { peer.call(method, words).await });
        let back = async { while !matches!(self.front.events.recv().await.expect("it goes on"), Event::Back { .. }) {} };
        tokio::time::timeout(Duration::from_secs(60), back).await.expect("the link is back");
        answer
    }

    async fn ends(&mut self) {
        self.bed.model.open("a");
        self.bed.model.open("b");
        self.front.until_method("turn/completed").await;
    }

    /// How often the server was asked, the server keeps the words, the client is told of them, and the model sees them.
    async fn counts(&self) -> [usize; 4] {
        let items = self.front.call("thread/items/list", json!({"threadId": self.thread, "limit": 100})).await;
        let words = |text: String| text.matches(WORDS).count();
        let told = self.front.heard.iter().filter(|m| method(m) == "item/completed").map(|m| words(params(m).to_string()));
        let seen = self.bed.model.requests().last().unwrap().to_string();
        [self.tap.crossed(), words(items.to_string()), told.sum(), words(seen)]
    }
}

const WAYS: [&str; 2] = ["turn/steer", "turn/start"];

#[tokio::test(flavor = "multi_thread")]
async fn words_for_a_turn_that_streams_are_found_and_not_sent_again() {
    for way in WAYS {
        let mut turn = Turn::streams().await;
        let answer = turn.told(way, At::Answer, Some("s1")).await;
        turn.ends().await;
        let answered = answer.await.unwrap().unwrap();
        assert!(answered["turnId"].is_string() || answered["turn"]["id"].is_string(), "{answered}");
        assert_eq!(turn.counts().await, [1; 4], "{way}: {:?}", turn.front.story());
    }
}

/// The server shows them when the approval was answered and the model is asked again: until then nobody knows of them.
#[tokio::test(flavor = "multi_thread")]
async fn words_for_a_turn_that_waits_for_a_person_are_not_sent_again_before_they_show() {
    for way in WAYS {
        let mut turn = Turn::of("please work").await;
        let asked = turn.front.until_method("item/commandExecution/requestApproval").await;
        let answer = turn.told(way, At::Answer, Some("s1")).await;
        turn.front.answer(&asked, "accept").await;
        turn.ends().await;
        answer.await.unwrap().unwrap();
        assert_eq!(turn.counts().await, [1; 4], "{way}: {:?}", turn.front.story());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_never_arrived_are_sent_again() {
    for way in WAYS {
        let mut turn = Turn::of("please work").await;
        let asked = turn.front.until_method("item/commandExecution/requestApproval").await;
        let answer = turn.told(way, At::Request, Some("s1")).await;
        assert_eq!(turn.tap.crossed(), 0, "{way}: they may be there");
        turn.front.answer(&asked, "accept").await;
        turn.ends().await;
        match answer.await.unwrap() {
            Ok(_) => {
                turn.ends().await;
                assert_eq!((way, turn.counts().await), ("turn/start", [1; 4]), "{:?}", turn.front.story());
            }
            Err(refused) => {
                assert!(matches!(&refused, CallError::Refused(e) if e.message.contains("no active turn")), "{refused:?}");
                assert_eq!((way, turn.counts().await), ("turn/steer", [1, 0, 0, 0]), "{:?}", turn.front.story());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_without_an_id_are_not_known_and_not_sent_again() {
    for (way, at, crossed) in [("turn/steer", At::Request, 0), ("turn/steer", At::Answer, 1), ("turn/start", At::Answer, 1)] {
        let mut turn = Turn::streams().await;
        let answer = turn.told(way, at, None).await;
        let answered = answer.await.unwrap();
        assert!(matches!(&answered, Err(CallError::Refused(e)) if e.code == NOT_KNOWN), "{answered:?}");
        turn.ends().await;
        assert_eq!(turn.counts().await, [crossed; 4], "{way} {at:?}: {:?}", turn.front.story());
    }
}
