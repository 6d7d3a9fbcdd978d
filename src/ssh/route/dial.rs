//! TCP to a host: addresses of both families tried with a head start, as RFC 8305 says.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;

use super::socket::Options;
use crate::failure::{Code, Failure};
use crate::host::target::Target;

/// The head start of each address before the next is tried too (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// ssh waits this long between the tries of ConnectionAttempts.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// A connected socket and where it leads.
pub(crate) struct Dialled {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    /// How to mark its packets once the login is done, where that is another mark.
    pub(crate) mark: Option<u32>,
}

/// Connects to the target's host name and port.
///
/// # Errors
/// [`Code::NameNotFound`] and [`Code::Unreachable`]; the time limit is the caller's.
pub(crate) async fn dial(target: &Target) -> Result<Dialled, Failure> {
    let attempts: u32 = target.first("connectionattempts").and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut outcome = once(target).await;
    for _ in 1..attempts.max(1) {
        if outcome.as_ref().is_ok_and(|_| true) || outcome.as_ref().is_err_and(|f| f.code == Code::NameNotFound) {
            break;
        }
        wait(BETWEEN_ATTEMPTS).await;
        outcome = once(target).await;
    }
    outcome
}

async fn once(target: &Target) -> Result<Dialled, Failure> {
    let addresses = look_up(target).await?;
    first_of(&addresses, target).await
}

/// The first that answers of several addresses, each a head start behind the one before.
async fn first_of(addresses: &[SocketAddr], target: &Target) -> Result<Dialled, Failure> {
    let options = Options::of(target).await?;
    let tried = |(address, n): (&SocketAddr, u32)| {
        let (options, address) = (&options, *address);
        async move {
            wait(HEAD_START * n).await;
            (address, options.connect(address).await)
        }
    };
    let mut tries: FuturesUnordered<_> = addresses.iter().zip(0_u32..).map(tried).collect();
    let mut refusals = Vec::new();
    while let Some((address, result)) = tries.next().await {
        match result {
            Ok(stream) => return Ok(Dialled { stream, address, mark: options.marks().then }),
            Err(e) => refusals.push((address, e)),
        }
    }
    Err(nobody(&refusals, target))
}

fn nobody(refusals: &[(SocketAddr, io::Error)], target: &Target) -> Failure {
    let said = refusals.iter().map(|(a, e)| format!("{}: {}", a.ip(), words(e))).collect::<Vec<_>>().join("; ");
    let tried = format!("connect to {} port {}", target.host_name(), target.port());
    Failure::new(Code::Unreachable, tried).said(said).hint(hint(refusals, target))
}

fn words(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

fn hint(refusals: &[(SocketAddr, io::Error)], target: &Target) -> String {
    if refusals.iter().any(|(_, e)| e.kind() == io::ErrorKind::ConnectionRefused) {
        return format!("nothing listens on port {} there: is it the right port, and does sshd run?", target.port());
    }
    format!("is the machine up and on this network? try: ssh {}", target.alias)
}

async fn look_up(target: &Target) -> Result<Vec<SocketAddr>, Failure> {
    let name = target.host_name();
    let failed = |said: String| {
        Failure::new(Code::NameNotFound, format!("look up {name}"))
            .said(said)
            .hint(format!("check HostName for '{}' in the ssh configuration, or the network's DNS", target.alias))
    };
    let found = tokio::net::lookup_host((name, target.port())).await.map_err(|e| failed(look_up_words(&e)))?;
    let wanted: fn(&SocketAddr) -> bool = match target.first("addressfamily") {
        Some("inet") => SocketAddr::is_ipv4,
        Some("inet6") => SocketAddr::is_ipv6,
        _ => |_| true,
    };
    let addresses = interleave(found.filter(wanted).collect());
    if addresses.is_empty() {
        return Err(failed("it has no address of the family that AddressFamily asks for".to_owned()));
    }
    Ok(addresses)
}

pub(super) fn look_up_words(e: &io::Error) -> String {
    let text = e.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

/// The family that the resolver prefers first, then in turns; doubles go.
fn interleave(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) = found.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    first.dedup();
    second.dedup();
    let mut turns = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair.iter().all(Option::is_none) {
            return turns;
        }
        turns.extend(pair.into_iter().flatten());
    }
}

