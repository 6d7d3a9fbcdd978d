//! What Codex's and our own files say: the gate, and the settings of each host.

pub mod gate;
pub mod hosts;
pub mod projects;
#[cfg(test)]
mod properties;
pub mod toml_file;
