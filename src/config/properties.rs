//! Our own files, whatever stands in them: read or refused at a place, and never made worse by an edit.

use std::path::Path;

use proptest::prelude::*;

use super::{hosts, projects};
use crate::failure::Code;
use crate::name::{Alias, RemotePath};
use crate::paths::Local;

fn local(dir: &Path) -> Local {
    Local { home: dir.into(), user: "u".into(), codex_home: dir.into(), ssh_config: None, vars: Default::default() }
}

/// Nearly one of our files.
fn nearly() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "[hosts.a]\n",
        "[projects.p]\n",
        "[hosts.\"a b\"]\n",
        "[hosts]\n",
        "host = \"a\"\n",
        "path = \"/x\"\n",
        "path = \"x\"\n",
        "codex = \"~/c\"\n",
        "codex = 1\n",
        "env = { A = \"1\" }\n",
        "enabled = true\n",
        "run_through = [\"a\"]\n",
        "a.b = {}\n",
        "\u{feff}",
        "\r\n",
        "# \u{1b}[2J\n",
        "\"\"\"",
        "[[projects]]\n",
        "é",
        "=",
        "\0",
        "name = 'x'\n",
    ];
    proptest::collection::vec(proptest::sample::select(PIECES), 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_wrong_has_a_place_and_stays_as_it_is(text in nearly()) {
        let dir = tempfile::tempdir().expect("a folder");
        let local = local(dir.path());
        std::fs::create_dir(local.outpost_dir()).expect("made");
        let alias: Alias = "devbox".parse().expect("an alias");
        let project = projects::Project { host: alias.clone(), path: "/p".parse().expect("a path") };
        for (file, why) in [
            (hosts::path(&local), (|l: &Local| hosts::load(l).map(drop)) as fn(&Local) -> Result<(), crate::failure::Failure>),
            (projects::path(&local), |l: &Local| projects::load(l).map(drop)),
        ] {
            std::fs::write(&file, &text).expect("written");
            let Err(failure) = why(&local) else { continue };
            prop_assert_eq!(failure.code, Code::SettingsBroken);
            let place = failure.tried.strip_prefix(&format!("{}:", file.display())).expect("names the file").to_owned();
            let numbers: Vec<usize> = place.split(':').filter_map(|n| n.parse().ok()).collect();
            prop_assert!(numbers.len() == 2 && numbers.iter().all(|n| *n > 0), "{}", failure.tried);
            prop_assert!(numbers[0] <= text.lines().count().max(1) + 1 && !failure.hint.is_empty(), "{:?}", failure);
        }
        // An edit of a file that is no TOML leaves it alone; of one that is, it stays TOML and keeps every line that it did not mean.
        let edited = [
            (hosts::path(&local), hosts::edit::disable(&local, std::slice::from_ref(&alias))),
            (projects::path(&local), projects::put(&local, "shop", &project)),
        ];
        for (file, edited) in edited {
            let after = std::fs::read_to_string(&file).expect("there");
            match edited {
                Err(_) => prop_assert_eq!(&after, &text),
                Ok(()) => prop_assert!(after.parse::<toml_edit::DocumentMut>().is_ok(), "{:?}", after),
            }
        }
    }

    #[test]
    fn what_is_kept_is_read_back(name in "[a-z._@+-]{1,8}", host in "\\PC{1,8}", path in "/\\PC{0,12}") {
        let dir = tempfile::tempdir().expect("a folder");
        let local = local(dir.path());
        let (Ok(host), Ok(path)) = (host.parse::<Alias>(), path.parse::<RemotePath>()) else { return Ok(()) };
        let project = projects::Project { host, path };
        match projects::put(&local, &name, &project) {
            Ok(()) => prop_assert_eq!(projects::load(&local).expect("read").remove(&name), Some(project)),
            Err(refused) => prop_assert!(refused.code == Code::Usage && name.starts_with('-'), "{:?}", refused),
        }
    }
}
