//! What the ssh configuration says: the hosts it names, and what each resolves to.

pub mod target;
