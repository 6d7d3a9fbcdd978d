//! Looking around on a remote: one exec lists one folder after the other, as bytes, for as long as somebody asks.

use std::collections::VecDeque;
use std::fmt::Write as _;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::job::Job;
use super::said::{Said, said};
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::ssh::session::Session;
use crate::step::Watch;

/// The most folders that are listed of one: nobody reads further.
pub const MOST: usize = 3_000;
/// The longest record in bytes: a name has 255 on most file systems, a path 4096.
const LONGEST: usize = 64 * 1024;

/// A folder in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as the file system has it.
    pub name: Vec<u8>,
    /// Whether it can be opened.
    pub open: bool,
    /// The branch (or the beginning of the commit), where it is a git repository.
    pub git: Option<String>,
}

/// What is in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The folder with all links resolved.
    pub path: Vec<u8>,
    /// The folders in it.
    pub entries: Vec<Entry>,
    /// Whether there are more than [`MOST`].
    pub more: bool,
}

/// Why a folder cannot be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There is none.
    Missing,
    /// It is something else.
    NotADirectory,
    /// The account may not read it.
    Unreadable,
}

/// What became of a folder that was asked for.
pub type Looked = Result<Listing, Trouble>;

/// A remote whose folders can be asked for. Its end ends the script there.
pub struct Folders {
    /// The account's home folder.
    pub home: String,
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Box<dyn AsyncRead + Send + Unpin>,
    asked: VecDeque<String>,
    decoder: Decoder,
}

/// Begins to look around.
///
/// # Errors
/// As a bring-up, up to the login shell; [`Code::ShellReadsInput`] where nothing can be asked.
pub async fn browse(session: &Session, settings: &HostSettings, watch: &dyn Watch) -> Result<Folders, Failure> {
    let Said { facts, text, input, .. } = said(session, settings, &Job::Browse, watch).await?;
    Ok(Folders { home: facts.home, input, output: text, asked: VecDeque::new(), decoder: Decoder::default() })
}

impl Folders {
    /// Asks for an absolute path.
    ///
    /// # Errors
    /// [`Code::LinkLost`] when nobody takes the question.
    pub async fn ask(&mut self, path: &str) -> Result<(), Failure> {
        let lost = |e: std::io::Error| Failure::new(Code::LinkLost, "ask for a folder").said(e);
        self.input.write_all(escaped(path).as_bytes()).await.map_err(lost)?;
        self.input.flush().await.map_err(lost)?;
        self.asked.push_back(path.to_owned());
        Ok(())
    }

    /// How many questions are not answered yet.
    #[must_use]
    pub fn open(&self) -> usize {
        self.asked.len()
    }

    /// The next answer, with the path that was asked for. Nothing is lost when this is dropped half way.
    ///
    /// # Errors
    /// [`Code::LinkLost`] at the end of the answers, [`Code::FactsBroken`] for what is none.
    pub async fn next(&mut self) -> Result<(String, Looked), Failure> {
        let broken =
            || Failure::new(Code::FactsBroken, "read the list of a folder").said("it is not of the form that was asked for");
        let mut buffer = [0_u8; 16 * 1024];
        loop {
            if let Some(looked) = self.decoder.next().map_err(|Broken| broken())? {
                return Ok((self.asked.pop_front().ok_or_else(broken)?, looked));
            }
            let read = self.output.read(&mut buffer).await;
            match read {
                Ok(n @ 1..) => self.decoder.push(buffer.get(..n).unwrap_or_default()),
                Ok(0) => return Err(Failure::new(Code::LinkLost, "wait for the list of a folder").said("the host ended it")),
                Err(e) => return Err(Failure::new(Code::LinkLost, "wait for the list of a folder").said(e)),
            }
        }
    }
}

/// A path on one line of harmless characters, as `printf %b` reads them back.
fn escaped(path: &str) -> String {
    let mut line = String::with_capacity(path.len() + 1);
    for byte in path.bytes().filter(|b| *b != 0) {
        if byte.is_ascii_alphanumeric() || byte == b'/' {
            line.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(line, "\\0{byte:03o}");
        }
    }
    line + "\n"
}

/// The answer is not of the form that our script gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken;

/// Takes the answers as they come.
#[derive(Debug, Default)]
struct Decoder {
    bytes: VecDeque<u8>,
    /// How many of the bytes were searched for an end in vain.
    searched: usize,
    current: Option<Listing>,
}

impl Decoder {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next answer that is whole.
    fn next(&mut self) -> Result<Option<Looked>, Broken> {
        while let Some(record) = self.record()? {
            if let Some(looked) = self.take(&record)? {
                return Ok(Some(looked));
            }
        }
        Ok(None)
    }

    fn record(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let Some(end) = self.bytes.iter().skip(self.searched).position(|b| *b == 0) else {
            self.searched = self.bytes.len();
            return if self.searched > LONGEST { Err(Broken) } else { Ok(None) };
        };
        let mut record: Vec<u8> = self.bytes.drain(..=self.searched + end).collect();
        self.searched = 0;
        record.pop();
        Ok(Some(record))
    }

