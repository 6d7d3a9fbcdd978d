//! Installing codex on a remote: which ways the host allows, and each of them.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::exchange::Errand;
use super::job::{Install, Job, Part};
use super::remedy::FROM_LOCAL;
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
    /// The release that this npm would install; if it does not reach its registry, what it said.
    pub npm_release: Result<String, String>,
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
    // What was not asked has no status.
    let words = |way: &str| match word(&format!("{way}_status")).as_deref() {
        Some("0") => Ok(word(&format!("{way}_words")).unwrap_or_default()),
        Some(_) => Err(word(&format!("{way}_words")).unwrap_or_else(|| "it said nothing".to_owned())),
        None => Err("there is none for this host".to_owned()),
    };
    Ok(Offer {
        facts: answer.facts(),
        npm: word("npm"),
        npm_release: words("npm").map(|said| release(&said)).map_err(|said| npm_complains(&said)),
        standalone: words("standalone").map(drop),
    })
}

/// The release among the warnings of an npm.
fn release(said: &str) -> String {
    let own = |line: &&str| !line.is_empty() && !line.starts_with("npm ");
    said.lines().map(str::trim).rfind(own).unwrap_or_default().to_owned()
}

/// Of the lines of an npm that failed the one that tells why.
fn npm_complains(said: &str) -> String {
    let error = |line: &str| ["npm error", "npm ERR!"].iter().find_map(|p| line.strip_prefix(p)).map(|l| l.trim().to_owned());
    let lines: Vec<String> = said.lines().filter_map(error).collect();
    let tells = |line: &&String| ["http://", "https://", "reason:"].iter().any(|word| line.contains(word));
    lines.iter().find(tells).or(lines.first()).cloned().unwrap_or_else(|| said.lines().last().unwrap_or_default().to_owned())
}

/// Installs codex. An archive of a known size is sent first for [`Part::Upload`].
///
/// # Errors
/// [`Code::InstallFailed`] in the words of what failed, and then nothing half stays there; as a bring-up, up to the login shell.
pub async fn put(session: &Session, settings: &HostSettings, install: Install) -> Result<Installed, Failure> {
    let uploaded = install.part == Part::Upload;
    let answer = run(session, settings, install).await.map_err(|failure| {
        // Nothing is offered that was just tried.
        let hint =
            if uploaded && failure.hint == FROM_LOCAL { "mend what it says, then: outpost install HOST" } else { &failure.hint };
        Failure { hint: hint.to_owned(), ..failure.clone() }
    })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// In the words of npm 11.
    #[test]
    fn an_npm_that_fails_says_why() {
        let refused = "npm warn Unknown user config\nnpm error code ECONNREFUSED\nnpm error syscall connect\n\
                       npm error FetchError: request to http://127.0.0.1:9/x failed, reason: connect ECONNREFUSED 127.0.0.1:9\n\
                       npm error     at ClientRequest.<anonymous> (/usr/lib)";
        let silent = "npm error code FETCH_ERROR\nnpm error network timeout at: http://127.0.0.1:9/x\nnpm error A complete log";
        for (said, line) in [
            (refused, "FetchError: request to http://127.0.0.1:9/x failed, reason: connect ECONNREFUSED 127.0.0.1:9"),
            (silent, "network timeout at: http://127.0.0.1:9/x"),
            ("npm ERR! code E1\nnpm ERR! no", "code E1"),
            ("network timeout: no answer", "network timeout: no answer"),
            ("", ""),
        ] {
            assert_eq!(npm_complains(said), line);
        }
        assert_eq!(release("npm warn Unknown user config\n0.169.0\nnpm notice\n"), "0.169.0");
    }
}
