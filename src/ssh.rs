//! One authenticated SSH connection: the only place that names russh's client.
//!
//! What leaves it are plain byte streams and [`crate::failure::Failure`]s.

pub mod algorithms;
mod aside;
pub mod ask;
mod auth;
mod budget;
mod channel;
mod connection;
mod door;
mod environment;
pub mod exec;
pub mod facts;
pub mod forward;
mod handler;
pub mod hops;
pub mod host_key;
mod inbox;
pub mod keywords;
mod modes;
pub mod open;
pub mod quote;
pub mod rate;
mod route;
pub mod session;
pub mod shell;
pub mod system;
mod tap;
mod tokens;
mod transport;
mod trust;

use tokio::io::{AsyncRead, AsyncWrite};

/// Both halves of a byte stream.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A byte stream from somewhere: a socket, a child, a channel.
pub type ByteStream = Box<dyn Duplex>;
