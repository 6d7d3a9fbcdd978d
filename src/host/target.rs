//! What OpenSSH resolves an alias to: the lines of `ssh -G`, with the values that differ from OpenSSH's defaults known.

use std::collections::HashMap;

use super::old_names::todays;
use crate::name::Alias;

/// A resolved host. Keywords are lower-case as `ssh -G` prints them; a keyword that stands on several lines has several values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The alias it was resolved from.
    pub alias: Alias,
    values: HashMap<String, Vec<String>>,
    defaults: HashMap<String, Vec<String>>,
    /// What the connection is for.
    pub(crate) purpose: Purpose,
    connection_hash: Option<String>,
}

/// What a connection is for: its windows and the marks of its packets depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Commands, sockets and forwards, as they come.
    Shared,
    /// The way to the next host.
    Jump,
    /// One channel and nothing else; so much of it may be on its way, in bytes.
    Alone { window: u32, terminal: bool },
}

impl Target {
    /// From what `ssh -G ALIAS` printed and what `ssh -F /dev/null -G ALIAS` printed.
    #[must_use]
    pub fn from_ssh_g(alias: Alias, printed: &str, defaults: &str) -> Self {
        Self { alias, values: lines(printed), defaults: lines(defaults), purpose: Purpose::Shared, connection_hash: None }
    }

    /// With what `%C` stands for.
    #[must_use]
    pub(super) fn with_connection_hash(mut self, hash: Option<String>) -> Self {
        self.connection_hash = hash;
        self
    }

    /// What `%C` stands for, where the configuration uses it: which words of the connection it is made of depends on the release.
    pub(crate) fn connection_hash(&self) -> Option<&str> {
        self.connection_hash.as_deref()
    }

    /// The same for another purpose.
    #[must_use]
    pub(crate) fn with_purpose(mut self, purpose: Purpose) -> Self {
        self.purpose = purpose;
        self
    }

    /// The window of the one channel, where the connection is for one only (see [`crate::ssh::session::Session::open_alone`]).
    pub(crate) fn one_channel(&self) -> Option<u32> {
        match self.purpose {
            Purpose::Shared | Purpose::Jump => None,
            Purpose::Alone { window, .. } => Some(window),
        }
    }

    /// The first value of a keyword.
    #[must_use]
    pub fn first(&self, keyword: &str) -> Option<&str> {
        self.all(keyword).first().map(String::as_str)
    }

    /// All values of a keyword, one for each line.
    #[must_use]
    pub fn all(&self, keyword: &str) -> &[String] {
        self.values.get(keyword).map_or(&[], Vec::as_slice)
    }

    /// Whether the person's files leave the keyword at OpenSSH's own default.
    #[must_use]
    pub fn is_default(&self, keyword: &str) -> bool {
        self.values.get(keyword) == self.defaults.get(keyword)
    }

    /// The name to connect to.
    #[must_use]
    pub fn host_name(&self) -> &str {
        self.first("hostname").unwrap_or(self.alias.as_str())
    }

    /// The port; 22 when nothing is said.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.first("port").and_then(|p| p.parse().ok()).unwrap_or(22)
    }

    /// The user to log in as.
    #[must_use]
    pub fn user(&self) -> &str {
        self.first("user").unwrap_or_default()
    }

    /// All keywords that are set.
    pub fn keywords(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

fn lines(printed: &str) -> HashMap<String, Vec<String>> {
    let mut values: HashMap<String, Vec<String>> = HashMap::new();
    for line in printed.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        if !keyword.is_empty() {
            let keyword = keyword.to_ascii_lowercase();
            values.entry(todays(&keyword).to_owned()).or_default().push(value.to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_of_ssh_g_is_read(text in "([A-Za-z]{0,4} ?\\PC{0,6}\r?\n?){0,8}", port in "\\PC{0,6}") {
            let printed = format!("{text}\nport {port}\n");
            let target = Target::from_ssh_g("dev".parse().expect("an alias"), &printed, &printed);
            for keyword in target.keywords() {
                prop_assert_eq!(keyword, keyword.to_ascii_lowercase());
                prop_assert_eq!(target.first(keyword), target.all(keyword).first().map(String::as_str));
                prop_assert!(target.is_default(keyword) && target.all(keyword).iter().all(|value| !value.contains('\n')));
            }
            let values: usize = target.keywords().map(|keyword| target.all(keyword).len()).sum();
            prop_assert_eq!(values, printed.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).count());
            let said = target.first("port").and_then(|p| p.parse::<u16>().ok());
            prop_assert_eq!(target.port(), said.unwrap_or(22));
        }
    }
}
