//! Options of `run` that the model must see, and what is done to the names of projects, on real parts.

use serde_json::Value;

use super::bed::Terminal;
use super::run::{Bed, first, lines};

#[tokio::test(flavor = "multi_thread")]
async fn how_a_thread_works_is_said_on_the_command_line() {
    let bed = Bed::new().await;
    let options = ["--model", "another", "--effort", "high", "--sandbox", "read-only", "--ask-for-approval", "never"];
    let ran = bed.run(&[&["run", "devbox:app", "say first", "--json"], &options[..]].concat()).await.exits(0);
    assert_eq!(first(&lines(&ran), "thread")["model"], "another", "{}", ran.stdout);
    let asked = |words: &str| {
        let requests = bed.model.requests();
        requests.into_iter().find(|request| request["input"].to_string().contains(words)).unwrap()
    };
    let request = asked("say first");
    assert_eq!(request["model"], "another");
    let told = request.to_string();
    assert!(told.contains("`sandbox_mode` is `read-only`"), "{told}");
    assert!(told.contains("Approval policy is currently never"), "{told}");
    // Codex tells the effort to models that it knows as ones that reason.
    let options = ["--model", "gpt-5.1-codex", "--effort", "high"];
    bed.run(&[&["run", "devbox:app", "say second"], &options[..]].concat()).await.exits(0);
    assert_eq!(asked("say second")["reasoning"]["effort"], "high");
    // Taken up again it can work in another way.
    let id = first(&lines(&ran), "thread")["thread"].as_str().unwrap().to_owned();
    let options = ["--sandbox", "workspace-write", "--ask-for-approval", "on-request"];
    bed.run(&[&["run", "--resume", &id, "devbox:app", "ask touch asked", "--approve", "always"], &options[..]].concat())
        .await
        .exits(0);
    assert!(bed.host.home.join("app/asked").exists());
    // Any other setting of Codex.
    bed.run(&["run", "devbox:app", "say third", "-c", "model=yet-another", "-c", "developer_instructions=Be brief."])
        .await
        .exits(0);
    let request = asked("say third");
    assert!(request["model"] == "yet-another" && request.to_string().contains("Be brief."), "{request}");
    for (option, value) in [("-c", "model"), ("--sandbox", "some"), ("--ask-for-approval", "maybe"), ("--image", "/nowhere.png")]
    {
        bed.run(&["run", "devbox:app", "say x", option, value]).await.exits(2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_the_name_that_it_was_given_last() {
    let bed = Bed::new().await;
    bed.run(&["projects", "add", "devbox:~/app", "--name", "shop"]).await.exits(0);
    bed.run(&["projects", "rename", "shop", "store"]).await.exits(0);
    bed.run(&["run", "store", "say by its name"]).await.exits(0);
    let listed = lines(&bed.run(&["threads", "store", "--json"]).await.exits(0));
    assert_eq!(listed[0][0]["threads"][0]["preview"], "say by its name");
    bed.run(&["threads", "shop"]).await.exits(4);
    for args in [&["projects", "rename", "shop", "x"][..], &["projects", "rename", "store", "devbox"]] {
        let ran = bed.run(args).await;
        assert!(ran.status != 0 && ran.stderr.contains("error["), "{args:?}: {}", ran.stderr);
    }
    bed.run(&["projects", "remove", "store"]).await.exits(0);
    assert_eq!(lines(&bed.run(&["projects", "--json"]).await.exits(0))[0], Value::Array(Vec::new()));
}

/// Hosts that no project names too; one that is not ready is shown as such.
#[tokio::test(flavor = "multi_thread")]
async fn all_hosts_are_asked_when_all_are_wanted() {
    let bed = Bed::new().await;
    bed.sandbox.host("bare").build();
    bed.run(&["run", "devbox:app", "say hi"]).await.exits(0);
    let ran = bed.run(&["threads", "--all-hosts", "--json"]).await;
    let listed = lines(&ran);
    let hosts: Vec<(&str, bool)> =
        listed[0].as_array().unwrap().iter().map(|host| (host["host"].as_str().unwrap(), host["error"].is_null())).collect();
    assert_eq!(hosts, [("bare", false), ("devbox", true)], "{}", ran.stdout);
    assert_eq!(listed[0][1]["threads"][0]["preview"], "say hi");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_comes_from_standard_input_where_none_is_given() {
    let bed = Bed::new().await;
    for args in [&["run", "devbox:app"][..], &["run", "devbox:app", "-"], &["run", "-p", "devbox:app"]] {
        let mut command = bed.sandbox.outpost(args);
        let ran = tokio::task::spawn_blocking(move || super::bed::process::run(&mut command, b"say It came in.\n"))
            .await
            .unwrap()
            .exits(0);
        assert!(ran.stdout.contains("It came in."), "{args:?}: {}", ran.stdout);
    }
    // For a thread that there is too, and beside a prompt as `codex exec` has it.
    for (args, text) in [
        (&["run", "--last", "devbox:app"][..], "say It came in.\n"),
        (&["run", "--last", "devbox:app", "say And this."], "say And this.\n\n<stdin>\nsay It came in.\n</stdin>"),
        (&["run", "devbox:app", "say And this."], "say And this.\n\n<stdin>\nsay It came in.\n</stdin>"),
    ] {
        let mut command = bed.sandbox.outpost(&[args, &["--json"]].concat());
        let ran = tokio::task::spawn_blocking(move || super::bed::process::run(&mut command, b"say It came in.\n"));
        let ran = ran.await.unwrap().exits(0);
        let items = bed.items(first(&lines(&ran), "thread")["thread"].as_str().unwrap()).await;
        let prompt = items.iter().rfind(|item| item["type"] == "userMessage").unwrap();
        assert_eq!(prompt["content"][0]["text"], text, "{args:?}");
    }
    let ran = bed.run(&["run", "devbox:app"]).await.exits(2);
    assert!(ran.stderr.contains("the prompt is empty"), "{}", ran.stderr);
    let ran = bed.run(&["run", "-p", "devbox:app", "-p", "devbox:"]).await.exits(2);
    assert!(ran.stderr.contains("several projects need a PROMPT"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_the_command_line_is_dropped() {
    let bed = Bed::new().await;
    for args in [
        &["run", "devbox:app", "-s", "read-only", "fix", "this"][..],
        &["run", "devbox:app", "fix", "this"],
        &["run", "devbox:app", "--worktree", "fix", "this"],
        &["run", "-p", "devbox:app", "fix", "this"],
        &["run", "fix", "-p", "devbox:app", "this"],
    ] {
        let ran = bed.run(args).await.exits(2);
        assert!(
            ran.stderr.contains("the word 'this' is one too many") && ran.stderr.contains("quotes"),
            "{args:?}: {}",
            ran.stderr
        );
    }
    for (args, said) in [
        (&["run", "-p", "devbox:app", "-p", "devbox:app", "say x"][..], "named already"),
        (&["run", "-p", "devbox:app", "-p", "devbox:", "say x", "-o", "last"], "there are several threads"),
        (&["run", "--detach", "devbox:app", "say x", "-o", "last"], "with --detach nobody is there"),
    ] {
        let ran = bed.run(args).await.exits(2);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(bed.host.logins(), 0);
    let ran = bed.run(&["run", "devbox:app", "-s", "read-only", "say in the middle"]).await.exits(0);
    assert!(ran.stdout.ends_with("\nin the middle\n"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_on_a_terminal_leave_what_they_ask_open() {
    let bed = Bed::new().await;
    std::fs::create_dir(bed.host.home.join("other")).unwrap();
    bed.run(&["projects", "add", "devbox:app", "--name", "one"]).await.exits(0);
    bed.run(&["projects", "add", "devbox:other", "--name", "two"]).await.exits(0);
    let prompt = "ask touch asked\nsay Done then.";
    let run = Terminal::outpost(&bed.sandbox, &["run", "-p", "one", "-p", "two", prompt]);
    let screen = run.shows_times("waits for another terminal: outpost thread approve devbox:", 2);
    assert!(screen.contains("[one] ? The agent asks") && screen.contains("[two] ? The agent asks"), "{screen}");
    let listed = lines(&bed.run(&["threads", "devbox", "--json"]).await.exits(0));
    let ids: Vec<&str> = listed[0][0]["threads"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    for id in ids {
        bed.run(&["thread", "approve", &format!("devbox:{id}")]).await.exits(0);
    }
    run.shows("[exit 0]");
    assert!(["app", "other"].iter().all(|folder| bed.host.home.join(folder).join("asked").exists()));
    // Without a terminal nobody is there.
    let ran = bed.run(&["run", "-p", "one", "-p", "two", "ask touch again\nsay Then not."]).await.exits(0);
    assert_eq!(ran.stderr.matches("declined (nobody is there to ask").count(), 2, "{}", ran.stderr);
}
