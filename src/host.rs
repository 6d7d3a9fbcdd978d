//! What the ssh configuration says: the hosts it names, and what each resolves to.

pub mod alias;
pub mod fallback;
pub mod include;
mod old_names;
pub mod pattern;
pub mod resolve;
pub mod scope;
pub mod target;
pub mod words;
