//! The places where people have codex, and the ways in which a host's `/bin/sh` differs.

use std::os::unix::fs::PermissionsExt;

use outpost::failure::Code;
use outpost::remote::{self, How, Stopped, Want};
use outpost::step::Nobody;

use super::{Lab, upgrades};
use crate::bed::process::on_host;
use crate::bed::{Codex, until};
use crate::shells::{ECHO, program};

/// Where version managers and installers put it, below the home folder.
const PLACES: &[(&str, &str)] = &[
    ("nvm", ".nvm/versions/node/v22.1.0/bin/codex"),
    ("fnm", ".local/share/fnm/node-versions/v22.1.0/installation/bin/codex"),
    ("volta", ".volta/bin/codex"),
    ("asdf", ".asdf/shims/codex"),
    ("asdf, installed", ".asdf/installs/nodejs/22.1.0/bin/codex"),
    ("mise", ".local/share/mise/shims/codex"),
    ("mise, installed", ".local/share/mise/installs/npm-openai-codex/1.0/bin/codex"),
    ("bun", ".bun/bin/codex"),
    ("npm prefix of .npmrc", "npm-of-mine/bin/codex"),
    ("Homebrew", "brew/bin/codex"),
    ("standalone", ".codex/packages/standalone/current/bin/codex"),
    ("~/.local/bin", ".local/bin/codex"),
    ("pnpm", ".local/share/pnpm/codex"),
];

#[tokio::test]
async fn field_28_each_place_is_offered_with_path_and_version() {
    let lab = Lab::build(|_, host| {
        host.rc(".npmrc", "fund=false\nprefix = ${HOME}/npm-of-mine").rc(".profile", "export HOMEBREW_PREFIX=$HOME/brew")
    })
    .await;
    for (name, place) in PLACES {
        let path = lab.host.home.join(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, ECHO).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let failure = lab.refused(Want::server()).await;
        assert_eq!(failure.code, Code::CodexMissing, "{name}");
        let offered = format!("found elsewhere: {} (9.9.9)", path.display());
        assert!(failure.hint.starts_with(&offered), "{name}: {failure:?}");
        assert!(failure.hint.contains(&format!("outpost hosts set HOST codex={}", path.display())), "{name}: {failure:?}");
        std::fs::remove_file(&path).unwrap();
    }
}

/// A host whose `/bin/sh` is this program.
async fn with_sh(program_of_sh: &str) -> Lab {
    Lab::build(|sandbox, host| {
        let inside = format!("mount --bind {program_of_sh} /bin/sh && exec /bin/bash \"$@\"");
        let may = if nix::unistd::getuid().is_root() { "" } else { "r" };
        let text = format!("#!/bin/bash\nexport SHELL=/bin/bash\nexec unshare -m{may} /bin/bash -c '{inside}' bash \"$@\"\n");
        let shell = program(sandbox, "shells/bash", &text);
        host.shell(shell).codex(&Codex::real(super::NO_MODEL))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sh_of_a_host_will_do() {
    let all = ["/bin/dash", "/usr/bin/yash", "/bin/bash", "/bin/busybox", "/usr/bin/mksh", "/usr/bin/ksh93"];
    futures_util::future::join_all(all.map(|sh| async move {
        let lab = with_sh(sh).await;
        let first = lab.up(Want::server().in_folder("~")).await.unwrap_or_else(|failure| panic!("{sh}: {failure:?}"));
        assert_eq!(first.server.how, How::Started, "{sh}");
        upgrades(first).await;
        // Whoever waits to see the server outlive the session sees it, and is gone then.
        let (survived, watch) = (lab.record().with_extension("survived"), lab.record().with_extension("watch"));
        let seen = || survived.exists() && !watch.exists() && on_host(&lab.sandbox, "cat").is_empty();
        tokio::task::block_in_place(|| until(&format!("the server outlived the session under {sh}"), seen));
        let second = lab.up(Want::check()).await.unwrap();
        assert_eq!((second.server.how, second.facts.ours), (How::Joined, true), "{sh}");
        upgrades(second).await;
        let stopped = remote::stop(&lab.session, &lab.settings, false, &Nobody).await.unwrap();
        assert_eq!(stopped, Stopped::Ours, "{sh}");
    }))
    .await;
}

/// A socket's path may have 107 bytes on Linux and 103 on macOS: around these nothing changes for the person.
#[tokio::test]
async fn sockets_near_the_limit() {
    let mut lab = Lab::real(|host| host).await;
    let rest = "/app-server-control/app-server-control.sock".len() + lab.host.home.to_str().unwrap().len() + 1;
    for length in [103, 106, 107, 108, 109] {
        let name = "y".repeat(length - rest);
        std::fs::create_dir(lab.host.home.join(&name)).unwrap();
        lab.settings.codex_home = Some(format!("~/{name}"));
        let failed = |failure| panic!("{length}: {failure:?}");
        upgrades(lab.up(Want::server()).await.unwrap_or_else(failed)).await;
        assert_eq!(lab.how().await, How::Joined, "{length}");
    }
}
