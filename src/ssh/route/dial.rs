//! TCP to a host: addresses of both families tried with a head start, as RFC 8305 says; BindAddress, IPQoS, TCPKeepAlive.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpSocket, TcpStream};

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
    let options = Options::of(target)?;
    let tries: FuturesUnordered<_> = addresses
        .iter()
        .zip(0_u32..)
        .map(|(address, n)| {
            let options = &options;
            async move {
                wait(HEAD_START * n).await;
                (*address, options.connect(*address).await)
            }
        })
        .collect();
    first(tries, target).await
}

async fn first(
    mut tries: FuturesUnordered<impl Future<Output = (SocketAddr, io::Result<TcpStream>)>>,
    target: &Target,
) -> Result<Dialled, Failure> {
    let mut refusals = Vec::new();
    while let Some((address, result)) = tries.next().await {
        match result {
            Ok(stream) => return Ok(Dialled { stream, address }),
            Err(e) => refusals.push((address, e)),
        }
    }
    let said = refusals.iter().map(|(a, e)| format!("{}: {}", a.ip(), words(e))).collect::<Vec<_>>().join("; ");
    let tried = format!("connect to {} port {}", target.host_name(), target.port());
    Err(Failure::new(Code::Unreachable, tried).said(said).hint(hint(&refusals, target)))
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

fn look_up_words(e: &io::Error) -> String {
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

/// What the configuration says about the socket.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    bind: Option<IpAddr>,
    device: Option<String>,
    keepalive: bool,
    tos: Option<u32>,
}

impl Options {
    fn of(target: &Target) -> Result<Self, Failure> {
        let bind = match target.first("bindaddress") {
            None | Some("" | "none") => None,
            Some(text) => Some(text.parse().map_err(|_| not_an_address(text))?),
        };
        Ok(Self {
            bind,
            device: target.first("bindinterface").filter(|d| !d.is_empty() && *d != "none").map(str::to_owned),
            keepalive: target.first("tcpkeepalive") != Some("no"),
            tos: target.first("ipqos").and_then(|v| v.split_whitespace().next()).and_then(tos),
        })
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = self.bind {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        #[cfg(target_os = "linux")]
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        socket.set_keepalive(self.keepalive)?;
        socket.set_nodelay(true)?;
        if let Some(tos) = self.tos {
            // Marking is a wish: a system that refuses it still connects.
            drop(if to.is_ipv4() { socket.set_tos_v4(tos) } else { socket.set_tclass_v6(tos) });
        }
        socket.connect(to).await
    }
}

fn not_an_address(text: &str) -> Failure {
    Failure::new(Code::KeywordUnsupported, format!("bind to '{text}' (BindAddress)")).said("it is not an IP address").hint(
        "write the address as a number, or use the system ssh: --carrier ssh, or for good: outpost hosts set HOST carrier=ssh",
    )
}

/// The type of service for a name of IPQoS (RFC 8325 and ssh_config(5)).
fn tos(name: &str) -> Option<u32> {
    let name = name.to_ascii_lowercase();
    if let Some(class) = name.strip_prefix("cs").and_then(|n| n.parse::<u32>().ok()).filter(|n| *n < 8) {
        return Some(class << 5);
    }
    if let Some((class, drop)) = name.strip_prefix("af").and_then(|n| n.parse::<u32>().ok()).map(|n| (n / 10, n % 10)) {
        return ((1..=4).contains(&class) && (1..=3).contains(&drop)).then_some((class * 8 + drop * 2) << 2);
    }
    match name.as_str() {
        "ef" => Some(0xb8),
        "va" => Some(0xb0),
        "le" => Some(0x04),
        "lowdelay" => Some(0x10),
        "throughput" => Some(0x08),
        "reliability" => Some(0x04),
        "none" => None,
        number => number.strip_prefix("0x").map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok()),
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

    #[test]
    fn qos_names_are_those_of_ssh() {
        for (name, value) in [
            ("lowdelay", Some(0x10)),
            ("af21", Some(0x48)),
            ("cs1", Some(0x20)),
            ("ef", Some(0xb8)),
            ("0x48", Some(0x48)),
            ("none", None),
            ("what", None),
        ] {
            assert_eq!(tos(name), value, "{name}");
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

    /// What the kernel has of the socket, not what it was told.
    #[tokio::test]
    async fn tcp_keep_alive_and_ip_qos_reach_the_socket() {
        for (address, bits) in [("127.0.0.1:0", 0x48), ("[::1]:0", 0x48)] {
            let Ok(listener) = tokio::net::TcpListener::bind(address).await else {
                assert!(address.starts_with('['), "a machine without IPv6 has IPv4");
                continue;
            };
            let to = listener.local_addr().expect("address");
            for (printed, keepalive, tos) in
                [("tcpkeepalive yes\nipqos af21 cs1\n", true, bits), ("tcpkeepalive no\nipqos none\n", false, 0), ("", true, 0)]
            {
                let target = Target::from_ssh_g("x".parse().expect("alias"), printed, "");
                let stream = Options::of(&target).expect("options").connect(to).await.expect("connected");
                let socket = TcpSocket::from_std_stream(stream.into_std().expect("a socket"));
                assert_eq!(socket.keepalive().expect("SO_KEEPALIVE"), keepalive, "{printed}");
                assert!(socket.nodelay().expect("TCP_NODELAY"));
                let told = if to.is_ipv4() { socket.tos_v4() } else { socket.tclass_v6() };
                assert_eq!(told.expect("IP_TOS"), tos, "{address} {printed}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_tried_as_often_as_asked_a_second_apart() {
        let bound = TcpSocket::new_v4().expect("socket");
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
        let bound = TcpSocket::new_v4().expect("socket");
        bound.bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let port = bound.local_addr().expect("address").port();
        let printed = format!("hostname localhost\nport {port}\naddressfamily inet\n");
        let target = Target::from_ssh_g("x".parse().expect("alias"), &printed, "");
        assert_eq!(dial(&target).await.map(|_| ()).expect_err("nobody listens").code, Code::Unreachable);
        let _listener = bound.listen(1).expect("listen");
        assert_eq!(dial(&target).await.map(|d| d.address.port()).expect("dialled"), port);
    }
}
