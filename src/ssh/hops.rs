//! The words of ProxyJump: which host comes before this one, and the way to it.

use crate::failure::{Code, Failure};
use crate::host::resolve::{Hop, hop};
use crate::host::target::{Purpose, Target};
use crate::paths::Local;

use super::tokens::Tokens;

/// The most jump hosts on one way; more is a configuration that refers to itself.
pub(super) const HOPS: usize = 8;

/// Resolves the last of the hops; the ones before it are on its own way.
///
/// # Errors
/// Words that name no host, a host that is the target itself, and what `ssh -G` refuses.
pub(super) async fn last(words: &str, target: &Target, local: &Local) -> Result<Target, Failure> {
    let named = parse(words, &Tokens::new(target, local))?;
    if named.host == target.alias {
        return Err(a_circle(words));
    }
    Ok(hop(local, &named).await?.with_purpose(Purpose::Jump))
}

/// The hops lead back to themselves.
pub(super) fn a_circle(words: &str) -> Failure {
    Failure::new(Code::KeywordUnsupported, format!("follow ProxyJump {words}"))
        .said("the jump hosts lead back to themselves")
        .hint("exclude the jump host from the Host pattern that sets ProxyJump, or give it ProxyJump none")
}

/// ProxyJump with its tokens expanded, for people; as it was written where that cannot be done.
#[must_use]
pub fn shown(target: &Target, local: &Local) -> Option<String> {
    let words = target.first("proxyjump").filter(|jump| *jump != "none")?;
    Some(Tokens::new(target, local).command(words).unwrap_or_else(|_| words.to_owned()))
}

/// `[user@]host[:port]`, the last of a list; what stands before it is that hop's own way. As with `ssh`, tokens are expanded last.
fn parse(words: &str, tokens: &Tokens<'_>) -> Result<Hop, Failure> {
    let (before, last) = words.rsplit_once(',').map_or((None, words), |(b, l)| (Some(b), l));
    let last = last.trim().strip_prefix("ssh://").unwrap_or(last.trim());
    let bad = |why: String| {
        Failure::new(Code::KeywordUnsupported, format!("read ProxyJump {words}")).said(why).hint("write it as [user@]host[:port]")
    };
    let (user, place) = last.rsplit_once('@').map_or((None, last), |(u, p)| (Some(u), p));
    let (name, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
        Some((name, tail)) => (name, tail.strip_prefix(':')),
        None => place.split_once(':').filter(|(_, p)| !p.contains(':')).map_or((place, None), |(n, p)| (n, Some(p))),
    };
    let port = port.map(|p| p.parse().map_err(|_| bad(format!("'{p}' is not a port")))).transpose()?;
    let expanded = |word: Option<&str>| word.map(|word| tokens.command(word)).transpose();
    let host = tokens.command(name)?.parse().map_err(|e| bad(format!("{e}")))?;
    Ok(Hop { host, user: expanded(user)?, port, through: expanded(before)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(check: impl FnOnce(&Tokens<'_>) -> T) -> T {
        let target = Target::from_ssh_g("dev".parse().expect("alias"), "hostname 10.0.0.7\nport 2222\nuser me\n", "");
        let local = Local { home: "/".into(), user: "l".into(), codex_home: "/c".into(), ssh_config: None, vars: [].into() };
        check(&Tokens::new(&target, &local))
    }

    #[test]
    fn hops_are_read_as_ssh_reads_them() {
        for (words, host, user, port, through) in [
            ("bastion", "bastion", None, None, None),
            ("me@bastion:2222", "bastion", Some("me"), Some(2222), None),
            ("a,b:22,c@d", "d", Some("c"), None, Some("a,b:22")),
            ("[fe80::1]:22", "fe80::1", None, Some(22), None),
            ("ssh://me@host:22", "host", Some("me"), Some(22), None),
            ("fe80::1", "fe80::1", None, None, None),
            ("jump-%p,%r@gate-%h:22", "gate-10.0.0.7", Some("me"), Some(22), Some("jump-2222")),
        ] {
            let hop = with(|tokens| parse(words, tokens)).expect(words);
            assert_eq!(
                (hop.host.as_str(), hop.user.as_deref(), hop.port, hop.through.as_deref()),
                (host, user, port, through),
                "{words}"
            );
        }
        for bad in ["", "host:port", "-oX", "a,", "%d"] {
            assert_eq!(with(|tokens| parse(bad, tokens)).expect_err(bad).code, Code::KeywordUnsupported);
        }
        let failure = with(|tokens| parse("me@host:port", tokens)).expect_err("no port");
        insta::assert_snapshot!(format!("{failure}\n{}", failure.hint), @r"
        read ProxyJump me@host:port: 'port' is not a port
        write it as [user@]host[:port]
        ");
    }
}
