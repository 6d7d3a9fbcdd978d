//! The byte stream to a host: TCP, a ProxyCommand, or a channel of a jump host.

mod dial;
mod line;
mod proxy;
mod socket;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::ByteStream;
use super::budget::{Budget, Spent, UNSET_OVER_PROXY, UNSET_OVER_TCP};
use super::connection::{Connection, Open};
use super::exec::Tail;
use super::tap::Tap;
use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;
use line::Line;
use proxy::Proxy;

/// The most of what a server says before its version line that is kept, in bytes.
const PREAMBLE: usize = 1024;

/// The most of it that is shown, in characters.
const SHOWN: usize = 200;

/// How much is acknowledged at once after the login, in bytes: what a bring-up has to say. An sshd leaves Nagle on until its
/// first session starts, and an ACK that is delayed (by 40 ms, in both directions of a login) holds back what it says next.
const QUICK: usize = 16 * 1024;

/// How a target is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Tcp,
    Proxy(String),
    /// The hops of ProxyJump, in its words.
    Jump(String),
}

impl Way {
    pub(crate) fn of(target: &Target) -> Self {
        let set = |keyword| target.first(keyword).filter(|v| !v.is_empty() && *v != "none").map(str::to_owned);
        match (set("proxyjump"), set("proxycommand")) {
            (Some(hops), _) => Self::Jump(hops),
            (None, Some(command)) => Self::Proxy(command),
            (None, None) => Self::Tcp,
        }
    }

    /// The time to log in: ConnectTimeout, or ours where the files leave it unset.
    pub(crate) fn budget(&self, target: &Target) -> Budget {
        let set = target.first("connecttimeout").and_then(|v| v.parse().ok()).filter(|s| *s > 0).map(Duration::from_secs);
        Budget::new(set.unwrap_or(if *self == Self::Tcp { UNSET_OVER_TCP } else { UNSET_OVER_PROXY }))
    }
}

/// A byte stream to a host, and what is needed to explain why nobody answers on it.
pub(crate) struct Route {
    /// Where it leads, for people ("10.0.0.7 port 22", "through bastion").
    pub(crate) address: String,
    /// The address of a direct connection.
    pub(crate) ip: Option<IpAddr>,
    proxy: Option<Proxy>,
    heard: Tail,
    greeted: Option<oneshot::Receiver<()>>,
    /// Whether it is used by a login, and not yet by sessions.
    logs_in: Arc<AtomicBool>,
    /// Gives the stream up, with all it still holds.
    pub(crate) cut: CancellationToken,
}

impl Route {
    /// Makes the way; `via` is the last jump host.
    pub(crate) async fn open(
        way: &Way,
        (target, local): (&Target, &Local),
        via: Option<&Connection>,
        budget: &mut Budget,
    ) -> Result<(Self, ByteStream), Failure> {
        let heard = Tail::default();
        let (greets, greeted) = oneshot::channel();
        let mut route = Self {
            address: place(target),
            ip: None,
            proxy: None,
            heard: heard.clone(),
            greeted: Some(greeted),
            logs_in: Arc::new(AtomicBool::new(true)),
            cut: CancellationToken::new(),
        };
        let stream = match (way, via) {
            (Way::Jump(_), Some(jump)) => {
                let stream = route.jump(target, jump, budget).await?;
                route.line(stream)
            }
            (Way::Proxy(command), _) => {
                let stream = route.run(command, target, local)?;
                route.line(stream)
            }
            (Way::Tcp | Way::Jump(_), _) => route.dial(target, budget).await?,
        };
        let (mut length, mut greets) = (0, Some(greets));
        let heard = Tap::new(stream, move |_: &ByteStream, read: &[u8]| {
            if length < PREAMBLE && greets.is_some() {
                length += read.len();
                heard.push(read);
                if let Some(greets) = greets.take_if(|_| has_version(&heard)) {
                    // Whoever waited may have given up.
                    let _gone = greets.send(());
                }
            }
        });
        Ok((route, Box::new(heard)))
    }

    /// With a way to give it up; what carries it forgets it as it likes.
    fn line(&self, stream: ByteStream) -> ByteStream {
        Box::new(Line::new(stream, self.cut.clone(), |_| ()))
    }

    fn run(&mut self, command: &str, target: &Target, local: &Local) -> Result<ByteStream, Failure> {
        let (proxy, stream) = Proxy::start(command, target, local)?;
        self.address = format!("ProxyCommand {}", proxy.command);
        self.proxy = Some(proxy);
        Ok(stream)
    }

    async fn jump(&mut self, target: &Target, jump: &Connection, budget: &mut Budget) -> Result<ByteStream, Failure> {
        self.address = format!("{} through {}", place(target), jump.host());
        let wanted = Open::Tcp(target.host_name().to_owned(), target.port());
        let opened = budget.within(jump.stream(wanted)).await.map_err(|spent| timed_out(&self.address, spent))?;
        opened.map_err(|failure| {
            let said = failure.said.clone();
            Failure::new(Code::JumpRefused, format!("reach {} from {}", place(target), jump.host()))
                .said(said)
                .hint(format!(
                    "see that {} may be reached from {}, and that its sshd allows forwarding",
                    target.host_name(),
                    jump.host()
                ))
                .at(jump.host())
        })
    }

