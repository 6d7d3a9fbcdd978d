//! UpdateHostKeys: learning the further keys that a server announces and proves to hold, and forgetting those it announces no
//! longer, as OpenSSH does.

use russh::keys::PublicKey;
use russh::keys::ssh_key::public::KeyData;

use super::known::{KnownFile, Place};
use super::line::{self, Marker};
use super::pattern::{self, Match};
use super::policy::Update;
use super::verdict::By;
use super::{Checker, Known, fingerprint, replace};
use crate::paths;
use crate::ssh::ask::{Ask, Question};

/// What is to be learned once it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// To be handed to `Handle::hostkeys_prove` unless there are none; only after it succeeded to [`Checker::learn`].
    pub prove: Vec<PublicKey>,
    /// Lines about the host whose key the server did not announce: they go.
    pub stale: Vec<(KeyData, Place)>,
    /// All keys that the host is to be known by.
    keep: Vec<KeyData>,
}

impl Checker {
    /// What to learn of the announced keys; nothing where OpenSSH would not look at them either: when the host was not known
    /// by a line of its own in a file of the person's, when the lines about it are anything but plain, or when an announced key
    /// is known under another name.
    #[must_use]
    pub fn plan_update(&self, known: &Known, announced: &[PublicKey]) -> Option<Plan> {
        let trusted = match &known.by {
            By::Key(entry) => entry.own && self.lookup.named.contains(entry),
            By::Person => true,
            By::Authority(_) | By::Localhost => false,
        };
        let wanted = match self.policy.update {
            Update::No => false,
            Update::Yes => true,
            Update::Ask => !self.policy.batch,
        };
        if !wanted || !trusted {
            return None;
        }
        let keys = self.usable(announced).filter(|keys| !keys.is_empty())?;
        let survey = survey(&self.own_files_now(), &self.name, &keys)?;
        let new = |key: &&PublicKey| !survey.found.contains(key.key_data());
        let prove: Vec<PublicKey> = keys.iter().filter(new).cloned().collect();
        let keep = keys.iter().map(|k| k.key_data().clone()).collect();
        (!prove.is_empty() || !survey.stale.is_empty()).then_some(Plan { prove, stale: survey.stale, keep })
    }

    /// Whether a person is to be asked first.
    pub(crate) fn asks_before_it_learns(&self) -> bool {
        self.policy.update == Update::Ask
    }

    /// Makes the files hold what a plan says whose proof succeeded. What comes back is for the person; nothing when they said no.
    ///
    /// # Errors
    /// A warning.
    pub async fn learn(&self, plan: &Plan, ask: &dyn Ask) -> Result<Option<String>, String> {
        if self.policy.update == Update::Ask && !agreed(plan, ask).await {
            return Ok(None);
        }
        let own: Vec<_> = self.files.iter().filter(|f| f.own).map(|f| f.path.clone()).collect();
        let change = replace::Change { name: self.name.clone(), keys: plan.keep.clone(), hash: self.policy.hash };
        replace::replace_apart(own, change).await?;
        Ok(Some(format!("The known host keys of '{}' were updated: {}.", self.name, told(plan).join(", "))))
    }

    /// The announced keys that may be used; none at all when one is announced twice.
    fn usable(&self, announced: &[PublicKey]) -> Option<Vec<PublicKey>> {
        let allowed = |key: &KeyData| fingerprint::signature_names(key, false).iter().any(|n| self.policy.algorithms.contains(n));
        let mut keys: Vec<PublicKey> = Vec::new();
        for key in announced.iter().filter(|k| !k.key_data().is_certificate() && allowed(k.key_data())) {
            if keys.iter().any(|k| k.key_data() == key.key_data()) {
                return None;
            }
            keys.push(PublicKey::new(key.key_data().clone(), ""));
        }
        Some(keys)
    }

    /// Read again: a line may have been added since the connection was made.
    fn own_files_now(&self) -> Vec<KnownFile> {
        let own = self.files.iter().filter(|f| f.own);
        own.map(|f| KnownFile { content: paths::read_bytes(&f.path).unwrap_or_default().into(), ..f.clone() }).collect()
    }
}

/// What the files say of the announced keys.
#[derive(Debug, Default)]
struct Survey {
    found: Vec<KeyData>,
    stale: Vec<(KeyData, Place)>,
    elsewhere: Vec<KeyData>,
}

/// Nothing when the files are not plain enough to be added to.
fn survey(files: &[KnownFile], name: &str, keys: &[PublicKey]) -> Option<Survey> {
    let announced = |key: &KeyData| keys.iter().any(|k| k.key_data() == key);
    let mut survey = Survey::default();
    for file in files {
        for (number, text) in line::lines(&file.content) {
            let Some((line, key)) = line::parse(text).and_then(|l| Some((l, line::key(l.key)?))) else { continue };
            match (pattern::matches(name, line.hosts), announced(&key)) {
                (Match::No, true) => return None,
                (Match::No, false) => survey.elsewhere.push(key),
                _ if line.marker != Marker::Key || is_complex(line.hosts) => return None,
                (_, true) => survey.found.push(key),
                (_, false) => survey.stale.push((key, Place { file: file.path.clone(), line: number })),
            }
        }
    }
    let shared = survey.stale.iter().any(|(key, _)| survey.elsewhere.contains(key));
    (!shared).then_some(survey)
}

/// A wildcard, or more than a name and an address.
fn is_complex(hosts: &[u8]) -> bool {
    hosts.iter().any(|b| matches!(b, b'*' | b'?')) || hosts.iter().filter(|b| **b == b',').count() > 1
}

/// In OpenSSH's words.
fn told(plan: &Plan) -> Vec<String> {
    let learned = plan.prove.iter().map(|key| format!("Learned new hostkey: {}", fingerprint::named(key.key_data())));
    let gone = plan.stale.iter().map(|(key, _)| format!("Deprecating obsolete hostkey: {}", fingerprint::named(key)));
    learned.chain(gone).collect()
}

async fn agreed(plan: &Plan, ask: &dyn Ask) -> bool {
    let preface = format!(
        "The server has updated its host keys.\nThese changes were verified by the server's existing trusted key.\n{}",
        told(plan).join("\n")
    );
    let question = Question { prompt: "Accept updated hostkeys? (yes/no): ".to_owned(), echo: true, preface };
    ask.ask(&question).await.is_ok_and(|answer| answer.reveal().trim().eq_ignore_ascii_case("yes"))
}
