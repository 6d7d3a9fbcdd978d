//! `outpost shell` against a real sshd: by the built-in carrier and by the system's ssh.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::bed::{Host, Sandbox, Terminal, process::Watchdog};

const CARRIERS: [&str; 2] = ["builtin", "ssh"];

/// What a program did, byte for byte.
struct Did {
    status: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Did {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    #[track_caller]
    fn exits(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.text(), self.said());
        self
    }
}

fn did(command: &mut Command, stdin: Vec<u8>) -> Did {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::thread::spawn(move || drop(input.write_all(&stdin)));
    let watchdog = Watchdog::over(&child);
    let output = child.wait_with_output().unwrap();
    watchdog.off();
    Did { status: output.status.code().unwrap_or(-1), stdout: output.stdout, stderr: output.stderr }
}

fn shell(sandbox: &Sandbox, carrier: &str, args: &[&str]) -> Command {
    sandbox.outpost(&[&["--carrier", carrier, "shell"], args].concat())
}

fn bed() -> (Sandbox, Host) {
    let sandbox = Sandbox::new();
    let host = sandbox.host("devbox").rc(".profile", "PS1='there> '").rc("app/a file", "content").build();
    (sandbox, host)
}

/// Bytes that repeat late and hold every value.
fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn every_byte_of_every_stream_arrives() {
    let (sandbox, host) = bed();
    let (out, err, sent) = (bytes(5_000_001), bytes(3_000_003), bytes(4_000_007));
    std::fs::write(host.home.join("out"), &out).unwrap();
    std::fs::write(host.home.join("err"), &err).unwrap();
    for carrier in CARRIERS {
        let line = "cat out & cat err >&2 & cat > kept; wait; exit 7";
        let did = did(&mut shell(&sandbox, carrier, &["devbox", line]), sent.clone());
        assert_eq!((did.status, did.stdout == out, did.stderr == err), (7, true, true), "{carrier} {}", did.stderr.len());
        assert!(std::fs::read(host.home.join("kept")).unwrap() == sent, "{carrier}");
    }
}

