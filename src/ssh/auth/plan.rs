//! Which way of logging in comes next: pure, so that every order of refusals can be tried in a table.

use russh::MethodKind;

use crate::host::target::Target;

/// A way of logging in that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    PublicKey,
    KeyboardInteractive,
    Password,
}

/// ssh's own order, less what russh cannot do.
const USUAL: &str = "publickey,keyboard-interactive,password";

impl Method {
    pub(crate) fn kind(self) -> MethodKind {
        match self {
            Self::PublicKey => MethodKind::PublicKey,
            Self::KeyboardInteractive => MethodKind::KeyboardInteractive,
            Self::Password => MethodKind::Password,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "publickey" => Some(Self::PublicKey),
            "keyboard-interactive" => Some(Self::KeyboardInteractive),
            "password" => Some(Self::Password),
            _ => None,
        }
    }
}

/// The methods the configuration allows, in its order, and which of them are spent.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    allowed: Vec<Method>,
    spent: Vec<Method>,
    /// What the server last said that it takes; nothing before it spoke.
    offered: Option<Vec<MethodKind>>,
}

impl Plan {
    pub(crate) fn of(target: &Target) -> Self {
        // Up to OpenSSH 8.6 there are two keywords for keyboard-interactive, and either is enough.
        let off = |value: &String| matches!(value.as_str(), "no" | "false");
        let on = |keyword: &str| target.all(keyword).is_empty() || !target.all(keyword).iter().all(off);
        let prompts = target.first("batchmode") != Some("yes");
        let usable = |method: &Method| match method {
            Method::PublicKey => on("pubkeyauthentication"),
            Method::KeyboardInteractive => prompts && on("kbdinteractiveauthentication"),
            Method::Password => prompts && on("passwordauthentication"),
        };
        let order = target.first("preferredauthentications").unwrap_or(USUAL);
        let allowed = order.split(',').filter_map(|n| Method::named(n.trim())).filter(usable).collect();
        Self { allowed, spent: Vec::new(), offered: None }
    }

    /// Whether anything but `none` has been asked of the server yet.
    pub(crate) fn knows_nothing(&self) -> bool {
        self.offered.is_none()
    }

    /// What to try next; nothing when we are at our wits' end.
    pub(crate) fn next(&self) -> Option<Method> {
        self.allowed.iter().copied().find(|m| !self.spent.contains(m) && self.takes(*m))
    }

    /// Whether the server takes a method, as far as we know.
    pub(crate) fn takes(&self, method: Method) -> bool {
        self.offered.as_ref().is_none_or(|o| o.contains(&method.kind()))
    }

    /// The server's answer to a try that did not log us in. A method that was half of what it wants may be wanted again.
    pub(crate) fn heard(&mut self, remaining: &[MethodKind], partial: bool) {
        self.offered = Some(remaining.to_vec());
        if partial {
            self.spent.clear();
        }
    }

    /// There is nothing more to try with this method.
    pub(crate) fn spend(&mut self, method: Method) {
        self.spent.push(method);
    }

    /// What the server takes, as `ssh` prints it.
    pub(crate) fn offered(&self) -> String {
        let names: Vec<&str> = self.offered.iter().flatten().map(<&str>::from).collect();
        names.join(",")
    }

    /// What the server would take that only the system `ssh` can do, as it names it.
    pub(crate) fn for_the_system_ssh(&self) -> Option<String> {
        let theirs = self.offered.iter().flatten().filter(|m| matches!(m, MethodKind::GssapiWithMic | MethodKind::HostBased));
        let names: Vec<&str> = theirs.map(<&str>::from).collect();
        (!names.is_empty()).then(|| names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MethodKind as K;

    fn plan(printed: &str) -> Plan {
        Plan::of(&Target::from_ssh_g("x".parse().expect("alias"), printed, ""))
    }

    #[test]
    fn the_configuration_orders_and_forbids() {
        use Method::{KeyboardInteractive, Password, PublicKey};
        for (printed, expected) in [
            ("", vec![PublicKey, KeyboardInteractive, Password]),
            ("preferredauthentications password,gssapi-with-mic,publickey\n", vec![Password, PublicKey]),
            ("batchmode yes\n", vec![PublicKey]),
            ("pubkeyauthentication false\npasswordauthentication no\n", vec![KeyboardInteractive]),
            ("kbdinteractiveauthentication no\nchallengeresponseauthentication no\n", vec![PublicKey, Password]),
            (
                "kbdinteractiveauthentication no\nchallengeresponseauthentication yes\n",
                vec![PublicKey, KeyboardInteractive, Password],
            ),
        ] {
            assert_eq!(plan(printed).allowed, expected, "{printed}");
        }
    }

    #[test]
    fn only_what_the_server_takes_is_tried() {
        let mut plan = plan("");
        assert_eq!(plan.next(), Some(Method::PublicKey));
        plan.heard(&[K::Password], false);
        assert_eq!(plan.next(), Some(Method::Password));
        plan.spend(Method::Password);
        assert_eq!(plan.next(), None);
        assert_eq!(plan.offered(), "password");
    }

    #[test]
    fn a_second_factor_may_be_the_same_method_again() {
        let mut plan = plan("");
        plan.spend(Method::PublicKey);
        plan.heard(&[K::PublicKey, K::KeyboardInteractive], true);
        assert_eq!(plan.next(), Some(Method::PublicKey));
    }
}
