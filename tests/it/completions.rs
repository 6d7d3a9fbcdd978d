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

/// Writes what was listed of a host before: threads with these ids.
fn listed(sandbox: &Sandbox, host: &str, ids: &[&str]) {
    let row = |id: &&str| {
        serde_json::json!({"id": id, "state": "idle", "name": null, "preview": "mend it", "cwd": "/srv/shop", "branch": null,
            "created_at": 1, "updated_at": 1, "waits": [], "as_of": 1})
    };
    let rows: Vec<_> = ids.iter().map(row).collect();
    sandbox.write(
        sandbox.codex_home().join(format!("outpost/threads/{host}.json")).to_str().unwrap(),
        &serde_json::json!({"folders": {}, "threads": rows}).to_string(),
    );
}

const ID: &str = "01990001-5c1e-7000-8000-000000000000";

/// An interactive shell with our completions.
fn interactive(sandbox: &Sandbox, shell: &str) -> Terminal {
    let zshrc = "PS1='rea''dy> '\nautoload -U compinit\ncompinit -u\nsource <(outpost completions zsh)\n";
    let folder = sandbox.write("zsh/.zshrc", zshrc).parent().unwrap().display().to_string();
    let bash = sandbox.write("bashrc", "PS1='rea''dy> '; source <(outpost completions bash)\n").display().to_string();
    let fish =
        "outpost completions fish | source; function fish_prompt; echo 'ready> '; end; set -g fish_autosuggestion_enabled 0";
    let line = match shell {
        "bash" => format!("exec bash --rcfile '{bash}' -i"),
        "zsh" => format!("ZDOTDIR='{folder}' exec zsh -i"),
        _ => format!("exec fish -N -i -C {}", outpost::ssh::quote::posix(fish)),
    };
    let config = sandbox.ssh_config();
    let terminal = Terminal::of(sandbox, &format!("PATH='{}' OUTPOST_SSH_CONFIG='{}' {line}", path(sandbox), config.display()));
    terminal.shows("ready>");
    terminal
}

/// Types a line, lets the shell complete its last word, and gives the words that a program would get.
fn words_of(terminal: &Terminal, typed: &str, shown: &str) -> String {
    terminal.type_text(typed);
    terminal.press(&["Tab"]);
    terminal.shows(shown);
    terminal.press(&["C-a"]);
    terminal.type_text("printf '<%s>' ");
    terminal.press(&["C-e"]);
    terminal.type_text(" o''ver");
    terminal.press(&["Enter"]);
    let screen = terminal.shows("<over>");
    terminal.type_text("clear");
    terminal.press(&["Enter"]);
    terminal.shows_it("a clear screen", |screen| !screen.contains("<over>"));
    screen.replace('\n', "")
}

/// Whoever can name a host, or a thread on one, must not get a command onto the line.
#[test]
fn no_name_is_more_than_a_word_to_a_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let sandbox = sandbox();
        let mark = sandbox.path().join("mark");
        let evil = format!("x$(touch${{IFS}}{})", mark.display());
        sandbox.add_ssh_config(&format!("Host q&r u|v back`tick` semi;colon {evil}\n  HostName 192.0.2.3\n"));
        listed(&sandbox, "devbox", &[&format!("0199{evil}"), ID, "0199*", "0199;ls"]);
        let terminal = interactive(&sandbox, shell);
        for (typed, name) in [("q", "q&r"), ("u", "u|v"), ("back", "back`tick`"), ("semi", "semi;colon"), ("x", &evil)] {
            let screen = words_of(
                &terminal,
                &format!("outpost check {typed}"),
                &format!("outpost check {}", &name[..typed.len() + 1].replace(['&', '|', '`', ';', '$'], "")),
            );
            assert!(screen.contains(&format!("<outpost><check><{name}><over>")), "{shell} {name}: {screen}");
        }
        // None of the others is an id.
        let screen = words_of(&terminal, "outpost thread show devbox:0199", &format!("devbox:{ID}"));
        assert!(screen.contains(&format!("<outpost><thread><show><devbox:{ID}><over>")), "{shell}: {screen}");
        assert!(!mark.exists(), "{shell} ran it");
    }
}

/// What is behind a colon, as bash itself puts it on the line; and no name of a file in place of a star.
#[test]
fn bash_completes_within_a_word() {
    let sandbox = sandbox();
    listed(&sandbox, "devbox", &[ID]);
    let terminal = interactive(&sandbox, "bash");
    for typed in ["outpost thread show shop:0199", "outpost thread show sho"] {
        terminal.type_text(typed);
        terminal.press(&["Tab"]);
        terminal.shows(&format!("outpost thread show shop:{ID}"));
        terminal.press(&["C-u"]);
    }
    terminal.type_text("outpost forward shop -R 80:8");
    terminal.press(&["Tab"]);
    terminal.type_text("1");
    terminal.shows("outpost forward shop -R 80:81");
}

#[test]
fn a_path_can_be_typed_behind_a_host() {
    for shell in ["bash", "zsh", "fish"] {
        let sandbox = sandbox();
        let terminal = interactive(&sandbox, shell);
        terminal.type_text("outpost run devb");
        terminal.press(&["Tab"]);
        terminal.shows("outpost run devbox:");
        terminal.type_text("~/app");
        terminal.shows("outpost run devbox:~/app");
    }
}

/// The configuration that the line names, the places a shell is opened at, the commands that have a page.
#[test]
fn what_the_line_says_already_counts() {
    let sandbox = sandbox();
    let other = sandbox.write("other", "Host elsewhere\n").display().to_string();
    assert_eq!(bash(&sandbox, &["outpost", "-F", &other, "check", "else"]), ["elsewhere"]);
    assert_eq!(bash(&sandbox, &["outpost", "check", "-F", &other, "else"]), ["elsewhere"]);
    assert_eq!(
        bash(&sandbox, &["outpost", "shell", ""]).iter().filter(|w| !w.starts_with('-')).collect::<Vec<_>>(),
        ["shop", "devbox", "devil"]
    );
    assert_eq!(bash(&sandbox, &["outpost", "login", "s"]), ["shop"]);
    assert_eq!(bash(&sandbox, &["outpost", "man", "thr"]), ["threads", "thread"]);
    assert_eq!(bash(&sandbox, &["outpost", "man", "thread", "lo"]), ["log"]);
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
    let terminal = interactive(&sandbox, "zsh");
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
