//! The demonstration: a host, a model and a Codex of its own, and the same walk a person's own host takes.

pub mod model;
pub mod script;
