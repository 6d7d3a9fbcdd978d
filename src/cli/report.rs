//! How a failure is told to a person.

use super::plain;
use super::screen::{BROKEN_PIPE, Screen};
use crate::failure::{Code, Exit, Failure};

/// The lines of a failure: where and what, what came back, what to do now, and the stable code.
#[must_use]
pub fn failure(failure: &Failure) -> String {
    let host = failure.host.as_deref().map_or(String::new(), |h| format!("{}: ", plain::line(h)));
    let mut text = format!("error[{}]: {host}{}", failure.code.as_str(), plain::line(&failure.tried));
    block(&mut text, "  said: ", &failure.said);
    block(&mut text, "  try:  ", &failure.hint);
    text
}

/// Appends a text of one or more lines behind a label, the further lines aligned with the first.
fn block(text: &mut String, label: &str, content: &str) {
    for (number, line) in plain::text(content.trim_end()).lines().enumerate() {
        text.push('\n');
        text.push_str(if number == 0 { label } else { "        " });
        text.push_str(line);
    }
}

/// Tells the failure and gives the exit code; output that nobody reads any more is no failure.
#[must_use]
pub fn exit(screen: &Screen, result: Result<Exit, Failure>) -> Exit {
    match result {
        Ok(exit) => exit,
        Err(failure) if failure.code == Code::LocalIo && failure.said == BROKEN_PIPE => Exit::Done,
        Err(told) => {
            screen.note(&failure(&told));
            told.code.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_all_it_knows() {
        let told = Failure::new(Code::Unreachable, "connect to 10.0.0.7 port 22")
            .said("Connection refused\n\u{1b}[2Jand more")
            .hint("is sshd running there?")
            .at("devbox");
        insta::assert_snapshot!(failure(&told), @r"
        error[ssh-unreachable]: devbox: connect to 10.0.0.7 port 22
          said: Connection refused
                ␛[2Jand more
          try:  is sshd running there?
        ");
    }
}