    fn take(&mut self, record: &[u8]) -> Result<Option<Looked>, Broken> {
        let (kind, rest) = record.split_first().ok_or(Broken)?;
        match (kind, &mut self.current) {
            (b'E', None) => trouble(rest).map(|trouble| Some(Err(trouble))),
            (b'P', None) => {
                self.current = Some(Listing { path: rest.to_vec(), ..Listing::default() });
                Ok(None)
            }
            (b'D' | b'X', Some(listing)) if listing.entries.len() < MOST => {
                listing.entries.push(Entry { name: rest.to_vec(), open: *kind == b'D', git: None });
                Ok(None)
            }
            (b'G', Some(listing)) => {
                listing.entries.last_mut().ok_or(Broken)?.git = Some(String::from_utf8_lossy(rest).into_owned());
                Ok(None)
            }
            (b'.' | b'+', Some(listing)) => {
                let listing = Listing { more: *kind == b'+', ..std::mem::take(listing) };
                self.current = None;
                Ok(Some(Ok(listing)))
            }
            (_, _) => Err(Broken),
        }
    }
}

fn trouble(word: &[u8]) -> Result<Trouble, Broken> {
    match word {
        b"missing" => Ok(Trouble::Missing),
        b"not-a-directory" => Ok(Trouble::NotADirectory),
        b"unreadable" => Ok(Trouble::Unreadable),
        _ => Err(Broken),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::ffi::OsStrExt;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    fn all(decoder: &mut Decoder) -> Vec<Looked> {
        std::iter::from_fn(|| decoder.next().expect("well formed")).collect()
    }

    /// What a real shell answers when the script's own part runs in it.
    fn listed_by(shell: &[&str], paths: &[&str]) -> Vec<Looked> {
        let script = super::super::script::one_line(include_str!("browse.sh"));
        let text = format!("send() {{ :; }}; _most=3; exec 5<&0 6>&1; {script}");
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg("-c").arg(text).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a shell");
        let lines: String = paths.iter().map(|path| escaped(path)).collect();
        child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("written");
        let mut decoder = Decoder::default();
        decoder.push(&child.wait_with_output().expect("output").stdout);
        all(&mut decoder)
    }

    #[test]
    fn every_sh_lists_whatever_the_names_are() {
        let dir = tempfile::tempdir().expect("dir");
        let root = dir.path().canonicalize().expect("path");
        let names: [&[u8]; 3] = [b"a b\nc", b"-n\\041'$x", b"\xff\xfe"];
        for name in names {
            std::fs::create_dir(root.join(std::ffi::OsStr::from_bytes(name))).expect("made");
        }
        std::fs::write(root.join("file"), "").expect("written");
        std::os::unix::fs::symlink("/nowhere", root.join("dead")).expect("linked");
        let repo = root.join("a b\nc/repo");
        let files = [
            ("repo/.git/HEAD", "ref: refs/heads/feat/x\n"),
            ("tree/.git", "gitdir: ../repo/.git/worktrees/t\n"),
            ("repo/.git/worktrees/t/HEAD", "0123456789abcdef\n"),
        ];
        for (file, text) in files {
            let path = root.join("a b\nc").join(file);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let inside = root.join("a b\nc");
        let paths = [root.to_str().expect("UTF-8"), inside.to_str().expect("UTF-8"), "/nowhere", repo.to_str().expect("UTF-8")];
        let entry = |name: &[u8], git: Option<&str>| Entry { name: name.to_vec(), open: true, git: git.map(str::to_owned) };
        for shell in super::super::script::POSIX.iter().copied() {
            let mut looked = listed_by(shell, &paths);
            for listing in looked.iter_mut().flatten() {
                listing.entries.sort_by(|a, b| a.name.cmp(&b.name));
            }
            let first = looked[0].clone().expect("listed");
            assert_eq!(first.path, root.as_os_str().as_bytes(), "{shell:?}");
            // yash passes over names that are not UTF-8.
            let seen = if shell[0] == "yash" { 2 } else { 3 };
            assert_eq!(first.entries, [entry(names[1], None), entry(names[0], None), entry(names[2], None)][..seen], "{shell:?}");
            let second = looked[1].clone().expect("listed");
            assert_eq!(second.entries, [entry(b"repo", Some("feat/x")), entry(b"tree", Some("0123456"))], "{shell:?}");
            assert_eq!(looked[2], Err(Trouble::Missing), "{shell:?}");
            let hidden = looked[3].clone().expect("listed");
            assert_eq!(hidden.entries, [entry(b".git", None)], "{shell:?}");
        }
        std::fs::create_dir(root.join("fourth")).expect("made");
        let many = listed_by(&["dash"], &[paths[0]]);
        assert!(many[0].as_ref().is_ok_and(|listing| listing.more && listing.entries.len() == 3), "{many:?}");
    }

    #[test]
    fn a_path_is_one_harmless_line() {
        assert_eq!(escaped("/a b\n"), "/a\\0040b\\0012\n");
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(names in proptest::collection::vec("[a-zA-Z.]{1,9}", 0..5), cut in 1_usize..9) {
            let records: String = names.iter().map(|name| format!("D{name}\0Gmain\0")).collect();
            let bytes = format!("P/x\0{records}.\0Emissing\0");
            let mut decoder = Decoder::default();
            let mut looked = Vec::new();
            for piece in bytes.as_bytes().chunks(cut) {
                decoder.push(piece);
                looked.extend(all(&mut decoder));
            }
            prop_assert_eq!(looked.len(), 2);
            prop_assert_eq!(looked[0].as_ref().expect("listed").entries.len(), names.len());
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0), Just(b'D'), Just(b'P')], 0..300)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next() {}
        }
    }
}
