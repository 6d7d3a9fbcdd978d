//! The codex of this machine, as it can be uploaded.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncSeekExt;

use crate::failure::{Code, Failure};
use crate::paths::Local;
use crate::remote::Facts;

/// A native codex and what belongs to it: a folder, or an archive of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The folder or the archive.
    pub folder: PathBuf,
    /// What it runs on ("x86_64-unknown-linux-musl"); empty when that is not known.
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

    /// An archive as Codex's releases have them; its name tells what it runs on.
    ///
    /// # Errors
    /// [`Code::InstallFailed`] when it cannot be read.
    pub fn of_archive(file: &Path) -> Result<Self, Failure> {
        let fail = |said: String| Failure::new(Code::InstallFailed, format!("read {}", file.display())).said(said);
        let folder = file.canonicalize().map_err(|e| fail(e.to_string()))?;
        if !folder.is_file() {
            return Err(fail("it is no file".to_owned()));
        }
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let target = name.strip_prefix("codex-package-").and_then(|rest| rest.strip_suffix(".tar.gz")).unwrap_or_default();
        Ok(Self { folder, target: target.to_owned() })
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
        let fits = self.target.starts_with(arch) && !arch.is_empty() && self.target.contains(os);
        if fits || self.target.is_empty() {
            return Ok(());
        }
        let said = format!("{} is for {}, the host is {} {}", self.folder.display(), self.target, host.os, host.arch);
        let hint = "fetch codex-package-….tar.gz for that host here and send it: outpost install HOST --archive FILE";
        Err(Failure::new(Code::InstallFailed, "upload codex").said(said).hint(hint))
    }

    /// It as a compressed tar archive, and its size in bytes; a folder is packed into a temporary file first.
    ///
    /// # Errors
    /// [`Code::LocalIo`] without a `tar`, or without room.
    pub async fn archive(&self) -> Result<(u64, tokio::fs::File), Failure> {
        let fail = |said: String| Failure::new(Code::LocalIo, format!("pack {}", self.folder.display())).said(said);
        let io = |e: std::io::Error| fail(e.to_string());
        let file = if self.folder.is_file() {
            std::fs::File::open(&self.folder).map_err(io)?
        } else {
            let packed = tempfile::tempfile().map_err(io)?;
            let mut tar = tokio::process::Command::new("tar");
            tar.arg("-C").arg(&self.folder).args(["-czf", "-", "."]).stdin(Stdio::null());
            tar.stdout(packed.try_clone().map_err(io)?).stderr(Stdio::piped()).kill_on_drop(true);
            let output = tar.spawn().map_err(io)?.wait_with_output().await.map_err(io)?;
            if !output.status.success() {
                return Err(fail(String::from_utf8_lossy(&output.stderr).into_owned()));
            }
            packed
        };
        let mut file = tokio::fs::File::from_std(file);
        file.rewind().await.map_err(io)?;
        let size = file.metadata().await.map_err(io)?.len();
        Ok((size, file))
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
    let holds = ["bin/codex", "codex/codex"].into_iter().any(|entry| folder.join(entry).is_file());
    let target = folder.file_name()?.to_str()?.to_owned();
    holds.then(|| Package { folder: folder.to_owned(), target })
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
        assert_eq!(package.target, "x86_64-unknown-linux-musl");
        assert_eq!(vendored(&native.join("codex")), Some(package.clone()));
        let host = |os: &str, arch: &str| Facts { os: os.into(), arch: arch.into(), ..Facts::default() };
        assert!(package.fits(&host("Linux", "x86_64")).is_ok());
        for (os, arch) in [("Linux", "aarch64"), ("Darwin", "x86_64"), ("", "")] {
            assert_eq!(package.fits(&host(os, arch)).unwrap_err().code, Code::InstallFailed);
        }
        let archive = dir.path().join("codex-package-aarch64-apple-darwin.tar.gz");
        assert_eq!(Package::of_archive(&archive).unwrap_err().code, Code::InstallFailed);
        std::fs::write(&archive, "").expect("written");
        let package = Package::of_archive(&archive).expect("a package");
        assert!(package.fits(&host("Darwin", "arm64")).is_ok() && package.fits(&host("Linux", "aarch64")).is_err());
    }
}
