//! What the configuration says about the socket: BindAddress, BindInterface, TCPKeepAlive, IPQoS.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};

use crate::failure::{Code, Failure};
use crate::host::target::{Purpose, Target};

/// How to make a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    from: Origin,
    keepalive: bool,
    marks: Marks,
}

/// Where a connection starts from.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Anywhere,
    /// BindAddress; one of each family at most is used.
    Addresses(Vec<IpAddr>),
    /// BindInterface.
    Interface(String),
}

/// The types of service of IPQoS, where it sets any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// From the first packet on.
    first: Option<u32>,
    /// From the login on. OpenSSH marks a session without a terminal with the second value only then.
    pub(super) then: Option<u32>,
}

impl Options {
    pub(super) async fn of(target: &Target) -> Result<Self, Failure> {
        let keepalive = target.first("tcpkeepalive") != Some("no");
        Ok(Self { from: Origin::of(target).await?, keepalive, marks: Marks::of(target) })
    }

    pub(super) fn marks(&self) -> Marks {
        self.marks
    }

    pub(super) async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = self.from.towards(to)? {
            let named = |e| self.from.named(&format!("no connection can start from {from}: {}", super::dial::words(&e)));
            socket.bind(SocketAddr::new(from, 0)).map_err(named)?;
        }
        socket.set_keepalive(self.keepalive)?;
        socket.set_nodelay(true)?;
        if let Some(tos) = self.marks.first {
            // Marking is a wish: a system that refuses it still connects.
            drop(if to.is_ipv4() { socket.set_tos_v4(tos) } else { socket.set_tclass_v6(tos) });
        }
        socket.connect(to).await
    }
}

impl Origin {
    async fn of(target: &Target) -> Result<Self, Failure> {
        let set = |keyword| target.first(keyword).filter(|v| !v.is_empty() && *v != "none");
        let Some(text) = set("bindaddress") else {
            return Ok(set("bindinterface").map_or(Self::Anywhere, |name| Self::Interface(name.to_owned())));
        };
        let found = tokio::net::lookup_host((text, 0)).await.map_err(|e| {
            Failure::new(Code::Unreachable, format!("bind to '{text}' (BindAddress)"))
                .said(super::dial::look_up_words(&e))
                .hint("BindAddress must be an address of this machine, or a name for one")
        })?;
        Ok(Self::Addresses(found.map(|address| address.ip()).collect()))
    }

    /// A failure of what was asked for, which says where.
    fn named(&self, said: &str) -> io::Error {
        let keyword = if matches!(self, Self::Interface(_)) { "BindInterface" } else { "BindAddress" };
        io::Error::other(format!("{said} ({keyword})"))
    }

    /// The address to bind to, of the family of the other side.
    fn towards(&self, to: SocketAddr) -> io::Result<Option<IpAddr>> {
        let same = |a: &IpAddr| a.is_ipv4() == to.is_ipv4();
        match self {
            Self::Anywhere => Ok(None),
            Self::Addresses(all) => match all.iter().copied().find(same) {
                Some(from) => Ok(Some(from)),
                None => Err(self.named("there is no address of this family")),
            },
            Self::Interface(name) => match best(getifaddrs()?.filter(|a| a.interface_name == *name), same) {
                Some(from) => Ok(Some(from)),
                None => Err(self.named(&format!("the interface {name} has no address of this family"))),
            },
        }
    }
}

/// As OpenSSH chooses among the addresses of an interface: one of the loopback or of the link only where there is no other.
fn best(all: impl Iterator<Item = InterfaceAddress>, same: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let up = all.filter(|a| a.flags.contains(InterfaceFlags::IFF_UP));
    let addresses = up.filter_map(|a| ip(&a)).filter(same).collect::<Vec<_>>();
    let local = |a: &IpAddr| match a {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    };
    addresses.iter().find(|a| !local(a)).or(addresses.first()).copied()
}

fn ip(of: &InterfaceAddress) -> Option<IpAddr> {
    let address = of.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
}

impl Marks {
    fn of(target: &Target) -> Self {
        let mut words = target.first("ipqos").unwrap_or_default().split_whitespace();
        let (first, second) = (words.next().and_then(tos), words.next().and_then(tos));
        // `ssh -W`, as which ssh goes through a jump host, keeps the first unless it is a ControlMaster.
        let master = !matches!(target.first("controlmaster"), None | Some("no" | "false"));
        let stays = match target.purpose {
            Purpose::Shared => false,
            Purpose::Jump => !master,
            Purpose::Alone { terminal, .. } => terminal,
        };
        Self { first, then: second.filter(|_| !stays) }
    }
}

