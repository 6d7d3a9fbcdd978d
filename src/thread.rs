//! A thread as a person works with it: prompts in, events out, questions answered.

pub mod event;
pub mod reader;
