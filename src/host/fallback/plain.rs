//! The lines of an ssh configuration that count for one host, found as OpenSSH finds them and written so plainly that
//! ssh2-config cannot misread them.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::rules::{self, Rule};
use super::unsupported;
use crate::failure::Failure;
use crate::host::alias::{DEEPEST_INCLUDE, SYSTEM_CONFIG};
use crate::host::include::{self, Owner};
use crate::host::old_names::todays;
use crate::host::pattern;
use crate::host::scope::{Block, Scope};
use crate::host::words;
use crate::paths::{self, Local};

/// The plain text for a host.
pub(super) fn text(local: &Local, host: &str) -> Result<String, Failure> {
    let mut reader =
        Reader { local, host: host.as_bytes(), out: String::new(), set: HashSet::new(), added: HashSet::new(), ignored: None };
    match &local.ssh_config {
        Some(path) if path.as_os_str().eq_ignore_ascii_case("none") => {}
        Some(path) => reader.main(path, Owner::Person)?,
        None => {
            for (path, owner) in [(local.home.join(".ssh/config"), Owner::Person), (PathBuf::from(SYSTEM_CONFIG), Owner::System)]
            {
                if path.exists() {
                    reader.main(&path, owner)?;
                }
            }
        }
    }
    Ok(reader.out)
}

/// A line: where it stands and what it says.
#[derive(Clone, Copy)]
struct At<'a> {
    file: &'a Path,
    line: usize,
    keyword: &'a str,
}

impl At<'_> {
    fn refused(self, why: &str) -> Failure {
        unsupported(format!("{}:{}: `{}`{why}", self.file.display(), self.line, self.keyword))
    }
}

/// How a file is read.
#[derive(Clone, Copy)]
struct Place<'a> {
    owner: Owner,
    around: Option<&'a Scope<'a>>,
    depth: usize,
}

struct Reader<'a> {
    local: &'a Local,
    host: &'a [u8],
    out: String,
    /// What the block at hand has set: OpenSSH takes the first value, ssh2-config the last of a block.
    set: HashSet<String>,
    /// What adds up in OpenSSH and was seen.
    added: HashSet<String>,
    ignored: Option<Vec<u8>>,
}

impl Reader<'_> {
    fn main(&mut self, path: &Path, owner: Owner) -> Result<(), Failure> {
        let at = At { file: path, line: 0, keyword: "the file" };
        self.file(path, Place { owner, around: None, depth: 0 }).map_err(|e| e.unwrap_or_else(|e| at.refused(&format!(": {e}"))))
    }

    fn file(&mut self, path: &Path, place: Place<'_>) -> Result<(), Result<Failure, io::Error>> {
        let text = paths::read_bytes(path).map_err(Err)?;
        let mut block = Block::Top;
        self.section();
        for (number, raw) in text.split(|b| *b == b'\n').enumerate() {
            let Some(line) = words::line(raw) else { continue };
            let at = At { file: path, line: number + 1, keyword: todays(&line.keyword) };
            let words = words::split(line.rest).map_err(|_| Ok(at.refused(": invalid quotes")))?;
            if words.iter().any(Vec::is_empty) || words.is_empty() {
                return Err(Ok(at.refused(" without a value")));
            }
            self.line(at, words, (&mut block, place)).map_err(Ok)?;
        }
        Ok(())
    }

    fn line(&mut self, at: At<'_>, words: Vec<Vec<u8>>, (block, place): (&mut Block, Place<'_>)) -> Result<(), Failure> {
        let around = place.around.is_none_or(|around| around.covers(self.host));
        match at.keyword {
            "host" => {
                *block = Block::Host(words);
                self.section();
                Ok(())
            }
            "match" => Err(at.refused("")),
            "include" => {
                let scope = Scope { block, around: place.around };
                let place = Place { around: Some(&scope), depth: place.depth + 1, ..place };
                words.iter().try_for_each(|word| self.include(at, word, place))?;
                self.section();
                Ok(())
            }
            _ => self.value(at, &words, around && block.covers(self.host)),
        }
    }

    fn include(&mut self, at: At<'_>, word: &[u8], place: Place<'_>) -> Result<(), Failure> {
        if place.depth > DEEPEST_INCLUDE {
            return Err(at.refused(": too many files within files"));
        }
        for file in include::files(word, place.owner, self.local).map_err(|e| at.refused(&format!(": {e}")))? {
            self.file(&file, place).map_err(|e| e.unwrap_or_else(|e| at.refused(&format!(" {}: {e}", file.display()))))?;
        }
        Ok(())
    }

    fn value(&mut self, at: At<'_>, words: &[Vec<u8>], counts: bool) -> Result<(), Failure> {
        if at.keyword == "ignoreunknown" {
            return self.ignore(at, words, counts);
        }
        let ignored = self.ignored.as_ref().is_some_and(|list| pattern::in_list(at.keyword.as_bytes(), list));
        match rules::rule(at.keyword) {
            None if ignored => Ok(()),
            None => Err(at.refused(", which Outpost does not know")),
            Some(Rule::Refuse) if counts && !ignored => Err(at.refused("")),
            Some(Rule::Refuse | Rule::Pass) => Ok(()),
            Some(Rule::Take(kind)) => {
                let texts: Option<Vec<&str>> = words.iter().map(|word| std::str::from_utf8(word).ok()).collect();
                let fits = if counts { rules::allows } else { rules::may_stand };
                let texts = texts.filter(|words| fits(kind, words));
                let texts = texts.ok_or_else(|| at.refused(&format!(" with the value '{}'", shown(words))))?;
                if counts { self.take(at, &texts) } else { Ok(()) }
            }
        }
    }

    fn take(&mut self, at: At<'_>, words: &[&str]) -> Result<(), Failure> {
        if rules::ADD_UP.contains(&at.keyword) && !self.added.insert(at.keyword.to_owned()) {
            return Err(at.refused(" a second time"));
        }
        if self.set.insert(at.keyword.to_owned()) || at.keyword == "identityfile" {
            let value = match words {
                [word] => format!("\"{word}\""),
                words => words.join(" "),
            };
            self.out.push_str(&format!("  {} {value}\n", at.keyword));
        }
        Ok(())
    }

    fn ignore(&mut self, at: At<'_>, words: &[Vec<u8>], counts: bool) -> Result<(), Failure> {
        match words {
            [list] => {
                if counts {
                    self.ignored.get_or_insert_with(|| list.to_ascii_lowercase());
                }
                Ok(())
            }
            _ => Err(at.refused(" with several words")),
        }
    }

    fn section(&mut self) {
        self.set.clear();
        self.out.push_str("Host *\n");
    }
}

fn shown(words: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&words.join(&b' ')).into_owned()
}
