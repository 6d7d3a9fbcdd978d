//! When a silent connection is probed, and when it is dead: a pure policy over byte counts and two clocks.
//!
//! A dead link is known within 10 s: 3 s of silence, a ping, 5.5 s without a byte, and two ticks. A slow one is not called
//! dead, nor a host that does nothing for 5 s, whenever that begins: every byte counts, not every message, and what we have
//! sent since the last byte came gets the time that the slowest link we reckon with needs to carry it, because the ping
//! stands behind it in the queue.

use std::time::Duration;

/// How often the policy wants to be asked.
pub const TICK: Duration = Duration::from_millis(500);
/// Silence that draws a ping.
const SILENCE: Duration = Duration::from_secs(3);
/// How long the first byte after a ping may take.
const PATIENCE: Duration = Duration::from_millis(5_500);
/// The same after the machine slept: the link is most likely gone, and a person waits. A link of 3 s there and back lives.
const PATIENCE_WOKEN: Duration = Duration::from_millis(3_500);
/// The slowest link we reckon with, in bytes per second.
const SLOWEST: u64 = 32 * 1024;
/// How far the wall clock must run ahead of the monotonic one, which stands still in sleep, to mean that we slept.
const JUMP: Duration = Duration::from_secs(5);

/// What was seen at one tick.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The monotonic clock.
    pub now: Duration,
    /// The wall clock.
    pub wall: Duration,
    /// Bytes read so far. Reading that we held up ourselves must count as progress here.
    pub read: u64,
    /// Bytes handed to the transport so far.
    pub written: u64,
    /// Whether the addresses of this machine are others than at the tick before.
    pub moved: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// Send a ping.
    Ping,
    /// Give the connection up.
    Dead,
}

/// Notices sleep of the machine: the wall clock runs on, the monotonic one does not.
#[derive(Debug)]
pub struct Sleep {
    ahead: Duration,
}

impl Sleep {
    /// Begins to watch.
    #[must_use]
    pub fn new(now: Duration, wall: Duration) -> Self {
        Self { ahead: wall.saturating_sub(now) }
    }

    /// Whether the machine slept since the last call. A wall clock that was set forward looks the same and costs a probe.
    pub fn woke(&mut self, now: Duration, wall: Duration) -> bool {
        let ahead = wall.saturating_sub(now);
        let woke = ahead > self.ahead.saturating_add(JUMP);
        self.ahead = ahead;
        woke
    }
}

/// The policy's state for one connection.
#[derive(Debug)]
pub struct Pulse {
    sleep: Sleep,
    read: u64,
    heard: Duration,
    written_then: u64,
    asked: Option<(Duration, Duration)>,
    ticked: Duration,
}

impl Pulse {
    /// A connection that is alive now.
    #[must_use]
    pub fn new(seen: Seen) -> Self {
        let sleep = Sleep::new(seen.now, seen.wall);
        Self { sleep, read: seen.read, heard: seen.now, written_then: seen.written, asked: None, ticked: seen.now }
    }

    /// Judges the connection; to be called each [`TICK`].
    pub fn tick(&mut self, seen: Seen) -> Verdict {
        let woke = self.sleep.woke(seen.now, seen.wall) || seen.moved;
        self.was_away(seen.now);
        if seen.read != self.read {
            (self.read, self.heard, self.written_then, self.asked) = (seen.read, seen.now, seen.written, None);
        }
        if woke {
            self.asked = Some((seen.now, PATIENCE_WOKEN));
            return Verdict::Ping;
        }
        let queued = Duration::from_secs(seen.written.saturating_sub(self.written_then) / SLOWEST);
        match self.asked {
            Some((at, patience)) if seen.now.saturating_sub(at) >= patience + queued => Verdict::Dead,
            Some(_) => Verdict::Fine,
            None if seen.now.saturating_sub(self.heard) >= SILENCE => {
                self.asked = Some((seen.now, PATIENCE));
                Verdict::Ping
            }
            None => Verdict::Fine,
        }
    }

