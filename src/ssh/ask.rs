//! Questions to a person: passphrases, passwords, codes, and whether a host key is the right one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::failure::{Code, Failure};

/// A secret that a person typed; it is not shown by `Debug` and not kept longer than needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes what was typed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text; never to be logged or stored.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// One question. Texts may come from the remote and are neutralised by whoever shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is wanted, as OpenSSH would word it ("Enter passphrase for key '/home/me/.ssh/id_ed25519': ").
    pub prompt: String,
    /// Whether what is typed may be seen.
    pub echo: bool,
    /// A name and an instruction that go before a round of questions; empty mostly.
    pub preface: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// There is neither a terminal nor an askpass program.
    NobodyThere,
    /// SSH_ASKPASS names a program that cannot be run; the words say which and why.
    NoProgram(String),
    /// The person refused to answer (Ctrl-D, askpass said no).
    Refused,
    /// The person wants all of it to end (Ctrl-C).
    Interrupted,
}

/// What a Ctrl-C at a question makes of the whole.
#[must_use]
pub fn interrupted(tried: impl Into<String>) -> Failure {
    Failure::new(Code::Interrupted, tried).said("interrupted at the question")
}

/// The future of an answer.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Secret, NoAnswer>> + Send + 'a>>;

/// Asks a person.
pub trait Ask: Send + Sync {
    /// Asks one question.
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a>;

    /// Asks for leave to do something; `ssh` does that by SSH_ASKPASS or not at all. Yes, or nothing typed, is leave.
    fn permit<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        self.ask(question)
    }
}

/// Nobody is there: every question is answered with [`NoAnswer::NobodyThere`].
#[derive(Debug, Clone, Copy, Default)]
pub struct NobodyToAsk;

impl Ask for NobodyToAsk {
    fn ask<'a>(&'a self, _: &'a Question) -> Answer<'a> {
        Box::pin(std::future::ready(Err(NoAnswer::NobodyThere)))
    }
}
