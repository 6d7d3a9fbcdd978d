//! Passwords and questions from the server (PAM, one-time codes), in as many rounds as it wants.

use russh::client::{KeyboardInteractiveAuthResponse as Response, Prompt};

use super::{A_PERSONS_TIME, Login, Reply};
use crate::failure::{Code, Failure};
use crate::ssh::ask::{Question, Secret};
use crate::ssh::budget::Spent;

/// The most rounds of questions of one login; a server that asks for more plays games.
const ROUNDS: usize = 32;

impl Login<'_> {
    /// Asks for the password, at most NumberOfPasswordPrompts times.
    pub(super) async fn password(&mut self) -> Result<Reply, Failure> {
        let mut last = Reply::Exhausted;
        for attempt in 0..self.prompts() {
            let preface = if attempt == 0 { String::new() } else { "Permission denied, please try again.".to_owned() };
            let prompt = format!("{}@{}'s password: ", self.target.user(), self.target.host_name());
            let typed = self.person(&Question { prompt, echo: false, preface }, "password").await?;
            let sending = self.link.handle.authenticate_password(self.target.user(), typed.reveal());
            let result = self.budget.within(sending).await;
            self.note("password");
            last = self.reply(result)?;
            if self.moves_on(&last, "password") {
                return Ok(last);
            }
        }
        Ok(last)
    }

    /// Lets the server ask, at most NumberOfPasswordPrompts times from the start.
    pub(super) async fn keyboard_interactive(&mut self) -> Result<Reply, Failure> {
        let mut last = Reply::Exhausted;
        for attempt in 0..self.prompts() {
            let asked = self.rounds(attempt > 0).await?;
            self.note("keyboard-interactive");
            last = asked.reply;
            // A server that refuses without having asked anything will not change its mind.
            if self.moves_on(&last, "keyboard-interactive") || !asked.anything {
                return Ok(last);
            }
        }
        Ok(last)
    }

    async fn rounds(&mut self, again: bool) -> Result<Asked, Failure> {
        let starting = self.link.handle.authenticate_keyboard_interactive_start(self.target.user(), None::<String>);
        let mut answer = self.budget.within(starting).await;
        let mut anything = false;
        for _ in 0..ROUNDS {
            let (name, instructions, prompts) = match answer {
                Ok(Ok(Response::InfoRequest { name, instructions, prompts })) => (name, instructions, prompts),
                Ok(Ok(Response::Success)) => return Ok(Asked { reply: Reply::Success, anything }),
                Ok(Ok(Response::Failure { remaining_methods, partial_success })) => {
                    let refused = russh::client::AuthResult::Failure { remaining_methods, partial_success };
                    let reply = self.reply(Ok(Ok::<_, ()>(refused)))?;
                    return Ok(Asked { reply, anything });
                }
                Ok(Err(_)) => return Err(self.cut()),
                Err(spent) => return Err(self.too_slow(spent)),
            };
            let mut preface = preface(&name, &instructions);
            if again && !anything {
                preface.insert_str(0, "Permission denied, please try again.\n");
            }
            anything |= !prompts.is_empty();
            let answers = self.answers(preface, &prompts).await?;
            // The server may be waiting for a phone to be touched: that is a person's time, not the network's.
            let responding = self.link.handle.authenticate_keyboard_interactive_respond(answers);
            answer = tokio::time::timeout(A_PERSONS_TIME, responding).await.map_err(|_| Spent { limit: A_PERSONS_TIME });
        }
        Err(Failure::new(Code::NotSsh, format!("log in as {}", self.target.user()))
            .said(format!("the server asked more than {ROUNDS} rounds of questions"))
            .hint("try ssh in a terminal"))
    }

    async fn answers(&mut self, mut preface: String, prompts: &[Prompt]) -> Result<Vec<String>, Failure> {
        let mut answers = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            // As ssh does since 8.x: the person must see which host is asking.
            let text = format!("({}@{}) {}", self.target.user(), self.target.alias, prompt.prompt);
            let question = Question { prompt: text, echo: prompt.echo, preface: std::mem::take(&mut preface) };
            answers.push(self.person(&question, "keyboard-interactive").await?.reveal().to_owned());
        }
        Ok(answers)
    }

    async fn person(&self, question: &Question, method: &str) -> Result<Secret, Failure> {
        self.ask.ask(question).await.map_err(|why| self.no_answer(why, method))
    }

    fn note(&mut self, method: &str) {
        if !self.tried.iter().any(|t| t == method) {
            self.tried.push(method.to_owned());
        }
    }

    /// Whether the method is over: it let us in, was half of what is wanted, or is not taken any more.
    fn moves_on(&mut self, reply: &Reply, method: &str) -> bool {
        match reply {
            Reply::Success | Reply::Refused { partial: true, .. } => {
                self.passed.push(method.to_owned());
                true
            }
            Reply::Refused { remaining, .. } => !remaining.iter().any(|m| <&str>::from(m) == method),
            Reply::Exhausted => true,
        }
    }
}

struct Asked {
    reply: Reply,
    /// Whether a person was asked anything.
    anything: bool,
}

fn preface(name: &str, instructions: &str) -> String {
    [name.trim(), instructions.trim()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n")
}
