//! The codex app-server on the remote: started or joined, and what its messages mean.

pub mod protocol;
