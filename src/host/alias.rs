//! The hosts that the ssh configuration names: a reader of its `Host` and `Include` lines, with file and line of each.
//!
//! It opens no socket and runs no program, and one bad line costs only itself: what ssh says of it is asked for one host at a
//! time (see [`super::resolve`]). What a line means is taken from OpenSSH's readconf.c and was compared with `ssh -G`:
//! a `Host` line inside an included file counts only for hosts that the blocks around the Include let through.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::include::{self, Owner};
use super::scope::{Block, Scope};
use super::words;
use crate::failure::{Code, Failure};
use crate::name::{self, Alias};
use crate::paths::{self, Local};

/// The system's configuration, read after the person's.
pub(super) const SYSTEM_CONFIG: &str = "/etc/ssh/ssh_config";

/// ssh's own limit on Includes within Includes.
pub(super) const DEEPEST_INCLUDE: usize = 16;

/// Files that include each other more often than this are a mistake, not a configuration.
const MOST_FILES: usize = 4096;

/// A host of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub alias: Alias,
    /// The file that names it first.
    pub file: PathBuf,
    /// The line there, from 1.
    pub line: usize,
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong; may hold text of the file.
    pub text: String,
}

/// What the configuration names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The hosts, in the order ssh reads them, each once.
    pub hosts: Vec<Listed>,
    /// The lines that were passed over.
    pub problems: Vec<Problem>,
}

/// Lists the hosts of the file given with `-F`, or of the person's and then the system's configuration.
///
/// # Errors
/// [`Code::SshConfigUnreadable`] when the person's file is there and cannot be read, or the one of `-F` is not there.
pub fn list(local: &Local) -> Result<Listing, Failure> {
    let mut reader = Reader::new(local);
    if let Some((main, system)) = files(local).split_first() {
        match reader.main(main) {
            Err(e) if local.ssh_config.is_some() || e.kind() != io::ErrorKind::NotFound => return Err(unreadable(main, &e)),
            Ok(()) | Err(_) => {}
        }
        system.iter().for_each(|file| reader.system(file));
    }
    Ok(reader.listing)
}

/// The files that are read, each with what it includes: the one of `-F`, or the person's and then the system's.
#[must_use]
pub fn files(local: &Local) -> Vec<PathBuf> {
    match &local.ssh_config {
        // `ssh -F none` reads nothing.
        Some(path) if path.as_os_str().eq_ignore_ascii_case("none") => Vec::new(),
        Some(path) => vec![path.clone()],
        None => vec![local.home.join(".ssh/config"), PathBuf::from(SYSTEM_CONFIG)],
    }
}

/// Lists the hosts of a text, as if it were the person's file of that name.
#[must_use]
pub fn list_text(local: &Local, file: &Path, text: &[u8]) -> Listing {
    let mut reader = Reader::new(local);
    reader.file(file, text, Place { owner: Owner::Person, around: None });
    reader.listing
}

/// The host of this name.
///
/// # Errors
/// [`Code::HostUnknown`] with the names nearest to it.
pub fn find<'a>(listing: &'a Listing, word: &str) -> Result<&'a Listed, Failure> {
    listing.hosts.iter().find(|listed| listed.alias.as_str() == word).ok_or_else(|| unknown(listing, word))
}

/// What to write instead of a name with a user in it, for which no `Host` line can stand.
#[must_use]
pub fn with_user(word: &str) -> Option<String> {
    let (user, host) = word.rsplit_once('@')?;
    Some(format!("name the host without its user, as its Host line does: `Host {host}`, and below it `User {user}`"))
}

fn unknown(listing: &Listing, word: &str) -> Failure {
    let near = name::nearest(word, listing.hosts.iter().map(|listed| listed.alias.as_str()));
    let hint = with_user(word).unwrap_or_else(|| match near.as_slice() {
        [] => format!(
            "outpost hosts   # lists what there is; a new one needs a line `Host {word}`, patterns such as `*` do not make a host"
        ),
        near => format!("did you mean {}? `outpost hosts` lists all", near.join(" or ")),
    });
    Failure::new(Code::HostUnknown, format!("no Host line of the ssh configuration names '{word}'")).hint(hint)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let hint = if error.kind() == io::ErrorKind::InvalidData {
        "save it as UTF-8 (in Notepad: Save As, Encoding UTF-8); ssh cannot read it either"
    } else {
        "name the ssh configuration with -F FILE, or mend what ~/.ssh/config leads to"
    };
    Failure::new(Code::SshConfigUnreadable, format!("read {}", path.display())).said(error).hint(hint)
}

/// UTF-16, with its byte-order mark or without. A NUL elsewhere ends its line, as in OpenSSH.
fn is_utf16(text: &[u8]) -> bool {
    let marked = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    marked || matches!(text, [1..=u8::MAX, 0, 1..=u8::MAX, 0, ..] | [0, 1..=u8::MAX, 0, 1..=u8::MAX, ..])
}

const UTF16: &str = "is UTF-16; save it as UTF-8";

