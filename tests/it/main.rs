//! All integration tests in one binary: one link, one file per area.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod agent;
mod algorithms;
mod architecture;
mod bed;
mod chaos;
mod compat;
mod completions;
mod ctrl_c;
mod demo;
mod durable;
mod endpoint;
mod field_failures;
mod forward;
mod gate;
mod help;
mod host_keys;
mod hostile;
mod hosts;
mod images;
mod joined;
mod launch;
mod login;
mod many;
mod notify;
mod pager;
mod parting;
mod pick;
mod protocol;
mod review;
mod run;
mod run_options;
mod session;
mod session_asks;
mod session_failures;
mod session_gssapi;
mod session_keys;
mod session_like_ssh;
mod session_login;
mod session_penalties;
mod session_route;
mod session_system;
mod session_turns;
mod session_wire;
mod shell;
mod shells;
mod terminal;
mod thread;
mod thread_answers;
mod thread_trouble;
mod threads;
mod token;
mod worktree;
