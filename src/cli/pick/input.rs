//! The line that is typed: a filter, or a path.

/// The line.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Input(String);

/// The longest line in characters; longer paths do not exist.
const LONGEST: usize = 4_096;

impl Input {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes what was typed or pasted, less what no key types.
    pub(super) fn add(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.0.chars().count());
        self.0.extend(text.trim_end_matches(['\r', '\n']).chars().filter(|c| !c.is_control()).take(room));
    }

    /// Takes the last character off.
    pub(super) fn back(&mut self) {
        self.0.pop();
    }

    /// Takes the last word off: of a path its last part.
    pub(super) fn back_word(&mut self) {
        let kept = self.0.trim_end_matches(['/', ' ']);
        let at = kept.rfind(['/', ' ']).map_or(0, |at| at + 1);
        self.0.truncate(at);
    }

    /// Whether a path is typed: its folder as written, and what is typed of the name in it.
    pub(super) fn path(&self) -> Option<(&str, &str)> {
        if self.0 == "~" {
            return Some(("~/", ""));
        }
        let is_path = self.0.starts_with('/') || self.0.starts_with("~/");
        let at = self.0.rfind('/').filter(|_| is_path)?;
        Some(self.0.split_at(at + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_behind_its_last_folder() {
        for (text, path) in [
            ("", None),
            ("app", None),
            ("a/b", None),
            ("~", Some(("~/", ""))),
            ("~x", None),
            ("/", Some(("/", ""))),
            ("/srv/ap", Some(("/srv/", "ap"))),
            ("~/src/", Some(("~/src/", ""))),
        ] {
            assert_eq!(Input(text.into()).path(), path, "{text}");
        }
    }

    #[test]
    fn words_come_off_one_by_one() {
        let mut input = Input::default();
        input.add("/srv/app two\u{1b}\n");
        assert_eq!(input.text(), "/srv/app two");
        for left in ["/srv/app ", "/srv/", "/", ""] {
            input.back_word();
            assert_eq!(input.text(), left);
        }
    }
}
