//! The ways to a codex on a host, and which of them it allows.

use super::package::Package;
use crate::failure::{Code, Failure};
use crate::remote::Offer;
use crate::remote::job::Part;

const PROXY: &str = "or name the proxy that leads out: outpost hosts set HOST env.HTTPS_PROXY=http://PROXY:PORT";

/// How codex gets there.
pub(super) enum Way {
    /// By this command of the host's npm.
    Npm(String),
    /// By the standalone archive, which the host fetches.
    Standalone,
    /// By an archive that we send.
    Upload(Package),
}

impl Way {
    /// The first that the host allows. A codex that came as a standalone archive is renewed in that way.
    pub(super) fn first(offer: &Offer, upload: impl FnOnce() -> Result<Self, Failure>) -> Result<Self, Failure> {
        if let (Some(command), Ok(_)) = (&offer.npm, &offer.npm_release) {
            return Ok(Self::Npm(command.clone()));
        }
        match &offer.standalone {
            Ok(()) => Ok(Self::Standalone),
            Err(words) => upload().map_err(|failure| no_way(offer, words, &failure)),
        }
    }

    /// The npm of the host, when it reaches its registry.
    pub(super) fn npm(offer: &Offer) -> Result<Self, Failure> {
        let failure = |said: &str| Failure::new(Code::InstallFailed, "install codex by the npm of the host").said(said);
        match (&offer.npm, &offer.npm_release) {
            (Some(command), Ok(_)) => Ok(Self::Npm(command.clone())),
            (Some(_), Err(words)) => {
                Err(failure(words).hint(format!("see which other way it allows: outpost install HOST\n{PROXY}")))
            }
            (None, _) => Err(failure("there is no npm on the PATH of its login shell")
                .hint("see which other way it allows: outpost install HOST")),
        }
    }

    /// What would be done, for a person to agree to.
    pub(super) fn told(&self, mirror: &str) -> String {
        match self {
            Self::Npm(command) => format!("run  {command}  there?"),
            Self::Standalone => {
                format!("fetch codex from {mirror} there, unpack it below CODEX_HOME and link it as ~/.local/bin/codex?")
            }
            Self::Upload(package) => {
                format!("upload {}, unpack it below CODEX_HOME and link it as ~/.local/bin/codex?", package.folder.display())
            }
        }
    }

    pub(super) fn part(&self) -> Part {
        match self {
            Self::Npm(_) => Part::Npm,
            Self::Standalone => Part::Standalone,
            Self::Upload(_) => Part::Upload,
        }
    }
}

fn no_way(offer: &Offer, standalone: &str, upload: &Failure) -> Failure {
    let npm = match (&offer.npm, &offer.npm_release) {
        (Some(_), Err(words)) => words.trim(),
        (Some(_), Ok(_)) | (None, _) => "there is none",
    };
    Failure::new(Code::InstallFailed, "find a way to install codex")
        .said(format!("npm: {npm}\nstandalone archive: {}\nupload: {upload}", standalone.trim()))
        .hint(format!(
            "fetch codex-package-….tar.gz for that host here and send it: outpost install HOST --archive FILE\n{PROXY}"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Facts;

    fn offer(npm: bool, registry: bool, standalone: bool) -> Offer {
        Offer {
            facts: Facts::default(),
            npm: npm.then(|| "npm install".to_owned()),
            npm_release: if registry { Ok("1.0".to_owned()) } else { Err("network timeout at: http://x".to_owned()) },
            standalone: if standalone { Ok(()) } else { Err("curl: (6) no".to_owned()) },
        }
    }

    #[test]
    fn the_first_way_that_is_open() {
        let none = || Err(Failure::new(Code::InstallFailed, "find a codex on this machine"));
        for (offer, part) in [
            (offer(true, true, true), Part::Npm),
            (offer(true, false, true), Part::Standalone),
            (offer(false, false, true), Part::Standalone),
        ] {
            assert_eq!(Way::first(&offer, none).map_err(|e| e.code).map(|way| way.part()), Ok(part));
        }
        let failure = Way::first(&offer(true, false, false), none).map(|_| ()).expect_err("no way");
        insta::assert_snapshot!(crate::cli::report::failure(&failure));
    }
}
