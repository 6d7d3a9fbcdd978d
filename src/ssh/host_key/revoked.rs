//! RevokedHostKeys: a plain list of keys or a KRL. A file that cannot be read refuses every key.

use std::path::{Path, PathBuf};

use russh::keys::Certificate;

use super::krl::Krl;
use super::line;
use super::verdict::Presented;
use crate::failure::{Code, Failure};
use crate::paths;

/// The file of RevokedHostKeys, read.
#[derive(Debug, Clone)]
pub struct Revoked {
    /// Where it is.
    pub path: PathBuf,
    list: List,
}

#[derive(Debug, Clone)]
enum List {
    Keys(Vec<russh::keys::ssh_key::public::KeyData>),
    Krl(Krl),
}

impl Revoked {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is missing, cannot be read or has a line that is no key.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let unreadable = |why: &dyn std::fmt::Display| {
            Failure::new(Code::HostKeyFiles, format!("read RevokedHostKeys {}", path.display()))
                .said(why)
                .hint("Until it can be read no host key is accepted. Mend the file, or take RevokedHostKeys out of your ssh configuration.")
        };
        let content = paths::read_bytes(path).map_err(|e| unreadable(&words(&e)))?;
        let list = parse(&content).map_err(|e| unreadable(&e))?;
        Ok(Self { path: path.to_owned(), list })
    }

    /// Whether the key, its certificate or the authority that signed it is revoked.
    #[must_use]
    pub fn holds(&self, presented: &Presented) -> bool {
        match &self.list {
            List::Krl(krl) => krl.revokes(&presented.key, presented.certificate.as_ref()),
            List::Keys(keys) => {
                let authority = presented.certificate.as_ref().map(Certificate::signature_key);
                keys.iter().map(line::plain).any(|k| *k == presented.key || Some(k) == authority)
            }
        }
    }
}

fn words(e: &std::io::Error) -> String {
    if e.kind() == std::io::ErrorKind::NotFound { "there is no such file".to_owned() } else { e.to_string() }
}

fn parse(content: &[u8]) -> Result<List, String> {
    if Krl::is_one(content) {
        return Krl::parse(content).map(List::Krl).map_err(|e| format!("it is a broken KRL: {e}"));
    }
    let mut keys = Vec::new();
    for (number, text) in line::lines(content) {
        let text = line::skip_blanks(text.split(|b| *b == 0).next().unwrap_or_default());
        // OpenSSH passes over RSA keys that it finds too short; a line that is no key at all refuses.
        match line::key(text) {
            _ if matches!(text.first(), None | Some(b'#')) => {}
            Some(key) => keys.push(key),
            None if line::is_short_rsa(text) => {}
            None => return Err(format!("line {number} is no key")),
        }
    }
    Ok(List::Keys(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn one_bad_line_refuses() {
        for (content, good) in [
            (String::new(), true),
            (format!("# a comment\n\n  {KEY} who\n"), true),
            (format!("{KEY}\nnot a key\n"), false),
            (format!("box {KEY}\n"), false),
            ("SSHKRL\n\0".to_owned(), false),
        ] {
            assert_eq!(parse(content.as_bytes()).is_ok(), good, "{content:?}");
        }
    }

    #[test]
    fn a_missing_file_refuses() {
        let failure = Revoked::read(Path::new("/nonexistent/revoked")).unwrap_err();
        assert_eq!((failure.code, failure.said.as_str()), (Code::HostKeyFiles, "there is no such file"));
    }
}
