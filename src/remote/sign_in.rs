//! Signing the remote's codex in and out: codex does it, its words and what it reads go over the channel.

use rand::RngExt;

use super::job::{Job, SignIn};
use super::said::{Said, said};
use crate::config::hosts::HostSettings;
use crate::failure::Failure;
use crate::ssh::session::Session;
use crate::step::Watch;

/// Runs `codex login` or `codex logout` there; a secret is written to its input and ended. Its words end with a line
/// `NONCE=STATUS`; the nonce is given back.
///
/// # Errors
/// As a bring-up, up to the codex.
pub async fn sign_in(
    (session, settings): (&Session, &HostSettings),
    action: SignIn,
    issuer: Option<String>,
    watch: &dyn Watch,
) -> Result<(Said, String), Failure> {
    let nonce = format!("{:016x}", rand::rng().random::<u64>());
    let job = Job::SignIn { action, issuer, nonce: nonce.clone() };
    said(session, settings, &job, watch).await.map(|said| (said, nonce))
}
