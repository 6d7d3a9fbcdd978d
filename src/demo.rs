//! What the demonstration and tests run on: an SSH host in this process, a scripted model, a stand-in for codex.

pub mod host;
pub mod leftovers;
pub mod model;
pub mod script;
pub mod stage;
pub mod stand_in;
