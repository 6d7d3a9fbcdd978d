//! The `%` tokens, `~` and `${…}` that ssh_config leaves to the client, and which words may stand in a command line.

use std::path::{Path, PathBuf};

use crate::failure::{Code, Failure};
use crate::host::target::Target;
use crate::paths::Local;

/// What the tokens stand for in one connection.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    target: &'a Target,
    local: &'a Local,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(target: &'a Target, local: &'a Local) -> Self {
        Self { target, local }
    }

    /// The words of ProxyCommand and ProxyJump, which take `%%`, `%h`, `%n`, `%p`, `%r` and, though no manual says so, `%k`. A shell
    /// reads them.
    ///
    /// # Errors
    /// A host or user that a shell would act on, an unknown token.
    pub(crate) fn command(&self, text: &str) -> Result<String, Failure> {
        expand(text, |token| {
            let what = match token {
                'h' => "host name",
                'n' => "host",
                'k' => "host key alias",
                'r' => "user",
                '%' | 'p' => return Ok(self.value(token)),
                _ => return Ok(None),
            };
            let value = self.value(token);
            value.as_deref().map_or(Ok(()), |word| harmless(what, word, self.target))?;
            Ok(value)
        })
    }

    fn value(&self, token: char) -> Option<String> {
        let host_name = || nix::unistd::gethostname().ok().and_then(|n| n.into_string().ok()).unwrap_or_default();
        Some(match token {
            '%' => "%".to_owned(),
            'C' => self.target.connection_hash()?.to_owned(),
            'h' => self.target.host_name().to_owned(),
            'n' => self.target.alias.to_string(),
            'k' => self.target.first("hostkeyalias").unwrap_or(self.target.alias.as_str()).to_owned(),
            'p' => self.target.port().to_string(),
            'r' => self.target.user().to_owned(),
            'u' => self.local.user.clone(),
            'd' => self.local.home.to_string_lossy().into_owned(),
            'i' => nix::unistd::getuid().to_string(),
            'j' => self.target.first("proxyjump").unwrap_or_default().to_owned(),
            'l' => host_name(),
            'L' => host_name().split('.').next().unwrap_or_default().to_owned(),
            _ => return None,
        })
    }

    /// A path of the configuration: `~` and `~user`, `${NAME}`, then the tokens.
    ///
    /// # Errors
    /// An unset variable, an unknown user, an unknown token.
    pub(crate) fn path(&self, text: &str) -> Result<PathBuf, Failure> {
        let named = self.variables(text)?;
        let rooted = tilde(&named, &self.local.home).ok_or_else(|| refused(text, "there is no such user"))?;
        expand(&rooted, |token| Ok(self.value(token))).map(PathBuf::from)
    }

    fn variables(&self, text: &str) -> Result<String, Failure> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').ok_or_else(|| refused(text, "'${' is not closed"))?;
            let value = self.local.var(name).and_then(|v| v.to_str());
            out.push_str(before);
            out.push_str(value.ok_or_else(|| refused(text, &format!("the variable {name} is not set")))?);
            rest = tail;
        }
        Ok(out + rest)
    }
}

