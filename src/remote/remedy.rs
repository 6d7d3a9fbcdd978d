//! What a person does about a host that is not ready, in words that can be pasted.

use std::cmp::Ordering;

use super::facts::{Candidate, Facts, by_version};
use super::judge::GUARD;
use crate::ssh::quote;

/// What to do about a start-up file that reads standard input.
pub const READS_INPUT: &str =
    "put  [ -t 0 ] &&  before the line that reads (cat, read, xargs …), so that it reads from a terminal only";

/// What to do about codex's own configuration.
pub const CONFIG: &str = "mend that line of that file on the host";

/// For whoever cannot remove what stands in the way of a socket.
pub const UNTIL_THEN: &str = "until then, let the server run inside the session: outpost hosts set HOST session_attached=true";

/// For a host that cannot fetch what is to be installed.
pub const FROM_LOCAL: &str = "upload the codex of this machine instead: outpost install HOST --from local";

/// A program and its arguments on that host, as a line that can be pasted. It runs as the account, and by the way, that codex runs
/// by, whatever `run_through` and the ssh configuration say.
pub fn on_host(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote::if_needed(word)).collect();
    format!("outpost shell HOST {}", words.join(" "))
}

/// As [`on_host`], a line for the account's shell there.
pub fn line_on_host(line: &str) -> String {
    on_host(&[line])
}

/// How to see what the start-up files of this shell do.
pub fn traced(shell: &str, interactive: bool) -> String {
    let see = match (shell.rsplit('/').next().unwrap_or_default(), interactive) {
        ("fish", false) => on_host(&["env", "fish_trace=1", shell, "-lc", "true"]),
        ("fish", true) => on_host(&["env", "fish_trace=1", shell, "-lic", "true"]),
        ("csh" | "tcsh", _) => on_host(&[shell, "-Xc", "source ~/.login"]),
        (name @ ("xonsh" | "elvish" | "nu"), _) => {
            return format!("look for a line that waits, or takes long, in the start-up files of {name} there");
        }
        (_, false) => line_on_host("exec $SHELL -lxc true"),
        (_, true) => line_on_host("exec $SHELL -lixc true"),
    };
    format!("see at which line of its start-up files the shell waits: {see}")
}

/// How to be rid of a folder for sockets that codex, or we, do not take.
pub fn removed(facts: &Facts, words: &str) -> String {
    // Codex's own folder outside of CODEX_HOME, which its words do not name.
    if words.contains("user-owned") {
        let folder = format!("/tmp/codex-daemon-{}", facts.uid);
        return format!(
            "see whose it is: {}\nif it is yours, remove it, codex makes it anew: {}\n{UNTIL_THEN}",
            on_host(&["ls", "-ld", &folder]),
            on_host(&["rm", "-r", &folder])
        );
    }
    let remove = on_host(&["rm", "-r", &format!("{}/app-server-control", facts.codex_home)]);
    format!("remove what is wrong there, codex makes it anew: {remove}")
}

/// What to do about a folder or socket that is not ours alone.
pub fn made_ours(facts: &Facts, words: &str) -> String {
    // Whose it is was looked at first: this one is the account's own.
    if let Some((folder, _)) = words.split_once(" is open to others") {
        return format!("close it to others: {}", on_host(&["chmod", "700", folder]));
    }
    format!("have it removed by its owner or an administrator (your user id there is {})\n{UNTIL_THEN}", facts.uid)
}

/// What to do about a CODEX_HOME that is no folder.
pub fn home_made(facts: &Facts, words: &str) -> String {
    let or = "or correct CODEX_HOME in the start-up files there, or in the settings: outpost hosts set HOST codex_home=";
    let home = &facts.codex_home;
    if words == "file" {
        return format!("move that file away: {}\n{or}", on_host(&["mv", home, &format!("{home}.old")]));
    }
    format!("make that folder: {}\n{or}", on_host(&["mkdir", "-p", home]))
}

/// What to do about an installation that failed.
pub fn installed(words: &str) -> String {
    if let Some((_, file)) = words.split_once("there is a file already: ") {
        return format!("move it away: {}\nthen: outpost install HOST", on_host(&["mv", file, &format!("{file}.old")]));
    }
    FROM_LOCAL.to_owned()
}

/// The ways to a server on another host; it has no name when nobody knows it.
pub fn there(facts: &Facts, name: Option<&str>) -> String {
    let own = format!("{}-{}", facts.codex_home, facts.hostname);
    let own = format!(
        "or give this host a CODEX_HOME of its own: {} && outpost hosts set HOST codex_home={}",
        on_host(&["mkdir", "-p", &own]),
        quote::if_needed(&own)
    );
    let Some(name) = name else {
        return format!("stop the app-server on the host that shares this CODEX_HOME,\n{own}");
    };
    let forget = on_host(&["rm", &format!("{}/outpost/server@{name}", facts.codex_home)]);
    format!(
        "if {name} still runs, go through it: outpost hosts set HOST run_through='ssh -T {name}'\nor stop the server there, if {name} is an \
         alias of yours: outpost stop {name}\nif {name} is gone, forget it: {forget}\n{own}"
    )
}

