//! What a person does about a host that is not ready, in words that can be pasted.

use super::facts::{Candidate, Facts};
use super::judge::GUARD;
use crate::ssh::quote;

/// What to do about a start-up file that reads standard input.
pub const READS_INPUT: &str =
    "put  [ -t 0 ] &&  before the line that reads (cat, read, xargs …), so that it reads from a terminal only";

/// What to do about codex's own configuration.
pub const CONFIG: &str = "mend that line of that file on the host";

/// For whoever cannot remove what stands in the way of a socket.
pub const UNTIL_THEN: &str = "until then, let the server run inside the session: outpost hosts set HOST session_attached=true";

/// How to be rid of a folder for sockets that codex, or we, do not take.
pub fn removed(facts: &Facts, words: &str) -> String {
    // Codex's own folder outside of CODEX_HOME, which its words do not name.
    if words.contains("user-owned") {
        let folder = format!("/tmp/codex-daemon-{}", facts.uid);
        return format!(
            "see whose it is: ssh HOST ls -ld {folder}\nif it is yours, remove it, codex makes it anew: ssh HOST rm -r {folder}\n{UNTIL_THEN}"
        );
    }
    let remove = quote::if_needed(&format!("rm -r {}", quote::if_needed(&format!("{}/app-server-control", facts.codex_home))));
    format!("remove what is wrong there, codex makes it anew: ssh HOST {remove}")
}

/// The ways to a server on another host; it has no name when nobody knows it.
pub fn there(facts: &Facts, name: Option<&str>) -> String {
    let own = quote::if_needed(&format!("{}-{}", facts.codex_home, facts.hostname));
    let own = format!(
        "or give this host a CODEX_HOME of its own: ssh HOST mkdir -p {} && outpost hosts set HOST codex_home={own}",
        quote::if_needed(&own)
    );
    let Some(name) = name else {
        return format!("stop the app-server on the host that shares this CODEX_HOME,\n{own}");
    };
    let record = quote::if_needed(&format!("{}/outpost/server@{name}", facts.codex_home));
    format!(
        "go through that host: outpost hosts set HOST run_through='ssh -T {name}'\nor stop the server there, if {name} is an alias of yours: \
         outpost stop {name}\nor, if {name} is gone, forget it, on this host: rm {record}\n{own}"
    )
}

/// What to do where the login PATH leads to no codex.
pub fn elsewhere(facts: &Facts) -> String {
    let Some(first) = facts.candidates.first() else {
        return "install it there: npm install -g @openai/codex  or  outpost install HOST".to_owned();
    };
    let name = |c: &Candidate| c.version.as_ref().map_or(c.path.clone(), |version| format!("{} ({version})", c.path));
    let all: Vec<String> = facts.candidates.iter().map(name).collect();
    let set = format!("outpost hosts set HOST codex={}", quote::if_needed(&first.path));
    // A codex that the settings name, and that is not there, is not looked for on the PATH.
    let line = if facts.codex.is_none() { onto_path(&facts.shell, &first.path) } else { None };
    let line = line.map(|line| format!("put it on the PATH, on that host: {line}\nor ")).unwrap_or_default();
    format!("found elsewhere: {}\n{line}use it from here: {set}", all.join(", "))
}

/// The same where start-up files may have kept the PATH from us.
pub fn guarded(facts: &Facts) -> String {
    let or = if facts.candidates.is_empty() { "if there is none: " } else { "" };
    format!("{GUARD}\n{or}{}", elsewhere(facts))
}

/// The command that puts the folder of a codex on the PATH of a login shell; none when it goes by another name.
fn onto_path(shell: &str, codex: &str) -> Option<String> {
    let folder = codex.strip_suffix("/codex").filter(|folder| folder.starts_with('/'))?;
    let shell = shell.rsplit('/').next().unwrap_or_default();
    let append = |line: String, file: &str| format!("echo {} >> {file}", quote::posix(&line));
    let posix = |file| append(format!("export PATH=\"{}:$PATH\"", in_double_quotes(folder)), file);
    Some(match shell {
        "fish" => format!("fish_add_path {}", quote::if_needed(folder)),
        "csh" | "tcsh" => append(format!("setenv PATH {}:$PATH", quote::if_needed(folder)), "~/.login"),
        "zsh" => posix("~/.zprofile"),
        "bash" => posix("~/.profile") + "  (or ~/.bash_profile, where there is one)",
        _ => posix("~/.profile"),
    })
}

fn in_double_quotes(text: &str) -> String {
    text.chars().flat_map(|c| "\\\"$`".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::facts::Fields;

    fn missing(shell: &str, fields: &[(&str, &str)]) -> String {
        let mut all = Fields::default();
        for (key, value) in [("shell", shell)].iter().chain(fields) {
            all.add((*key).to_owned(), value.as_bytes());
        }
        elsewhere(&all.facts())
    }

    #[test]
    fn a_codex_elsewhere_is_put_on_the_path_in_the_words_of_the_shell() {
        for (shell, path, line) in [
            (
                "/bin/bash",
                "/opt/x/codex",
                r#"echo 'export PATH="/opt/x:$PATH"' >> ~/.profile  (or ~/.bash_profile, where there is one)"#,
            ),
            ("/usr/bin/zsh", "/opt/x/codex", r#"echo 'export PATH="/opt/x:$PATH"' >> ~/.zprofile"#),
            ("/bin/dash", "/opt/x'$y/codex", r#"echo 'export PATH="/opt/x'\''\$y:$PATH"' >> ~/.profile"#),
            ("/usr/bin/fish", "/opt/a b/codex", "fish_add_path '/opt/a b'"),
            ("/bin/tcsh", "/opt/x/codex", "echo 'setenv PATH /opt/x:$PATH' >> ~/.login"),
        ] {
            let hint = missing(shell, &[("candidate", path), ("candidate", "/b/codex")]);
            let set = quote::if_needed(path);
            assert_eq!(
                hint,
                format!(
                    "found elsewhere: {path}, /b/codex\nput it on the PATH, on that host: {line}\n\
                     or use it from here: outpost hosts set HOST codex={set}"
                )
            );
        }
        assert_eq!(
            missing("/bin/bash", &[("codex", "/gone"), ("candidate", "/b/codex")]),
            "found elsewhere: /b/codex\nuse it from here: outpost hosts set HOST codex=/b/codex"
        );
        assert!(missing("/bin/bash", &[]).ends_with("npm install -g @openai/codex  or  outpost install HOST"));
    }
}
