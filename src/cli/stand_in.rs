//! `outpost stand-in` (hidden): plays `codex` on a host that has none, for the demonstration and for tests.

use clap::Args;

use super::Context;
use crate::demo::{script, stand_in};
use crate::failure::{Exit, Failure};

/// Play `codex`, with the arguments that it would get.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, disable_version_flag = true)]
pub struct StandIn {
    /// The arguments of `codex`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl StandIn {
    /// Plays.
    ///
    /// # Errors
    /// When it does not know the arguments, or cannot do what they say.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        stand_in::run(&self.args, &context.local, script::demonstration()).await?;
        Ok(Exit::Done)
    }
}
