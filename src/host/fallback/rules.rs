//! Which keywords can be evaluated without `ssh`, and which of their values: less than OpenSSH takes, never more.

use std::path::Path;

/// What values a keyword may have here, and how `ssh -G` prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A host name or an address, printed in lower case.
    Host,
    /// The name of a user.
    User,
    /// A word without anything that could be expanded.
    Word,
    /// A port.
    Port,
    /// A number; at least this.
    Number(u32),
    /// `yes` or `no`, printed so.
    Flag,
    /// `yes` or `no`, printed as `true` and `false`, or one of these words.
    State(&'static [&'static str]),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A file, printed as written.
    File,
    /// A file, printed with `~` expanded.
    ExpandedFile,
    /// Several files, printed on one line with `~` expanded.
    Paths,
    /// Several names, printed one a line.
    Names,
    /// Hops between commas, or `none`.
    Jump,
}

/// The keywords that are handed on.
pub const TAKEN: &[(&str, Kind)] = &[
    ("hostname", Kind::Host),
    ("user", Kind::User),
    ("port", Kind::Port),
    ("proxyjump", Kind::Jump),
    ("identityfile", Kind::File),
    ("certificatefile", Kind::File),
    ("identitiesonly", Kind::Flag),
    ("identityagent", Kind::ExpandedFile),
    ("addkeystoagent", Kind::State(&[])),
    ("forwardagent", Kind::Flag),
    ("pubkeyauthentication", Kind::State(&[])),
    ("passwordauthentication", Kind::Flag),
    ("kbdinteractiveauthentication", Kind::Flag),
    ("preferredauthentications", Kind::Word),
    ("numberofpasswordprompts", Kind::Number(1)),
    ("addressfamily", Kind::Choice(&["any", "inet", "inet6"])),
    ("bindaddress", Kind::Word),
    ("bindinterface", Kind::Word),
    ("connecttimeout", Kind::Number(1)),
    ("connectionattempts", Kind::Number(1)),
    ("serveraliveinterval", Kind::Number(0)),
    ("serveralivecountmax", Kind::Number(0)),
    ("tcpkeepalive", Kind::Flag),
    ("compression", Kind::Flag),
    ("sendenv", Kind::Names),
    ("stricthostkeychecking", Kind::State(&["ask", "accept-new"])),
    ("userknownhostsfile", Kind::Paths),
    ("globalknownhostsfile", Kind::Paths),
    ("hostkeyalias", Kind::Word),
    ("revokedhostkeys", Kind::ExpandedFile),
    ("checkhostip", Kind::Flag),
    ("hashknownhosts", Kind::Flag),
    ("nohostauthenticationforlocalhost", Kind::Flag),
    ("updatehostkeys", Kind::State(&["ask"])),
    ("visualhostkey", Kind::Flag),
];

/// Keywords that have no meaning for us whatever they say (see `docs/SSH.md`).
pub const PASSED_OVER: &[&str] = &[
    "remotecommand",
    "requesttty",
    "sessiontype",
    "stdinnull",
    "forkafterauthentication",
    "escapechar",
    "enableescapecommandline",
    "localforward",
    "remoteforward",
    "dynamicforward",
    "permitremoteopen",
    "gatewayports",
    "clearallforwardings",
    "exitonforwardfailure",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "tunnel",
    "tunneldevice",
    "forwardx11",
    "forwardx11timeout",
    "forwardx11trusted",
    "xauthlocation",
    "localcommand",
    "permitlocalcommand",
    "obscurekeystroketiming",
    "channeltimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "loglevel",
    "logverbose",
    "syslogfacility",
    "fingerprinthash",
    "warnweakcrypto",
    "versionaddendum",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "gssapikeyexchange",
    "gssapiclientidentity",
    "gssapiserveridentity",
    "gssapitrustdns",
    "gssapirenewalforcesrekey",
    "gssapikexalgorithms",
    "hostbasedauthentication",
    "hostbasedacceptedalgorithms",
    "enablesshkeysign",
    "kbdinteractivedevices",
    "securitykeyprovider",
    // Of old releases: `ssh` passes over them too.
    "protocol",
    "cipher",
    "compressionlevel",
    "fallbacktorsh",
    "globalknownhostsfile2",
    "userknownhostsfile2",
    "useroaming",
    "usersh",
    "useprivilegedport",
    "rsaauthentication",
    "rhostsauthentication",
    "rhostsrsaauthentication",
    "afstokenpassing",
    "kerberosauthentication",
    "kerberostgtpassing",
];

/// Keywords that cannot be evaluated here: refused where they count for the host, passed over where they do not.
pub const REFUSED: &[&str] = &[
    "tag",
    "canonicalizehostname",
    "canonicaldomains",
    "canonicalizefallbacklocal",
    "canonicalizemaxdots",
    "canonicalizepermittedcnames",
    "proxycommand",
    "proxyusefdpass",
    "ipqos",
    "pubkeyacceptedalgorithms",
    "hostkeyalgorithms",
    "casignaturealgorithms",
    "requiredrsasize",
    "kexalgorithms",
    "ciphers",
    "macs",
    "rekeylimit",
    "setenv",
    "knownhostscommand",
    "pkcs11provider",
    "smartcarddevice",
    "refuseconnection",
    "verifyhostkeydns",
    "batchmode",
    "usekeychain",
];

/// Keywords whose values add up in OpenSSH and not in ssh2-config.
pub const ADD_UP: &[&str] = &["certificatefile", "sendenv"];

/// How a keyword is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Checked and handed on.
    Take(Kind),
    /// Passed over.
    Pass,
    /// Refused where it counts.
    Refuse,
}

