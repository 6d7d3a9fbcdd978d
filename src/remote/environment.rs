//! The variables of a host's settings, for a shell that a person opens there.

use super::Limits;
use super::exchange::Errand;
use super::job::Job;
use crate::config::hosts::HostSettings;
use crate::failure::Failure;
use crate::ssh::session::Session;
use crate::step::Nobody;

/// Puts them into a file on the host, for [`super::enter::Where::environment`] to take them from; none where there are none. They may
/// be secrets, and what is sent as a command stands on a command line, which everybody there can read.
///
/// # Errors
/// As a bring-up, up to the login shell; [`crate::failure::Code::HomeNotWritable`].
pub async fn environment(session: &Session, settings: &HostSettings) -> Result<Option<String>, Failure> {
    if settings.env.is_empty() {
        return Ok(None);
    }
    let job = Job::Environment { id: format!("{:016x}", rand::random::<u64>()) };
    let heard = Errand { session, settings, job: &job, limits: Limits::default() }.run(&Nobody).await?;
    let Some(file) = heard.answer.word("file").map(str::to_owned) else { return Err(heard.answer.refused()) };
    // A host may allow one channel at a time.
    if let Some(exec) = heard.exec {
        exec.wait().await;
    }
    Ok(Some(file))
}