/// How a file is read: whose it is, and what is around its Include.
#[derive(Clone, Copy)]
struct Place<'a> {
    owner: Owner,
    around: Option<&'a Scope<'a>>,
}

struct Reader<'a> {
    local: &'a Local,
    listing: Listing,
    seen: HashSet<Alias>,
    /// The files that are being read, outermost first, by their true paths.
    open: Vec<PathBuf>,
    files: usize,
}

impl<'a> Reader<'a> {
    fn new(local: &'a Local) -> Self {
        Self { local, listing: Listing::default(), seen: HashSet::new(), open: Vec::new(), files: 0 }
    }

    fn main(&mut self, path: &Path) -> io::Result<()> {
        let text = paths::read_bytes(path)?;
        if is_utf16(&text) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, UTF16));
        }
        self.file(path, &text, Place { owner: Owner::Person, around: None });
        Ok(())
    }

    fn system(&mut self, path: &Path) {
        match paths::read_bytes(path) {
            Ok(text) => self.file(path, &text, Place { owner: Owner::System, around: None }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.problem((path, 0), e),
        }
    }

    fn problem(&mut self, at: (&Path, usize), text: impl std::fmt::Display) {
        self.listing.problems.push(Problem { file: at.0.to_owned(), line: at.1, text: text.to_string() });
    }

    fn file(&mut self, path: &Path, text: &[u8], place: Place<'_>) {
        if is_utf16(text) {
            return self.problem((path, 0), UTF16);
        }
        self.open.push(true_path(path));
        self.files += 1;
        let text = match text.strip_prefix(b"\xef\xbb\xbf") {
            Some(text) => {
                self.problem((path, 1), "begins with a byte-order mark, for which ssh refuses the whole file");
                text
            }
            None => text,
        };
        let mut block = Block::Top;
        for (number, raw) in text.split(|b| *b == b'\n').enumerate() {
            if let Some(line) = words::line(raw) {
                self.line((path, number + 1), &line, (&mut block, place));
            }
        }
        self.open.pop();
    }

    fn line(&mut self, at: (&Path, usize), line: &words::Line<'_>, (block, place): (&mut Block, Place<'_>)) {
        if !matches!(line.keyword.as_str(), "host" | "include" | "match") {
            return;
        }
        let words = match words::split(line.rest) {
            Ok(words) if words.is_empty() => return self.problem(at, format!("no argument after keyword \"{}\"", line.keyword)),
            Ok(words) => words,
            Err(e) => return self.problem(at, e),
        };
        match line.keyword.as_str() {
            "host" => {
                *block = Block::Host(words);
                self.hosts(at, block, place);
            }
            "match" => *block = Block::of_match(&words),
            _ => {
                let scope = Scope { block, around: place.around };
                for word in &words {
                    self.include(at, word, Place { owner: place.owner, around: Some(&scope) });
                }
            }
        }
    }

    fn hosts(&mut self, at: (&Path, usize), block: &Block, place: Place<'_>) {
        let Block::Host(words) = block else { return };
        // Going through all words for each word is only needed where one is negated.
        let negations = words.iter().any(|word| word.starts_with(b"!"));
        for word in words.iter().filter(|word| !word.iter().any(|b| b"*?!".contains(b))) {
            if !place.around.is_none_or(|around| around.covers(word)) {
                let word = String::from_utf8_lossy(word);
                self.problem(
                    at,
                    format!("host '{word}' never counts: its file is included under a Host line that leaves it out"),
                );
            } else if !negations || block.covers(word) {
                self.host(at, word);
            }
        }
    }

    fn host(&mut self, at: (&Path, usize), word: &[u8]) {
        let Ok(text) = std::str::from_utf8(word) else {
            return self.problem(at, format!("host '{}' is not UTF-8", String::from_utf8_lossy(word)));
        };
        if text.contains('@') {
            return self
                .problem(at, format!("host '{text}' holds a '@': ssh takes what precedes it for a user, so no host matches"));
        }
        match text.parse::<Alias>() {
            Ok(alias) => {
                if self.seen.insert(alias.clone()) {
                    self.listing.hosts.push(Listed { alias, file: at.0.to_owned(), line: at.1 });
                }
            }
            Err(e) => self.problem(at, e),
        }
    }

    fn include(&mut self, at: (&Path, usize), word: &[u8], place: Place<'_>) {
        let files = match include::files(word, place.owner, self.local) {
            Ok(files) => files,
            Err(e) => return self.problem(at, e),
        };
        for file in files {
            if self.open.contains(&true_path(&file)) {
                self.problem(at, format!("includes {}, which is being read already", file.display()));
            } else if self.open.len() > DEEPEST_INCLUDE {
                self.problem(at, format!("includes {}: deeper than {DEEPEST_INCLUDE}", file.display()));
            } else if self.files >= MOST_FILES {
                return self.problem(at, format!("more than {MOST_FILES} files"));
            } else {
                match paths::read_bytes(&file) {
                    Ok(text) => self.file(&file, &text, place),
                    Err(e) => self.problem(at, format!("include {}: {e}", file.display())),
                }
            }
        }
    }
}

