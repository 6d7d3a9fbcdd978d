//! What a failure says to do, done: the remedies that are commands are pasted into a shell, and what they were for is mended.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use outpost::demo::leftovers::end_processes;
use outpost::failure::{Code, Failure};
use outpost::remote::{How, Limits, Want};
use outpost::step::{Progress, Watch};

use super::codes::without_privileges;
use super::commands::run;
use super::{Lab, NO_MODEL};
use crate::bed::{Codex, process};
use crate::shells::{ECHO, attached, program};

/// The commands of a hint: what follows a colon on a line, or is all of it.
fn commands(hint: &str) -> Vec<String> {
    let command = |line: &str| {
        let start = line.find("outpost ").filter(|at| *at == 0 || line[..*at].ends_with(": "))?;
        Some(line[start..].split("  ").next().unwrap_or_default().to_owned())
    };
    hint.lines().filter_map(command).collect()
}

impl Lab {
    /// Pastes the commands of a failure that hold this word, and there must be one.
    fn pastes(&self, failure: &Failure, word: &str) {
        let failure = failure.clone().at("devbox");
        let found: Vec<String> = commands(&failure.hint).into_iter().filter(|command| command.contains(word)).collect();
        assert!(!found.is_empty() && !failure.hint.contains("ssh devbox"), "no {word}: {failure:?}");
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_outpost")).parent().unwrap();
        for command in found {
            let mut shell = Command::new("/bin/sh");
            self.sandbox.clean(&mut shell);
            shell.args(["-c", &format!("PATH={}:$PATH; {command}", program.display())]);
            let ran = tokio::task::block_in_place(|| process::run(&mut shell, b""));
            assert_eq!(ran.status, 0, "{command}: {ran:?}");
        }
    }

