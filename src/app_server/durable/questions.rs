//! Requests of the server that wait for the client: each is put once, and answered once, whatever happens to links.
//!
//! The server numbers its requests from 0 in each process, so the client is given numbers of ours. After a return the
//! server puts its open requests again, for each `thread/resume`: the client has them already, and may have answered in the
//! meantime.

use serde_json::{Value, json};

use super::say;
use crate::rpc::message::{Message, RequestId, RpcError};

/// Answers that the server has not confirmed are kept for sending again; beyond this many the oldest go.
const UNCONFIRMED: usize = 256;

/// What to do with a request of the server.
#[derive(Debug, PartialEq)]
pub enum Put {
    /// Put it to the client.
    ToClient(Message),
    /// The client has answered it already: send this.
    ToServer(Message),
    /// The client has it.
    Nothing,
}

/// A request that is settled.
#[derive(Debug, PartialEq)]
pub struct Settled {
    /// What the client is told.
    pub told: Option<Message>,
    /// The thread and the item to which it, or somebody else, may have said no.
    pub refused: Option<(String, String)>,
}

#[derive(Debug)]
struct Open {
    /// The number that the client knows it by.
    number: i64,
    /// The id on the present connection; none while it has not been put again.
    upstream: Option<RequestId>,
    method: String,
    params: Value,
    answer: Option<Result<Value, RpcError>>,
    /// Whether the client resumed the thread by itself, and is to hear it again.
    wanted: bool,
}

/// The requests of one client.
#[derive(Debug, Default)]
pub struct Questions {
    next: i64,
    open: Vec<Open>,
}

impl Open {
    fn thread(&self) -> Option<&str> {
        say::text(&self.params, &["threadId"]).or_else(|| say::text(&self.params, &["conversationId"]))
    }

    /// The same question, maybe of another server process: what it is about decides, not its number.
    fn same(&self, method: &str, params: &Value) -> bool {
        const KEY: [&str; 5] = ["threadId", "turnId", "itemId", "approvalId", "callId"];
        if self.method != method {
            return false;
        }
        let known = params.get("itemId").is_some() || params.get("callId").is_some();
        if known { KEY.iter().all(|k| self.params.get(k) == params.get(k)) } else { self.params == *params }
    }

    fn to_client(&self) -> Message {
        Message::request(RequestId::Number(self.number), self.method.clone(), self.params.clone())
    }

    /// Whether the client said no: the server tells so once, and does not keep it.
    fn refused(&self) -> bool {
        match &self.answer {
            Some(Ok(answer)) => matches!(say::text(answer, &["decision"]), Some("decline" | "cancel")),
            Some(Err(_)) => true,
            None => false,
        }
    }

    fn resolved(&self) -> Option<Message> {
        let params = json!({"threadId": self.thread()?, "requestId": self.number});
        Some(Message::notification("serverRequest/resolved", params))
    }
}

impl Questions {
    /// The server puts a request.
    pub fn put(&mut self, id: RequestId, method: String, params: Value) -> Put {
        // Two that are alike on one connection are two; after a cut each is put again under an id of its own.
        let same = |o: &Open| o.same(&method, &params) && (o.upstream.is_none() || o.upstream.as_ref() == Some(&id));
        let known = self.open.iter().position(|o| same(o) && o.upstream.is_some()).or_else(|| self.open.iter().position(same));
        let Some(open) = known.and_then(|at| self.open.get_mut(at)) else {
            let open = Open { number: self.next, upstream: Some(id), method, params, answer: None, wanted: false };
            self.next += 1;
            let put = Put::ToClient(open.to_client());
            self.open.push(open);
            return put;
        };
        let before = open.upstream.replace(id.clone());
        let wanted = std::mem::take(&mut open.wanted);
        match (before, &open.answer) {
            _ if wanted => Put::ToClient(open.to_client()),
            // The thread was resumed twice.
            (Some(_), _) => Put::Nothing,
            (None, Some(answer)) => Put::ToServer(Message::response(id, answer.clone())),
            (None, None) => Put::Nothing,
        }
    }

    /// The client resumed a thread by itself: it hears what is open there once more.
    pub fn wanted(&mut self, thread: &str) {
        self.open.iter_mut().filter(|o| o.thread() == Some(thread)).for_each(|o| o.wanted = true);
    }

    /// The client answers. Without a link the answer waits for the request to come again.
    pub fn answered(&mut self, id: &RequestId, result: Result<Value, RpcError>) -> Option<Message> {
        let open = self.open.iter_mut().find(|o| RequestId::Number(o.number) == *id)?;
        open.answer = Some(result.clone());
        let message = open.upstream.clone().map(|id| Message::response(id, result));
        self.forget_confirmed();
        message
    }

    fn forget_confirmed(&mut self) {
        let answered = self.open.iter().filter(|o| o.answer.is_some()).count();
        if answered > UNCONFIRMED
            && let Some(at) = self.open.iter().position(|o| o.answer.is_some())
        {
            self.open.remove(at);
        }
    }

    /// The server says that a request is settled; gives back what the client is told.
    pub fn resolved(&mut self, id: &RequestId) -> Option<Settled> {
        let at = self.open.iter().position(|o| o.upstream.as_ref() == Some(id))?;
        let open = self.open.remove(at);
        // Who else answered may have said no.
        let refused =
            (open.answer.is_none() || open.refused()).then(|| open.thread().zip(say::text(&open.params, &["itemId"]))).flatten();
        let refused = refused.map(|(thread, item)| (thread.to_owned(), item.to_owned()));
        Some(Settled { told: open.resolved(), refused })
    }

