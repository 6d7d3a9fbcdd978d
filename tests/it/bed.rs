//! The beds that integration tests lie in: a sandbox with homes of its own, real sshds on pipes, the real codex.
//!
//! ```ignore
//! let sandbox = Sandbox::new();
//! let host = sandbox.host("devbox").shell("/usr/bin/fish").rc(".config/fish/config.fish", "echo hi").build();
//! let ran = sandbox.run(&["check", "devbox"]);   // outpost, cleaned environment, config of the sandbox
//! let ran = host.ssh("echo hi");                 // the real ssh, same config
//! let stream = host.connect_pipe();              // a ByteStream for library tests
//! ```
//!
//! Everything that was started with the sandbox's path in its environment ends with the sandbox.

mod codex;
mod daemon;
pub(crate) mod faulty;
pub(crate) mod files;
pub(crate) mod front;
pub(crate) mod patience;
pub(crate) mod process;
mod pty;
mod sandbox;
mod sshd;
pub(crate) mod tap;
mod terminal;
mod works;

pub(crate) use {
    codex::{Codex, cache, folder as codex_folder, native, newest, nushell},
    daemon::Daemon,
    patience::{Patience, until},
    process::{Ran, alive, kill_servers, on_host, run},
    pty::on_a_terminal,
    sandbox::{Sandbox, append},
    sshd::{Host, NewHost},
    terminal::Terminal,
};