    /// The settings as the commands that were pasted have left them.
    fn settings_again(&mut self) {
        let settings = outpost::config::hosts::load(&self.sandbox.local()).unwrap();
        self.settings = settings.settings(&"devbox".parse().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_codex_that_runs_is_put_on_the_path() {
    for (shell, file) in [
        ("/bin/bash", ".bash_login"),
        ("/bin/bash", ".profile"),
        ("/usr/bin/zsh", ".zprofile"),
        ("/usr/bin/fish", ".config/fish/config.fish"),
        ("/usr/bin/tcsh", ".login"),
    ] {
        let old = ECHO.replace("9.9.9", "9.9.8");
        let mut lab = Lab::build(|_, host| {
            let host = host.rc(file, "").rc(".local/bin/codex", "#!/bin/sh\nexit 1\n").rc("bin/codex", &old);
            host.rc(".bun/bin/codex", ECHO).shell(shell)
        })
        .await;
        for codex in [".local/bin/codex", "bin/codex", ".bun/bin/codex"] {
            let path = lab.host.home.join(codex);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let newest = lab.host.home.join(".bun/bin/codex");
        let failure = lab.refused(attached()).await;
        assert_eq!(failure.code, Code::CodexMissing, "{failure:?}");
        assert!(failure.hint.contains("/.local/bin/codex (does not run)"), "{failure:?}");
        lab.pastes(&failure, "shell devbox");
        assert_eq!(lab.up(attached()).await.unwrap().facts.runs, newest.to_str().unwrap(), "{shell}");
        lab.pastes(&failure, "hosts set");
        lab.settings_again();
        assert_eq!(lab.settings.codex.as_deref(), newest.to_str());
        let mut inside = attached();
        inside.versions = true;
        let facts = lab.up(inside).await.unwrap().facts;
        assert!(facts.codex.unwrap().path.ends_with(".bun/bin/codex"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_home_that_is_no_folder_is_made_one() {
    let mut lab = Lab::real(|host| host.rc("it's/a file", "").rc("via", "#!/bin/sh\nVIA=1 exec \"$@\"\n")).await;
    let via = lab.host.home.join("via");
    std::fs::set_permissions(&via, std::fs::Permissions::from_mode(0o755)).unwrap();
    for through in [vec![], vec![via.to_str().unwrap()]] {
        run(&lab.sandbox, &["hosts", "set", "devbox", "codex_home=~/it's/a file", &format!("run_through={}", through.join(" "))])
            .exits(0);
        lab.settings_again();
        let home = lab.host.home.join("it's/a file");
        std::fs::remove_dir_all(&home).ok();
        std::fs::write(&home, "").unwrap();
        let failure = lab.refused(Want::server()).await;
        assert!(failure.code == Code::CodexHomeMissing && failure.said.contains("is a file"), "{failure:?}");
        lab.pastes(&failure, " mv ");
        assert!(home.with_file_name("a file.old").exists());
        let failure = lab.refused(Want::server()).await;
        assert!(failure.code == Code::CodexHomeMissing && failure.said.contains("not exist"), "{failure:?}");
        lab.pastes(&failure, "mkdir");
        assert!(home.is_dir());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_of_the_socket_is_gone_after_it() {
    let lab = Lab::real(|host| host).await;
    let control = lab.codex_home().join("app-server-control");
    // A folder of ours that is open to others.
    let elsewhere = lab.sandbox.path().join("else where");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::create_dir_all(&control).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("sock"), lab.socket()).unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o755)).unwrap();
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::SocketForeign);
    lab.pastes(&failure, "chmod 700");
    // A file where the folder should be.
    std::fs::remove_dir_all(&control).unwrap();
    std::fs::write(&control, "").unwrap();
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::SocketRefused);
    lab.pastes(&failure, "rm -r");
    assert_eq!(lab.how().await, How::Started);
    // The record of a host that is gone.
    let (record, link) = (std::fs::read_to_string(lab.record()).unwrap(), std::fs::read_link(lab.socket()).unwrap());
    let other = lab.record().with_file_name("server@gone");
    run(&lab.sandbox, &["stop", "devbox"]).exits(0);
    std::fs::create_dir_all(&control).unwrap();
    std::fs::remove_file(lab.socket()).ok();
    std::os::unix::fs::symlink(link, lab.socket()).unwrap();
    std::fs::write(&other, record.replace("machine=", "machine=f").replace("boot=", "boot=f")).unwrap();
    let failure = lab.refused(Want::server()).await;
    assert!(failure.code == Code::ServerElsewhere && failure.said.contains("record"), "{failure:?}");
    lab.pastes(&failure, " rm ");
    assert_eq!(lab.how().await, How::Started);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_takes_nothing_is_named_by_check_too() {
    let lab = Lab::real(without_privileges).await;
    std::fs::set_permissions(lab.codex_home(), std::fs::Permissions::from_mode(0o500)).unwrap();
    for want in [Want::server(), Want::check()] {
        let failure = lab.refused(want).await;
        assert_eq!(failure.code, Code::HomeNotWritable, "{failure:?}");
        lab.pastes(&failure, "shell devbox");
    }
    std::fs::set_permissions(lab.codex_home(), std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// It fails, waits for ever, or takes our shell for something of its own: that is none of the account's shell, and not Windows.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_through_that_does_not_run_our_script_is_named_as_that() {
    let mut lab = Lab::build(|sandbox, host| {
        program(sandbox, "via", "#!/bin/sh\necho \"Error: unknown command 'sh'\" >&2\nexit 1\n");
        program(sandbox, "waits", "#!/bin/sh\nexec sleep 1000\n");
        host.codex(&Codex::real(NO_MODEL))
    })
    .await;
    let [via, waits] = ["via", "waits"].map(|name| lab.sandbox.path().join(name).to_str().unwrap().to_owned());
    for (through, words) in
        [(vec![via], "unknown command 'sh'"), (vec![waits], "within 2 s"), (vec!["false".into()], "(exit code 1)")]
    {
        lab.settings.run_through = through;
        let mut want = attached();
        want.limits = Limits { shell: Duration::from_secs(2), ..want.limits };
        let failure = lab.refused(want).await;
        assert!(failure.code == Code::RunThroughFailed && failure.said.contains(words), "{failure:?}");
        lab.pastes(&failure, "run_through=");
    }
    end_processes(lab.sandbox.path());
}

/// People export variables of any name, and the server gets them as they are.
#[tokio::test(flavor = "multi_thread")]
async fn variables_of_the_person_are_not_ours() {
    let names = ["m", "s", "name", "user", "home", "go", "each", "words", "socket", "status", "line", "machine", "codex", "want"];
    let lines: Vec<String> = names.iter().map(|name| format!("export {name}='of the person'")).collect();
    for (shell, file, every) in [("/bin/bash", ".profile", ".bashrc"), ("/usr/bin/zsh", ".zprofile", ".zshenv")] {
        // In zsh `status` cannot be set.
        let text = lines.join("\n").replace(if shell.ends_with("zsh") { "export status=" } else { "\0" }, ": ");
        let mut lab = Lab::real(|host| host.rc(file, &text).rc(every, &text).shell(shell)).await;
        lab.settings.env = [("m".to_owned(), "zz".to_owned()), ("odd".to_owned(), "a'b\nc".to_owned())].into_iter().collect();
        assert_eq!(lab.how().await, How::Started);
        let environ = std::fs::read_to_string(format!("/proc/{}/environ", lab.pid())).unwrap();
        let has = |name: &str, value: &str| environ.split('\0').any(|pair| pair == format!("{name}={value}"));
        assert!(has("m", "zz") && has("odd", "a'b\nc"), "{environ}");
        for name in names.iter().filter(|name| **name != "m" && (**name != "status" || shell.ends_with("bash"))) {
            assert!(has(name, "of the person"), "{shell} {name}: {environ}");
        }
    }
}

/// Where only a command line is left, variables that may be secrets are not put there.
#[tokio::test]
async fn variables_of_the_settings_are_not_put_on_a_command_line() {
    let mut lab = Lab::real(|host| host.rc(".bashrc", "cat >/dev/null")).await;
    lab.settings.env = [("TOKEN".to_owned(), "s3cret".to_owned())].into_iter().collect();
    let mut want = Want::server();
    want.limits.patience = Duration::from_millis(300);
    let failure = lab.refused(want).await;
    assert!(failure.code == Code::ShellReadsInput && failure.said.contains("command line"), "{failure:?}");
    assert!(failure.hint.contains("[ -t 0 ] &&") && lab.servers().is_empty(), "{failure:?}");
}

#[tokio::test]
async fn field_45_a_shell_of_posix_on_windows_is_windows() {
    for name in ["MINGW64_NT-10.0-19045", "MSYS_NT-10.0", "CYGWIN_NT-10.0"] {
        let lab = Lab::build(|sandbox, host| {
            let codex = program(sandbox, "bin/codex", ECHO);
            program(sandbox, "bin/uname", &format!("#!/bin/sh\necho {name} box x86_64\n"));
            host.codex(&Codex::in_folder(codex.parent().unwrap()))
        })
        .await;
        let failure = lab.refused(attached()).await;
        assert!(failure.code == Code::WindowsHost && failure.said.contains(name), "{failure:?}");
    }
}

/// The lines of a trace are those of the start-up file.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_shell_is_traced_in_its_own_way() {
    for (shell, file) in [("/bin/bash", ".profile"), ("/usr/bin/fish", ".config/fish/config.fish"), ("/usr/bin/tcsh", ".login")] {
        let lab = Lab::build(|_, host| {
            host.rc(file, "sleep 0.31").codex(&Codex::in_folder(std::path::Path::new("/none"))).shell(shell)
        })
        .await;
        std::fs::write(lab.host.home.join(file), "sleep 0.31\n").unwrap();
        let told = Told::default();
        let mut want = attached();
        want.limits = Limits { slow: Duration::from_millis(300), ..want.limits };
        drop(outpost::remote::bring_up(&lab.session, &lab.settings, want, &told).await);
        let hint = outpost::failure::naming(&told.0.into_inner().unwrap(), "devbox");
        let command = commands(&hint).pop().unwrap_or_else(|| panic!("{shell}: {hint}"));
        let words = process::run(Command::new("/bin/sh").args(["-c", &format!("printf '%s\\n' {command}")]), b"").exits(0).stdout;
        let words: Vec<&str> = words.lines().skip(1).collect();
        let ran = run(&lab.sandbox, &words);
        assert!(ran.status == 0 && ran.stderr.contains("sleep 0.31") || ran.stdout.contains("sleep 0.31"), "{words:?} {ran:?}");
    }
}

/// Keeps the hint of a slow shell.
#[derive(Default)]
struct Told(std::sync::Mutex<String>);

impl Watch for Told {
    fn progress(&self, progress: Progress) {
        if let Progress::Warning { code: Some(Code::ShellSlow), hint, .. } = progress {
            *self.0.lock().unwrap() = hint;
        }
    }
}
