//! What both sides hold while a soak goes on: samples, and the judgement that they are flat.

use std::time::{Duration, Instant};

use super::us::{Held, held};
use super::{Bed, pause};
use crate::bed::on_host;

/// Between two samples.
const EVERY: u64 = 10_000;

/// What was held at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    at: Duration,
    ours: Held,
    theirs: Held,
    sshds: usize,
    proxies: usize,
}

#[expect(clippy::print_stdout, reason = "figures for whoever runs the soak")]
fn print(line: &str) {
    println!("{line}");
}

/// Takes samples until the time is over; prints each minute's.
pub(super) async fn watch(bed: &Bed, seconds: u64) -> Vec<Sample> {
    let (began, mut samples) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(seconds) {
        pause(EVERY).await;
        let theirs = on_host(&bed.sandbox, "--listen").first().map(|pid| held(*pid)).unwrap_or_default();
        let (sshds, proxies) = (bed.world.host.sshds(), on_host(&bed.sandbox, "proxy").len());
        let sample = Sample { at: began.elapsed(), ours: bed.world.us.held(), theirs, sshds, proxies };
        samples.push(sample);
        if samples.len() % 6 == 1 {
            print(&format!("{sample}, {} faults", bed.world.count()));
        }
    }
    samples
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, ours, theirs, sshds, proxies } = self;
        write!(
            f,
            "{:4} s: outpost {} KiB {} fds, app-server {} KiB {} fds, {sshds} sshd processes, {proxies} proxies",
            at.as_secs(),
            ours.memory,
            ours.descriptors,
            theirs.memory,
            theirs.descriptors
        )
    }
}

/// Holds the last quarter against the second; the first is for warming up.
pub(super) fn judge(samples: &[Sample]) {
    let quarter = samples.len() / 4;
    let (early, late) = (&samples[quarter..2 * quarter], &samples[3 * quarter..]);
    let flat = |what: &str, value: fn(&Sample) -> usize, slack: usize| {
        let mean = |part: &[Sample]| part.iter().map(value).sum::<usize>() / part.len().max(1);
        let (was, is) = (mean(early), mean(late));
        let most = samples.iter().map(value).max().unwrap_or(0);
        print(&format!("{what}: {was} in the second quarter, {is} in the last, at most {most}"));
        assert!(is <= was + slack, "{what} grows: {was} in the second quarter, {is} in the last");
    };
    flat("KiB of outpost", |s| s.ours.memory, 4 * 1024);
    flat("descriptors of outpost", |s| s.ours.descriptors, 3);
    flat("descriptors of the app-server", |s| s.theirs.descriptors, 6);
    flat("sshd processes", |s| s.sshds, 3);
    flat("proxies", |s| s.proxies, 3);
    let memory = |s: Option<&Sample>| s.map_or(0, |s| s.theirs.memory);
    let (first, last) = (memory(samples.first()), memory(samples.last()));
    print(&format!("KiB of the app-server: {first} at first, {last} at last; its threads grow"));
}
