//! The picker played through on a screen in memory.

use std::collections::HashMap;

use crossterm::event::{Event as Pressed, KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::state::{Action, Event, HostRow, Picker};
use super::view;
use crate::failure::Exit;
use crate::remote::browse::{Entry, Listing, Looked, Trouble};

const HOME: &str = "/home/me";

fn screen(picker: &Picker, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
    terminal.draw(|frame| view::draw(frame, picker)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn press(picker: &mut Picker, code: KeyCode, modifiers: KeyModifiers) -> Vec<Action> {
    picker.take(Event::Pressed(Pressed::Key(KeyEvent::new(code, modifiers))))
}

fn key(picker: &mut Picker, code: KeyCode) -> Vec<Action> {
    press(picker, code, KeyModifiers::NONE)
}

fn typed(picker: &mut Picker, text: &str) {
    for letter in text.chars() {
        assert_eq!(key(picker, KeyCode::Char(letter)), []);
    }
}

fn hosts() -> Picker {
    let host = |alias: &str, projects: &[&str]| HostRow {
        alias: alias.parse().expect("alias"),
        projects: projects.iter().map(|name| (*name).to_owned()).collect(),
    };
    Picker::new(vec![host("devbox", &["shop", "blog"]), host("build", &[]), host("edge", &[])], true)
}

fn entry(name: &[u8], git: Option<&str>) -> Entry {
    Entry { name: name.to_vec(), open: true, git: git.map(str::to_owned) }
}

fn listing(path: &str, entries: Vec<Entry>) -> Looked {
    Ok(Listing { path: path.into(), entries, more: false })
}

/// A picker in the home folder of a host, with what is there.
fn at_home() -> Picker {
    let mut picker = hosts();
    let projects = HashMap::from([("/home/me/shop".to_owned(), "shop".to_owned())]);
    picker.enter(&"devbox".parse().expect("alias"), HOME, projects);
    let closed = Entry { open: false, ..entry(b"secret", None) };
    let entries = vec![
        entry(b"shop", Some("main")),
        entry(b".config", None),
        entry(b"a b\nc\x1b[2J", Some("feat/x")),
        entry(b"b\xff\xfe", None),
        closed,
        entry(b"docs", None),
    ];
    picker.take(Event::Looked(HOME.into(), listing(HOME, entries)));
    picker
}

#[test]
fn hosts_come_first() {
    let mut picker = hosts();
    typed(&mut picker, "d");
    insta::assert_snapshot!(screen(&picker, 60, 8), @r"
    Choose a host
    › d
    › devbox  shop, blog
      build
      edge


    ↑↓ move · enter connect · esc leave
    ");
    assert_eq!(picker.questions(9), Vec::<String>::new());
    assert_eq!(key(&mut picker, KeyCode::Enter), [Action::Connect("devbox".parse().expect("alias"))]);
    key(&mut picker, KeyCode::Esc);
    assert_eq!(key(&mut picker, KeyCode::Esc), [Action::Leave(Exit::Interrupted)]);
}

#[test]
fn a_folder_shows_what_can_be_used() {
    let mut picker = at_home();
    picker.take(Event::Recent(vec!["/srv/app".into(), "/home/me/shop".into(), "odd".into()]));
    picker.take(Event::Looked("/srv/app".into(), Err(Trouble::Missing)));
    insta::assert_snapshot!(screen(&picker, 80, 14), @r"
    devbox:~
    ›
    › ./  this folder
      /srv/app  there is no such folder
      ~/shop  recent, project shop
      a b␊c␛[2J/  git feat/x
      b��  not UTF-8: Codex cannot be told its name
      docs/
      secret/  no permission
      shop/  git main, project shop



    enter take · → open · ← up · esc back · ^A hidden · / or ~ a path · ^R again
    ");
    press(&mut picker, KeyCode::Char('a'), KeyModifiers::CONTROL);
    assert!(screen(&picker, 72, 14).contains(".config/"));
}

#[test]
fn what_cannot_be_used_says_why() {
    let mut picker = at_home();
    for (name, why) in [("sec", "no permission"), ("b\u{fffd}", "not UTF-8")] {
        typed(&mut picker, name);
        assert_eq!(key(&mut picker, KeyCode::Enter), []);
        assert!(screen(&picker, 72, 14).contains(why));
        assert_eq!(key(&mut picker, KeyCode::Right), []);
        key(&mut picker, KeyCode::Esc);
    }
}

#[test]
fn what_is_highlighted_is_looked_at_before_it_is_opened() {
    let mut picker = at_home();
    let asked = picker.questions(20);
    assert_eq!(asked, ["/home/me/a b\nc\u{1b}[2J", "/home/me/docs", "/home/me/shop"].map(str::to_owned));
    assert_eq!(picker.questions(20), Vec::<String>::new(), "nothing is asked twice");
    picker.take(Event::Looked("/home/me/docs".into(), listing("/home/me/docs", vec![entry(b"api", None)])));
    typed(&mut picker, "docs");
    key(&mut picker, KeyCode::Right);
    assert!(screen(&picker, 72, 10).contains("api/"), "no answer had to be waited for");
    key(&mut picker, KeyCode::Left);
    assert_eq!(picker.rows[picker.cursor].label, "docs/", "the folder that was left is highlighted");
}

#[test]
fn a_path_can_be_typed() {
    let mut picker = at_home();
    typed(&mut picker, "/srv/ap");
    assert_eq!(picker.questions(1), ["/srv"]);
    picker.take(Event::Looked("/srv".into(), listing("/srv", vec![entry(b"www", None), entry(b"app", Some("main"))])));
    insta::assert_snapshot!(screen(&picker, 80, 8), @r"
    devbox:/srv
    › /srv/ap
    › app/  git main




    enter take · → open · ← up · esc back · ^A hidden · / or ~ a path · ^R again
    ");
    assert_eq!(picker.questions(1), ["/srv/app"], "looked at ahead");
    picker.take(Event::Looked("/srv/app".into(), listing("/data/app", vec![])));
    assert_eq!(key(&mut picker, KeyCode::Enter), []);
    assert_eq!(picker.questions(1), ["/srv/app"], "it may be gone by now");
    let taken = picker.take(Event::Looked("/srv/app".into(), listing("/data/app", vec![])));
    assert_eq!(taken, [Action::Taken("/data/app".into())], "links are resolved");
    press(&mut picker, KeyCode::Char('u'), KeyModifiers::CONTROL);
    typed(&mut picker, "~/nowhere/x");
    assert_eq!(key(&mut picker, KeyCode::Enter), []);
    assert_eq!(picker.questions(1), ["/home/me/nowhere/x"]);
    picker.take(Event::Looked("/home/me/nowhere/x".into(), Err(Trouble::Missing)));
    assert_eq!(picker.message, "/home/me/nowhere/x: there is no such folder");
}

#[test]
fn what_was_asked_ahead_does_not_say_that_a_folder_is_there_still() {
    let mut picker = at_home();
    typed(&mut picker, "/srv/ap");
    assert_eq!(picker.questions(1), ["/srv"]);
    picker.take(Event::Looked("/srv".into(), listing("/srv", vec![entry(b"app", None)])));
    assert_eq!(picker.questions(1), ["/srv/app"], "asked ahead, and not answered yet");
    assert_eq!(key(&mut picker, KeyCode::Enter), []);
    assert_eq!(picker.take(Event::Looked("/srv/app".into(), listing("/srv/app", vec![]))), []);
    assert_eq!(picker.questions(1), ["/srv/app"], "asked anew");
    assert_eq!(picker.take(Event::Looked("/srv/app".into(), Err(Trouble::Missing))), []);
    assert_eq!(picker.message, "/srv/app: there is no such folder");
}

#[test]
fn esc_goes_back_one_thing_at_a_time() {
    let mut picker = at_home();
    typed(&mut picker, "sh");
    assert_eq!(key(&mut picker, KeyCode::Enter), [], "it is looked at first");
    assert_eq!(key(&mut picker, KeyCode::Esc), [], "no longer taken");
    assert_eq!(picker.take(Event::Looked("/home/me/shop".into(), listing("/home/me/shop", vec![]))), []);
    assert_eq!(key(&mut picker, KeyCode::Esc), [], "the filter is empty");
    assert_eq!(key(&mut picker, KeyCode::Esc), [Action::Back]);
    picker.only();
    assert_eq!(key(&mut picker, KeyCode::Esc), [Action::Leave(Exit::Interrupted)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_and_no_size_breaks_the_screen(
        names in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..12),
        keys in proptest::collection::vec(prop_oneof![
            Just(KeyCode::Down), Just(KeyCode::Up), Just(KeyCode::Right), Just(KeyCode::Left), Just(KeyCode::Enter),
            Just(KeyCode::PageDown), Just(KeyCode::End), Just(KeyCode::Esc), Just(KeyCode::Char('/')), Just(KeyCode::Char('a')),
        ], 0..12),
        (width, height) in (0_u16..40, 0_u16..12),
    ) {
        let mut picker = at_home();
        let entries = names.iter().map(|name| entry(name, Some("b\u{1b}]0;x"))).collect();
        picker.take(Event::Looked(HOME.into(), listing(HOME, entries)));
        for code in keys {
            key(&mut picker, code);
            picker.questions(3);
            let shown = screen(&picker, width, height);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