/// Replaces every token by its value; one without a value is an error.
fn expand(text: &str, value: impl Fn(char) -> Result<Option<String>, Failure>) -> Result<String, Failure> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '%' {
            let token = rest.next();
            out.push_str(&token.map_or(Ok(None), &value)?.ok_or_else(|| unknown(text, token))?);
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// `~` and `~user` at the beginning of a path; none where there is no such user.
pub(crate) fn tilde(text: &str, home: &Path) -> Option<String> {
    let Some(rest) = text.strip_prefix('~') else { return Some(text.to_owned()) };
    let (user, tail) = rest.split_once('/').map_or((rest, ""), |(u, t)| (u, t));
    let base = if user.is_empty() { home.to_owned() } else { nix::unistd::User::from_name(user).ok()??.dir };
    Some(base.join(tail).to_string_lossy().into_owned())
}

fn unknown(text: &str, token: Option<char>) -> Failure {
    refused(text, &format!("the keyword has no token %{}", token.map(String::from).unwrap_or_default()))
}

fn refused(text: &str, why: &str) -> Failure {
    Failure::new(Code::KeywordUnsupported, format!("expand '{text}' of the ssh configuration"))
        .said(why)
        .hint("mend the line in the ssh configuration; what only your ssh knows works with --carrier ssh")
}

/// Refuses a host name or user that would mean something to the shell that a ProxyCommand runs in (CVE-2023-51385).
fn harmless(what: &str, word: &str, target: &Target) -> Result<(), Failure> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || "'`\"$;&<>|(){}*?".contains(c);
    if word.starts_with('-') || word.ends_with('\\') || word.chars().any(bad) {
        let alias = &target.alias;
        let failure = Failure::new(Code::KeywordUnsupported, format!("put the {what} '{word}' into a command line"));
        return Err(failure.said("it holds a character that a shell would act on").hint(format!(
            "give the host a plain HostName and User; where it must be so, your ssh may take it: --carrier ssh, or for good: \
             outpost hosts set {alias} carrier=ssh"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(check: impl FnOnce(&Tokens<'_>)) {
        let target = Target::from_ssh_g("dev".parse().expect("alias"), "hostname 10.0.0.7\nport 2222\nuser me\n", "");
        let vars = [("KEYS".into(), "/keys".into())].into_iter().collect();
        let local = Local { home: "/home/me".into(), user: "local".into(), codex_home: "/c".into(), ssh_config: None, vars };
        check(&Tokens::new(&target, &local));
    }

    #[test]
    fn a_command_takes_few_tokens() {
        with(|t| {
            for (text, expected) in [("nc %h %p", "nc 10.0.0.7 2222"), ("%r@%n 100%%", "me@dev 100%")] {
                assert_eq!(t.command(text).expect(text), expected);
            }
            for bad in ["%x", "%", "a%", "%u", "%d", "%C"] {
                assert_eq!(t.command(bad).expect_err(bad).code, Code::KeywordUnsupported);
            }
        });
    }

    #[test]
    fn paths_know_home_and_variables() {
        with(|t| {
            for (text, expected) in
                [("~/.ssh/id_%n", "/home/me/.ssh/id_dev"), ("${KEYS}/a", "/keys/a"), ("/abs", "/abs"), ("~root/x", "/root/x")]
            {
                assert_eq!(t.path(text).expect(text), PathBuf::from(expected));
            }
            assert!(t.path("${NOT_SET}/a").is_err());
            assert!(t.path("${KEYS").is_err());
            assert!(t.path("~no-such-user-here/a").is_err());
        });
    }

    #[test]
    fn what_cannot_be_expanded_is_told() {
        with(|t| {
            let mut told = String::new();
            for text in ["~/%x", "~/${NOT_SET}/a", "~/${KEYS", "~no-such-user-here/a"] {
                let failure = t.path(text).expect_err(text);
                told.push_str(&format!("[{}] {failure}\n  {}\n", failure.code.as_str(), failure.hint));
            }
            insta::assert_snapshot!(told, @r"
            [keyword-unsupported] expand '/home/me/%x' of the ssh configuration: the keyword has no token %x
              mend the line in the ssh configuration; what only your ssh knows works with --carrier ssh
            [keyword-unsupported] expand '~/${NOT_SET}/a' of the ssh configuration: the variable NOT_SET is not set
              mend the line in the ssh configuration; what only your ssh knows works with --carrier ssh
            [keyword-unsupported] expand '~/${KEYS' of the ssh configuration: '${' is not closed
              mend the line in the ssh configuration; what only your ssh knows works with --carrier ssh
            [keyword-unsupported] expand '~no-such-user-here/a' of the ssh configuration: there is no such user
              mend the line in the ssh configuration; what only your ssh knows works with --carrier ssh
            ");
        });
    }

    /// Only what the command uses: `ssh` does not mind the others either.
    #[test]
    fn shell_characters_are_refused_where_a_command_uses_them() {
        let local = Local { home: "/".into(), user: "l".into(), codex_home: "/c".into(), ssh_config: None, vars: [].into() };
        let refused = |template: &str, host: &str, user: &str| {
            let target = Target::from_ssh_g("dev".parse().expect("alias"), &format!("hostname {host}\nuser {user}\n"), "");
            Tokens::new(&target, &local).command(template).err()
        };
        for good in ["host.example", "10.0.0.1", "fe80::1%eth0", "me", "DOM\\me"] {
            assert_eq!(refused("nc %h %r", good, good), None, "{good}");
        }
        for bad in ["-oX", "a b", "a;b", "`id`", "$(id)", "a'b", "x\\", "a\tb"] {
            assert!(refused("nc %h", bad, "me").is_some() && refused("nc %r", "host", bad).is_some(), "{bad}");
            assert_eq!(refused("nc %h", "host", bad), None, "{bad}");
        }
        let failure = refused("nc -l %r", "host", "john doe").expect("refused");
        insta::assert_snapshot!(format!("[{}] {failure}\n{}", failure.code.as_str(), failure.hint), @r"
        [keyword-unsupported] put the user 'john doe' into a command line: it holds a character that a shell would act on
        give the host a plain HostName and User; where it must be so, your ssh may take it: --carrier ssh, or for good: outpost hosts set dev carrier=ssh
        ");
    }
}
