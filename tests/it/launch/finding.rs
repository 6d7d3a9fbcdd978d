//! Finding codex and folders, whatever the start-up files do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use outpost::config::hosts::HostSettings;
use outpost::demo::leftovers::end_processes;
use outpost::failure::Code;
use outpost::remote::{self, How, Limits, Stopped, Want};
use outpost::step::{Nobody, Progress, Step, Watch};

use super::{Lab, Told, upgrades};
use crate::bed::{Codex, native};
use crate::shells::{ECHO, attached, program, says_it_again};

#[tokio::test]
async fn folders_are_looked_at_before_a_server_is_started() {
    let lab = Lab::real(|host| host.rc("file", "")).await;
    for (folder, code) in [("none", Code::FolderMissing), ("~/file", Code::FolderNotDirectory)] {
        let failure = lab.refused(Want::server().in_folder(folder)).await;
        assert_eq!(failure.code, code, "{failure:?}");
    }
    assert!(lab.servers().is_empty());
    let odd = lab.host.home.join("it's a\n\"$folder\" ");
    std::fs::create_dir(&odd).unwrap();
    let remote = lab.up(Want::check().in_folder("it's a\n\"$folder\" ")).await.unwrap();
    assert_eq!(remote.facts.folder.as_deref(), odd.to_str());
}

#[tokio::test]
async fn field_26_a_slow_shell_is_told_and_costs_one_login() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        host.rc(".profile", "sleep 0.4").codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let told = Told::default();
    let mut want = attached();
    want.limits.slow = Duration::from_millis(300);
    let remote = remote::bring_up(&lab.session, &lab.settings, want, &told).await.unwrap();
    assert!(remote.facts.shell_took >= Duration::from_millis(400));
    let told = told.0.into_inner().unwrap().concat();
    assert!(told.starts_with("shell start-up took 0.") && told.contains("[shell-slow]"), "{told}");
    assert_eq!((lab.host.logins(), lab.host.sessions()), (1, 1));
}

#[tokio::test]
async fn field_26_a_shell_that_waits_for_ever_is_given_up() {
    let lab = Lab::build(|_, host| host.rc(".profile", "sleep 1000")).await;
    let mut want = attached();
    want.limits = Limits { shell: Duration::from_millis(500), ..want.limits };
    assert_eq!(lab.refused(want).await.code, Code::ShellTimeout);
    end_processes(lab.sandbox.path());
    // The same in a file that only an interactive shell reads, which is asked when the login shell knows no codex.
    let lab = Lab::build(|_, host| host.rc(".bashrc", "case $- in *i*) sleep 1000 ;; esac")).await;
    let mut want = attached();
    // Long enough for the login shell on a busy machine: the end of this wait is the end of the test.
    want.limits = Limits { shell: Duration::from_secs(12), ..want.limits };
    let failure = lab.refused(want).await;
    assert_eq!(failure.code, Code::ShellTimeout, "{failure:?}");
    assert!(failure.tried.contains("interactive shell") && failure.hint.contains("codex="), "{failure:?}");
    // Row 27: what bash says for want of a terminal is no news.
    assert_eq!(failure.said, "", "{failure:?}");
    end_processes(lab.sandbox.path());
}

#[tokio::test]
async fn field_28_known_places_are_offered() {
    let lab = Lab::build(|_, host| host).await;
    let place = lab.host.home.join(".nvm/versions/node/v22.1.0/bin");
    std::fs::create_dir_all(&place).unwrap();
    let path = place.join("codex");
    std::fs::write(&path, ECHO).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexMissing);
    assert!(failure.hint.contains(path.to_str().unwrap()), "{failure:?}");
    let settings = HostSettings { codex: Some("~/.nvm/versions/node/v22.1.0/bin/codex".into()), ..HostSettings::default() };
    says_it_again(remote::bring_up(&lab.session, &settings, attached(), &Nobody).await.unwrap()).await;
}

#[tokio::test]
async fn field_29_a_wrapper_without_its_node_is_named() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", "#!/usr/bin/env node\nthrow 1\n");
        let bin = codex.parent().unwrap().display();
        // Nothing but the wrapper is on this PATH; the programs of the script come from the usual places behind it.
        host.rc(".profile", &format!("PATH={bin}; export PATH"))
    })
    .await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexNoNode, "{failure:?}");
}

