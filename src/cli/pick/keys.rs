//! What a key means in the picker.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// A meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Text(char),
    Back,
    BackWord,
    BackAll,
    /// Take what is highlighted.
    Enter,
    /// Open what is highlighted.
    Open,
    /// Go to the folder above.
    Up,
    /// Move the highlight: by rows, by pages, to an end.
    Rows(isize),
    Pages(isize),
    First,
    Last,
    Hidden,
    Again,
    Esc,
    Leave,
}

/// The meaning of a key; none for others.
pub(super) fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    if let KeyCode::Char(letter) = event.code {
        return if event.modifiers.contains(KeyModifiers::CONTROL) {
            control(letter)
        } else if event.modifiers.contains(KeyModifiers::ALT) {
            (letter == '.').then_some(Key::Hidden)
        } else {
            Some(Key::Text(letter))
        };
    }
    let codes = [
        (KeyCode::Enter, Key::Enter),
        (KeyCode::Right, Key::Open),
        (KeyCode::Tab, Key::Open),
        (KeyCode::Left, Key::Up),
        (KeyCode::Backspace, Key::Back),
        (KeyCode::Up, Key::Rows(-1)),
        (KeyCode::Down, Key::Rows(1)),
        (KeyCode::PageUp, Key::Pages(-1)),
        (KeyCode::PageDown, Key::Pages(1)),
        (KeyCode::Home, Key::First),
        (KeyCode::End, Key::Last),
        (KeyCode::F(5), Key::Again),
        (KeyCode::Esc, Key::Esc),
    ];
    codes.into_iter().find(|(code, _)| *code == event.code).map(|(_, key)| key)
}

fn control(letter: char) -> Option<Key> {
    match letter.to_ascii_lowercase() {
        'a' => Some(Key::Hidden),
        'c' | 'd' => Some(Key::Leave),
        'h' => Some(Key::Back),
        'n' | 'j' => Some(Key::Rows(1)),
        'p' | 'k' => Some(Key::Rows(-1)),
        'r' => Some(Key::Again),
        'u' => Some(Key::BackAll),
        'w' => Some(Key::BackWord),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_help_says() {
        for (code, modifiers, meaning) in [
            (KeyCode::Char('x'), KeyModifiers::NONE, Some(Key::Text('x'))),
            (KeyCode::Char('Ä'), KeyModifiers::SHIFT, Some(Key::Text('Ä'))),
            (KeyCode::Char('a'), KeyModifiers::CONTROL, Some(Key::Hidden)),
            (KeyCode::Char('.'), KeyModifiers::ALT, Some(Key::Hidden)),
            (KeyCode::Char('x'), KeyModifiers::ALT, None),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Key::Leave)),
            (KeyCode::Tab, KeyModifiers::NONE, Some(Key::Open)),
            (KeyCode::F(1), KeyModifiers::NONE, None),
        ] {
            assert_eq!(key(KeyEvent::new(code, modifiers)), meaning, "{code:?}");
        }
    }
}
