//! Where the logins of a host are counted: hosts that one sshd serves should share one address, as far as their ways tell.

use std::pin::Pin;

use crate::host::target::Target;
use crate::paths::Local;
use crate::ssh::hops::{self, HOPS};
use crate::ssh::route::Way;
use crate::ssh::tokens::Tokens;

/// Where an sshd is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// For people, and to tell it from others.
    name: String,
    host: String,
    port: u16,
    /// A ProxyCommand that runs `ssh`, with its tokens: that logs in somewhere too, and for each host at the same place.
    helper: Option<String>,
}

impl Address {
    /// The address of a target; `via` is that of its last jump host.
    pub(crate) fn of(way: &Way, (target, local): (&Target, &Local), via: Option<&Self>) -> Self {
        let (host, port) = (target.host_name().to_owned(), target.port());
        let place = format!("{host} port {port}");
        let (name, helper) = match (way, via) {
            (Way::Jump(_), Some(via)) if via.is_also(&host, port) => (via.name.clone(), None),
            (Way::Jump(_), Some(via)) => (format!("{place} through {}", via.name), None),
            (Way::Proxy(words), _) => {
                let command = Tokens::new(target, local).command(words).unwrap_or_else(|_| format!("{words} to {place}"));
                let runs_ssh = words.split_whitespace().any(|word| word.rsplit('/').next() == Some("ssh"));
                (format!("ProxyCommand {command}"), runs_ssh.then(|| format!("ProxyCommand {words} (any host)")))
            }
            (Way::Tcp | Way::Jump(_), _) => (place, None),
        };
        Self { name, host, port, helper }
    }

    /// Whether these words, said on the jump host, mean the jump host itself.
    fn is_also(&self, host: &str, port: u16) -> bool {
        let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        port == self.port && (loopback || host == self.host)
    }

    /// What is knocked at on the way to it, in this order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.helper.iter().chain([&self.name]).map(String::as_str)
    }
}

/// The addresses that a child `ssh` logs in at, the first jump host first. What cannot be known is left to it to refuse.
pub(crate) fn on_the_way<'a>(
    target: &'a Target,
    local: &'a Local,
    hops: usize,
) -> Pin<Box<dyn Future<Output = Vec<Address>> + Send + 'a>> {
    Box::pin(async move {
        let way = Way::of(target);
        let mut all = Vec::new();
        if let Way::Jump(words) = &way
            && hops < HOPS
            && let Ok(hop) = hops::last(words, target, local).await
        {
            all = on_the_way(&hop, local, hops + 1).await;
        }
        all.push(Address::of(&way, (target, local), all.last()));
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(printed: &str, via: Option<&Address>) -> Address {
        let target = Target::from_ssh_g("dev".parse().expect("alias"), printed, "");
        let local = Local { home: "/".into(), user: "l".into(), codex_home: "/c".into(), ssh_config: None, vars: [].into() };
        Address::of(&Way::of(&target), (&target, &local), via)
    }

    #[test]
    fn hosts_of_one_sshd_share_an_address() {
        let jump = names("hostname gate\n", None);
        let far = names("hostname 10.0.0.7\nproxyjump gate\n", Some(&jump));
        for (printed, via, expected) in [
            ("hostname 10.0.0.7\nport 2222\n", None, "10.0.0.7 port 2222"),
            ("hostname 10.0.0.7\nproxyjump gate\n", Some(&jump), "10.0.0.7 port 22 through gate port 22"),
            ("hostname localhost\nproxyjump gate\n", Some(&jump), "gate port 22"),
            ("hostname ::1\nproxyjump gate\n", Some(&jump), "gate port 22"),
            ("hostname gate\nproxyjump gate\n", Some(&jump), "gate port 22"),
            ("hostname localhost\nport 2222\nproxyjump gate\n", Some(&jump), "localhost port 2222 through gate port 22"),
            ("hostname localhost\nproxyjump far\n", Some(&far), "10.0.0.7 port 22 through gate port 22"),
            ("hostname a\nproxycommand nc %h %p\n", None, "ProxyCommand nc a 22"),
            ("hostname a\nproxycommand nc %h %x\n", None, "ProxyCommand nc %h %x to a port 22"),
            (
                "hostname a\nproxycommand exec /usr/bin/ssh -W %h:%p gate\n",
                None,
                "ProxyCommand exec /usr/bin/ssh -W %h:%p gate (any host), ProxyCommand exec /usr/bin/ssh -W a:22 gate",
            ),
        ] {
            assert_eq!(names(printed, via).names().collect::<Vec<_>>().join(", "), expected, "{printed}");
        }
    }
}
