//! TCP to a host: addresses of both families tried with a head start, as RFC 8305 says.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;

use super::socket::Options;
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::ssh::budget::{Budget, Spent};

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

/// Connects to the target's host name and port. As with `ssh`, each attempt has the whole time, and the login has what the last one
/// left.
///
/// # Errors
/// [`Spent`], or [`Code::NameNotFound`] and [`Code::Unreachable`].
pub(crate) async fn dial(target: &Target, budget: &mut Budget) -> Result<Result<Dialled, Failure>, Spent> {
    let attempts: u32 = target.first("connectionattempts").and_then(|n| n.parse().ok()).unwrap_or(1);
    for _ in 1..attempts {
        let outcome = budget.within(once(target)).await;
        if matches!(&outcome, Ok(Ok(_))) || matches!(&outcome, Ok(Err(failure)) if failure.code == Code::NameNotFound) {
            return outcome;
        }
        wait(BETWEEN_ATTEMPTS).await;
        budget.renew();
    }
    budget.within(once(target)).await
}

async fn once(target: &Target) -> Result<Dialled, Failure> {
    let addresses = look_up(target).await?;
    first_of(&addresses, target).await
}

/// The first that answers of several addresses, each a head start behind the one before, or at once when one has failed.
async fn first_of(addresses: &[SocketAddr], target: &Target) -> Result<Dialled, Failure> {
    let options = Options::of(target).await?;
    let connect = |address: SocketAddr| {
        let options = &options;
        async move { (address, options.connect(address).await) }
    };
    let (mut waiting, mut tries, mut refusals) = (addresses.iter().copied(), FuturesUnordered::new(), Vec::new());
    loop {
        tries.extend(waiting.next().map(connect));
        let alone = if waiting.len() > 0 { HEAD_START } else { Duration::MAX };
        match tokio::time::timeout(alone, tries.next()).await {
            Ok(Some((address, Ok(stream)))) => return Ok(Dialled { stream, address, mark: options.marks().then }),
            Ok(Some((address, Err(e)))) => refusals.push((address, e)),
            Ok(None) => return Err(nobody(&refusals, target)),
            Err(_) => {}
        }
    }
}

fn nobody(refusals: &[(SocketAddr, io::Error)], target: &Target) -> Failure {
    let said = refusals.iter().map(|(a, e)| format!("{}: {}", a.ip(), words(e))).collect::<Vec<_>>().join("; ");
    let tried = format!("connect to {} port {}", target.host_name(), target.port());
    Failure::new(Code::Unreachable, tried).said(said).hint(hint(refusals, target))
}

pub(super) fn words(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

fn hint(refusals: &[(SocketAddr, io::Error)], target: &Target) -> String {
    let ours = |keyword: &str| !refusals.is_empty() && refusals.iter().all(|(_, e)| e.to_string().contains(keyword));
    if ours("(BindAddress)") {
        return "BindAddress must be an address of this machine, of the host's family: see ip addr".to_owned();
    }
    if ours("(BindInterface)") {
        return "BindInterface must be an interface of this machine with an address of the host's family: see ip addr".to_owned();
    }
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

    /// With more time than a test has.
    async fn dial(target: &Target) -> Result<Dialled, Failure> {
        super::dial(target, &mut Budget::new(Duration::from_secs(3600))).await.expect("time")
    }

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

    /// An address whose queue is full: it swallows everything. It is held by what waits there.
    async fn silence() -> (SocketAddr, impl Sized) {
        let full = tokio::net::TcpSocket::new_v4().expect("socket");
        full.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let full = full.listen(1).expect("listen");
        let mute = full.local_addr().expect("address");
        let mut waiting = Vec::new();
        for _ in 0..8 {
            let connecting = TcpStream::connect(mute);
            waiting.extend(tokio::time::timeout(HEAD_START, connecting).await);
        }
        assert!(waiting.len() < 8, "it swallows");
        (mute, (full, waiting))
    }

    #[tokio::test(start_paused = true)]
    async fn each_attempt_has_the_whole_time() {
        let (mute, _held) = silence().await;
        let printed = format!("hostname 127.0.0.1\nport {}\nconnectionattempts 3\n", mute.port());
        let target = Target::from_ssh_g("x".parse().expect("alias"), &printed, "");
        let (limit, began) = (Duration::from_secs(7), tokio::time::Instant::now());
        let spent = super::dial(&target, &mut Budget::new(limit)).await.map(drop);
        assert_eq!(spent, Err(Spent { limit }));
        assert_eq!(began.elapsed().as_secs(), 3 * 7 + 2);
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_nothing() {
        let bound = tokio::net::TcpSocket::new_v4().expect("socket");
        bound.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let dead = bound.local_addr().expect("address");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let good = listener.local_addr().expect("address");
        let target = Target::from_ssh_g("x".parse().expect("alias"), "hostname x\n", "");
        let began = std::time::Instant::now();
        let dialled = first_of(&[[dead; 20].as_slice(), &[good]].concat(), &target).await.expect("dialled");
        assert_eq!(dialled.address, good);
        assert!(began.elapsed() < HEAD_START * 4, "twenty head starts would be 5 s: {:?}", began.elapsed());
    }

    #[tokio::test]
    async fn what_cannot_be_bound_to_is_named() {
        let target = |line: &str| {
            let printed = format!("hostname 127.0.0.1\nport 1\n{line}\n");
            Target::from_ssh_g("x".parse().expect("alias"), &printed, "")
        };
        let mut told = String::new();
        for line in ["bindaddress 192.0.2.1", "bindaddress ::1", "bindinterface nosuch0"] {
            let failure = dial(&target(line)).await.map(|_| ()).expect_err(line);
            told.push_str(&format!("{failure}\n  {}\n", failure.hint));
        }
        insta::assert_snapshot!(told, @r"
        connect to 127.0.0.1 port 1: 127.0.0.1: no connection can start from 192.0.2.1: Cannot assign requested address (BindAddress)
          BindAddress must be an address of this machine, of the host's family: see ip addr
        connect to 127.0.0.1 port 1: 127.0.0.1: there is no address of this family (BindAddress)
          BindAddress must be an address of this machine, of the host's family: see ip addr
        connect to 127.0.0.1 port 1: 127.0.0.1: the interface nosuch0 has no address of this family (BindInterface)
          BindInterface must be an interface of this machine with an address of the host's family: see ip addr
        ");
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
        let (mute, _held) = silence().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let good = listener.local_addr().expect("address");
        let target = Target::from_ssh_g("x".parse().expect("alias"), "hostname x\n", "");
        let dialled = first_of(&[mute, good], &target).await.expect("dialled");
        assert_eq!(dialled.address, good);
    }
}
