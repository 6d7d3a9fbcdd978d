//! One line of a known_hosts file, read the way OpenSSH reads it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russh::keys::ssh_key::encoding::Decode;
use russh::keys::ssh_key::public::KeyData;

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// The host's own key.
    Key,
    /// `@cert-authority`: the key signs certificates for the host.
    Authority,
    /// `@revoked`: the key must never be accepted.
    Revoked,
}

/// A line that is neither blank nor a comment, its key not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The marker.
    pub marker: Marker,
    /// The names: a list of patterns, or one hashed name.
    pub hosts: &'a [u8],
    /// The rest: type, key and comment.
    pub key: &'a [u8],
}

/// The longest marker that OpenSSH looks at, in bytes.
const MAX_MARKER: usize = 31;

/// The shortest RSA modulus that OpenSSH reads at all, in bits.
const MIN_RSA_BITS: u32 = 1024;

/// The longest RSA number that OpenSSH reads, in bits.
const MAX_RSA_BITS: u32 = 16384;

/// The lines of a file with their numbers from 1.
pub fn lines(content: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    content.split(|b| *b == b'\n').enumerate().map(|(i, line)| (i + 1, line))
}

/// Reads a line; nothing for a blank line, a comment and what OpenSSH cannot read either. A NUL ends it, but one behind the
/// names is passed over like a blank, as OpenSSH does.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Line<'_>> {
    let line = skip_blanks(line);
    if matches!(line.first(), None | Some(b'#' | 0)) {
        return None;
    }
    let (marker, line) = marker(line)?;
    let hosts = until(line, |b| is_blank(b) || b == 0);
    let key = until(skip_blanks(line.get(hosts.len() + 1..)?), |b| b == 0);
    (!matches!(key.first(), None | Some(b'#'))).then_some(Line { marker, hosts, key })
}

/// OpenSSH ends a marker at the first space of the line, and only where there is none at the first tab.
fn marker(line: &[u8]) -> Option<(Marker, &[u8])> {
    if line.first() != Some(&b'@') {
        return Some((Marker::Key, line));
    }
    let text = until(line, |b| b == 0);
    let end = text.iter().position(|b| *b == b' ').or_else(|| text.iter().position(|b| *b == b'\t'))?;
    let (word, rest) = line.split_at_checked(end)?;
    let marker = match word {
        _ if end > MAX_MARKER => return None,
        b"@cert-authority" => Marker::Authority,
        b"@revoked" => Marker::Revoked,
        _ => return None,
    };
    let rest = skip_blanks(rest);
    (rest.first() != Some(&b'@')).then_some((marker, rest))
}

/// Reads `TYPE BASE64 [COMMENT]`; the type must be one that the installed kind of OpenSSH knows, and that of the key.
#[must_use]
pub fn key(text: &[u8]) -> Option<KeyData> {
    let text = skip_blanks(text);
    let name = until(text, is_blank);
    let encoded = until(skip_blanks(text.get(name.len()..)?), is_blank);
    let blob = decode_base64(encoded)?;
    let key = from_blob(&blob)?;
    names_of(&key).iter().any(|n| n.as_bytes() == name).then_some(key)
}

/// Reads a key as it stands on the wire.
#[must_use]
pub fn from_blob(mut blob: &[u8]) -> Option<KeyData> {
    // A certificate signed by a certificate is no key to OpenSSH; here it would also recurse without end.
    const CERTIFICATE: &[u8] = b"-cert-v01@";
    if blob.windows(CERTIFICATE.len()).filter(|w| *w == CERTIFICATE).count() > 1 {
        return None;
    }
    let key = KeyData::decode(&mut blob).ok()?;
    let sized = plain(&key).rsa().is_none_or(|rsa| (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&rsa.key_size()));
    (blob.is_empty() && sized).then_some(key)
}

/// Whether the text holds an RSA key that OpenSSH finds too short to be read.
#[must_use]
pub fn is_short_rsa(text: &[u8]) -> bool {
    let text = skip_blanks(text);
    let name = until(text, is_blank);
    let encoded = until(skip_blanks(text.get(name.len()..).unwrap_or_default()), is_blank);
    let blob = decode_base64(encoded).filter(|blob| name == b"ssh-rsa" && blob.starts_with(b"\0\0\0\x07ssh-rsa"));
    let key = blob.and_then(|blob| KeyData::decode(&mut blob.as_slice()).ok());
    key.as_ref().and_then(KeyData::rsa).is_some_and(|rsa| rsa.key_size() < MIN_RSA_BITS)
}

