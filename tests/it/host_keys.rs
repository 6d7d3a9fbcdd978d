//! Host keys against the real `ssh`: both see the same files and the same sshd, and must come to the same verdict.

mod asked;
mod certificates;
mod files;
mod lab;
mod learned;
mod revoked;
mod told;
