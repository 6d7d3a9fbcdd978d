//! `outpost projects pick` on a real terminal, over a real sshd.

use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use super::bed::faulty::Mood;
use super::bed::{Codex, Sandbox, Terminal};
use super::run::Bed;

impl Bed {
    /// Folders of all kinds in the home folder of the host.
    fn folders(&self) {
        let home = &self.host.home;
        let odd = std::ffi::OsStr::from_bytes(b"odd\xff");
        for folder in ["two words\nand a line/inner", "zoo/lion", "zoo/ape", ".hidden", "repo/.git"] {
            std::fs::create_dir_all(home.join(folder)).unwrap();
        }
        std::fs::create_dir(home.join(odd)).unwrap();
        std::fs::write(home.join("repo/.git/HEAD"), "ref: refs/heads/feature/x\n").unwrap();
    }

    async fn projects(&self) -> Vec<(String, String)> {
        let ran = self.run(&["projects", "--json"]).await.exits(0);
        let list: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let word = |project: &serde_json::Value, key: &str| project[key].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|project| (word(project, "name"), word(project, "path"))).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn field_62_a_folder_is_picked_on_the_screen() {
    let bed = Bed::new().await;
    bed.folders();
    bed.run(&["run", "devbox:app", "say hi"]).await.exits(0);
    let terminal = Terminal::outpost(&bed.sandbox, &["projects", "pick"]);
    terminal.shows("Choose a host");
    terminal.press(&["Enter"]);
    // Each is waited for: the screen may be looked at while it is drawn.
    for words in ["recent", "devbox:~", "repo/  git feature/x", "two words␊and a line/", "not UTF-8", "~/app"] {
        terminal.shows(words);
    }
    let screen = terminal.shows("~/app");
    assert!(!screen.contains(".hidden"), "{screen}");
    terminal.press(&["C-a"]);
    terminal.shows(".hidden/");
    terminal.type_text("twowor");
    terminal.shows("› two words");
    terminal.press(&["Right"]);
    terminal.shows("inner/");
    terminal.resize(30, 4);
    terminal.shows("› ./");
    terminal.resize(100, 40);
    terminal.press(&["Enter"]);
    let screen = terminal.shows("[exit 0]");
    assert!(screen.contains("added; try: outpost run two-words-and-a-line"), "{screen}");
    let path = bed.host.home.join("two words\nand a line");
    assert_eq!(bed.projects().await, [("two-words-and-a-line".to_owned(), path.to_str().unwrap().to_owned())]);
    let ran = bed.run(&["run", "two-words-and-a-line", "run pwd"]).await.exits(0);
    assert!(ran.stdout.contains("and a line"), "{}", ran.stdout);
    // One session for the listing and the folders of former threads, however many folders were looked at.
    assert_eq!((bed.host.logins(), bed.host.sessions()), (3, 4), "{}", bed.host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_typed_and_what_is_gone_is_said() {
    let bed = Bed::new().await;
    bed.folders();
    let terminal = Terminal::outpost(&bed.sandbox, &["projects", "pick", "devbox", "--name", "animals"]);
    terminal.shows("zoo/");
    terminal.type_text("~/zoo/l");
    terminal.shows("› lion/");
    std::fs::remove_dir(bed.host.home.join("zoo/lion")).unwrap();
    terminal.press(&["Enter"]);
    terminal.shows("there is no such folder");
    terminal.press(&["C-w"]);
    terminal.shows("› ./");
    terminal.press(&["Enter"]);
    terminal.shows("[exit 0]");
    let zoo = bed.host.home.join("zoo");
    assert_eq!(bed.projects().await, [("animals".to_owned(), zoo.to_str().unwrap().to_owned())]);
    let terminal = Terminal::outpost(&bed.sandbox, &["projects", "pick", "devbox"]);
    terminal.shows("project animals");
    terminal.press(&["C-c"]);
    terminal.shows("[exit 130]");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_come_before_the_screen() {
    let bed = Bed::new().await;
    bed.folders();
    std::fs::write(bed.sandbox.known_hosts(), "").unwrap();
    let terminal = Terminal::outpost(&bed.sandbox, &["projects", "pick"]);
    terminal.shows("Choose a host");
    terminal.press(&["Enter"]);
    terminal.shows("(yes/no/[fingerprint])?");
    terminal.type_text("yes");
    terminal.press(&["Enter"]);
    terminal.shows("zoo/");
    terminal.press(&["Escape"]);
    terminal.shows("Choose a host");
    terminal.press(&["Escape"]);
    terminal.shows("[exit 130]");
}

/// Root sees all folders: here it does without that right.
#[test]
fn field_62_a_folder_without_permission_is_shown_and_said() {
    let sandbox = Sandbox::new();
    let without = "--bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search";
    let shell = format!("#!/bin/bash\n[ \"$(id -u)\" = 0 ] && exec setpriv {without} bash \"$@\"\nexec bash \"$@\"\n");
    let shell = sandbox.write("plain-shell", &shell);
    std::fs::set_permissions(&shell, Permissions::from_mode(0o755)).unwrap();
    let codex = Codex::stand_in(&sandbox, &serde_json::json!({}));
    let host = sandbox.host("devbox").shell(&shell).codex(&codex).build();
    for (folder, mode) in [("barred", 0o000), ("seen", 0o755), ("blind", 0o311)] {
        std::fs::create_dir_all(host.home.join(folder).join("inner")).unwrap();
        std::fs::set_permissions(host.home.join(folder), Permissions::from_mode(mode)).unwrap();
    }
    let terminal = Terminal::outpost(&sandbox, &["projects", "pick", "devbox"]);
    for row in ["barred/  no permission", "seen/"] {
        terminal.shows(row);
    }
    terminal.type_text("barred");
    terminal.shows("› barred/");
    terminal.press(&["Enter"]);
    terminal.shows("barred/: no permission");
    terminal.press(&["C-c"]);
    terminal.shows("[exit 130]");
    // Without the screen too.
    let ran = sandbox.run(&["projects", "add", "devbox:barred"]).exits(6);
    assert!(ran.stderr.contains("folder-unreadable") && ran.stderr.contains("home/barred"), "{}", ran.stderr);
    for folder in ["barred", "blind"] {
        std::fs::set_permissions(host.home.join(folder), Permissions::from_mode(0o755)).unwrap();
    }
}

/// 100 ms there and back; and when nothing comes through any more, the next folder opens all the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_folder_is_there_before_it_is_asked_for() {
    let bed = super::durable::Bed::new().await;
    for folder in ["zoo/lion", "app/inner"] {
        std::fs::create_dir_all(bed.host.home.join(folder)).unwrap();
    }
    let mut run = bed.sandbox.outpost(&["run", "devbox:app", "say hi"]);
    tokio::task::spawn_blocking(move || super::bed::run(&mut run, b"")).await.unwrap().exits(0);
    bed.wire.mood(Mood::Slow(50));
    let terminal = Terminal::outpost(&bed.sandbox, &["projects", "pick", "devbox"]);
    terminal.shows("zoo/");
    // What codex tells of former threads comes several round trips later than what was asked for with the first answer.
    terminal.shows("recent");
    bed.wire.mood(Mood::Stall);
    terminal.type_text("zoo");
    terminal.shows("› zoo/");
    terminal.press(&["Right"]);
    terminal.shows("lion/");
    bed.wire.mood(Mood::Good);
    terminal.press(&["C-c"]);
    terminal.shows("[exit 130]");
}

#[test]
fn without_a_terminal_the_other_way_is_named() {
    let sandbox = Sandbox::new();
    sandbox.host("devbox").build();
    let ran = sandbox.run(&["projects", "pick"]).exits(2);
    assert!(ran.stderr.contains("outpost projects add HOST:PATH"), "{}", ran.stderr);
}
