//! The real codex as a program of a bed's host, with a scripted model behind it.

use std::path::{Path, PathBuf};

/// The release that `tests/run` installs and the tests are written against.
pub(crate) const RELEASE: &str = "0.169.0";

/// A codex for a host: the folder it is found in and the configuration it reads.
pub(crate) struct Codex {
    bin: PathBuf,
    config: String,
    stand_in: Option<String>,
}

impl Codex {
    /// The real codex, whose model answers at this base URL (`http://127.0.0.1:PORT/v1`).
    pub(crate) fn real(base_url: &str) -> Self {
        Self { bin: folder(), config: outpost::demo::model::codex_config(base_url), stand_in: None }
    }

    /// As [`Self::real`], of the newest release where a test needs two.
    pub(crate) fn real_and_newest(base_url: &str) -> Self {
        Self { bin: newest().parent().unwrap().to_owned(), ..Self::real(base_url) }
    }

    /// Another program of the name `codex` in this folder.
    pub(crate) fn in_folder(bin: &Path) -> Self {
        Self { bin: bin.to_owned(), config: String::new(), stand_in: None }
    }

    /// The stand-in, with faults as `outpost::demo::stand_in::Settings` names them (`{"die": "no disk"}`).
    pub(crate) fn stand_in(sandbox: &super::Sandbox, settings: &serde_json::Value) -> Self {
        let program = env!("CARGO_BIN_EXE_outpost");
        let path = sandbox.write("stand-in/codex", &format!("#!/bin/sh\nexec '{program}' stand-in \"$@\"\n"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { bin: path.parent().unwrap().to_owned(), config: String::new(), stand_in: Some(settings.to_string()) }
    }

    /// The lines of the rc files that put it on the login PATH, whatever the shell, and its configuration.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let bin = self.bin.display();
        let posix = format!("export PATH=\"{bin}:$PATH\"");
        let files = [
            (".profile", posix.clone()),
            (".zprofile", posix.clone()),
            (".yash_profile", posix),
            (".config/fish/config.fish", format!("set -x PATH {bin} $PATH")),
            (".login", format!("setenv PATH {bin}:$PATH")),
            (".config/elvish/rc.elv", format!("set paths = [{bin} $@paths]")),
            (".xonshrc", format!("$PATH.insert(0, '{bin}')")),
            (".codex/config.toml", self.config.clone()),
        ];
        let settings = self.stand_in.iter().map(|settings| (".codex/stand-in.json", settings.clone()));
        files.into_iter().chain(settings).map(|(path, text)| (path.to_owned(), text)).collect()
    }
}

impl super::Host {
    /// Gives its codex an MCP server whose tools ask their person (`asker.sh`).
    pub(crate) fn gets_the_asker(&self) {
        let script = self.home.join("asker.sh");
        std::fs::write(&script, include_str!("asker.sh")).unwrap();
        let server = format!("[mcp_servers.asker]\ncommand = \"bash\"\nargs = [\"{}\"]\n", script.display());
        super::append(&self.home.join(".codex/config.toml"), &server);
    }
}

/// The folder of the native `codex`.
pub(crate) fn folder() -> PathBuf {
    native().parent().unwrap().to_owned()
}

/// The native binary of the installed package: the wrapper beside it costs a start of Node.
pub(crate) fn native() -> PathBuf {
    native_of(&package())
}

/// That of the release which `OUTPOST_TEST_NEWEST` names, where a test needs two; else the same.
#[expect(clippy::disallowed_methods, reason = "a test is its own main: the codex is installed outside of the sandbox")]
pub(crate) fn newest() -> PathBuf {
    std::env::var_os("OUTPOST_TEST_NEWEST").map_or_else(native, |folder| native_of(Path::new(&folder)))
}

fn native_of(package: &Path) -> PathBuf {
    let vendor = package.join("node_modules/@openai/codex-linux-x64/vendor");
    let target = std::fs::read_dir(&vendor).ok().and_then(|mut entries| entries.next()?.ok());
    // The older releases have it in a folder of its own name.
    let in_folder = |entry: std::fs::DirEntry| ["bin/codex", "codex/codex"].map(|path| entry.path().join(path));
    let path = target.and_then(|entry| in_folder(entry).into_iter().find(|path| path.exists()));
    path.unwrap_or_else(|| panic!("no codex {RELEASE} in {}: run tests/run once", vendor.display()))
}

/// The nushell that `tests/run` installs beside it: no Debian package has one.
pub(crate) fn nushell() -> PathBuf {
    let path = cache().join("nushell/node_modules/@nushell/linux-x64/bin/nu");
    assert!(path.exists(), "no nushell in {}: run tests/run once", path.display());
    path
}

/// Where `tests/run` puts the package, or `OUTPOST_TEST_CODEX`.
fn package() -> PathBuf {
    set("OUTPOST_TEST_CODEX").unwrap_or_else(|| cache().join(format!("codex-{RELEASE}")))
}

/// What `tests/run` keeps from run to run.
pub(crate) fn cache() -> PathBuf {
    let base = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    base.expect("HOME or XDG_CACHE_HOME").join("outpost")
}

#[expect(clippy::disallowed_methods, reason = "a test is its own main: the programs are installed outside of the sandbox")]
fn set(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