    /// The link was lost: no request has an id until it is put again. Gives back the items that may come to be declined.
    pub fn cut(&mut self) -> Vec<String> {
        self.open.iter_mut().for_each(|o| (o.upstream, o.wanted) = (None, false));
        let may_be_declined = self.open.iter().filter(|o| o.answer.is_none() || o.refused());
        may_be_declined.filter_map(|o| say::text(&o.params, &["itemId"]).map(str::to_owned)).collect()
    }

    /// All that the server still wants to know about a thread has been put again, or is among what is held: the rest is settled.
    /// `None` is for what belongs to no thread and therefore to the lost connection. Gives back what the client is told.
    pub fn barrier(&mut self, thread: Option<&str>, held: &[Message]) -> Vec<Message> {
        let comes =
            |o: &Open| held.iter().any(|m| matches!(m, Message::Request { method, params, .. } if o.same(method, params)));
        let settled = |o: &Open| o.upstream.is_none() && o.thread() == thread && !comes(o);
        let (gone, open) = std::mem::take(&mut self.open).into_iter().partition(settled);
        self.open = open;
        gone.iter().filter_map(Open::resolved).collect()
    }

    /// Whether the client owes an answer about this thread.
    #[must_use]
    pub fn waiting(&self, thread: &str) -> bool {
        self.open.iter().any(|o| o.answer.is_none() && o.thread() == Some(thread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: &str = "item/commandExecution/requestApproval";

    fn put(questions: &mut Questions, id: i64, item: &str) -> Put {
        let params = json!({"threadId":"t","turnId":"u","itemId":item,"startedAtMs":id});
        questions.put(RequestId::Number(id), ASK.into(), params)
    }

    fn yes() -> Result<Value, RpcError> {
        Ok(json!({"decision":"accept"}))
    }

    #[test]
    fn field_68_a_question_is_put_once_and_its_answer_follows_it() {
        let mut questions = Questions::default();
        let Put::ToClient(Message::Request { id, .. }) = put(&mut questions, 7, "i") else { panic!() };
        questions.cut();
        assert_eq!(questions.answered(&id, yes()), None, "there is no link");
        assert!(!questions.waiting("t"));
        assert_eq!(put(&mut questions, 0, "i"), Put::ToServer(Message::response(RequestId::Number(0), yes())));
        let settled = questions.resolved(&RequestId::Number(0)).expect("settled");
        assert_eq!(settled.refused, None);
        assert_eq!(settled.told.as_ref().and_then(Message::params), Some(&json!({"threadId":"t","requestId":0})));
    }

    #[test]
    fn unanswered_it_is_not_put_twice_and_another_with_its_number_is_another() {
        let mut questions = Questions::default();
        put(&mut questions, 0, "i");
        questions.cut();
        assert!(matches!(put(&mut questions, 0, "j"), Put::ToClient(Message::Request { id: RequestId::Number(1), .. })));
        assert_eq!(put(&mut questions, 1, "i"), Put::Nothing);
        assert_eq!(questions.answered(&RequestId::Number(0), yes()), Some(Message::response(RequestId::Number(1), yes())));
    }

    #[test]
    fn one_that_is_not_put_again_was_settled_by_somebody_else() {
        let mut questions = Questions::default();
        put(&mut questions, 3, "i");
        questions.put(RequestId::Number(4), "attestation/generate".into(), json!({}));
        assert_eq!(questions.cut(), ["i"]);
        questions.answered(&RequestId::Number(0), yes());
        assert_eq!(questions.barrier(None, &[]), [], "nobody is told of what belonged to the connection");
        assert_eq!(questions.barrier(Some("t"), &[]).len(), 1);
        assert_eq!(put(&mut questions, 3, "i"), Put::ToClient(questions.open[0].to_client()));
    }

    #[test]
    fn two_that_are_alike_are_two_and_each_is_answered() {
        let mut questions = Questions::default();
        let ask = |questions: &mut Questions, id| {
            questions.put(
                RequestId::Number(id),
                "mcpServer/elicitation/request".into(),
                json!({"threadId":"t","message":"sure?"}),
            )
        };
        for (id, number) in [(5, 0), (6, 1)] {
            let put = ask(&mut questions, id);
            assert!(matches!(put, Put::ToClient(Message::Request { id, .. }) if id == RequestId::Number(number)));
        }
        let answered = |questions: &mut Questions, number| questions.answered(&RequestId::Number(number), yes());
        assert_eq!(answered(&mut questions, 1), Some(Message::response(RequestId::Number(6), yes())));
        questions.cut();
        assert_eq!(ask(&mut questions, 5), Put::Nothing);
        assert_eq!(ask(&mut questions, 6), Put::ToServer(Message::response(RequestId::Number(6), yes())));
        assert_eq!(answered(&mut questions, 0), Some(Message::response(RequestId::Number(5), yes())));
    }

    #[test]
    fn a_client_that_resumes_by_itself_hears_it_again() {
        let mut questions = Questions::default();
        let first = put(&mut questions, 3, "i");
        assert_eq!(put(&mut questions, 3, "i"), Put::Nothing, "our own return resumed it twice");
        questions.wanted("t");
        assert_eq!(put(&mut questions, 3, "i"), first);
        assert_eq!(put(&mut questions, 3, "i"), Put::Nothing);
    }
}
