//! What the server asks of a person, and how it is answered.

use serde::Deserialize;
use serde_json::{Value, json};

use super::form::{self, Field};
use super::view;

/// A request of the server that waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// May this command run? (`item/commandExecution/requestApproval`)
    Command(CommandAsked),
    /// May these files change? (`item/fileChange/requestApproval`; the changes stand in the item)
    FileChange(FileChangeAsked),
    /// May the agent do more than its sandbox allows? (`item/permissions/requestApproval`)
    Permissions(PermissionsAsked),
    /// Questions of the agent. (`item/tool/requestUserInput`)
    Questions(QuestionsAsked),
    /// A question of an MCP server. (`mcpServer/elicitation/request`)
    Elicitation(Box<ElicitationAsked>),
}

/// See [`Asked::Command`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CommandAsked {
    /// The item.
    pub item_id: String,
    /// The command line.
    pub command: Option<String>,
    /// Where it would run.
    pub cwd: Option<String>,
    /// Why the agent wants it.
    pub reason: Option<String>,
    /// The decisions that may be taken, as the server lists them; words or objects.
    pub available_decisions: Option<Vec<Value>>,
}

/// See [`Asked::FileChange`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FileChangeAsked {
    /// The item.
    pub item_id: String,
    /// Why the agent asks.
    pub reason: Option<String>,
    /// The folder that would become writable for the session.
    pub grant_root: Option<String>,
}

/// See [`Asked::Permissions`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PermissionsAsked {
    /// The item.
    pub item_id: String,
    /// Why the agent asks.
    pub reason: Option<String>,
    /// What it asks for, in the server's form.
    pub permissions: Value,
}

/// See [`Asked::Questions`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct QuestionsAsked {
    /// The item.
    pub item_id: String,
    /// The questions.
    pub questions: Vec<AgentQuestion>,
}

/// One question of the agent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AgentQuestion {
    /// The key of the answer.
    pub id: String,
    /// A word or two.
    pub header: String,
    /// The question.
    pub question: String,
    /// Whether the answer is a secret.
    pub is_secret: bool,
    /// The answers to choose from.
    pub options: Option<Vec<AnswerOption>>,
}

/// An answer to choose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AnswerOption {
    /// The answer.
    pub label: String,
    /// What it means.
    pub description: String,
}

/// See [`Asked::Elicitation`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ElicitationAsked {
    /// The MCP server.
    pub server_name: String,
    /// "form", "openai/form", "openaiForm", "url", "openai/userVerification".
    pub mode: String,
    /// The question.
    pub message: String,
    /// The question of a user verification, which has no message.
    pub title: String,
    /// Where to go, for "url".
    pub url: Option<String>,
    /// The schema of a form.
    pub requested_schema: Value,
    /// What Codex adds to it: where the question is its own, may this tool run, `persist` says for how long a yes can hold.
    #[serde(rename = "_meta")]
    pub meta: Value,
}

impl ElicitationAsked {
    /// What is to be filled in.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        form::fields(&self.requested_schema)
    }

    /// Whether a yes can hold for the session: `persist` is a word or a list of words.
    fn persists(&self) -> bool {
        let persist = self.meta.get("persist");
        persist
            .into_iter()
            .flat_map(|p| p.as_array().map_or_else(|| vec![p], |list| list.iter().collect()))
            .any(|p| p == "session")
    }

    fn decisions(&self) -> Vec<Decision> {
        let all = [Decision::Accept, Decision::AcceptForSession, Decision::Decline, Decision::Cancel];
        // A verification wants a proof that only Codex's own clients can make.
        let yes = self.mode != "openai/userVerification";
        let offered = |decision: &Decision| match decision {
            Decision::Accept => yes,
            Decision::AcceptForSession => yes && self.persists(),
            Decision::Decline | Decision::Cancel => true,
        };
        all.into_iter().filter(offered).collect()
    }

    fn answer(&self, decision: Decision, content: Value) -> Value {
        let meta = if decision == Decision::AcceptForSession { json!({ "persist": "session" }) } else { Value::Null };
        json!({ "action": elicited(decision), "content": content, "_meta": meta })
    }
}

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes, this once.
    Accept,
    /// Yes, and the like for the rest of the session.
    AcceptForSession,
    /// No; the agent goes on without it.
    Decline,
    /// No, and the turn ends.
    Cancel,
}

impl Decision {
    /// The protocol's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::AcceptForSession => "acceptForSession",
            Self::Decline => "decline",
            Self::Cancel => "cancel",
        }
    }
}

impl Asked {
    /// Reads a request; none for one that is not for a person.
    #[must_use]
    pub fn read(method: &str, params: &Value) -> Option<Self> {
        match method {
            "item/commandExecution/requestApproval" => view(params).map(Self::Command),
            "item/fileChange/requestApproval" => view(params).map(Self::FileChange),
            "item/permissions/requestApproval" => view(params).map(Self::Permissions),
            "item/tool/requestUserInput" => view(params).map(Self::Questions),
            "mcpServer/elicitation/request" => view(params).map(Self::Elicitation),
            _ => None,
        }
    }

