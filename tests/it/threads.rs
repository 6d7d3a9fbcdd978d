//! `outpost threads` of projects: one login for each host, what is a project's, and what is kept for when a host is away.

use std::path::Path;

use serde_json::Value;

use super::bed::{Ran, Terminal, until};
use super::run::{Bed, first, lines};
use super::worktree::git;

/// The sections of a list, and the ids in each.
fn listed(ran: &Ran) -> Vec<(String, Vec<String>)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ids = |section: &Value| section["threads"].as_array().unwrap().iter().map(|thread| word(&thread["id"])).collect();
    lines(ran)[0].as_array().unwrap().iter().map(|section| (word(&section["project"]), ids(section))).collect()
}

impl Bed {
    /// Runs a prompt; gives its thread.
    async fn begins(&self, args: &[&str]) -> String {
        let ran = self.run(&[&["run", "--json"], args].concat()).await.exits(0);
        first(&lines(&ran), "thread")["thread"].as_str().unwrap().to_owned()
    }

    fn away(&self) {
        let config = self.sandbox.ssh_config();
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("Host devbox\n  ProxyCommand false\n{text}")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_projects_of_a_host_are_one_login_and_one_failure() {
    let bed = Bed::new().await;
    for name in ["app", "blog", "shop"] {
        std::fs::create_dir_all(bed.host.home.join(name)).unwrap();
        bed.run(&["projects", "add", &format!("devbox:{name}")]).await.exits(0);
    }
    let old = bed.begins(&["app", "say the old one"]).await;
    let new = bed.begins(&["app", "say the new one"]).await;
    let blog = bed.begins(&["blog", "say hi"]).await;
    let before = bed.host.logins();
    let ran = bed.run(&["threads", "--json"]).await.exits(0);
    assert_eq!(bed.host.logins() - before, 1, "{}", bed.host.log());
    let all = [("app", vec![new.clone(), old.clone()]), ("blog", vec![blog]), ("shop", vec![])];
    let all = all.map(|(project, ids)| (project.to_owned(), ids));
    assert_eq!(listed(&ran), all);
    let section = &lines(&ran)[0][0];
    assert_eq!((section["host"].as_str(), section["cwd"].as_str()), (Some("devbox"), bed.host.home.join("app").to_str()));
    let text = bed.run(&["threads"]).await.exits(0).stdout;
    let app = bed.host.home.join("app");
    assert!(text.contains(&format!("app  devbox:{}\n  {new}  idle  ", app.display())), "{text}");
    assert!(text.contains("/shop\n  no threads\n"), "{text}");

    // A part of a list takes nothing from what is kept.
    bed.run(&["threads", "app", "--limit", "1"]).await.exits(0);
    bed.away();
    let ran = bed.run(&["threads", "--json"]).await.exits(5);
    assert_eq!(listed(&ran), all);
    let sections = lines(&ran);
    assert!(sections[0][1]["as_of"].is_i64() && sections[0][2]["as_of"].is_null(), "{sections:#?}");
    assert_eq!(sections[0][2]["error"]["code"], "ssh-proxy-command");
    let text = bed.run(&["threads"]).await.exits(5).stdout;
    assert_eq!((text.matches('✗').count(), text.matches("  as it was ").count()), (1, 2), "{text}");
}

/// What other hosts answer does not come between a question and its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_asked_reads_nothing_else() {
    let bed = Bed::new().await;
    bed.run(&["run", "devbox:app", "say hi"]).await.exits(0);
    let known = std::fs::read_to_string(bed.sandbox.known_hosts()).unwrap();
    let other = bed.sandbox.host("other").build();
    std::fs::write(bed.sandbox.known_hosts(), known).unwrap();
    let terminal = Terminal::outpost(&bed.sandbox, &["threads", "devbox", "other"]);
    terminal.shows("(yes/no/[fingerprint])?");
    let copy = bed.sandbox.codex_home().join("outpost/threads/devbox.json");
    until("devbox has answered", || copy.exists());
    terminal.type_text("no");
    terminal.press(&["Enter"]);
    let screen = terminal.shows("[exit 5]");
    assert!(screen.contains("(yes/no/[fingerprint])? no\n"), "{screen}");
    assert!(screen.contains("\ndevbox\n  01") && screen.contains("\nother\n  ✗ "), "{screen}");
    assert_eq!(other.logins(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn field_61_63_threads_in_worktrees_are_the_projects() {
    let bed = Bed::new().await;
    let app = bed.host.home.join("app");
    std::fs::create_dir(app.join("web")).unwrap();
    std::fs::write(app.join("web/page"), "here\n").unwrap();
    git(&app, &["init", "-q", "-b", "main"]);
    git(&app, &["add", "."]);
    git(&app, &["commit", "-q", "-m", "first"]);
    bed.run(&["projects", "add", "devbox:app/web", "--name", "shop"]).await.exits(0);
    let main = bed.begins(&["shop", "say in the folder"]).await;
    let ran = bed.run(&["run", "--json", "--worktree=fix/it", "shop", "say in a worktree"]).await.exits(0);
    let told = lines(&ran);
    let made = first(&told, "thread")["thread"].as_str().unwrap().to_owned();
    // One that somebody made by hand is a worktree of the repository too.
    let hand = bed.host.home.join("by hand");
    git(&app, &["worktree", "add", "-q", "-b", "hand", hand.to_str().unwrap()]);
    let by_hand = bed.begins(&["devbox:by hand/web", "say by hand"]).await;
    bed.begins(&["devbox:app", "say in another folder of the repository"]).await;
    let of_shop = async || listed(&bed.run(&["threads", "shop", "--json"]).await.exits(0)).remove(0).1;
    assert_eq!(of_shop().await, [by_hand.clone(), made.clone(), main.clone()]);
    let text = bed.run(&["threads", "shop"]).await.exits(0).stdout;
    for (id, place) in [(&by_hand, "worktree (hand)"), (&made, "worktree (fix/it)"), (&main, "(main)")] {
        assert!(text.lines().any(|line| line.contains(id) && line.contains(&format!("  {place}"))), "{place}: {text}");
    }
    // The last one is taken up where it works, as long as that is there.
    assert_eq!(bed.begins(&["--last", "shop", "say again"]).await, by_hand);
    git(&app, &["worktree", "remove", "--force", hand.to_str().unwrap()]);
    assert_eq!(bed.begins(&["--last", "shop", "say again"]).await, made);
    let tree = Path::new(first(&told, "worktree")["path"].as_str().unwrap());
    git(&app, &["worktree", "remove", tree.to_str().unwrap()]);
    assert_eq!(of_shop().await, [made.clone(), main.clone()], "what we made is known when it is gone");
    assert_eq!(bed.begins(&["--last", "shop", "say again"]).await, main);
    bed.away();
    assert_eq!(listed(&bed.run(&["threads", "shop", "--json"]).await.exits(5)).remove(0).1, [made, main]);
}
