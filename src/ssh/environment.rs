//! The variables that SendEnv and SetEnv hand to the remote.

use crate::host::pattern::matches;
use crate::host::target::Target;
use crate::paths::Local;

/// The variables to send with every session channel, in order; SetEnv wins over SendEnv.
pub(crate) fn to_send(target: &Target, local: &Local) -> Vec<(String, String)> {
    let set: Vec<(String, String)> =
        target.all("setenv").iter().filter_map(|line| line.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let patterns = target.all("sendenv");
    let mut sent: Vec<(String, String)> = local
        .vars
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())))
        .filter(|(name, _)| patterns.iter().any(|p| matches(name.as_bytes(), p.as_bytes())))
        .filter(|(name, _)| !set.iter().any(|(own, _)| own == name))
        .collect();
    sent.sort();
    sent.extend(set);
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setenv_wins() {
        let printed = "sendenv LANG\nsendenv LC_*\nsetenv LANG=C\nsetenv A=b=c\n";
        let target = Target::from_ssh_g("x".parse().expect("alias"), printed, "");
        let vars =
            [("LANG", "de"), ("LC_ALL", "C.UTF-8"), ("HOME", "/x")].map(|(n, v)| (n.into(), v.into())).into_iter().collect();
        let local = Local { home: "/".into(), user: "u".into(), codex_home: "/c".into(), ssh_config: None, vars };
        let expected = [("LC_ALL", "C.UTF-8"), ("LANG", "C"), ("A", "b=c")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(to_send(&target, &local), expected);
    }
}
