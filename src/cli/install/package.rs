//! The codex of this machine, as it can be uploaded.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncRead;

use crate::failure::{Code, Failure};
use crate::paths::Local;
use crate::remote::Facts;

/// A folder with a native codex and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The folder.
    pub folder: PathBuf,
    /// Where in it the program is.
    pub entry: String,
    /// What it runs on ("x86_64-unknown-linux-musl").
    target: String,
}

impl Package {
    /// The package that the `codex` of this machine's PATH belongs to.
    ///
    /// # Errors
    /// [`Code::InstallFailed`] when there is none, or it is one that we do not know.
    pub fn find(local: &Local) -> Result<Self, Failure> {
        let wrong = |said: &str| {
            Failure::new(Code::InstallFailed, "find a codex on this machine")
                .said(said)
                .hint("install it here first: npm install -g @openai/codex")
        };
        let path = local.var("PATH").unwrap_or_default();
        let codex = which::which_in("codex", Some(path), "/").map_err(|_| wrong("there is none on PATH"))?;
        let real = codex.canonicalize().map_err(|e| wrong(&e.to_string()))?;
        vendored(&real).ok_or_else(|| wrong(&format!("{} does not come from the npm package", real.display())))
    }

    /// Lets through only a host of the same kind.
    ///
    /// # Errors
    /// [`Code::InstallFailed`].
    pub fn fits(&self, host: &Facts) -> Result<(), Failure> {
        let arch = if host.arch == "arm64" { "aarch64" } else { host.arch.as_str() };
        let os = match host.os.as_str() {
            "Linux" => "linux",
            "Darwin" => "apple-darwin",
            _ => "?",
        };
        if self.target.starts_with(arch) && !arch.is_empty() && self.target.contains(os) {
            return Ok(());
        }
        let said = format!("this machine's is for {}, the host is {} {}", self.target, host.os, host.arch);
        Err(Failure::new(Code::InstallFailed, "upload codex").said(said).hint("outpost install HOST --from npm"))
    }

    /// The folder as a tar archive.
    ///
    /// # Errors
    /// [`Code::LocalIo`] without a `tar`.
    pub fn archive(&self) -> Result<impl AsyncRead + Unpin + use<>, Failure> {
        let fail = |said: String| Failure::new(Code::LocalIo, "run tar").said(said);
        let mut tar = tokio::process::Command::new("tar");
        tar.arg("-C").arg(&self.folder).args(["-cf", "-", "."]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = tar.spawn().map_err(|e| fail(e.to_string()))?;
        let out = child.stdout.take().ok_or_else(|| fail("it has no output".to_owned()))?;
        tokio::spawn(async move { child.wait().await });
        Ok(out)
    }
}

/// `…/vendor/TARGET/bin/codex`, or the one beside `…/@openai/codex/bin/codex.js`.
fn vendored(real: &Path) -> Option<Package> {
    if real.extension().is_some_and(|e| e == "js") {
        let scope = real.ancestors().nth(3)?;
        let beside = std::fs::read_dir(scope).ok()?.flatten().map(|entry| entry.path().join("vendor"));
        let inside = real.ancestors().nth(2)?.join("vendor");
        let targets = beside.chain([inside]).filter_map(|vendor| std::fs::read_dir(vendor).ok()).flatten().flatten();
        return targets.map(|target| target.path()).find_map(|folder| of(&folder));
    }
    of(real.ancestors().nth(2)?)
}

fn of(folder: &Path) -> Option<Package> {
    let entry = ["bin/codex", "codex/codex"].into_iter().find(|entry| folder.join(entry).is_file())?;
    let target = folder.file_name()?.to_str()?.to_owned();
    Some(Package { folder: folder.to_owned(), entry: entry.to_owned(), target })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_behind_its_wrapper() {
        let dir = tempfile::tempdir().expect("a folder");
        let scope = dir.path().join("@openai");
        let native = scope.join("codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin");
        let wrapper = scope.join("codex/bin");
        for folder in [&native, &wrapper] {
            std::fs::create_dir_all(folder).expect("made");
        }
        std::fs::write(native.join("codex"), "").expect("written");
        let package = vendored(&wrapper.join("codex.js")).expect("a package");
        assert_eq!((package.entry.as_str(), package.target.as_str()), ("bin/codex", "x86_64-unknown-linux-musl"));
        assert_eq!(vendored(&native.join("codex")), Some(package.clone()));
        let host = |os: &str, arch: &str| Facts { os: os.into(), arch: arch.into(), ..Facts::default() };
        assert!(package.fits(&host("Linux", "x86_64")).is_ok());
        for (os, arch) in [("Linux", "aarch64"), ("Darwin", "x86_64"), ("", "")] {
            assert_eq!(package.fits(&host(os, arch)).unwrap_err().code, Code::InstallFailed);
        }
    }
}
