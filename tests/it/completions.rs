//! Completions in the real shells: names of hosts and projects, and no socket for them.

use std::process::Command;

use super::bed::{Sandbox, Terminal, process};

/// A sandbox whose `outpost` is on PATH, with two hosts and a project.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add_ssh_config("Host devbox\n  HostName 192.0.2.1\nHost devil\n  HostName 192.0.2.2\n");
    let projects = sandbox.codex_home().join("outpost/projects.toml");
    std::fs::create_dir_all(projects.parent().unwrap()).unwrap();
    std::fs::write(projects, "[projects.shop]\nhost = \"devbox\"\npath = \"/srv/shop\"\n").unwrap();
    let bin = sandbox.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_outpost"), bin.join("outpost")).unwrap();
    sandbox
}

fn path(sandbox: &Sandbox) -> String {
    format!("{}:/usr/bin:/bin", sandbox.path().join("bin").display())
}

fn shell(sandbox: &Sandbox, words: &[&str]) -> String {
    let mut command = Command::new(words[0]);
    sandbox.clean(&mut command);
    command.args(&words[1..]).env("PATH", path(sandbox)).env("OUTPOST_SSH_CONFIG", sandbox.ssh_config());
    process::run(&mut command, b"").exits(0).stdout
}

/// What bash would offer for a line whose words are these.
fn bash(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let list: Vec<String> = words.iter().map(|word| outpost::ssh::quote::posix(word)).collect();
    let last = words.len() - 1;
    let script = format!(
        "source <(outpost completions bash); COMP_WORDS=({}); COMP_CWORD={last}; _outpost outpost {} x; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        list.join(" "),
        list[last]
    );
    shell(sandbox, &["bash", "--norc", "-c", &script]).lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_hosts_and_projects() {
    let sandbox = sandbox();
    assert_eq!(bash(&sandbox, &["outpost", "run", "dev"]), ["devbox:", "devil:"]);
    assert_eq!(bash(&sandbox, &["outpost", "check", "devb"]), ["devbox"]);
    assert_eq!(bash(&sandbox, &["outpost", "projects", "remove", "s"]), ["shop"]);
    assert_eq!(bash(&sandbox, &["outpost", "thread", "show", "s"]), ["shop:"]);
    // bash has three words where we have one.
    assert_eq!(bash(&sandbox, &["outpost", "run", "devbox", ":", "~/app", "--eff"]), ["--effort"]);
}

/// What is behind a colon, as bash itself puts it on the line.
#[test]
fn bash_completes_the_id_of_a_thread() {
    let sandbox = sandbox();
    let id = "01990001-5c1e-7000-8000-000000000000";
    let row = serde_json::json!({"id": id, "state": "idle", "name": null, "preview": "mend it", "cwd": "/srv/shop", "branch": null,
        "created_at": 1, "updated_at": 1, "waits": []});
    let copy = sandbox.codex_home().join("outpost/threads/devbox.json");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::write(copy, serde_json::json!({"as_of": 1, "threads": [row]}).to_string()).unwrap();
    let line = format!("PATH='{}' OUTPOST_SSH_CONFIG='{}' exec bash --norc -i", path(&sandbox), sandbox.ssh_config().display());
    let terminal = Terminal::of(&sandbox, &line);
    terminal.type_text("PS1='rea''dy> '; source <(outpost completions bash)");
    terminal.press(&["Enter"]);
    terminal.shows("ready>");
    terminal.type_text("outpost thread show shop:0199");
    terminal.press(&["Tab"]);
    terminal.shows(&format!("outpost thread show shop:{id}"));
    terminal.press(&["C-u"]);
    terminal.type_text("outpost thread show sho");
    terminal.press(&["Tab"]);
    terminal.shows(&format!("outpost thread show shop:{id}"));
    terminal.press(&["C-u"]);
    terminal.type_text("outpost forward shop -R 80:8");
    terminal.press(&["Tab"]);
    terminal.type_text("1");
    terminal.shows("outpost forward shop -R 80:81");
}

#[test]
fn fish_offers_hosts_and_projects() {
    let sandbox = sandbox();
    let offered =
        |line: &str| shell(&sandbox, &["fish", "-N", "-c", &format!("outpost completions fish | source; complete -C '{line}'")]);
    let text = offered("outpost run dev");
    assert!(text.contains("devbox:\thost, ") && text.contains("devil:"), "{text}");
    assert!(offered("outpost threads sh").contains("shop\tdevbox:/srv/shop"));
}

#[test]
fn zsh_offers_hosts_and_projects() {
    let sandbox = sandbox();
    let config = sandbox.ssh_config();
    let start =
        sandbox.write("zsh/.zshrc", "PS1='ready> '\nautoload -U compinit\ncompinit -u\nsource <(outpost completions zsh)\n");
    let (folder, path) = (start.parent().unwrap().display().to_string(), path(&sandbox));
    let line = format!("PATH='{path}' OUTPOST_SSH_CONFIG='{}' ZDOTDIR='{folder}' exec zsh -i", config.display());
    let terminal = Terminal::of(&sandbox, &line);
    terminal.shows("ready>");
    terminal.type_text("outpost check devb");
    terminal.press(&["Tab"]);
    terminal.shows("outpost check devbox");
    terminal.press(&["C-u"]);
    terminal.type_text("outpost run dev");
    terminal.press(&["Tab", "Tab"]);
    terminal.shows("devil:");
}

#[test]
fn a_tab_opens_no_socket_and_starts_nothing() {
    let sandbox = sandbox();
    let trace = sandbox.path().join("trace");
    let script = format!(
        "COMPLETE=bash _CLAP_COMPLETE_INDEX=2 _CLAP_IFS='|' strace -f -qq -e trace=socket,connect,execve,fork,vfork -o '{}' outpost -- outpost run dev",
        trace.display()
    );
    let text = shell(&sandbox, &["sh", "-c", &script]);
    assert_eq!(text, "devbox:|devil:");
    let trace = std::fs::read_to_string(trace).unwrap();
    // The C library asks a name cache of the machine, if there is one, for the account.
    let of_libc = |line: &&str| line.contains("nscd") || line.contains("socket(AF_UNIX");
    let own = |line: &&str| line.contains("execve(") && line.contains("outpost");
    let calls: Vec<&str> = trace.lines().filter(|line| !of_libc(line) && !own(line)).collect();
    assert!(calls.is_empty(), "{calls:#?}");
}