    /// The decisions that may be taken, in the order they are offered. A plain no is always among them: the server takes it
    /// though it does not list it (0.169.0 lists "accept" and "cancel" only; tried).
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        let all = [Decision::Accept, Decision::AcceptForSession, Decision::Decline, Decision::Cancel];
        match self {
            Self::Command(CommandAsked { available_decisions: Some(listed), .. }) => {
                let offered = |d: &Decision| *d == Decision::Decline || listed.iter().any(|l| l.as_str() == Some(d.as_str()));
                all.into_iter().filter(offered).collect()
            }
            Self::Command(_) | Self::FileChange(_) => all.to_vec(),
            Self::Permissions(_) => vec![Decision::Accept, Decision::AcceptForSession, Decision::Decline],
            Self::Elicitation(asked) => asked.decisions(),
            Self::Questions(_) => vec![Decision::Decline, Decision::Cancel],
        }
    }

    /// Whether a plain yes is no answer: something is to be filled in that has no default.
    #[must_use]
    pub fn wants_words(&self) -> bool {
        match self {
            Self::Questions(_) => true,
            Self::Elicitation(asked) => form::content(&asked.fields(), &[]).is_err(),
            Self::Command(_) | Self::FileChange(_) | Self::Permissions(_) => false,
        }
    }

    /// The result to answer with. Questions are answered with [`answers`], forms that want words with [`filled`]; here they go
    /// unanswered.
    #[must_use]
    pub fn answer(&self, decision: Decision) -> Value {
        match self {
            Self::Command(_) | Self::FileChange(_) => json!({ "decision": decision.as_str() }),
            Self::Permissions(asked) => grant(&asked.permissions, decision),
            Self::Questions(_) => json!({ "answers": {} }),
            Self::Elicitation(asked) => match decision {
                Decision::Accept | Decision::AcceptForSession => match form::content(&asked.fields(), &[]) {
                    Ok(_) if asked.url.is_some() => asked.answer(decision, Value::Null),
                    Ok(content) => asked.answer(decision, content),
                    Err(_) => asked.answer(Decision::Cancel, Value::Null),
                },
                Decision::Decline | Decision::Cancel => asked.answer(decision, Value::Null),
            },
        }
    }
}

fn grant(wanted: &Value, decision: Decision) -> Value {
    let given = match decision {
        Decision::Accept | Decision::AcceptForSession => wanted.as_object().map(|all| {
            let some = all.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone()));
            Value::Object(some.collect())
        }),
        Decision::Decline | Decision::Cancel => None,
    };
    let scope = if decision == Decision::AcceptForSession { "session" } else { "turn" };
    json!({ "permissions": given.unwrap_or_else(|| json!({})), "scope": scope })
}

fn elicited(decision: Decision) -> &'static str {
    match decision {
        Decision::Accept | Decision::AcceptForSession => "accept",
        Decision::Decline => "decline",
        Decision::Cancel => "cancel",
    }
}

/// The result that answers questions: for each question its id and what was answered.
#[must_use]
pub fn answers(given: &[(String, Vec<String>)]) -> Value {
    let all: serde_json::Map<String, Value> = given.iter().map(|(id, words)| (id.clone(), json!({ "answers": words }))).collect();
    json!({ "answers": all })
}

/// The result that accepts a form with what was filled in ([`form::content`]).
#[must_use]
pub fn filled(content: Value) -> Value {
    json!({ "action": "accept", "content": content, "_meta": null })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_lists_is_offered() {
        let params =
            json!({"itemId":"i","command":"rm x","availableDecisions":["accept",{"acceptWithExecpolicyAmendment":{}},"cancel"]});
        let asked = Asked::read("item/commandExecution/requestApproval", &params).expect("read");
        assert_eq!(asked.decisions(), [Decision::Accept, Decision::Decline, Decision::Cancel]);
        assert_eq!(asked.answer(Decision::Cancel), json!({"decision":"cancel"}));
        assert!(Asked::read("attestation/generate", &params).is_none());
    }

    #[test]
    fn a_grant_gives_what_was_asked_for_or_nothing() {
        let params = json!({"permissions":{"network":{"enabled":true},"fileSystem":null}});
        let asked = Asked::read("item/permissions/requestApproval", &params).expect("read");
        let session = asked.answer(Decision::AcceptForSession);
        assert_eq!(session, json!({"permissions":{"network":{"enabled":true}},"scope":"session"}));
        assert_eq!(asked.answer(Decision::Decline), json!({"permissions":{},"scope":"turn"}));
    }

    #[test]
    fn a_form_is_accepted_only_when_nothing_is_left_open() {
        let asked = |params: Value| Asked::read("mcpServer/elicitation/request", &params).expect("read");
        let tool = asked(json!({"mode":"form","message":"Allow it?","requestedSchema":{"type":"object","properties":{}},
            "_meta":{"codex_approval_kind":"mcp_tool_call","persist":["session","always"]}}));
        assert!(!tool.wants_words() && tool.decisions().contains(&Decision::AcceptForSession));
        let session = json!({"action":"accept","content":{},"_meta":{"persist":"session"}});
        assert_eq!(tool.answer(Decision::AcceptForSession), session);
        let field = json!({"type":"object","properties":{"it":{"type":"string"}},"required":["it"]});
        let form = asked(json!({"mode":"form","message":"Which?","requestedSchema":field}));
        assert!(form.wants_words() && !form.decisions().contains(&Decision::AcceptForSession));
        assert_eq!(form.answer(Decision::Accept)["action"], "cancel");
        let url = asked(json!({"mode":"url","message":"Sign in","url":"https://a.example","elicitationId":"1"}));
        assert_eq!(url.answer(Decision::Accept), json!({"action":"accept","content":null,"_meta":null}));
        let proof = asked(json!({"mode":"openai/userVerification","title":"Is it you?","description":"","challenge":"x"}));
        assert_eq!(proof.decisions(), [Decision::Decline, Decision::Cancel]);
    }
}
