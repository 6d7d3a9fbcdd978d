//! The shape of failures, and what each code must have.

use super::*;

#[test]
fn codes_are_unique_words() {
    let mut seen = std::collections::HashSet::new();
    for code in Code::ALL {
        assert!(seen.insert(code.as_str()), "{} twice", code.as_str());
        assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        assert!(code.meaning().ends_with('.'));
    }
}

#[test]
fn a_hop_keeps_its_name() {
    let failure = Failure::new(Code::Unreachable, "connect").at("jump").at("devbox");
    assert_eq!(failure.to_string(), "jump: connect");
}

#[test]
fn a_hint_names_the_host() {
    for (hint, named) in [
        ("ssh -t HOST codex login", "ssh -t devbox codex login"),
        ("`outpost logs HOST` shows it; `outpost stop HOST`.", "`outpost logs devbox` shows it; `outpost stop devbox`."),
        ("outpost install HOST", "outpost install devbox"),
        ("outpost run HOST:PATH", "outpost run HOST:PATH"),
        ("outpost thread unarchive HOST:0199-5c1e", "outpost thread unarchive devbox:0199-5c1e"),
        ("outpost thread log HOST:ID; write PORT:HOST:1", "outpost thread log HOST:ID; write PORT:HOST:1"),
        ("outpost review HOST:/srv/app", "outpost review devbox:/srv/app"),
        ("LOCALHOST HOSTS /opt/HOST/bin", "LOCALHOST HOSTS /opt/HOST/bin"),
        ("", ""),
    ] {
        assert_eq!(Failure::new(Code::NotSignedIn, "x").hint(hint).at("devbox").hint, named);
    }
    let hop = Failure::new(Code::Unreachable, "x").at("jump").hint("ssh HOST").at("devbox");
    assert_eq!(hop.hint, "ssh jump");
}
