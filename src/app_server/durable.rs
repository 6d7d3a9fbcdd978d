//! The durable connection: one connection of a client that outlives the links to the server.
//!
//! [`hold`] is the machine that decides, [`policy`] says when to dial again, [`driver`] is the task that runs both and
//! [`link`] what it shows of them.

mod catch_up;
pub mod driver;
pub mod event;
pub mod hold;
pub mod link;
mod method;
mod outbox;
pub mod policy;
mod questions;
mod replay;
mod say;
pub mod settings;
mod track;

pub use say::prompt_words;

#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
