//! How a failure is told to a person.

use super::plain;
use super::run::paint::GREEN;
use super::screen::{BROKEN_PIPE, RED_BOLD, Screen, painted};
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

/// The lines of a failure with the code in red, and what to do in green, as clap has its own errors.
fn coloured(text: &str, colour: bool) -> String {
    let lines = text.split('\n').enumerate().map(|(number, line)| match (number, line.split_once(": ")) {
        (0, Some((code, rest))) => format!("{}: {rest}", painted(code, RED_BOLD, colour)),
        (_, Some(("  try", rest))) => format!("  {}: {rest}", painted("try", GREEN, colour)),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<String>>().join("\n")
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
            screen.note(&coloured(&failure(&told), screen.err_colour));
            told.code.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_coloured_only_where_that_is_wanted() {
        let told = failure(&Failure::new(Code::Usage, "do: it").said("try: no\n  try: nor this").hint("x"));
        assert_eq!(coloured(&told, false), told);
        let red = "\u{1b}[1m\u{1b}[31merror[usage]\u{1b}[0m: do: it";
        assert_eq!(coloured(&told, true).lines().next(), Some(red));
        assert_eq!(coloured(&told, true).matches("\u{1b}[32mtry\u{1b}[0m").count(), 1);
    }

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
