//! The modes of a terminal as RFC 4254 section 8 writes them, so that the remote's line discipline is that of the person.

use nix::sys::termios::{ControlFlags, InputFlags, LocalFlags, OutputFlags, SpecialCharacterIndices as Key, Termios};
use russh::Pty as Code;

/// The modes to ask for; none leaves all to the remote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Modes(Vec<(Code, u32)>);

/// The speed that is told: nothing depends on it, and 0 would mean to hang up.
const SPEED: u32 = 38_400;

/// What RFC 4254 writes for a key that is switched off.
const OFF: u32 = 255;

const KEYS: &[(Code, Key)] = &[
    (Code::VINTR, Key::VINTR),
    (Code::VQUIT, Key::VQUIT),
    (Code::VERASE, Key::VERASE),
    (Code::VKILL, Key::VKILL),
    (Code::VEOF, Key::VEOF),
    (Code::VEOL, Key::VEOL),
    (Code::VEOL2, Key::VEOL2),
    (Code::VSTART, Key::VSTART),
    (Code::VSTOP, Key::VSTOP),
    (Code::VSUSP, Key::VSUSP),
    (Code::VREPRINT, Key::VREPRINT),
    (Code::VWERASE, Key::VWERASE),
    (Code::VLNEXT, Key::VLNEXT),
    (Code::VDISCARD, Key::VDISCARD),
];

const INPUT: &[(Code, InputFlags)] = &[
    (Code::IGNPAR, InputFlags::IGNPAR),
    (Code::PARMRK, InputFlags::PARMRK),
    (Code::INPCK, InputFlags::INPCK),
    (Code::ISTRIP, InputFlags::ISTRIP),
    (Code::INLCR, InputFlags::INLCR),
    (Code::IGNCR, InputFlags::IGNCR),
    (Code::ICRNL, InputFlags::ICRNL),
    (Code::IXON, InputFlags::IXON),
    (Code::IXANY, InputFlags::IXANY),
    (Code::IXOFF, InputFlags::IXOFF),
    (Code::IMAXBEL, InputFlags::IMAXBEL),
    (Code::IUTF8, InputFlags::IUTF8),
];

const LOCAL: &[(Code, LocalFlags)] = &[
    (Code::ISIG, LocalFlags::ISIG),
    (Code::ICANON, LocalFlags::ICANON),
    (Code::ECHO, LocalFlags::ECHO),
    (Code::ECHOE, LocalFlags::ECHOE),
    (Code::ECHOK, LocalFlags::ECHOK),
    (Code::ECHONL, LocalFlags::ECHONL),
    (Code::NOFLSH, LocalFlags::NOFLSH),
    (Code::TOSTOP, LocalFlags::TOSTOP),
    (Code::IEXTEN, LocalFlags::IEXTEN),
    (Code::ECHOCTL, LocalFlags::ECHOCTL),
    (Code::ECHOKE, LocalFlags::ECHOKE),
];

const OUTPUT: &[(Code, OutputFlags)] = &[
    (Code::OPOST, OutputFlags::OPOST),
    (Code::ONLCR, OutputFlags::ONLCR),
    (Code::OCRNL, OutputFlags::OCRNL),
    (Code::ONOCR, OutputFlags::ONOCR),
    (Code::ONLRET, OutputFlags::ONLRET),
];

const CONTROL: &[(Code, ControlFlags)] = &[
    (Code::CS7, ControlFlags::CS7),
    (Code::CS8, ControlFlags::CS8),
    (Code::PARENB, ControlFlags::PARENB),
    (Code::PARODD, ControlFlags::PARODD),
];

impl Modes {
    /// Those of a terminal as it is now.
    #[must_use]
    pub fn of(terminal: &Termios) -> Self {
        let mut modes = vec![(Code::TTY_OP_ISPEED, SPEED), (Code::TTY_OP_OSPEED, SPEED)];
        modes.extend(KEYS.iter().filter_map(|(code, key)| {
            let byte = *terminal.control_chars.get(*key as usize)?;
            Some((*code, if byte == 0 { OFF } else { byte.into() }))
        }));
        modes.extend(INPUT.iter().map(|(code, flag)| (*code, terminal.input_flags.contains(*flag).into())));
        modes.extend(LOCAL.iter().map(|(code, flag)| (*code, terminal.local_flags.contains(*flag).into())));
        modes.extend(OUTPUT.iter().map(|(code, flag)| (*code, terminal.output_flags.contains(*flag).into())));
        modes.extend(CONTROL.iter().map(|(code, flag)| (*code, terminal.control_flags.contains(*flag).into())));
        Self(modes)
    }

    pub(crate) fn as_slice(&self) -> &[(Code, u32)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_as_it_is() {
        let pty = nix::pty::openpty(None, None).expect("a terminal");
        let mut terminal = nix::sys::termios::tcgetattr(&pty.slave).expect("its modes");
        terminal.local_flags.remove(LocalFlags::ECHO);
        if let Some(key) = terminal.control_chars.get_mut(Key::VINTR as usize) {
            *key = 7;
        }
        if let Some(key) = terminal.control_chars.get_mut(Key::VSUSP as usize) {
            *key = 0;
        }
        let modes = Modes::of(&terminal);
        for told in [(Code::VINTR, 7), (Code::VSUSP, OFF), (Code::ECHO, 0), (Code::ICANON, 1), (Code::ONLCR, 1)] {
            assert!(modes.as_slice().contains(&told), "{told:?} in {modes:?}");
        }
    }
}
