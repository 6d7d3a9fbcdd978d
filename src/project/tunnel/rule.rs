//! One forward as a person writes it: `PORT`, `PORT:PORT`, `PORT:HOST:PORT`.

use std::fmt;
use std::str::FromStr;

use crate::failure::{Code, Failure};
use crate::ssh::forward::Listen;

/// Which side listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This machine.
    Here,
    /// The host.
    There,
}

/// A port that is listened to, and where its connections go on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which side listens.
    pub side: Side,
    /// The port that is listened to, on loopback; 0 lets the system choose.
    pub port: u16,
    /// The host to go to, as seen from the other side.
    pub to: String,
    /// The port there.
    pub to_port: u16,
}

/// The loopback name that both sides know.
const LOOPBACK: &str = "localhost";

impl FromStr for Rule {
    type Err = Failure;
    fn from_str(word: &str) -> Result<Self, Failure> {
        let usage = |said: String| {
            Failure::new(Code::Usage, format!("forward '{}'", word.escape_debug()))
                .said(said)
                .hint("write PORT, PORT:PORT or PORT:HOST:PORT")
        };
        let port =
            |text: &str| text.parse::<u16>().map_err(|_| usage(format!("'{}' is not a port (0 to 65535)", text.escape_debug())));
        let (listen, to) = word.split_once(':').unwrap_or((word, word));
        let (host, to_port) = to.rsplit_once(':').unwrap_or((LOOPBACK, to));
        if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
            return Err(usage("an IPv6 address stands in brackets: PORT:[::1]:PORT".to_owned()));
        }
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.starts_with('-') || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(usage("there is no such host name".to_owned()));
        }
        let rule = Self { side: Side::Here, port: port(listen)?, to: host.to_owned(), to_port: port(to_port)? };
        if rule.to_port == 0 {
            return Err(usage("nobody can be reached on port 0; PORT:PORT names the two ends".to_owned()));
        }
        Ok(rule)
    }
}

impl Rule {
    /// What the remote is asked to listen to.
    pub(super) fn listen(&self) -> Listen {
        Listen::Tcp { address: LOOPBACK.to_owned(), port: self.port }
    }

    /// The other end.
    #[must_use]
    pub fn end(&self) -> String {
        if self.to.contains(':') { format!("[{}]:{}", self.to, self.to_port) } else { format!("{}:{}", self.to, self.to_port) }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.port, self.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ports() {
        for (word, port, to, to_port) in [
            ("3000", 3000, "localhost", 3000),
            ("8080:3000", 8080, "localhost", 3000),
            ("0:3000", 0, "localhost", 3000),
            ("5432:db.internal:5432", 5432, "db.internal", 5432),
            ("8080:[::1]:80", 8080, "::1", 80),
        ] {
            let rule: Rule = word.parse().expect(word);
            assert_eq!((rule.port, rule.to.as_str(), rule.to_port), (port, to, to_port), "{word}");
        }
        for bad in ["", "http", "0", "3000:0", "65536", ":3000", "3000:", "1:-x:2", "1: :2", "-1", "1:2:3:4", "1:::1:80"] {
            assert_eq!(bad.parse::<Rule>().expect_err(bad).code, Code::Usage, "{bad}");
        }
    }
}
