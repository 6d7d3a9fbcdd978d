//! Asking a person whether an unknown host key is the right one, in OpenSSH's words.

use russh::keys::ssh_key::public::KeyData;

use super::known::{self, Entry};
use super::line::Marker;
use super::verdict::Verdict;
use super::{Checker, Decision, Presented, failure, fingerprint};
use crate::failure::{Code, Failure};
use crate::ssh::ask::{Ask, NoAnswer, NobodyToAsk, Question, interrupted};

/// An unknown key that a person accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The key.
    pub key: KeyData,
    /// What became of the writing, for a person.
    pub told: String,
}

/// How often an answer that is none is asked again before it counts as no: an askpass program may say the same for ever.
const TRIES: usize = 20;

/// The most lines with other names that are shown, as in OpenSSH.
const MAX_OTHER_NAMES: usize = 8;

pub(super) async fn accept(checker: &Checker, presented: &Presented, ask: &dyn Ask) -> Result<Accepted, Failure> {
    // Only an unknown key can be accepted, whoever calls.
    let flaw = match (checker.judge(presented), checker.decide(presented)) {
        (_, Decision::Stop(failure)) => return Err(failure),
        (Verdict::Unknown { certificate }, _) => certificate,
        _ => return Ok(Accepted { key: presented.key.clone(), told: String::new() }),
    };
    let print = fingerprint::sha256(&presented.key);
    let mut question = Question {
        prompt: "Are you sure you want to continue connecting (yes/no/[fingerprint])? ".to_owned(),
        echo: true,
        preface: preface(checker, presented, flaw.as_deref()),
    };
    let ask = if checker.policy.batch { &NobodyToAsk } else { ask };
    for _ in 0..TRIES {
        let answer = ask.ask(&question).await.map_err(|no| unanswered(checker, presented, no, flaw.as_deref()))?;
        match read(answer.reveal(), &print) {
            Some(true) => return Ok(remembered(checker, presented).await),
            Some(false) => break,
            None => question = again(),
        }
    }
    Err(refused(checker, presented))
}

async fn remembered(checker: &Checker, presented: &Presented) -> Accepted {
    let told = checker.remember(presented).await.unwrap_or_else(|warning| warning);
    Accepted { key: presented.key.clone(), told }
}

/// Yes, no, or neither.
fn read(answer: &str, fingerprint: &str) -> Option<bool> {
    let word = answer.trim_matches([' ', '\t', '\r', '\n']);
    match word {
        _ if word.eq_ignore_ascii_case("yes") || word == fingerprint => Some(true),
        _ if word.is_empty() || word.eq_ignore_ascii_case("no") => Some(false),
        _ => None,
    }
}

fn again() -> Question {
    Question { prompt: "Please type 'yes', 'no' or the fingerprint: ".to_owned(), echo: true, preface: String::new() }
}

fn unanswered(checker: &Checker, presented: &Presented, why: NoAnswer, flaw: Option<&str>) -> Failure {
    match why {
        NoAnswer::NobodyThere => checker.unknown(presented, flaw),
        NoAnswer::NoProgram(why) => {
            let failure = checker.unknown(presented, flaw);
            let said = format!("{}; nobody can be asked: {why}", failure.said);
            failure.said(said)
        }
        NoAnswer::Refused => refused(checker, presented),
        NoAnswer::Interrupted => interrupted(format!("check the host key of {}", checker.name())),
    }
}

fn refused(checker: &Checker, presented: &Presented) -> Failure {
    failure(Code::HostKeyUnknown, checker.name())
        .said(format!("you did not accept {}", presented.fingerprint()))
        .hint("Find out from who runs the host what its fingerprint is, then try again.")
}

fn preface(checker: &Checker, presented: &Presented, flaw: Option<&str>) -> String {
    let address =
        checker.address.map_or("<no hostip for proxy command>".to_owned(), |a| super::with_port(&a.to_string(), checker.port));
    let others = other_types(checker, presented);
    let end = if others.is_empty() { "." } else { "\nbut keys of different type are already known for this host." };
    let mut lines = vec![];
    lines.extend(flaw.map(str::to_owned));
    lines.extend(others);
    lines.push(format!("The authenticity of host '{} ({address})' can't be established{end}", checker.name));
    lines.push(format!("{} key fingerprint is {}.", fingerprint::kind(&presented.key), fingerprint::sha256(&presented.key)));
    lines.extend(checker.policy.visual.then(|| fingerprint::randomart(&presented.key)));
    lines.push(other_names(checker, presented));
    lines.join("\n")
}

/// Keys of another type that are revoked or authorities do not make the host known, so these are rare.
fn other_types(checker: &Checker, presented: &Presented) -> Vec<String> {
    let other = |e: &&Entry| e.marker == Marker::Key && e.key.algorithm() != presented.key.algorithm();
    let tell = |e: &Entry| format!("WARNING: {} key found for host {} in {}", fingerprint::kind(&e.key), checker.name, e.place);
    checker.lookup.named.iter().filter(other).map(tell).collect()
}

fn other_names(checker: &Checker, presented: &Presented) -> String {
    let places = known::other_names(&checker.files, &checker.name, &presented.key);
    if places.is_empty() {
        return "This key is not known by any other names.".to_owned();
    }
    let mut text = "This host key is known by the following other names/addresses:".to_owned();
    for place in places.iter().take(MAX_OTHER_NAMES) {
        text.push_str(&format!("\n    {}: {}", place.place, place.names));
    }
    if places.len() > MAX_OTHER_NAMES {
        text.push_str(&format!("\n    ({} additional names omitted)", places.len() - MAX_OTHER_NAMES));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        for (answer, expected) in [
            ("yes", Some(true)),
            ("YES\n", Some(true)),
            (" yes ", Some(true)),
            ("SHA256:abc", Some(true)),
            ("sha256:abc", None),
            ("SHA256:ab", None),
            ("no", Some(false)),
            ("No", Some(false)),
            ("", Some(false)),
            ("y", None),
            ("yes please", None),
        ] {
            assert_eq!(read(answer, "SHA256:abc"), expected, "{answer:?}");
        }
    }
}