    /// Time in which this process did not run (a busy machine, a debugger, Ctrl-Z) says nothing about the link: whatever came
    /// meanwhile is still to be read.
    fn was_away(&mut self, now: Duration) {
        let away = now.saturating_sub(self.ticked).saturating_sub(2 * TICK);
        self.ticked = now;
        if let Some((at, _)) = &mut self.asked {
            *at += away;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps the policy; `world` gives bytes read, bytes written and how long the machine has slept, by the tick's time.
    /// Returns the milliseconds of the first ping and of death.
    fn live(world: impl Fn(u64) -> (u64, u64, u64), until: u64) -> (Option<u64>, Option<u64>) {
        let seen = |ms: u64| {
            let (read, written, slept) = world(ms);
            Seen { now: Duration::from_millis(ms), wall: Duration::from_millis(ms + slept), read, written, moved: false }
        };
        let mut pulse = Pulse::new(seen(0));
        let mut pinged = None;
        for ms in (500..until).step_by(500) {
            match pulse.tick(seen(ms)) {
                Verdict::Fine => {}
                Verdict::Ping => pinged = pinged.or(Some(ms)),
                Verdict::Dead => return (pinged, Some(ms)),
            }
        }
        (pinged, None)
    }

    #[test]
    fn a_dead_link_is_known_within_ten_seconds() {
        assert_eq!(live(|_| (0, 0, 0), 60_000), (Some(3_000), Some(8_500)));
        assert_eq!(live(|ms| (ms.min(3_300), 0, 0), 60_000), (Some(6_500), Some(12_000)), "counted from the last byte at 3.3 s");
    }

    #[test]
    fn a_slow_link_is_not_called_dead() {
        assert_eq!(live(|ms| (ms / 3_000, 0, 0), 600_000), (None, None), "a byte every 3 s");
        assert_eq!(live(|ms| (ms / 7_000, 0, 0), 600_000), (Some(3_000), None), "pongs after 3 s");
        let upload = 10 * 1024 * 1024;
        let (_, dead) = live(|_| (0, upload, 0), 600_000);
        assert_eq!(dead, Some(8_500), "what was written before counts no more");
        let (_, dead) = live(|ms| (u64::from(ms > 300_000), if ms > 0 { upload } else { 0 }, 0), 300_000);
        assert_eq!(dead, None, "10 MiB on their way through 32 KiB/s");
    }

    #[test]
    fn a_host_that_does_nothing_for_five_seconds_is_not_called_dead() {
        for busy_from in (0..10_000).step_by(100) {
            // Pongs come at once, and all at the end of it while it is busy.
            let busy = |ms: u64| (busy_from..busy_from + 5_000).contains(&ms);
            let (mut pulse, mut read) = (Pulse::new(at(0, 0, false)), 0);
            let mut asked = false;
            for ms in (500..30_000).step_by(500) {
                if asked && !busy(ms) {
                    (read, asked) = (read + 1, false);
                }
                match pulse.tick(at(ms, read, false)) {
                    Verdict::Fine => {}
                    Verdict::Ping => asked = true,
                    Verdict::Dead => panic!("busy from {busy_from}: dead at {ms}"),
                }
            }
        }
    }

    #[test]
    fn field_54_waking_probes_at_once() {
        let slept = |ms: u64| if ms >= 10_000 { 3_600_000 } else { 0 };
        assert_eq!(live(|ms| (ms.min(9_900), 0, slept(ms)), 60_000), (Some(10_000), Some(13_500)));
        assert_eq!(live(|ms| (ms, 0, slept(ms)), 60_000), (Some(10_000), None), "the link lived on");
    }

    fn at(ms: u64, read: u64, moved: bool) -> Seen {
        let now = Duration::from_millis(ms);
        Seen { now, wall: now, read, written: 0, moved }
    }

    #[test]
    fn another_network_is_probed_at_once() {
        let mut pulse = Pulse::new(at(0, 0, false));
        assert_eq!(pulse.tick(at(500, 1, false)), Verdict::Fine);
        assert_eq!(pulse.tick(at(1_000, 2, true)), Verdict::Ping);
        let dead = (1_500..).step_by(500).find(|ms| pulse.tick(at(*ms, 2, false)) == Verdict::Dead);
        assert_eq!(dead, Some(4_500));
    }

    #[test]
    fn a_process_that_did_not_run_does_not_take_its_own_absence_for_a_dead_link() {
        let mut pulse = Pulse::new(at(0, 0, false));
        assert_eq!(pulse.tick(at(500, 0, false)), Verdict::Fine);
        let asked = (1_000..).step_by(500).find(|ms| pulse.tick(at(*ms, 0, false)) == Verdict::Ping);
        assert_eq!(asked, Some(3_000));
        assert_eq!(pulse.tick(at(60_000, 0, false)), Verdict::Fine, "the answer is there and was not read yet");
        assert_eq!(pulse.tick(at(60_500, 5, false)), Verdict::Fine);
    }
}
