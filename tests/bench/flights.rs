//! How often the near side had to wait for the far one, counted on the wire: no clock of a busy machine is in it.
//!
//! A flight is what the near side sends without hearing from the far one in between: packets with data (or the SYN) that are less
//! than half a round trip apart. Each flight is followed by a wait of one round trip, or of the far side's thinking.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};

/// Half of the round trip that `run` makes.
const APART: Duration = Duration::from_millis(50);

/// The address and port of the far side's sshd in `run`.
const FAR: ([u8; 4], u16) = ([10, 77, 0, 2], 2222);

/// Counts from now on.
pub(crate) fn count() -> Arc<AtomicU32> {
    let flights = Arc::new(AtomicU32::new(0));
    let wire = socket(AddressFamily::Packet, SockType::Datagram, SockFlag::empty(), SockProtocol::EthAll).expect("root");
    let counting = Arc::clone(&flights);
    std::thread::spawn(move || listen(&wire, &counting));
    flights
}

fn listen(wire: &OwnedFd, flights: &AtomicU32) {
    let mut last: Option<Instant> = None;
    let mut packet = vec![0; 1 << 17];
    while let Ok(length) = recv(wire.as_raw_fd(), &mut packet, MsgFlags::empty()) {
        if is_said(&packet[..length]) {
            let now = Instant::now();
            if last.is_none_or(|at| now - at > APART) {
                flights.fetch_add(1, Ordering::Relaxed);
            }
            last = Some(now);
        }
    }
}

/// Whether an IPv4 packet carries something to the far side's sshd.
fn is_said(packet: &[u8]) -> bool {
    let ip = usize::from(packet[0] & 15) * 4;
    if packet.len() < ip + 20 || packet[0] >> 4 != 4 || packet[9] != 6 || packet[16..20] != FAR.0 {
        return false;
    }
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let tcp = &packet[ip..];
    let (port, header, syn) = (u16::from_be_bytes([tcp[2], tcp[3]]), usize::from(tcp[12] >> 4) * 4, tcp[13] & 2 != 0);
    port == FAR.1 && (syn || total > ip + header)
}
