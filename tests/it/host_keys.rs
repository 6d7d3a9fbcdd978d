//! Host keys against the real `ssh`: both see the same files and the same sshd, and must come to the same verdict.

mod files;
mod lab;