fn true_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use proptest::prelude::*;

    fn local(home: &Path) -> Local {
        Local {
            home: home.into(),
            user: "u".into(),
            codex_home: home.into(),
            ssh_config: None,
            vars: std::collections::HashMap::new(),
        }
    }

    fn names(listing: &Listing) -> Vec<String> {
        listing.hosts.iter().map(|l| format!("{}:{}", l.alias, l.line)).collect()
    }

    fn of(text: &str) -> Listing {
        list_text(&local(Path::new("/nowhere")), Path::new("config"), text.as_bytes())
    }

    #[test]
    fn concrete_words_are_hosts() {
        for (text, want) in [
            ("Host a b\nHost c", &["a:1", "b:1", "c:2"][..]),
            ("Host *\nHost web? !x\nHost a !b", &["a:3"]),
            ("Host a !a b", &["b:1"]),
            ("Host a\nHost b a", &["a:1", "b:2"]),
            ("host=a\r\nHOST \"b\" # c\r\n", &["a:1", "b:2"]),
            ("Match host m\n User x\nHost a", &["a:3"]),
            ("Nonsense\nHost a", &["a:2"]),
            ("\u{feff}Host a", &["a:1"]),
            ("Host größe ::1 10.0.0.1", &["größe:1", "::1:1", "10.0.0.1:1"]),
        ] {
            assert_eq!(names(&of(text)), want, "{text:?}");
        }
    }

    #[test]
    fn one_bad_line_costs_itself() {
        let listing = of("Host 'x\nHost a\nHost\nHost b -x \"\" c d,e u@f\nInclude \"\"\n");
        assert_eq!(names(&listing), ["a:2", "b:4", "c:4"]);
        let told: Vec<_> = listing.problems.iter().map(|p| format!("{}: {}", p.line, p.text)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        1: invalid quotes
        3: no argument after keyword "host"
        4: host '-x' begins with '-'
        4: host is empty
        4: host 'd,e' holds the character ','
        4: host 'u@f' holds a '@': ssh takes what precedes it for a user, so no host matches
        5: keyword include empty argument
        "#);
    }

    #[test]
    fn utf_16_is_told_as_such() {
        let home = tempfile::tempdir().expect("a folder");
        let file = home.path().join("wide");
        let wide = |mark: &[u8], order: fn(u16) -> [u8; 2]| {
            [mark, &"Host a\n".encode_utf16().flat_map(order).collect::<Vec<_>>()].concat()
        };
        for text in [
            wide(b"\xff\xfe", u16::to_le_bytes),
            wide(b"\xfe\xff", u16::to_be_bytes),
            wide(b"", u16::to_le_bytes),
            wide(b"", u16::to_be_bytes),
        ] {
            std::fs::write(&file, text).expect("written");
            let failure = list(&Local { ssh_config: Some(file.clone()), ..local(home.path()) }).expect_err("unreadable");
            assert_eq!((failure.code, failure.said.as_str()), (Code::SshConfigUnreadable, UTF16));
            let around = format!("Include {}\nHost b\n", file.display());
            let listing = list_text(&local(home.path()), Path::new("config"), around.as_bytes());
            assert_eq!(names(&listing), ["b:2"]);
            assert_eq!(listing.problems, [Problem { file: file.clone(), line: 0, text: UTF16.to_owned() }]);
        }
    }

    #[test]
    fn unknown_hosts_get_near_matches() {
        let failure = find(&of("Host devbox prod"), "devbx").expect_err("unknown");
        assert_eq!((failure.code, failure.hint.as_str()), (Code::HostUnknown, "did you mean devbox? `outpost hosts` lists all"));
        assert!(find(&of("Host dev*"), "devbox").is_err());
        let failure = find(&of("Host devbox"), "root@devbox").expect_err("unknown");
        assert!(failure.hint.ends_with("`Host devbox`, and below it `User root`"), "{}", failure.hint);
    }

    #[test]
    fn ten_thousand_hosts_are_quick() {
        let mut text = String::new();
        for n in 0..10_000 {
            writeln!(text, "Host h{n} alias{n}.example.com\n  HostName 10.0.0.{}\n  User x\n  Port 2222", n % 250).expect("text");
        }
        let began = std::time::Instant::now();
        assert_eq!(of(&text).hosts.len(), 20_000);
        assert!(began.elapsed().as_millis() < 500, "{:?} in a debug build", began.elapsed());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(text in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'*')], 0..200)) {
            let _ = list_text(&local(Path::new("/nowhere")), Path::new("config"), &text);
        }

        #[test]
        fn any_words_are_read(text in "((Host|Include|Match|host=|#|\\\\|\"|'|\n|\t| |a|b|!|\\*|originalhost)[ \n]?){0,30}") {
            let _ = list_text(&local(Path::new("/nowhere")), Path::new("config"), text.as_bytes());
        }
    }
}