#[tokio::test]
async fn field_29_the_native_program_beside_a_wrapper_runs() {
    let package = native().ancestors().nth(4).unwrap().with_file_name("codex");
    let lab = Lab::build(|sandbox, host| {
        let bin = sandbox.write("bin/README", "").parent().unwrap().to_owned();
        std::os::unix::fs::symlink(package.join("bin/codex.js"), bin.join("codex")).unwrap();
        host.rc(".profile", &format!("PATH={}; export PATH", bin.display()))
    })
    .await;
    let remote = lab.up(Want::check()).await.unwrap();
    assert_eq!(Path::new(&remote.facts.runs).canonicalize().unwrap(), native().canonicalize().unwrap());
    assert_eq!(remote.facts.codex.unwrap().version.as_deref(), Some("0.169.0"));
}

#[tokio::test]
async fn field_30_every_codex_is_shown_with_its_version() {
    let lab = Lab::build(|sandbox, host| {
        let old = program(sandbox, "old/codex", &ECHO.replace("9.9.9", "0.1.0"));
        let new = program(sandbox, "new/codex", ECHO);
        let path = [old, new].map(|p| p.parent().unwrap().display().to_string()).join(":");
        host.rc(".profile", &format!("export PATH={path}:$PATH"))
    })
    .await;
    let facts = lab.up(Want::check()).await.unwrap().facts;
    let shown: Vec<_> = facts.candidates.iter().take(2).map(|c| c.version.as_deref()).collect();
    assert_eq!(shown, [Some("0.1.0"), Some("9.9.9")]);
    assert_eq!(facts.codex.unwrap().version.as_deref(), Some("0.1.0"));
}

#[tokio::test]
async fn field_31_a_path_is_a_path_under_fish() {
    let lab = Lab::real(|host| host.shell("/usr/bin/fish")).await;
    let facts = lab.up(Want::check()).await.unwrap().facts;
    // In its own words it is a list: "/usr/bin /bin".
    assert!(facts.path.split(':').any(|folder| folder == "/usr/bin") && !facts.path.contains(' '), "{}", facts.path);
}

/// CODEX_HOME as people set it, in the words of each shell: the server there has it, and its socket is there.
#[tokio::test]
async fn a_codex_home_of_the_start_up_files_is_the_servers() {
    let table = [
        ("/bin/bash", ".profile", "export CODEX_HOME=$HOME/mine"),
        ("/usr/bin/zsh", ".zshenv", "export CODEX_HOME=$HOME/mine"),
        ("/usr/bin/fish", ".config/fish/config.fish", "set -x CODEX_HOME $HOME/mine"),
        ("/usr/bin/tcsh", ".login", "setenv CODEX_HOME $HOME/mine"),
    ];
    for (shell, file, text) in table {
        let lab = Lab::real(|host| host.shell(shell).rc(file, text).rc("mine/config.toml", "")).await;
        let mine = lab.host.home.join("mine");
        let remote = lab.up(Want::server()).await.unwrap_or_else(|failure| panic!("{shell}: {failure:?}"));
        assert_eq!((remote.server.how, remote.facts.codex_home.as_str()), (How::Started, mine.to_str().unwrap()), "{shell}");
        assert!(mine.join("app-server-control/app-server-control.sock").exists() && !lab.socket().exists(), "{shell}");
        upgrades(remote).await;
        assert_eq!(remote::stop(&lab.session, &lab.settings, true, &Nobody).await.unwrap(), Stopped::Ours, "{shell}");
    }
}

#[tokio::test]
async fn field_46_a_folder_that_macos_guards_is_named() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        program(sandbox, "bin/uname", "#!/bin/sh\necho Darwin mac arm64\n");
        program(sandbox, "bin/ls", "#!/bin/sh\necho \"ls: $1: Operation not permitted\" >&2; exit 1\n");
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let failure = lab.refused(Want::server().in_folder("~")).await;
    assert_eq!(failure.code, Code::FolderGuarded);
    assert!(failure.hint.contains("Full Disk Access"), "{failure:?}");
}

#[tokio::test]
async fn a_start_up_file_that_eats_all_input_still_leads_to_the_server() {
    let lab = Lab::real(|host| host.rc(".bashrc", "cat >/dev/null")).await;
    let mut want = Want::server();
    want.limits.patience = Duration::from_millis(300);
    // A check starts nothing that stays, and tells the same.
    let check = Want { limits: want.limits, ..Want::check() };
    let checked = lab.up(check).await.unwrap();
    assert_eq!((checked.server.how, lab.socket().exists()), (How::Attached, false));
    upgrades(checked).await;
    let remote = lab.up(want).await.unwrap();
    assert_eq!(remote.server.how, How::Started);
    upgrades(remote).await;
}