    async fn dial(&mut self, target: &Target, budget: &mut Budget) -> Result<ByteStream, Failure> {
        let dialled = dial::dial(target, budget).await.map_err(|spent| timed_out(&self.address, spent))??;
        self.ip = Some(dialled.address.ip());
        if target.host_name() != dialled.address.ip().to_string() {
            self.address = format!("{} ({})", self.address, dialled.address.ip());
        }
        let (logs_in, mut mark, mut quick) = (Arc::clone(&self.logs_in), dialled.mark, QUICK);
        let tap = Tap::new(dialled.stream, move |stream: &TcpStream, read: &[u8]| {
            if !logs_in.load(Ordering::Relaxed) {
                quick = quick.saturating_sub(read.len());
                mark.take().into_iter().for_each(|mark| socket::mark(stream, mark));
            }
            if quick > 0 {
                #[cfg(target_os = "linux")]
                drop(stream.set_quickack(true));
            }
        });
        Ok(Box::new(Line::new(tap, self.cut.clone(), |tap| reset(&tap.io))))
    }

    /// What a ProxyCommand says on its standard error while it runs.
    pub(crate) fn said(&self) -> Option<Tail> {
        self.proxy.as_ref().map(|proxy| proxy.said.clone())
    }

    /// Hears of it once when the server has said who it is.
    pub(crate) fn greeted(&mut self) -> oneshot::Receiver<()> {
        self.greeted.take().unwrap_or_else(|| oneshot::channel().1)
    }

    /// The login is done: packets are marked for what the session is, and soon ACKs may be delayed again.
    pub(crate) fn settle(&self) {
        self.logs_in.store(false, Ordering::Relaxed);
    }

    /// Why the handshake failed, with what the far side, or the proxy, said.
    pub(crate) async fn why(&mut self, error: &russh::Error) -> Failure {
        use russh::Error as E;
        if let E::NoCommonAlgo { kind, ours, theirs } = error {
            return no_common(&self.address, (kind, ours, theirs));
        }
        let text = self.heard.text();
        let first = first_line(&text);
        if text.contains("SSH-2.0-") || text.contains("SSH-1.99-") {
            return Failure::new(Code::NotSsh, format!("exchange keys with {}", self.address))
                .said(error)
                .hint("the connection broke in the middle of the key exchange; try again, or the system ssh (--carrier ssh)");
        }
        if let Some(proxy) = &mut self.proxy
            && let Some(failure) = proxy.why().await
        {
            return failure;
        }
        let tried = format!("greet {}", self.address);
        if first.is_empty() {
            return Failure::new(Code::AuthCut, tried)
                .said("the connection was closed before the server said who it is")
                .hint("sshd does so when too many log in at once (MaxStartups), after failed logins, or for a banned address: wait a minute before the next try");
        }
        if ["exceeded maxstartups", "not allowed at this time"].iter().any(|w| first.to_ascii_lowercase().contains(w)) {
            return Failure::new(Code::AuthCut, tried)
                .said(first)
                .hint("the server is turning logins away: wait a minute before the next try");
        }
        Failure::new(Code::NotSsh, tried).said(format!("it answered: {first}")).hint(
            "is this the port of an SSH server? Something else listens there: check HostName and Port in the ssh configuration",
        )
    }

    /// The time was up during the handshake.
    pub(crate) fn too_slow(&self, spent: Spent) -> Failure {
        self.cut.cancel();
        let first = first_line(&self.heard.text());
        if first.is_empty() || has_version(&self.heard) {
            return timed_out(&self.address, spent);
        }
        timed_out(&self.address, spent)
            .said(format!("it is no SSH server, or a slow one: within {} s it sent: {first}", spent.limit.as_secs_f32()))
            .hint("is this the port of an SSH server? Check HostName and Port in the ssh configuration")
    }
}

/// Lets the kernel forget the socket with what it holds when it is closed next.
fn reset(stream: &TcpStream) {
    drop(stream.set_zero_linger());
}

fn place(target: &Target) -> String {
    format!("{} port {}", target.host_name(), target.port())
}

fn has_version(heard: &Tail) -> bool {
    let text = heard.text();
    text.starts_with("SSH-") || text.contains("\nSSH-")
}

/// The first words of an answer, as much of them as a person wants to see.
fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().take(SHOWN).collect()
}

fn timed_out(address: &str, spent: Spent) -> Failure {
    Failure::new(Code::ConnectTimeout, format!("connect to {address}"))
        .said(format!("no answer within {} s", spent.limit.as_secs_f32()))
        .hint("is the machine up and on this network (VPN)? ConnectTimeout in the ssh configuration sets the limit")
}

fn no_common(address: &str, (kind, ours, theirs): (&russh::AlgorithmKind, &[String], &[String])) -> Failure {
    Failure::new(Code::NoCommonAlgorithm, format!("agree with {address} on an algorithm"))
        .said(format!("no common {kind:?} algorithm; it offers: {}; we: {}", theirs.join(","), ours.join(",")))
        .hint("the system ssh may know one: --carrier ssh, or for good: outpost hosts set HOST carrier=ssh")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_what_ssh_would_take() {
        for (printed, expected) in [
            ("", Way::Tcp),
            ("proxycommand none\n", Way::Tcp),
            ("proxycommand nc %h %p\n", Way::Proxy("nc %h %p".into())),
            ("proxyjump a,b:22\n", Way::Jump("a,b:22".into())),
            ("proxyjump none\nproxycommand x\n", Way::Proxy("x".into())),
        ] {
            assert_eq!(Way::of(&Target::from_ssh_g("x".parse().expect("alias"), printed, "")), expected, "{printed}");
        }
    }
}