#[test]
fn a_slow_reader_loses_nothing() {
    let (sandbox, _host) = bed();
    let wanted = 80 * 1024 * 1024;
    for carrier in CARRIERS {
        let mut command = shell(&sandbox, carrier, &["devbox", &format!("head -c {wanted} /dev/zero")]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let watchdog = Watchdog::over(&child);
        let (mut out, mut read, mut buffer) = (child.stdout.take().unwrap(), 0, [0; 512]);
        while let Ok(n @ 1..) = out.read(&mut buffer) {
            read += n;
        }
        assert_eq!((read, child.wait().unwrap().code()), (wanted, Some(0)), "{carrier}");
        watchdog.off();
    }
}

#[test]
fn words_folders_and_statuses_are_passed_on() {
    let (sandbox, host) = bed();
    sandbox.run(&["projects", "add", "devbox:app", "--name", "shop"]);
    std::fs::create_dir_all(sandbox.codex_home().join("outpost")).unwrap();
    let project = format!("[projects.shop]\nhost = \"devbox\"\npath = \"{}\"\n", host.home.join("app").display());
    std::fs::write(sandbox.codex_home().join("outpost/projects.toml"), project).unwrap();
    for carrier in CARRIERS {
        let run = |args: &[&str]| did(&mut shell(&sandbox, carrier, args), Vec::new());
        assert_eq!(run(&["shop", "cat", "a file"]).exits(0).text(), "content\n");
        assert_eq!(run(&["devbox:app", "ls | wc -l; exit 3"]).exits(3).text().trim(), "1");
        assert_eq!(run(&["devbox", "printf", "%s|", "a  b", "$HOME", "it's"]).exits(0).text(), "a  b|$HOME|it's|");
        assert_eq!(run(&["devbox", "echo", "-n", "--", "x"]).exits(0).text(), "-- x");
        let missing = run(&["devbox:nowhere", "true"]).exits(255);
        assert!(missing.said().starts_with("error[folder-missing]: devbox: enter /"), "{}", missing.said());
        run(&["devbox", "exit 255"]).exits(255);
        let signalled = if carrier == "ssh" { 255 } else { 143 };
        run(&["devbox", "kill -TERM $$"]).exits(signalled);
    }
    // Without a terminal a login shell reads its commands.
    let did = did(&mut shell(&sandbox, "builtin", &["devbox:app"]), b"pwd; exit 4\n".to_vec()).exits(4);
    assert_eq!(did.text().trim(), host.home.join("app").to_str().unwrap());
}

/// A password in a proxy's address is for nobody else on the host: a command line can be read by all of them.
#[test]
fn the_variables_of_the_host_are_set_and_stand_on_no_command_line() {
    let (sandbox, host) = bed();
    let secret = format!("of-process-{}", std::process::id());
    sandbox.run(&["hosts", "set", "devbox", &format!("env.TOKEN=it's {secret}")]).exits(0);
    let look = "echo \"$TOKEN\"; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c of-process-[0-9]; true";
    for carrier in CARRIERS {
        for words in [&[look][..], &["sh", "-c", look]] {
            let did = did(&mut shell(&sandbox, carrier, &[&["devbox:app"], words].concat()), Vec::new()).exits(0);
            assert_eq!(did.text(), format!("it's {secret}\n0\n"), "{carrier} {words:?} {}", did.said());
        }
    }
    let left = std::fs::read_dir(host.home.join(".codex/outpost")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn what_kept_the_command_from_running_is_255() {
    let (sandbox, host) = bed();
    sandbox.host("locked").sshd("PubkeyAuthentication no").build();
    for carrier in CARRIERS {
        let run = |args: &[&str]| did(&mut shell(&sandbox, carrier, args), Vec::new());
        let said = run(&["locked", "true"]).exits(255).said();
        assert!(said.contains("error[auth-") && said.contains("]: locked"), "{said}");
        assert!(run(&["nosuch", "true"]).exits(255).said().contains("error["));
        let mut cut = shell(&sandbox, carrier, &["devbox", "echo up; exec sleep 1000"]);
        let mut child = cut.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let watchdog = Watchdog::over(&child);
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        host.cut();
        let output = child.wait_with_output().unwrap();
        watchdog.off();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(255), "{said}");
        // The system's ssh says it in its own words.
        let told = said.contains("error[link-lost]: devbox: ") && said.contains("try:  run it again; ");
        assert!(told || carrier == "ssh", "{said}");
    }
    sandbox.run(&["shell", "--nonsense"]).exits(2);
    let off = Sandbox::without_gate();
    assert!(off.run(&["shell", "devbox"]).exits(255).stderr.contains("error[gate-off]"));
}

/// What a person reads when it did not run.
#[test]
fn the_words_of_what_kept_it_from_running() {
    let (sandbox, host) = bed();
    std::fs::write(host.home.join("file"), "").unwrap();
    let off = Sandbox::without_gate();
    let mut all = String::new();
    for (sandbox, args, status) in [
        (&sandbox, &["shell", "nosuch"][..], 255),
        (&sandbox, &["shell", "devbox:nowhere", "true"], 255),
        (&sandbox, &["shell", "devbox:file", "true"], 255),
        (&sandbox, &["shell", "-n", "-t", "devbox"], 2),
        (&off, &["shell", "devbox"], 255),
    ] {
        all += &format!("$ outpost {}\n{}\n", args.join(" "), sandbox.stable(&sandbox.run(args).exits(status).stderr));
    }
    insta::assert_snapshot!(all);
}

/// The command ran: what became of its words here is no failure of ssh's.
#[test]
fn output_that_cannot_be_written_is_not_255() {
    let (sandbox, host) = bed();
    for carrier in CARRIERS {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = shell(&sandbox, carrier, &["devbox", "echo ran > ran; echo words"]);
        let child = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let watchdog = Watchdog::over(&child);
        let ended = child.wait_with_output().unwrap();
        watchdog.off();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.starts_with("error[local-io]: write the command's output"), "{said}");
        assert_eq!(ended.status.code(), Some(1), "{carrier}");
        assert!(host.home.join("ran").exists());
    }
}

#[test]
fn with_n_nothing_is_read_here() {
    let (sandbox, _host) = bed();
    for carrier in CARRIERS {
        let script = "while read -r word; do \"$@\"; echo \"$word\"; done";
        let inner = shell(&sandbox, carrier, &["-n", "devbox", "cat; echo done"]);
        let mut command = Command::new("/bin/sh");
        sandbox.clean(&mut command);
        command.args(["-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
        assert_eq!(did(&mut command, b"one\ntwo\n".to_vec()).exits(0).text(), "done\none\ndone\ntwo\n", "{carrier}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let (sandbox, host) = bed();
    for carrier in CARRIERS {
        let mut command = shell(&sandbox, carrier, &["devbox", "echo $$ > pid; exec yes"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let watchdog = Watchdog::over(&child);
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 2]).unwrap();
        drop(out);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{carrier}");
        watchdog.off();
        let pid = std::fs::read_to_string(host.home.join("pid")).unwrap().trim().parse().unwrap();
        super::bed::until("the end of the command", || !super::bed::alive(pid));
    }
}

#[test]
fn a_shell_has_the_terminal() {
    let (sandbox, host) = bed();
    let app = host.home.join("app");
    for carrier in CARRIERS {
        let terminal = Terminal::outpost(&sandbox, &["--carrier", carrier, "shell", "devbox:app"]);
        terminal.shows("there>");
        terminal.type_text("stty size; echo in $PWD on $TERM; stty -a | grep -o ' echo '");
        terminal.press(&["Enter"]);
        let screen = terminal.shows("\n echo");
        assert!(screen.contains("40 100"), "{screen}");
        assert!(screen.replace('\n', "").contains(&format!("in {} on ", app.display())), "{screen}");
        assert!(screen.contains("on screen") || screen.contains("on tmux"), "{screen}");
        // The words come from a process that has the terminal already: its signal is not the shell's.
        terminal.type_text("sh -c \"echo re''ady; exec cat\"; echo c''aught");
        terminal.press(&["Enter"]);
        terminal.shows("\nready");
        terminal.press(&["C-c"]);
        terminal.shows("^C");
        terminal.type_text("trap 'stty size' WINCH; echo tra''pped");
        terminal.press(&["Enter"]);
        terminal.shows("\ntrapped");
        terminal.resize(90, 30);
        terminal.shows("30 90");
        terminal.type_text("exit 9");
        terminal.press(&["Enter"]);
        terminal.shows("[exit 9]");
        // Its line discipline is back: what is typed is shown.
        terminal.type_text("shown again");
        terminal.shows("shown again");
    }
}

#[test]
fn a_terminal_is_given_back_however_the_shell_ends() {
    let (sandbox, host) = bed();
    for carrier in CARRIERS {
        let terminal = Terminal::outpost(&sandbox, &["--carrier", carrier, "shell", "devbox"]);
        terminal.shows("there>");
        host.cut();
        terminal.shows("[exit 255]");
        terminal.type_text("shown again");
        terminal.shows("shown again");
    }
    // A command gets one with -t only.
    let terminal = Terminal::outpost(&sandbox, &["shell", "-t", "devbox", "tty; read -r x; echo got $x; exit 5"]);
    terminal.shows("/dev/pts/");
    terminal.type_text("words");
    terminal.press(&["Enter"]);
    let screen = terminal.shows("[exit 5]");
    assert!(screen.contains("got words"), "{screen}");
}

#[test]
fn a_server_that_gives_no_terminal_is_told() {
    let sandbox = Sandbox::new();
    sandbox.host("plain").sshd("PermitTTY no").build();
    let terminal = Terminal::outpost(&sandbox, &["shell", "plain"]);
    let screen = terminal.shows("[exit 255]");
    assert!(
        screen.contains("error[ssh-channel-refused]: plain: run it on the host") && screen.contains("a terminal"),
        "{screen}"
    );
}

#[test]
fn field_64_the_shell_is_the_accounts_own_and_a_login_shell() {
    let sandbox = Sandbox::new();
    for (name, shell, asks, says) in [
        ("bash", "/bin/bash", "shopt -q login_shell && echo login $BASH_VERSINFO $PWD", "login"),
        ("zsh", "/usr/bin/zsh", "[[ -o login ]] && echo login ${ZSH_VERSION%%.*} $PWD", "login"),
        ("fish", "/usr/bin/fish", "status is-login; and echo login $version $PWD", "login"),
    ] {
        let host = sandbox.host(name).shell(shell).rc("a folder/x", "").build();
        let ran = did(&mut shell_of(&sandbox, name), format!("{asks}\n").into_bytes()).exits(0);
        let folder = host.home.join("a folder");
        assert!(
            ran.text().starts_with(says) && ran.text().trim_end().ends_with(folder.to_str().unwrap()),
            "{name}: {}",
            ran.text()
        );
        // And as a person has it: with a terminal.
        let terminal = Terminal::outpost(&sandbox, &["shell", &format!("{name}:a folder")]);
        terminal.type_text(&format!("{asks}; tty"));
        terminal.press(&["Enter"]);
        let screen = terminal.shows("/dev/pts/").replace('\n', "");
        assert!(screen.contains("login ") && screen.contains("a folder"), "{name}: {screen}");
        terminal.type_text("exit 3");
        terminal.press(&["Enter"]);
        terminal.shows("[exit 3]");
    }
}

/// What a restricted shell forbids it says itself; nothing of ours goes around it.
#[test]
fn a_restricted_shell_has_the_last_word() {
    let sandbox = Sandbox::new();
    let host = sandbox.host("fenced").shell("/bin/rbash").rc("a folder/x", "").build();
    let ran = did(&mut sandbox.outpost(&["shell", "fenced", "echo it runs"]), Vec::new()).exits(0);
    assert_eq!(ran.text().trim(), "it runs");
    let ran = did(&mut shell_of(&sandbox, "fenced"), b"pwd\n".to_vec());
    assert_eq!(ran.text(), "", "nothing runs in the wrong folder");
    assert!(ran.said().contains("restricted"), "{}", ran.said());
    drop(host);
}

fn shell_of(sandbox: &Sandbox, name: &str) -> Command {
    sandbox.outpost(&["shell", &format!("{name}:a folder")])
}