/// The rule of a keyword by today's name, in lower case; none for one that no release known to us has.
#[must_use]
pub fn rule(keyword: &str) -> Option<Rule> {
    let taken = TAKEN.iter().find(|(name, _)| *name == keyword).map(|(_, kind)| Rule::Take(*kind));
    let listed = |list: &[&str], rule| list.contains(&keyword).then_some(rule);
    taken.or_else(|| listed(PASSED_OVER, Rule::Pass)).or_else(|| listed(REFUSED, Rule::Refuse))
}

/// Whether the values are surely what OpenSSH would take them for.
#[must_use]
pub fn allows(kind: Kind, words: &[&str]) -> bool {
    match (kind, words) {
        (Kind::Paths | Kind::Names, words) => !words.is_empty() && words.iter().all(|word| is_plain(word) && !word.contains(' ')),
        (kind, [word]) => allows_one(kind, word),
        (_, _) => false,
    }
}

/// Whether the values may stand in a block that does not count for the host: one bad value there makes OpenSSH refuse the file.
#[must_use]
pub fn may_stand(kind: Kind, words: &[&str]) -> bool {
    match (kind, words) {
        (Kind::Paths | Kind::Names, _) => true,
        (Kind::Host | Kind::User | Kind::Word | Kind::File | Kind::ExpandedFile, words) => words.len() == 1,
        (kind, words) => allows(kind, words),
    }
}

fn allows_one(kind: Kind, word: &str) -> bool {
    match kind {
        Kind::Host => is_host_name(word),
        Kind::User => is_name(word),
        Kind::Word => is_plain(word) && !word.contains(' '),
        Kind::Port => word.parse::<u16>().is_ok_and(|port| port > 0) && is_decimal(word),
        Kind::Number(least) => is_decimal(word) && word.parse::<u32>().is_ok_and(|n| n >= least && n < 1_000_000),
        Kind::Flag => is_flag(word),
        Kind::State(words) => is_flag(word) || words.contains(&word),
        Kind::Choice(words) => words.contains(&word),
        Kind::File | Kind::ExpandedFile => is_plain(word) && !matches!(word, "none" | "SSH_AUTH_SOCK"),
        Kind::Jump => word == "none" || word.split(',').all(is_hop),
        Kind::Paths | Kind::Names => false,
    }
}

/// A name or address that nothing would expand, refuse or take for an option.
#[must_use]
pub fn is_host_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == ':')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c))
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_decimal(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit()) && (word == "0" || !word.starts_with('0'))
}

fn is_flag(word: &str) -> bool {
    matches!(word, "yes" | "no" | "true" | "false")
}

/// Nothing in it is expanded or quoted; `~` stands for the own home only.
fn is_plain(word: &str) -> bool {
    let tilde = !word.starts_with('~') || word.starts_with("~/");
    !word.is_empty() && tilde && !word.starts_with('-') && !word.chars().any(|c| c.is_control() || "%$\"'\\#=".contains(c))
}

/// `[user@]host[:port]`; an address with colons stands in brackets.
fn is_hop(word: &str) -> bool {
    let (user, rest) = word.rsplit_once('@').map_or((None, word), |(user, rest)| (Some(user), rest));
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("22"))),
        None => rest.split_once(':').map_or((rest, Some("22")), |(host, port)| (host, Some(port))),
    };
    let brackets = rest.starts_with('[') || !host.contains(':');
    user.is_none_or(is_name) && brackets && is_host_name(host) && port.is_some_and(|port| allows_one(Kind::Port, port))
}

/// A value as `ssh -G` prints it.
#[must_use]
pub fn as_printed(kind: Kind, value: &str, home: &Path) -> String {
    match (kind, value) {
        (Kind::Host, _) => value.to_lowercase(),
        (Kind::Flag, "true") => "yes".to_owned(),
        (Kind::Flag, "false") => "no".to_owned(),
        (Kind::State(_), "yes") => "true".to_owned(),
        (Kind::State(_), "no") => "false".to_owned(),
        (Kind::Paths | Kind::ExpandedFile, _) => match value.strip_prefix("~/") {
            Some(rest) => home.join(rest).display().to_string(),
            None => value.to_owned(),
        },
        (_, _) => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_sure_is_allowed() {
        for (kind, good, bad) in [
            (Kind::Host, &["a.b-c", "::1", "10.0.0.1"][..], &["%h.x", "-x", "a b", "a;b", ""][..]),
            (Kind::Port, &["22", "65535"], &["0", "022", "65536", "ssh", "+1"]),
            (Kind::Number(1), &["1", "300"], &["0", "1m", "1.5", "-1"]),
            (Kind::Flag, &["yes", "false"], &["ask", "on"]),
            (Kind::File, &["~/.ssh/id", "/a b/c", "rel"], &["~me/x", "%d/x", "${HOME}/x", "none", "a\"b", ""]),
            (Kind::Jump, &["a", "u@a:22,[::1]:33,b", "none"], &["a:b:c", "ssh://a", "a,", "::1", "a:0", "none,a:x"]),
            (Kind::User, &["me", "a.b_c"], &["-l", "a@b", "DOM\\me"]),
        ] {
            good.iter().for_each(|word| assert!(allows(kind, &[word]), "{kind:?} {word}"));
            bad.iter().for_each(|word| assert!(!allows(kind, &[word]), "{kind:?} {word}"));
        }
        assert!(!allows(Kind::Host, &["a", "b"]) && !allows(Kind::Names, &[]) && allows(Kind::Names, &["LANG", "LC_*"]));
    }
}