/// The key itself, where it stands in a certificate.
#[must_use]
pub fn plain(key: &KeyData) -> &KeyData {
    key.certificate().map_or(key, |certificate| certificate.public_key())
}

/// As resolv.h's b64_pton: white space anywhere, padding required, no stray bits.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let tight: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != 0x0b).collect();
    STANDARD.decode(tight).ok()
}

/// The words that may stand before this key.
fn names_of(key: &KeyData) -> Vec<String> {
    let algorithm = plain(key).algorithm();
    let certificate = key.is_certificate();
    let name = if certificate { algorithm.to_certificate_type() } else { algorithm.as_str().to_owned() };
    match (plain(key), certificate) {
        (KeyData::Other(_), _) => Vec::new(),
        (KeyData::Rsa(_), false) => ["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"].map(str::to_owned).into(),
        (KeyData::Rsa(_), true) => {
            ["ssh-rsa", "rsa-sha2-256", "rsa-sha2-512"].map(|n| format!("{n}-cert-v01@openssh.com")).into()
        }
        _ => vec![name],
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The text without the blanks at its front.
#[must_use]
pub fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| is_blank(**b)).count();
    text.get(blanks..).unwrap_or_default()
}

fn until(text: &[u8], end: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().position(|b| end(*b)).unwrap_or(text.len());
    text.get(..length).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    fn hosts(line: &str) -> Option<(Marker, String)> {
        parse(line.as_bytes()).map(|l| (l.marker, String::from_utf8_lossy(l.hosts).into_owned()))
    }

    #[test]
    fn lines_as_openssh_splits_them() {
        for (line, expected) in [
            ("", None),
            ("   \t ", None),
            ("# box k", None),
            ("  # box k", None),
            ("box", None),
            ("box   ", None),
            ("box # k", None),
            ("box k", Some((Marker::Key, "box"))),
            (" \t box,other \t k", Some((Marker::Key, "box,other"))),
            ("@revoked box k", Some((Marker::Revoked, "box"))),
            ("@revoked \t box k", Some((Marker::Revoked, "box"))),
            ("@cert-authority *.b k", Some((Marker::Authority, "*.b"))),
            ("@revoked\tbox\tk", Some((Marker::Revoked, "box"))),
            ("@revoked\tbox k", None),
            ("@Revoked box k", None),
            ("@other box k", None),
            ("@revoked @cert-authority box k", None),
            ("@ box k", None),
            ("\0box k", None),
            ("box\0k", Some((Marker::Key, "box"))),
            ("box\0 k", Some((Marker::Key, "box"))),
            ("box \0k", None),
            ("@revoked\0 box k", None),
            ("@revoked box\0 k", Some((Marker::Revoked, "box"))),
        ] {
            assert_eq!(hosts(line), expected.map(|(m, h)| (m, h.to_owned())), "{line:?}");
        }
    }

    #[test]
    fn keys_as_openssh_reads_them() {
        let (name, blob) = KEY.split_once(' ').unwrap();
        for (text, good) in [
            (KEY.to_owned(), true),
            (format!("{KEY} a comment # here"), true),
            (format!("{name} \t {blob}\r"), true),
            (format!("ssh-rsa {blob}"), false),
            (format!("SSH-ED25519 {blob}"), false),
            (format!("{name}{blob}"), false),
            (format!("{name} {blob}="), false),
            (format!("{name} {}", &blob[..blob.len() - 4]), false),
            (format!("{name} {blob}AAAA"), false),
            ("1024 35 1234567".to_owned(), false),
            (name.to_owned(), false),
        ] {
            assert_eq!(key(text.as_bytes()).is_some(), good, "{text:?}");
        }
    }

    #[test]
    fn certificates_in_certificates_are_refused_before_they_recurse() {
        let mut blob = Vec::new();
        for _ in 0..100_000 {
            blob.extend_from_slice(b"\0\0\0\x20ssh-ed25519-cert-v01@openssh.com");
        }
        assert!(from_blob(&blob).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse(&line).map(|l| key(l.key)), key(&line), from_blob(&line), is_short_rsa(&line));
        }

        #[test]
        fn nearly_keys_do_not_panic(at in 0_usize..80, with in any::<u8>()) {
            let mut text = KEY.as_bytes().to_vec();
            if let Some(byte) = text.get_mut(at) { *byte = with; }
            let _ = key(&text);
        }
    }
}
