//! Passwords and questions from the server (PAM, one-time codes), in as many rounds as it wants.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{KeyboardInteractiveAuthResponse as Response, Prompt};

use super::{A_PERSONS_TIME, Login, Reply};
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::ssh::ask::{Question, Secret};
use crate::ssh::budget::Spent;
use crate::ssh::handler::Seen;

/// The most rounds of questions of one login; a server that asks for more plays games.
const ROUNDS: usize = 32;

/// How long after the server's answer to a password russh is given to tell it; it needs microseconds.
const PONDERED: Duration = Duration::from_secs(4);

impl Login<'_> {
    /// Asks for the password, at most NumberOfPasswordPrompts times.
    pub(super) async fn password(&mut self) -> Result<Reply, Failure> {
        let mut last = Reply::Exhausted;
        for attempt in 0..self.prompts() {
            let preface = if attempt == 0 { String::new() } else { "Permission denied, please try again.".to_owned() };
            let prompt = format!("{}'s password: ", self.who_where());
            let typed = self.person(&Question { prompt, echo: false, preface }, "password").await?;
            let seen = Arc::clone(&self.link.seen);
            let sending = self.link.handle.authenticate_password(self.target.user(), typed.reveal());
            let result = tokio::select! {
                biased;
                result = self.budget.within(sending) => result,
                () = neither_yes_nor_no(&seen) => return Err(expired(self.target)),
            };
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
            // As ssh does: the person must see which host is asking.
            let text = format!("({}) {}", self.who_where(), prompt.prompt);
            let question = Question { prompt: text, echo: prompt.echo, preface: std::mem::take(&mut preface) };
            answers.push(self.person(&question, "keyboard-interactive").await?.reveal().to_owned());
        }
        Ok(answers)
    }

    /// The account that a question is about, as ssh names it.
    fn who_where(&self) -> String {
        let host = self.target.first("hostkeyalias").filter(|a| !a.is_empty()).unwrap_or(self.target.host_name());
        format!("{}@{host}", self.target.user())
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

/// The server wants another password first (SSH_MSG_USERAUTH_PASSWD_CHANGEREQ, RFC 4252, section 8); russh has no word for that.
fn expired(target: &Target) -> Failure {
    let alias = &target.alias;
    Failure::new(Code::PasswordExpired, format!("log in as {} (password)", target.user()))
        .said("the server answered the password with neither yes nor no: it most likely wants a new one")
        .hint(format!("the system ssh can give it one: ssh {alias} in a terminal, or --carrier ssh"))
        .at(alias)
}

/// Ends when the server has answered, and russh has made nothing of it for a while; a banner is no answer.
async fn neither_yes_nor_no(seen: &Seen) {
    let banner = || seen.notes().banner.len();
    loop {
        let (arrivals, length) = (seen.arrivals(), banner());
        seen.more_than(arrivals).await;
        drop(tokio::time::timeout(PONDERED, std::future::pending::<()>()).await);
        if banner() == length {
            return;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_none_is_noticed_and_a_banner_is_not_one() {
        let seen = Seen::default();
        let mut waiting = std::pin::pin!(neither_yes_nor_no(&seen));
        let a_while = PONDERED * 10;
        assert!(tokio::time::timeout(a_while, waiting.as_mut()).await.is_err(), "the server may think as long as it likes");
        seen.notes().banner.push_str("Authorised use only");
        seen.arrives();
        assert!(tokio::time::timeout(a_while, waiting.as_mut()).await.is_err(), "a banner is no answer");
        seen.arrives();
        assert!(tokio::time::timeout(a_while, waiting.as_mut()).await.is_ok());
    }

    #[test]
    fn a_password_that_must_be_changed_is_named() {
        let target = Target::from_ssh_g("dev".parse().expect("alias"), "user me\n", "");
        let failure = expired(&target);
        insta::assert_snapshot!(format!("{failure} [{}]\n{}", failure.code.as_str(), failure.hint), @r"
        dev: log in as me (password): the server answered the password with neither yes nor no: it most likely wants a new one [auth-password-expired]
        the system ssh can give it one: ssh dev in a terminal, or --carrier ssh
        ");
    }
}
