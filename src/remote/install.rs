//! Installing codex on a remote: which ways the host allows, and each of them.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::exchange::Errand;
use super::job::{Install, Job, Part};
use super::said::said;
use super::{Facts, Limits};
use crate::config::hosts::HostSettings;
use crate::failure::{Code, Failure};
use crate::ssh::session::Session;
use crate::step::Nobody;

/// How long an installer may take: a package of 130 MB over a slow line.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(1800);

/// What a host allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The host.
    pub facts: Facts,
    /// The npm command that would be run, when there is an npm.
    pub npm: Option<String>,
    /// The release that this npm would install, when it reaches its registry.
    pub npm_release: Option<String>,
    /// Whether the host reaches the standalone archives; if not, what it said.
    pub standalone: Result<(), String>,
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Where the codex is.
    pub path: String,
    /// Its release; empty where the installer does not tell.
    pub release: String,
}

/// Looks which ways the host allows; changes nothing there.
///
/// # Errors
/// As a bring-up, up to the login shell.
pub async fn offer(session: &Session, settings: &HostSettings, base: &str) -> Result<Offer, Failure> {
    let install = Install { part: Part::Look, base: base.to_owned(), id: String::new() };
    let answer = run(session, settings, install).await?;
    let word = |key: &str| answer.word(key).map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned);
    let refused = || word("standalone_words").unwrap_or_else(|| "there is none for its kind of machine".to_owned());
    Ok(Offer {
        facts: answer.facts(),
        npm: word("npm"),
        npm_release: word("npm_release"),
        standalone: if word("standalone").is_some() { Ok(()) } else { Err(refused()) },
    })
}

/// Installs codex. An archive of a known size is sent first for [`Part::Upload`].
///
/// # Errors
/// [`Code::InstallFailed`] in the words of what failed, and then nothing half stays there; as a bring-up, up to the login shell.
pub async fn put(session: &Session, settings: &HostSettings, install: Install) -> Result<Installed, Failure> {
    let answer = run(session, settings, install).await?;
    let word = |key: &str| answer.word(key).unwrap_or_default().trim().to_owned();
    Ok(Installed { path: word("installed"), release: word("release") })
}

/// Sends an archive to where [`Part::Upload`] finds it.
///
/// # Errors
/// As [`put`]; [`Code::LocalIo`] when the archive cannot be read. A link that breaks is noticed by the part that comes next.
pub async fn send(
    session: &Session,
    settings: &HostSettings,
    (install, mut archive): (Install, impl AsyncRead + Unpin),
) -> Result<(), Failure> {
    let mut there = said(session, settings, &Job::Install(install), &Nobody).await?;
    let mut buffer = vec![0_u8; 256 * 1024];
    let fail = |e: std::io::Error| Failure::new(Code::LocalIo, "read the archive").said(e);
    loop {
        let read = archive.read(&mut buffer).await.map_err(fail)?;
        let Some(bytes @ [_, ..]) = buffer.get(..read) else { break };
        if there.input.write_all(bytes).await.is_err() {
            break;
        }
    }
    let _ = there.input.shutdown().await;
    // Its end says that everything was written.
    let mut words = Vec::new();
    let _ = (&mut there.text).take(64 * 1024).read_to_end(&mut words).await;
    Ok(())
}

async fn run(session: &Session, settings: &HostSettings, install: Install) -> Result<super::answer::Answer, Failure> {
    let limits = Limits { answer: LIMIT, ..Limits::default() };
    let job = Job::Install(install);
    let heard = Errand { session, settings, job: &job, limits }.run(&Nobody).await?;
    if heard.answer.word("error").is_some() {
        return Err(heard.answer.refused());
    }
    Ok(heard.answer)
}
