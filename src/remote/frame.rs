//! The framed answer in what a remote prints: noise before it, fields in it, somebody else's bytes behind it.
//!
//! A frame is `M+key=value` for each field and `M;` at its end, where M is a marker that was made for this run; `M.` ends the last
//! one. What stands outside of frames is noise of start-up files and kept, in part, for the error message.

/// How much of the noise is kept, in bytes: its beginning tells more than its end, but the end is where a shell complains.
const NOISE_KEPT: usize = 8 * 1024;
/// How much noise is read over before the remote is given up.
const NOISE_LIMIT: usize = 64 * 1024 * 1024;
/// How large all fields may be together.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// What was found in the bytes of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A field of a frame.
    Field(String, Vec<u8>),
    /// The last frame has ended; what follows is not ours.
    End,
}

/// The remote said more than anybody would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch;

/// Takes the bytes of a remote as they come.
#[derive(Debug)]
pub struct Frames {
    marker: Vec<u8>,
    buffer: Vec<u8>,
    /// How much of the buffer holds no marker.
    searched: usize,
    inside: bool,
    ended: bool,
    fields: usize,
    noise: Noise,
}

impl Frames {
    /// With the marker of this run.
    #[must_use]
    pub fn new(marker: &str) -> Self {
        let (marker, buffer) = (marker.as_bytes().to_vec(), Vec::new());
        Self { marker, buffer, searched: 0, inside: false, ended: false, fields: 0, noise: Noise::default() }
    }

    /// Takes some bytes, gives what they complete.
    ///
    /// # Errors
    /// [`TooMuch`] when noise or answer are over their limits.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooMuch> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while !self.ended {
            let Some(at) = self.find() else { break };
            let Some(&what) = self.buffer.get(at + self.marker.len()) else { break };
            let before: Vec<u8> = self.buffer.drain(..at + self.marker.len() + 1).take(at).collect();
            self.searched = 0;
            events.extend(self.piece(&before, what)?);
        }
        self.spill()?;
        Ok(events)
    }

    /// Where the next marker is; what was searched before is not searched again, save for where one may have begun.
    fn find(&mut self) -> Option<usize> {
        let found = find(self.buffer.get(self.searched..).unwrap_or_default(), &self.marker).map(|at| self.searched + at);
        self.searched = found.unwrap_or((self.buffer.len() + 1).saturating_sub(self.marker.len()));
        found
    }

    /// What stood between two markers, and the byte behind the second.
    fn piece(&mut self, before: &[u8], what: u8) -> Result<Vec<Event>, TooMuch> {
        let mut events = Vec::new();
        if self.inside {
            self.fields += before.len();
            events.extend(field(before));
        } else {
            self.noise.add(before);
        }
        self.inside = what == b'+';
        if what == b'.' {
            self.ended = true;
            events.push(Event::End);
        }
        if self.fields > ANSWER_LIMIT { Err(TooMuch) } else { Ok(events) }
    }

    /// Keeps the buffer small: noise leaves it, save what may be the beginning of a marker.
    fn spill(&mut self) -> Result<(), TooMuch> {
        if self.ended {
            return Ok(());
        }
        if self.inside {
            return if self.buffer.len() > ANSWER_LIMIT { Err(TooMuch) } else { Ok(()) };
        }
        let spare = self.buffer.len().saturating_sub(self.marker.len());
        let noise: Vec<u8> = self.buffer.drain(..spare).collect();
        self.searched = self.searched.saturating_sub(spare);
        self.noise.add(&noise);
        if self.noise.seen > NOISE_LIMIT { Err(TooMuch) } else { Ok(()) }
    }

    /// The bytes behind the last frame, and the noise before it.
    #[must_use]
    pub fn finish(mut self) -> (Vec<u8>, Noise) {
        if self.ended {
            return (self.buffer, self.noise);
        }
        self.noise.add(&self.buffer);
        (Vec::new(), self.noise)
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|w| w == needle)
}

fn field(bytes: &[u8]) -> Option<Event> {
    let at = bytes.iter().position(|b| *b == b'=')?;
    let (key, value) = bytes.split_at(at);
    Some(Event::Field(String::from_utf8_lossy(key).into_owned(), value.get(1..)?.to_vec()))
}

/// What start-up files printed: the first and the last of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noise {
    first: Vec<u8>,
    last: Vec<u8>,
    /// How many bytes there were.
    pub seen: usize,
}

impl Noise {
    fn add(&mut self, bytes: &[u8]) {
        self.seen += bytes.len();
        let room = NOISE_KEPT.saturating_sub(self.first.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        self.first.extend_from_slice(first);
        let rest = rest.get(rest.len().saturating_sub(NOISE_KEPT)..).unwrap_or_default();
        self.last.extend_from_slice(rest);
        let over = self.last.len().saturating_sub(NOISE_KEPT);
        self.last.drain(..over);
    }

    /// What is kept, as text; raw remote text.
    #[must_use]
    pub fn text(&self) -> String {
        let gap = if self.seen > self.first.len() + self.last.len() { "\n…\n" } else { "" };
        format!("{}{gap}{}", String::from_utf8_lossy(&self.first), String::from_utf8_lossy(&self.last))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const M: &str = "mark-7f3a";

    fn field(key: &str, value: &str) -> Event {
        Event::Field(key.into(), value.as_bytes().to_vec())
    }

    #[test]
    fn noise_fields_and_the_rest() {
        let mut frames = Frames::new(M);
        let text = format!("hello{M}+at=sh{M};motd\x1b[2J{M}+a=1=2{M}+b={M}.GET /");
        let events = frames.push(text.as_bytes()).expect("small");
        assert_eq!(events, [field("at", "sh"), field("a", "1=2"), field("b", ""), Event::End]);
        let (rest, noise) = frames.finish();
        assert_eq!((rest.as_slice(), noise.text().as_str()), (&b"GET /"[..], "hellomotd\x1b[2J"));
    }

    #[test]
    fn megabytes_of_noise_are_read_over() {
        let mut frames = Frames::new(M);
        for _ in 0..64 {
            assert_eq!(frames.push(&[b'x'; 65_536]), Ok(vec![]));
        }
        assert_eq!(frames.push(format!("{M}+k=v{M}.").as_bytes()), Ok(vec![field("k", "v"), Event::End]));
        let (_, noise) = frames.finish();
        assert!(noise.text().len() < 2 * NOISE_KEPT + 8 && noise.seen == 64 * 65_536);
    }

    #[test]
    fn an_endless_answer_is_refused() {
        let mut frames = Frames::new(M);
        assert_eq!(frames.push(format!("{M}+k=").as_bytes()), Ok(vec![]));
        assert!((0..40).any(|_| frames.push(&[b'x'; 65_536]).is_err()));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            value in proptest::collection::vec(any::<u8>(), 0..200),
            rest in proptest::collection::vec(any::<u8>(), 0..50),
            cut in 1_usize..40,
        ) {
            let bytes = [&noise[..], M.as_bytes(), b"+k=", &value, M.as_bytes(), b".", &rest].concat();
            let mut frames = Frames::new(M);
            let mut events = Vec::new();
            for piece in bytes.chunks(cut) {
                events.extend(frames.push(piece).expect("small"));
            }
            prop_assert_eq!(events, vec![Event::Field("k".into(), value), Event::End]);
            prop_assert_eq!(frames.finish().0, rest);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'm')], 0..400)) {
            let mut frames = Frames::new("m");
            drop(frames.push(&bytes));
            drop(frames.finish());
        }
    }
}
