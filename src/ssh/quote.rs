//! Quoting of words for POSIX `sh`, and for the login shells in front of it.

/// One word for POSIX `sh`, whatever it holds save NUL (which no argument can hold and which is left out).
#[must_use]
pub fn posix(word: &str) -> String {
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for c in word.chars().filter(|c| *c != '\0') {
        if c == '\'' { quoted.push_str(r"'\''") } else { quoted.push(c) }
    }
    quoted.push('\'');
    quoted
}

/// Whether a word is one to every shell without quotes: nothing that expands (`~`, zsh's `=ls`, fish's `%self`, tcsh's `=1`).
#[must_use]
pub fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_./,-".contains(c))
}

/// As [`posix`], save that a word of nothing but harmless characters stays as it is: for lines that people read, not for shells.
#[must_use]
pub fn if_needed(word: &str) -> String {
    let harmless = |c: char| c.is_alphanumeric() || "/._-+@%=:,~".contains(c);
    if !word.is_empty() && word.chars().all(harmless) { word.to_owned() } else { posix(word) }
}

/// The name of the shell variable that [`on_one_line`] uses for a newline.
pub const NEWLINE: &str = "_newline";

/// As [`posix`], on one line: a newline is written as the variable [`NEWLINE`], which the script sets first.
#[must_use]
pub fn on_one_line(word: &str) -> String {
    posix(word).replace('\n', &format!("'\"${NEWLINE}\"'"))
}

/// One word that every login shell we know reads alike (POSIX shells, the csh family, fish, elvish, nu, xonsh, rc):
/// single quotes around text without single quote, backslash, newline or control character.
#[must_use]
pub fn any_shell(word: &str) -> Option<String> {
    let odd = |c: char| matches!(c, '\'' | '\\') || c.is_control();
    // The csh family replaces `!word` even inside single quotes.
    let history = word.split('!').skip(1).any(|after| !after.starts_with([' ', '=', '(']) && !after.is_empty());
    (!word.contains(odd) && !history).then(|| format!("'{word}'"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a real sh makes of the text when it prints it as one argument.
    fn said_by_sh(text: &str) -> String {
        let script = format!("{NEWLINE}='\n'; printf %s {text}");
        let output = Command::new("/bin/sh").arg("-c").arg(script).output().expect("sh");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sh_gives_back_what_was_quoted(word in any::<String>().prop_map(|w| w.replace('\0', ""))) {
            prop_assert_eq!(said_by_sh(&posix(&word)), word);
        }

        #[test]
        fn one_line_is_one_line(word in "[a-z'\"$`\\\\\n ]{0,20}") {
            let quoted = on_one_line(&word);
            prop_assert!(!quoted.contains('\n'));
            prop_assert_eq!(said_by_sh(&quoted), word);
        }
    }

    #[test]
    fn words_for_any_shell() {
        assert_eq!(any_shell("a $b \"c\" ! d").as_deref(), Some("'a $b \"c\" ! d'"));
        for odd in ["it's", "a\\b", "a\nb", "a\u{1b}b", "!ls"] {
            assert_eq!(any_shell(odd), None, "{odd:?}");
        }
    }
}
