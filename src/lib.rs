//! Outpost runs Codex threads in folders of the machines a person reaches over SSH.
//!
//! The data goes one way: [`config`] says whether the feature is on, [`host`] what the ssh configuration says of an alias,
//! [`ssh`] opens one authenticated connection, [`remote`] asks the far side for its facts, [`app_server`] starts or joins
//! `codex app-server` there, and [`thread`] runs the work. `docs/ARCHITECTURE.md` has the table of who may use whom; a test
//! holds the `use` lines against it.
//!
//! The library does not print, read the environment or look for a home folder: [`paths::Local`] carries what `main` found.
//! Questions to a person go through [`ssh::ask::Ask`].

pub mod app_server;
pub mod cli;
pub mod config;
pub mod demo;
pub mod endpoint;
pub mod failure;
pub mod host;
pub mod name;
pub mod paths;
pub mod project;
pub mod remote;
pub mod rpc;
pub mod ssh;
pub mod step;
pub mod thread;