/// What to do where the login PATH leads to no codex.
pub fn elsewhere(facts: &Facts) -> String {
    let install = "install it there: npm install -g @openai/codex  or  outpost install HOST";
    let mut all: Vec<&Candidate> = facts.candidates.iter().collect();
    all.sort_by(|one, other| newest_first(one, other));
    let Some(first) = all.first() else { return install.to_owned() };
    let name = |c: &&Candidate| format!("{} ({})", c.path, c.version.as_deref().unwrap_or("does not run"));
    let found = format!("found elsewhere: {}", all.iter().map(name).collect::<Vec<_>>().join(", "));
    if first.version.is_none() {
        return format!("{found}\n{install}");
    }
    let set = format!("outpost hosts set HOST codex={}", quote::if_needed(&first.path));
    // A codex that the settings name, and that is not there, is not looked for on the PATH.
    let line = if facts.codex.is_none() { onto_path(facts, &first.path) } else { None };
    let line = line.map(|line| format!("put it on the PATH there: {line}\nor ")).unwrap_or_default();
    format!("{found}\n{line}use it from here: {set}")
}

/// The newest first; those that did not tell their version when they were asked, and so do not run, last.
fn newest_first(one: &Candidate, other: &Candidate) -> Ordering {
    match (&one.version, &other.version) {
        (Some(one), Some(other)) => by_version(other, one),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// The same where start-up files may have kept the PATH from us.
pub fn guarded(facts: &Facts) -> String {
    let or = if facts.candidates.is_empty() { "if there is none: " } else { "" };
    format!("{GUARD}\n{or}{}", elsewhere(facts))
}

/// The command that puts the folder of a codex on the PATH of a login shell; none when it goes by another name.
fn onto_path(facts: &Facts, codex: &str) -> Option<String> {
    let folder = codex.strip_suffix("/codex").filter(|folder| folder.starts_with('/'))?;
    let plain = quote::if_needed(folder) == folder;
    // PATH is exported by whoever started the shell.
    let posix = |file: &str| {
        if plain {
            return format!("echo PATH={folder}:\\$PATH >> ~/{file}");
        }
        format!("echo {} >> ~/{file}", quote::posix(&format!("PATH=\"{}:$PATH\"", in_double_quotes(folder))))
    };
    Some(line_on_host(&match facts.shell.rsplit('/').next().unwrap_or_default() {
        "fish" => format!("fish_add_path {}", quote::if_needed(folder)),
        "csh" | "tcsh" if plain => format!("echo setenv PATH {folder}:\\$PATH >> ~/.login"),
        "csh" | "tcsh" | "xonsh" | "elvish" | "nu" => return None,
        "zsh" => posix(".zprofile"),
        "bash" => posix(facts.profile.as_deref().unwrap_or(".profile")),
        _ => posix(".profile"),
    }))
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
            ("/bin/bash", "/opt/x/codex", r"'echo PATH=/opt/x:\$PATH >> ~/.bash_login'"),
            ("/usr/bin/zsh", "/opt/x/codex", r"'echo PATH=/opt/x:\$PATH >> ~/.zprofile'"),
            ("/bin/dash", "/opt/x$y/codex", r#"'echo '\''PATH="/opt/x\$y:$PATH"'\'' >> ~/.profile'"#),
            ("/usr/bin/fish", "/opt/a b/codex", r"'fish_add_path '\''/opt/a b'\'''"),
            ("/bin/tcsh", "/opt/x/codex", r"'echo setenv PATH /opt/x:\$PATH >> ~/.login'"),
        ] {
            let found = [("profile", ".bash_login"), ("candidate", path), ("candidate_version", "codex-cli 1.0")];
            let hint = missing(shell, &found);
            let set = quote::if_needed(path);
            assert_eq!(
                hint,
                format!(
                    "found elsewhere: {path} (1.0)\nput it on the PATH there: outpost shell HOST {line}\n\
                     or use it from here: outpost hosts set HOST codex={set}"
                )
            );
        }
        assert_eq!(
            missing("/bin/bash", &[("codex", "/gone"), ("candidate", "/b/codex"), ("candidate_version", "codex-cli 1.0")]),
            "found elsewhere: /b/codex (1.0)\nuse it from here: outpost hosts set HOST codex=/b/codex"
        );
        assert!(missing("/bin/bash", &[]).ends_with("npm install -g @openai/codex  or  outpost install HOST"));
    }

    #[test]
    fn of_several_the_newest_that_runs_is_recommended() {
        let mut fields = vec![("codex", "/gone")];
        for (path, version) in [("/broken", ""), ("/old", "codex-cli 0.9.0"), ("/new", "codex-cli 0.10.0"), ("/dead", "")] {
            fields.extend([("candidate", path), ("candidate_version", version)]);
        }
        assert_eq!(
            missing("/bin/bash", &fields),
            "found elsewhere: /new (0.10.0), /old (0.9.0), /broken (does not run), /dead (does not run)\n\
             use it from here: outpost hosts set HOST codex=/new"
        );
        assert!(missing("/bin/bash", &[("candidate", "/broken")]).ends_with("outpost install HOST"));
    }
}
