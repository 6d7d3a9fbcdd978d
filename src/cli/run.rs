//! `outpost run`: a Codex thread in a folder of a host.

pub mod approve;
pub mod paint;
pub mod signals;