/// Marks the packets of a connected socket from now on.
pub(super) fn mark(stream: &TcpStream, tos: u32) {
    let socket = SockRef::from(stream);
    // A wish, as above.
    drop(match stream.peer_addr() {
        Ok(SocketAddr::V4(_)) => socket.set_tos_v4(tos),
        Ok(SocketAddr::V6(_)) => socket.set_tclass_v6(tos),
        Err(e) => Err(e),
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn target(printed: &str) -> Target {
        Target::from_ssh_g("x".parse().expect("alias"), printed, "")
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

    /// What the system calls of OpenSSH 9.2 set, by what the session is for.
    #[test]
    fn the_second_mark_is_for_sessions_without_a_terminal() {
        let alone = |terminal| Purpose::Alone { window: 1, terminal };
        for (printed, purpose, first, then) in [
            ("ipqos af21 cs1\n", Purpose::Shared, Some(0x48), Some(0x20)),
            ("ipqos af21 cs1\n", alone(true), Some(0x48), None),
            ("ipqos af21 cs1\n", alone(false), Some(0x48), Some(0x20)),
            ("ipqos af21 cs1\n", Purpose::Jump, Some(0x48), None),
            ("ipqos af21 cs1\ncontrolmaster auto\n", Purpose::Jump, Some(0x48), Some(0x20)),
            ("ipqos af21 none\n", Purpose::Shared, Some(0x48), None),
            ("ipqos none none\n", Purpose::Shared, None, None),
            ("", Purpose::Shared, None, None),
        ] {
            assert_eq!(Marks::of(&target(printed).with_purpose(purpose)), Marks { first, then }, "{printed} {purpose:?}");
        }
    }

    /// What the kernel has of the socket, not what it was told.
    #[tokio::test]
    async fn tcp_keep_alive_and_ip_qos_reach_the_socket() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = tokio::net::TcpListener::bind(address).await else {
                assert!(address.starts_with('['), "a machine without IPv6 has IPv4");
                continue;
            };
            let to = listener.local_addr().expect("address");
            for (printed, keepalive, first, then) in [
                ("tcpkeepalive yes\nipqos af21 cs1\n", true, 0x48, 0x20),
                ("tcpkeepalive no\nipqos none none\n", false, 0, 0),
                ("", true, 0, 0),
            ] {
                let options = Options::of(&target(printed)).await.expect("options");
                let stream = options.connect(to).await.expect("connected");
                let socket = SockRef::from(&stream);
                assert_eq!(socket.keepalive().expect("SO_KEEPALIVE"), keepalive, "{printed}");
                assert!(socket.tcp_nodelay().expect("TCP_NODELAY"));
                let told = || if to.is_ipv4() { socket.tos_v4() } else { socket.tclass_v6() };
                assert_eq!(told().expect("IP_TOS"), first, "{address} {printed}");
                options.marks().then.into_iter().for_each(|tos| mark(&stream, tos));
                assert_eq!(told().expect("IP_TOS"), then, "{address} {printed}");
            }
        }
    }

    #[tokio::test]
    async fn a_connection_comes_from_where_it_is_bound_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let to = listener.local_addr().expect("address");
        let loopback = getifaddrs().expect("interfaces").find(|a| ip(a).is_some_and(|ip| ip.to_string() == "127.0.0.1"));
        let name = loopback.expect("the loopback").interface_name;
        for (printed, from) in [
            ("bindaddress 127.0.0.2\n".to_owned(), "127.0.0.2"),
            ("bindaddress localhost\n".to_owned(), "127.0.0.1"),
            (format!("bindinterface {name}\n"), "127.0.0.1"),
            (format!("bindaddress 127.0.0.3\nbindinterface {name}\n"), "127.0.0.3"),
        ] {
            let options = Options::of(&target(&printed)).await.expect("options");
            let stream = options.connect(to).await.expect("connected");
            assert_eq!(stream.local_addr().expect("address").ip().to_string(), from, "{printed}");
        }
        for printed in ["bindaddress ::1\n", "bindinterface nosuch0\n"] {
            let options = Options::of(&target(printed)).await.expect("options");
            assert!(options.connect(to).await.is_err(), "{printed}");
        }
    }
}
