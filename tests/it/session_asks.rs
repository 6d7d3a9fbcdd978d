//! Asking a person: on a real terminal, and through SSH_ASKPASS.

use std::os::unix::fs::PermissionsExt;

use crate::bed::{Host, Sandbox, Terminal};
use crate::session_login::keygen;

/// A host whose key nobody knows, and which takes only a key with a passphrase.
fn wary(sandbox: &Sandbox) -> Host {
    let key = sandbox.path().join("locked");
    keygen(&key, &["-N", "open sesame"]);
    let host = sandbox.host("dev").ssh(&format!("IdentityFile {}", key.display())).unknown().build();
    std::fs::copy(key.with_extension("pub"), host.dir.join("authorized_keys")).unwrap();
    host
}

#[test]
fn a_terminal_is_asked_and_shows_no_secret() {
    let sandbox = Sandbox::new();
    let host = wary(&sandbox);
    let terminal = Terminal::outpost(&sandbox, &["check", "dev"]);
    terminal.shows("Are you sure you want to continue connecting (yes/no/[fingerprint])?");
    terminal.type_text("yes");
    terminal.press(&["Enter"]);
    terminal.shows("Enter passphrase for key");
    terminal.type_text("open sesame");
    terminal.press(&["Enter"]);
    let screen = terminal.shows("[exit ");
    assert!(screen.contains("logged in"), "{screen}");
    for step in ["connected", "host key"] {
        let rows = screen.lines().filter(|line| line.trim_start().starts_with(&format!("✓ {step} "))).count();
        assert_eq!(rows, 1, "{step}: the second connection is no step of its own\n{screen}");
    }
    assert!(!screen.contains("sesame"), "{screen}");
    assert_eq!(host.logins(), 1);
    assert!(std::fs::read_to_string(sandbox.known_hosts()).unwrap().contains("ssh-ed25519"));
}

#[test]
fn ctrl_c_at_a_question_gives_the_terminal_back() {
    let sandbox = Sandbox::new();
    let host = wary(&sandbox);
    let terminal = Terminal::outpost(&sandbox, &["check", "dev"]);
    terminal.shows("Are you sure you want to continue connecting");
    terminal.press(&["C-c"]);
    let screen = terminal.shows("[exit 130]");
    assert!(screen.contains("not ready"), "{screen}");
    // The echo is back: what is typed now is seen.
    terminal.type_text("visible again");
    terminal.shows("visible again");
    assert_eq!(host.logins(), 0);
}

#[test]
fn without_a_terminal_askpass_is_asked() {
    let sandbox = Sandbox::new();
    let host = wary(&sandbox);
    let log = sandbox.path().join("asked");
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$1\" >>{}\ncase $1 in *passphrase*) echo 'open sesame';; *) echo yes;; esac\n",
        log.display()
    );
    let program = sandbox.write("askpass", &text);
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = sandbox.outpost(&["check", "dev"]);
    command.env("SSH_ASKPASS", &program).env("SSH_ASKPASS_REQUIRE", "force");
    let ran = crate::bed::process::run(&mut command, b"");
    let asked = std::fs::read_to_string(&log).unwrap();
    assert!(asked.contains("continue connecting") && asked.contains("Enter passphrase for key"), "{asked}");
    assert_eq!(host.logins(), 1, "{}", ran.stderr);
}
