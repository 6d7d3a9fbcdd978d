//! russh's settings for one target: windows, keepalives, limits.

use std::borrow::Cow;
use std::time::Duration;

use russh::client::Config;
use russh::{Limits, SshId};

use crate::host::target::Target;

/// The window of a channel: at 100 ms RTT this carries 60 MiB/s, where russh's own 2 MiB carry 10.
pub(crate) const WINDOW: u32 = 16 * 1024 * 1024;

/// Our keepalive where the person's files leave ServerAliveInterval at OpenSSH's default (off).
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How many packets of a channel that is alone may wait in russh: the rest waits in the network, as it does for `ssh`.
const ONE_CHANNEL_BUFFER: usize = 8;

/// The settings for a target, save for the algorithms.
pub(crate) fn config(target: &Target) -> Config {
    let interval = keepalive(target);
    let max: usize = number(target, "serveralivecountmax").unwrap_or(3);
    Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-Outpost_", env!("CARGO_PKG_VERSION")))),
        window_size: target.one_channel().unwrap_or(WINDOW),
        channel_buffer_size: if target.one_channel().is_some() {
            ONE_CHANNEL_BUFFER
        } else {
            Config::default().channel_buffer_size
        },
        nodelay: true,
        keepalive_interval: interval,
        keepalive_max: max.max(1),
        // Above the keepalive; without one a connection may be silent for as long as it likes.
        // Where the connection waits for the reader of its one channel, such a wait is no silence of the other side.
        inactivity_timeout: interval
            .filter(|_| target.one_channel().is_none())
            .map(|i| i * u32::try_from(max + 3).unwrap_or(u32::MAX)),
        limits: limits(target),
        ..Config::default()
    }
}

fn keepalive(target: &Target) -> Option<Duration> {
    match number(target, "serveraliveinterval") {
        None | Some(0) if target.is_default("serveraliveinterval") => Some(KEEPALIVE),
        None | Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(seconds as u64)),
    }
}

fn number(target: &Target, keyword: &str) -> Option<usize> {
    target.first(keyword).and_then(|v| v.parse().ok())
}

/// `RekeyLimit BYTES SECONDS` as `ssh -G` prints it; 0 is the default. russh takes at most 1 GiB.
fn limits(target: &Target) -> Limits {
    let ours = Limits::default();
    let words: Vec<u64> =
        target.first("rekeylimit").unwrap_or_default().split_whitespace().filter_map(|w| w.parse().ok()).collect();
    let bytes = words.first().copied().filter(|b| *b > 0).and_then(|b| usize::try_from(b).ok());
    let seconds = words.get(1).copied().filter(|s| *s > 0).map(Duration::from_secs);
    let cap = |own: usize| bytes.map_or(own, |b| b.min(own));
    Limits::new(cap(ours.rekey_write_limit), cap(ours.rekey_read_limit), seconds.unwrap_or(ours.rekey_time_limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(printed: &str) -> Target {
        Target::from_ssh_g("x".parse().expect("alias"), printed, "serveraliveinterval 0\nserveralivecountmax 3\n")
    }

    #[test]
    fn the_persons_keepalive_wins() {
        for (printed, expected) in [
            ("serveraliveinterval 0\n", Some(KEEPALIVE)),
            ("serveraliveinterval 60\n", Some(Duration::from_secs(60))),
            ("", None),
        ] {
            assert_eq!(config(&target(printed)).keepalive_interval, expected, "{printed}");
        }
        let silent = config(&target("serveraliveinterval 10\nserveralivecountmax 5\n"));
        assert!(silent.inactivity_timeout > Some(Duration::from_secs(60)));
    }

    #[test]
    fn rekey_limits_never_exceed_what_is_safe() {
        for (printed, bytes, seconds) in [
            ("rekeylimit 0 0\n", 1 << 30, 3600),
            ("rekeylimit 1048576 60\n", 1 << 20, 60),
            ("rekeylimit 99999999999 0\n", 1 << 30, 3600),
        ] {
            let limits = config(&target(printed)).limits;
            assert_eq!((limits.rekey_read_limit, limits.rekey_time_limit.as_secs()), (bytes, seconds), "{printed}");
        }
    }
}