#[expect(clippy::disallowed_methods, reason = "the head start of RFC 8305 and ConnectionAttempts are waits by definition")]
async fn wait(how_long: Duration) {
    if !how_long.is_zero() {
        tokio::time::sleep(how_long).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<SocketAddr> {
        text.split_whitespace().map(|a| a.parse().expect(a)).collect()
    }

    #[test]
    fn families_take_turns() {
        for (found, expected) in [
            ("1.1.1.1:22 2.2.2.2:22 [::1]:22", "1.1.1.1:22 [::1]:22 2.2.2.2:22"),
            ("[::1]:22 [::2]:22 1.1.1.1:22", "[::1]:22 1.1.1.1:22 [::2]:22"),
            ("1.1.1.1:22 1.1.1.1:22", "1.1.1.1:22"),
            ("", ""),
        ] {
            assert_eq!(interleave(addresses(found)), addresses(expected));
        }
    }

    #[tokio::test]
    async fn the_configuration_says_where_from() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let printed = format!("hostname 127.0.0.1\nport {port}\nbindaddress 127.0.0.2\ntcpkeepalive yes\nipqos af21 cs1\n");
        let dialled = dial(&Target::from_ssh_g("x".parse().expect("alias"), &printed, "")).await.expect("dialled");
        let (_, from) = listener.accept().await.expect("accept");
        assert_eq!(from.ip().to_string(), "127.0.0.2");
        assert_eq!(dialled.address.port(), port);
        let only_v6 = format!("hostname 127.0.0.1\nport {port}\naddressfamily inet6\n");
        let failure =
            dial(&Target::from_ssh_g("x".parse().expect("alias"), &only_v6, "")).await.map(|_| ()).expect_err("no such family");
        assert_eq!(failure.code, Code::NameNotFound);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_as_often_as_asked_a_second_apart() {
        let bound = tokio::net::TcpSocket::new_v4().expect("socket");
        bound.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let port = bound.local_addr().expect("address").port();
        let printed = format!("hostname 127.0.0.1\nport {port}\nconnectionattempts 3\n");
        let began = tokio::time::Instant::now();
        let failure =
            dial(&Target::from_ssh_g("x".parse().expect("alias"), &printed, "")).await.map(|_| ()).expect_err("nobody listens");
        assert_eq!((failure.code, began.elapsed() >= BETWEEN_ATTEMPTS * 2), (Code::Unreachable, true));
    }

    #[tokio::test]
    async fn a_dead_address_costs_only_its_head_start() {
        let bound = tokio::net::TcpSocket::new_v4().expect("socket");
        bound.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let port = bound.local_addr().expect("address").port();
        let printed = format!("hostname localhost\nport {port}\naddressfamily inet\n");
        let target = Target::from_ssh_g("x".parse().expect("alias"), &printed, "");
        assert_eq!(dial(&target).await.map(|_| ()).expect_err("nobody listens").code, Code::Unreachable);
        let _listener = bound.listen(1).expect("listen");
        assert_eq!(dial(&target).await.map(|d| d.address.port()).expect("dialled"), port);
    }

    /// An address that swallows everything (its queue is full) does not hold up the one that answers.
    #[tokio::test(start_paused = true)]
    async fn the_address_that_answers_wins() {
        let full = tokio::net::TcpSocket::new_v4().expect("socket");
        full.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let full = full.listen(1).expect("listen");
        let mute = full.local_addr().expect("address");
        let mut waiting = Vec::new();
        for _ in 0..8 {
            let connecting = TcpStream::connect(mute);
            waiting.extend(tokio::time::timeout(HEAD_START, connecting).await);
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let good = listener.local_addr().expect("address");
        let target = Target::from_ssh_g("x".parse().expect("alias"), "hostname x\n", "");
        let dialled = first_of(&[mute, good], &target).await.expect("dialled");
        assert_eq!(dialled.address, good);
        assert!(waiting.len() < 8, "the other one swallows");
    }
}