/// Start-up files that end the shell, or put another in its place: codex may well be there, and that is said.
#[tokio::test]
async fn field_24_a_shell_that_is_ended_by_its_files_is_named_as_that() {
    let lab = Lab::build(|sandbox, host| {
        let codex = program(sandbox, "bin/codex", ECHO);
        host.rc(".profile", "exit 3").codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::ShellReplaced, "{failure:?}");
    assert!(failure.tried.contains("/bin/bash -l") && failure.hint.contains("[ -t 0 ] &&"), "{failure:?}");
    // The same where it is only the interactive shell that would know codex.
    let lab = Lab::build(|_, host| host.rc(".bashrc", "case $- in *i*) exec zsh ;; esac")).await;
    let failure = lab.refused(Want::server()).await;
    assert_eq!(failure.code, Code::CodexMissing, "{failure:?}");
    assert!(failure.said.contains("interactive start-up files") && failure.hint.contains("[ -t 0 ] &&"), "{failure:?}");
}

/// When the login shell had done its part.
#[derive(Default)]
struct ShellTook(std::sync::Mutex<Option<Duration>>);

impl Watch for ShellTook {
    fn progress(&self, progress: Progress) {
        if let Progress::Done { step: Step::LoginShell, took, .. } = progress {
            *self.0.lock().unwrap() = Some(took);
        }
    }
}

#[tokio::test]
async fn a_codex_that_takes_its_time_is_not_a_shell_that_eats_input() {
    let lab = Lab::build(|sandbox, host| {
        let real = native();
        let text = format!("#!/bin/sh\ncase $* in *--listen*) sleep 2;; esac\nexec '{}' \"$@\"\n", real.display());
        let codex = program(sandbox, "bin/codex", &text);
        host.codex(&Codex::in_folder(codex.parent().unwrap()))
    })
    .await;
    let (mut want, watch) = (Want::server(), ShellTook::default());
    want.limits.patience = Duration::from_secs(1);
    let remote = remote::bring_up(&lab.session, &lab.settings, want, &watch).await.unwrap();
    let shell_took = watch.0.lock().unwrap().unwrap();
    // On a machine as busy as that the shell looks like one that eats input.
    if shell_took < Duration::from_millis(900) {
        assert_eq!((remote.server.how, lab.host.sessions()), (How::Started, 1), "{}", lab.host.log());
    }
    upgrades(remote).await;
}

#[tokio::test]
async fn a_persons_own_way_in_is_gone_through() {
    for shell in ["/bin/bash", "/usr/bin/fish", "/usr/bin/tcsh", "/bin/dash"] {
        let mut lab = Lab::build(|sandbox, host| {
            let codex = program(sandbox, "bin/codex", ECHO);
            program(sandbox, "via", &format!("#!/bin/sh\nexport SHELL={shell} LAB_VIA=1\nexec {shell} -c \"$*\"\n"));
            host.codex(&Codex::in_folder(codex.parent().unwrap()))
        })
        .await;
        let via = lab.sandbox.path().join("via");
        lab.settings.run_through = vec![via.to_str().unwrap().to_owned()];
        let remote = lab.up(attached()).await.unwrap_or_else(|f| panic!("{shell}: {f:?}"));
        assert_eq!(remote.facts.shell, shell);
        says_it_again(remote).await;
    }
}

/// Alpine has these tools only, and no `ps -o lstart`; the script's own are looked up behind them.
#[tokio::test]
async fn field_47_busybox_tools_are_enough() {
    let lab = Lab::build(|sandbox, host| {
        let tools = sandbox.write("busybox/README", "links").parent().unwrap().to_owned();
        let applets = "ash awk base64 cat cksum cut dirname env grep head id ls mkdir mv readlink rm setsid sh sleep stat tail timeout tr uname";
        for applet in applets.split(' ') {
            std::os::unix::fs::symlink("/bin/busybox", tools.join(applet)).unwrap();
        }
        let path = format!("export PATH={}:{}", tools.display(), native().parent().unwrap().display());
        host.shell(tools.join("ash")).rc(".profile", &path)
    })
    .await;
    upgrades(lab.up(Want::server().in_folder("~")).await.unwrap()).await;
    let stopped = remote::stop(&lab.session, &lab.settings, false, &Nobody).await.unwrap();
    assert_eq!(stopped, Stopped::Ours);
}
