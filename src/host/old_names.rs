//! Keywords by the names that older releases of OpenSSH gave them.

/// The old names that `ssh` still takes, and what it takes them for. Releases up to 8.6 print some of them.
const OLD_NAMES: &[(&str, &str)] = &[
    ("challengeresponseauthentication", "kbdinteractiveauthentication"),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("tisauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("hostbasedkeytypes", "hostbasedacceptedalgorithms"),
    ("identityfile2", "identityfile"),
    ("keepalive", "tcpkeepalive"),
];

/// The name of a keyword, in lower case, that today's OpenSSH uses.
#[must_use]
pub fn todays(keyword: &str) -> &str {
    OLD_NAMES.iter().find(|(old, _)| *old == keyword).map_or(keyword, |(_, today)| today)
}
