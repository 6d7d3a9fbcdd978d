//! `outpost install`, each way: with the real npm, with an archive of the layout that Codex's releases have, by upload.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use outpost::demo::leftovers::end_processes;
use serde_json::json;

use super::commands::run;
use super::{Lab, NO_MODEL};
use crate::bed::files::Files;
use crate::bed::{NewHost, Ran, Sandbox, Terminal, alive, native, process, until};
use crate::shells::{ECHO, program};

const TARGET: &str = if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-musl" } else { "x86_64-unknown-linux-musl" };
/// In the home of the host.
const LINK: &str = ".local/bin/codex";
const ON_PATH: &str = "export PATH=$HOME/.local/bin:$PATH";

/// In CODEX_HOME of the host.
const LOCK: &str = "outpost/installing";

/// A script that goes for the real codex: a copy of that would be 400 MB.
fn real() -> String {
    format!("#!/bin/sh\nexec {} \"$@\"\n", native().display())
}

/// A folder as Codex's packages have it: `vendor/TARGET` of the npm package, and what a standalone archive holds.
fn package(sandbox: &Sandbox, name: &str, codex: &str) -> PathBuf {
    let folder = format!("{name}/vendor/{TARGET}");
    sandbox.write(&format!("{folder}/codex-package.json"), r#"{"layoutVersion":1,"entrypoint":"bin/codex"}"#);
    program(sandbox, &format!("{folder}/codex-path/rg"), "#!/bin/sh\n");
    program(sandbox, &format!("{folder}/bin/codex-code-mode-host"), "#!/bin/sh\n");
    let codex = program(sandbox, &format!("{folder}/bin/codex"), codex);
    codex.ancestors().nth(2).unwrap().to_owned()
}

fn tar(folder: &Path, inside: &str) -> Vec<u8> {
    let output = Command::new("tar").arg("-C").arg(folder).args(["-czf", "-", inside]).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn asset() -> String {
    format!("codex-package-{TARGET}.tar.gz")
}

fn digest(bytes: &[u8]) -> String {
    let ran = process::run(&mut Command::new("sha256sum"), bytes).exits(0);
    ran.stdout.split(' ').next().unwrap().to_owned()
}

/// A place with a standalone archive, whose list of checksums names this digest.
async fn archives(archive: Vec<u8>, digest: &str) -> Files {
    let sums = format!("0123  codex-package-other.tar.gz\n{digest}  {}\n", asset());
    let files = [("/codex-package_SHA256SUMS".to_owned(), sums.into_bytes()), (format!("/{}", asset()), archive)];
    Files::serve(|_| HashMap::from(files)).await
}

/// A host on which codex will be found once it is installed, and no npm.
async fn bare(more: impl for<'a> FnOnce(NewHost<'a>) -> NewHost<'a>) -> Lab {
    let config = outpost::demo::model::codex_config(NO_MODEL);
    Lab::build(|sandbox, host| {
        program(sandbox, "no-npm/npm", "#!/bin/sh\nexit 1\n");
        let path = format!("{ON_PATH}\nPATH={}/no-npm:$PATH", sandbox.path().display());
        more(host.rc(".profile", &path).rc(".codex/config.toml", &config))
    })
    .await
}

impl Lab {
    fn link(&self) -> PathBuf {
        self.host.home.join(LINK)
    }

    async fn install(&self, args: &[&str]) -> Ran {
        let all = [&["install", "devbox"], args].concat();
        tokio::task::block_in_place(|| self.sandbox.run(&all))
    }

    /// Nothing half is left of an installation.
    fn is_clean(&self) -> bool {
        let names = |folder: PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        names(self.codex_home().join("outpost")).iter().all(|name| !name.starts_with("install."))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_is_installed_from_the_standalone_archive() {
    let lab = bare(|host| host).await;
    let archive = tar(&package(&lab.sandbox, "release", &real()), ".");
    let files = archives(archive.clone(), &digest(&archive)).await;
    let asked = lab.install(&["--mirror", &files.base]).await;
    assert!(
        asked.status == 2 && asked.stderr.contains("devbox: ask before") && asked.stderr.contains("devbox --yes"),
        "{asked:?}"
    );
    assert!(!lab.link().exists());
    for _ in 0..2 {
        let ran = lab.install(&["--mirror", &files.base, "--yes"]).await.exits(0);
        assert_eq!(ran.stdout, format!("devbox: 0.169.0, {}\n", lab.link().display()), "{}", ran.stderr);
        assert!(lab.is_clean());
    }
    // As Codex's own installer leaves it: `codex update` goes on from there.
    let standalone = lab.codex_home().join("packages/standalone");
    let current = std::fs::read_link(standalone.join("current")).unwrap();
    assert_eq!(current, standalone.join(format!("releases/0.169.0-{TARGET}")));
    assert_eq!(std::fs::read_link(lab.link()).unwrap(), standalone.join("current/bin/codex"));
    // Another release takes its place.
    let archive = tar(&package(&lab.sandbox, "next", ECHO), ".");
    let files = archives(archive.clone(), &digest(&archive)).await;
    let ran = lab.install(&["--mirror", &files.base, "--yes", "--from", "standalone"]).await.exits(0);
    assert_eq!(ran.stdout, format!("devbox: 9.9.9, {}\n", lab.link().display()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_leaves_nothing_half() {
    let lab = bare(|host| host).await;
    let good = tar(&package(&lab.sandbox, "release", ECHO), ".");
    let broken = tar(&package(&lab.sandbox, "broken", "#!/bin/sh\necho no libc >&2; exit 127\n"), ".");
    let empty = tar(lab.sandbox.write("empty/README", "x").parent().unwrap(), ".");
    let cut = good[..good.len() / 2].to_vec();
    let table = [
        (good.clone(), "0123".to_owned(), "is not the one of the list"),
        (cut.clone(), digest(&cut), "unexpected end"),
        (empty.clone(), digest(&empty), "there is no codex in the archive"),
        (broken.clone(), digest(&broken), "no libc"),
    ];
    for (archive, digest, words) in table {
        let files = archives(archive, &digest).await;
        let ran = lab.install(&["--mirror", &files.base, "--yes", "--from", "standalone"]).await.exits(6);
        assert!(ran.stderr.contains("error[install-failed]") && ran.stderr.contains(words), "{}", ran.stderr);
        assert!(lab.is_clean() && !lab.link().exists() && !lab.codex_home().join("packages/standalone/current").exists());
    }
    // What a person put there is not replaced.
    std::fs::create_dir_all(lab.link().parent().unwrap()).unwrap();
    std::fs::write(lab.link(), "mine").unwrap();
    let files = archives(good.clone(), &digest(&good)).await;
    let ran = lab.install(&["--mirror", &files.base, "--yes", "--from", "standalone"]).await.exits(6);
    assert!(ran.stderr.contains("already") && lab.is_clean(), "{}", ran.stderr);
    // No way at all: each is told.
    let nowhere = Files::serve(|_| HashMap::new()).await;
    let mut command = lab.sandbox.outpost(&["install", "devbox", "--yes", "--mirror", &nowhere.base]);
    let ran = tokio::task::block_in_place(|| process::run(command.env("PATH", "/usr/bin:/bin"), b"")).exits(6);
    for words in ["npm: it said nothing", "404", "upload: find a codex on this machine", "--archive FILE"] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_codex_of_this_machine_is_uploaded() {
    let lab = bare(|host| host).await;
    let here = package(&lab.sandbox, "npm", ECHO).join("bin");
    let install = |more: &[&str]| {
        let mut command = lab.sandbox.outpost(&[&["install", "devbox", "--yes"], more].concat());
        let command = command.env("PATH", format!("{}:/usr/bin:/bin", here.display()));
        tokio::task::block_in_place(|| process::run(command, b""))
    };
    // A host that reaches neither a registry nor the archives.
    let nowhere = Files::serve(|_| HashMap::new()).await;
    let said = install(&["--mirror", &nowhere.base]).exits(0).stdout;
    assert_eq!(said, format!("devbox: 9.9.9, {}\n", lab.link().display()));
    assert!(std::fs::read_link(lab.link()).unwrap().ends_with("packages/standalone/current/bin/codex") && lab.is_clean());
    let other = asset().replace("linux-musl", "hurd");
    let archive = tar(&package(&lab.sandbox, "file", &ECHO.replace("9.9.9", "9.9.10")), ".");
    for (name, code) in [(asset(), 0), (other, 6)] {
        let file = lab.sandbox.path().join(name);
        std::fs::write(&file, &archive).unwrap();
        let ran = install(&["--archive", file.to_str().unwrap()]).exits(code);
        assert!(code == 6 || ran.stdout.starts_with("devbox: 9.9.10, "), "{ran:?}");
    }
    assert!(lab.is_clean());
}

/// The tiny part of a registry that `npm install` asks for; who asks for the package itself waits at a gate, when there is one.
async fn registry(sandbox: &Sandbox, codex: &str, gate: bool) -> Files {
    let folder =
        sandbox.write("pack/package/package.json", r#"{"name":"@openai/codex","version":"0.169.0","bin":{"codex":"bin/codex"}}"#);
    program(sandbox, "pack/package/bin/codex", codex);
    let tarball = tar(folder.ancestors().nth(2).unwrap(), "package");
    Files::serve_behind_a_gate(if gate { "/codex.tgz" } else { "" }, |base| {
        let dist = json!({ "tarball": format!("{base}/codex.tgz"), "fileCount": 2 });
        let version = json!({ "name": "@openai/codex", "version": "0.169.0", "bin": { "codex": "bin/codex" }, "dist": dist });
        let whole = json!({ "name": "@openai/codex", "dist-tags": { "latest": "0.169.0" }, "versions": { "0.169.0": version } });
        HashMap::from([("/@openai%2fcodex".to_owned(), whole.to_string().into_bytes()), ("/codex.tgz".to_owned(), tarball)])
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_is_installed_by_the_real_npm() {
    let config = outpost::demo::model::codex_config(NO_MODEL);
    let lab = Lab::build(|_, host| host.rc(".codex/config.toml", &config)).await;
    let prefix = lab.host.home.join("npm-of-mine");
    let good = registry(&lab.sandbox, &real(), false).await;
    let set = |setting: String| run(&lab.sandbox, &["hosts", "set", "devbox", &setting]).exits(0);
    set(format!("env.npm_config_prefix={}", prefix.display()));
    set(format!("env.npm_config_registry={}", good.base));
    // No PATH leads there: the host's settings do, and that is told.
    let ran = lab.install(&["--yes"]).await.exits(0);
    let codex = prefix.join("bin/codex");
    assert_eq!(ran.stdout, format!("devbox: 0.169.0, {}\n", codex.display()), "{}", ran.stderr);
    assert!(ran.stderr.contains("outpost hosts set devbox codex= undoes that"), "{}", ran.stderr);
    let hosts = std::fs::read_to_string(lab.sandbox.codex_home().join("outpost/hosts.toml")).unwrap();
    assert!(hosts.contains(&format!("codex = \"{}\"", codex.display())), "{hosts}");
    // An npm that fails: its words, and the codex that was there is as it was.
    let nowhere = Files::serve(|_| HashMap::new()).await;
    set(format!("env.npm_config_registry={}", nowhere.base));
    let ran = lab.install(&["--yes", "--from", "npm"]).await.exits(6);
    assert!(ran.stderr.contains("error[install-failed]") && ran.stderr.contains("404"), "{}", ran.stderr);
    assert!(codex.exists());
}

/// What is installed is used, whatever stands first on the PATH and is the reason for installing it.
#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_cannot_be_used_is_gone_round_by_the_one_that_was_installed() {
    let too_old = "#!/bin/sh\ncase $* in --version) echo codex-cli 0.20.0 ;; *) echo 'Usage: codex [OPTIONS]' ;; esac\n";
    let table =
        [("codex-no-node", "#!/usr/bin/env node\n"), ("codex-broken", "#!/bin/sh\nexit 127\n"), ("codex-too-old", too_old)];
    for (code, text) in table {
        let config = outpost::demo::model::codex_config(NO_MODEL);
        let lab = Lab::build(|sandbox, host| {
            let folder = program(sandbox, "first/codex", text).parent().unwrap().display().to_string();
            host.rc(".profile", &format!("PATH={folder}")).rc(".codex/config.toml", &config)
        })
        .await;
        let archive = tar(&package(&lab.sandbox, "release", ECHO), ".");
        let files = archives(archive.clone(), &digest(&archive)).await;
        let ran = lab.install(&["--mirror", &files.base, "--yes", "--from", "standalone"]).await.exits(0);
        assert_eq!(ran.stdout, format!("devbox: 9.9.9, {}\n", lab.link().display()), "{code}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("one that cannot be used ({code}); from here")), "{}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_and_may_say_no() {
    let lab = bare(|host| host).await;
    let archive = tar(&package(&lab.sandbox, "release", ECHO), ".");
    let files = archives(archive.clone(), &digest(&archive)).await;
    for (key, words) in [("n", "nothing was done"), ("y", "devbox: 9.9.9, ")] {
        let terminal = Terminal::outpost(&lab.sandbox, &["install", "devbox", "--mirror", &files.base]);
        tokio::task::block_in_place(|| {
            let screen = terminal.shows("[y/N]");
            assert!(screen.contains("fetch codex from"), "{screen}");
            terminal.press(&[key, "Enter"]);
            terminal.shows(words);
        });
        assert_eq!(lab.link().exists(), key == "y");
    }
}

/// A host with the real npm, whose registry is this one.
async fn with_npm(registry: &str) -> Lab {
    let config = outpost::demo::model::codex_config(NO_MODEL);
    let lab = Lab::build(|_, host| host.rc(".profile", ON_PATH).rc(".codex/config.toml", &config)).await;
    lab.asks_registry(registry);
    lab
}

impl Lab {
    fn asks_registry(&self, registry: &str) {
        let prefix = self.host.home.join(".local");
        let settings = [format!("env.npm_config_prefix={}", prefix.display()), format!("env.npm_config_registry={registry}")];
        run(&self.sandbox, &["hosts", "set", "devbox", &settings[0], &settings[1]]).exits(0);
    }

    /// Codex works there, and nothing of an installation is left.
    fn is_installed(&self) {
        let output = Command::new(self.link()).arg("--version").output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"codex-cli "), "{output:?}");
        assert!(self.is_clean() && self.codex_home().join(LOCK).symlink_metadata().is_err());
    }
}

/// Without a network npm would try for minutes: the next way is taken, and each error names what was tried.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_out_of_reach_leads_to_the_next_way() {
    // Takes connections, and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let swallows = format!("http://{}", silent.local_addr().unwrap());
    let lab = with_npm(&swallows).await;
    let archive = tar(&package(&lab.sandbox, "release", ECHO), ".");
    let files = archives(archive.clone(), &digest(&archive)).await;
    for (registry, words) in [(swallows.as_str(), "network timeout"), ("http://127.0.0.1:9", "ECONNREFUSED")] {
        lab.asks_registry(registry);
        let ran = lab.install(&["--yes", "--from", "npm"]).await.exits(6);
        assert!(ran.stderr.contains("error[install-failed]") && ran.stderr.contains(words), "{}", ran.stderr);
        let mut nothing = lab.sandbox.outpost(&["install", "devbox", "--yes", "--mirror", registry]);
        let ran = tokio::task::block_in_place(|| process::run(nothing.env("PATH", "/usr/bin:/bin"), b"")).exits(6);
        for tried in ["npm: ", words, "standalone archive: ", "upload: find a codex on this machine"] {
            assert!(ran.stderr.contains(tried), "{tried}: {}", ran.stderr);
        }
        let ran = lab.install(&["--yes", "--mirror", &files.base]).await.exits(0);
        assert_eq!(ran.stdout, format!("devbox: 9.9.9, {}\n", lab.link().display()));
        assert!(ran.stderr.contains("note: its npm cannot be used: ") && ran.stderr.contains(words), "{}", ran.stderr);
        lab.is_installed();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_at_once_leave_one_codex_that_works() {
    let sandbox = Sandbox::new();
    let good = registry(&sandbox, ECHO, false).await;
    let lab = with_npm(&good.base).await;
    let archive = tar(&package(&lab.sandbox, "release", ECHO), ".");
    let files = archives(archive.clone(), &digest(&archive)).await;
    let file = lab.sandbox.path().join(asset());
    std::fs::write(&file, &archive).unwrap();
    let standalone = ["--yes", "--mirror", &files.base, "--from", "standalone"];
    let upload = ["--yes", "--archive", file.to_str().unwrap()];
    let npm = ["--yes", "--from", "npm"];
    // By npm first: it does not take the place of a link that is not its own.
    let by_npm = [[&npm[..], &npm[..]]; 4];
    let others = [[&standalone[..], &standalone[..]], [&upload, &upload], [&standalone, &upload], [&upload, &standalone]];
    for pair in by_npm.into_iter().chain(others) {
        let all = |args: &[&str]| lab.sandbox.run(&[&["install", "devbox"], args].concat());
        let ran = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| pair.map(|args| scope.spawn(move || all(args))).map(|thread| thread.join().unwrap()))
        });
        assert!(ran.iter().any(|ran| ran.status == 0), "{ran:?}");
        for ran in ran {
            assert!(ran.status == 0 || ran.status == 6 && ran.stderr.contains("error[install-running]"), "{ran:?}");
        }
        lab.is_installed();
    }
}

/// One that is at work is not disturbed; one that was killed holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn an_installation_at_work_is_named_and_a_dead_one_is_cleared_away() {
    let sandbox = Sandbox::new();
    let slow = registry(&sandbox, ECHO, true).await;
    let lab = with_npm(&slow.base).await;
    let archive = tar(&package(&lab.sandbox, "release", ECHO), ".");
    let file = lab.sandbox.path().join(asset());
    std::fs::write(&file, &archive).unwrap();
    let first = |lab: &Lab| lab.sandbox.outpost(&["install", "devbox", "--yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let at_work = first(&lab);
    slow.reached().await;
    for second in [&["--yes"][..], &["--yes", "--archive", file.to_str().unwrap()]] {
        let ran = lab.install(second).await.exits(6);
        assert!(ran.stderr.contains("error[install-running]") && ran.stderr.contains("outpost check devbox"), "{}", ran.stderr);
    }
    slow.open();
    let done = at_work.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    lab.is_installed();
    // Everything of an installation is killed in the midst of it.
    std::fs::remove_file(lab.link()).unwrap();
    let slow = registry(&sandbox, ECHO, true).await;
    lab.asks_registry(&slow.base);
    let mut killed = first(&lab);
    slow.reached().await;
    end_processes(lab.sandbox.path());
    killed.wait().unwrap();
    let lock = std::fs::read_link(lab.codex_home().join(LOCK)).unwrap();
    let pid = lock.to_str().unwrap().split('|').next().unwrap().parse().unwrap();
    until("the end of the installation", || !alive(pid));
    let half = lab.codex_home().join("outpost/install.half");
    std::fs::create_dir(&half).unwrap();
    std::os::unix::fs::symlink(&lock, half.join("filling")).unwrap();
    let _ = std::fs::remove_file(lab.link());
    lab.install(&["--yes", "--archive", file.to_str().unwrap()]).await.exits(0);
    lab.is_installed();
}

/// Whatever an npm says of where it installs, the question comes to an end.
#[tokio::test(flavor = "multi_thread")]
async fn an_npm_that_installs_nowhere_is_given_a_place() {
    let lab = bare(|host| host).await;
    for prefix in ["", "npm-global", "/dev/null/x"] {
        let text = format!("case $* in 'prefix -g') echo '{prefix}' ;; install*) echo \"$*\"; exit 1 ;; *) echo 0.169.0 ;; esac");
        program(&lab.sandbox, "no-npm/npm", &format!("#!/bin/sh\n{text}\n"));
        let ran = lab.install(&["--from", "npm", "--yes"]).await.exits(6);
        assert!(ran.stderr.contains(&format!("--prefix {}/.local @openai", lab.host.home.display())), "{prefix}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_the_place_of_codex_is_moved_away_as_the_hint_says() {
    let lab = bare(|host| host.rc(LINK, "mine")).await;
    let archive = tar(&package(&lab.sandbox, "release", &real()), ".");
    let file = lab.sandbox.path().join(asset());
    std::fs::write(&file, archive).unwrap();
    let args = ["--archive", file.to_str().unwrap(), "--yes"];
    let failed = lab.install(&args).await.exits(6);
    let hint = format!("outpost shell devbox mv {0} {0}.old", lab.link().display());
    assert!(failed.stderr.contains(&hint) && !failed.stderr.contains("--from local"), "{failed:?}");
    std::fs::rename(lab.link(), lab.link().with_extension("old")).unwrap();
    lab.install(&args).await.exits(0);
    // What was just tried is not offered.
    std::fs::write(&file, "no archive").unwrap();
    let failed = lab.install(&args).await.exits(6);
    assert!(failed.stderr.contains("install-failed") && !failed.stderr.contains("--from local"), "{failed:?}");
}
