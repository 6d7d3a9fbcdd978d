//! One manual page: what clap knows of a command, and the sections that it does not know.

use clap::Command;
use clap_mangen::Man;

use crate::failure::{Code, Failure};

/// What each exit code means, in short; docs/EXIT-CODES.md says more.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Done."),
    ("1", "The work failed, was interrupted, or goes on without outpost."),
    ("2", "The command line makes no sense."),
    ("3", "Remote connections are switched off: outpost enable."),
    ("4", "A configuration file is broken, or a name is not in it."),
    ("5", "SSH: unreachable, refused, host key, link lost."),
    ("6", "The remote is not ready: no codex, no such folder, nobody signed in."),
    ("130", "Interrupted by Ctrl-C."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("OUTPOST_SSH_CONFIG", "As -F."),
    ("OUTPOST_CARRIER", "As --carrier."),
    ("OUTPOST_PAGER, PAGER", "What long answers go through on a terminal; less where neither is set."),
    ("NO_COLOR", "No colours."),
    ("CODEX_HOME", "The folder of Codex and of outpost's own files; ~/.codex where it is not set."),
    ("XDG_RUNTIME_DIR", "Where local sockets are made; /tmp where it is not set."),
    ("SSH_ASKPASS, SSH_ASKPASS_REQUIRE, SSH_AUTH_SOCK", "As for ssh."),
    ("CODEX_ACCESS_TOKEN", "The token of run --with-access-token."),
];

const FILES: &[(&str, &str)] = &[
    ("~/.ssh/config, /etc/ssh/ssh_config", "Your hosts."),
    ("$CODEX_HOME/config.toml", "Codex's configuration; [features] remote_connections = true switches outpost on."),
    ("$CODEX_HOME/outpost/hosts.toml", "Settings of hosts."),
    ("$CODEX_HOME/outpost/projects.toml", "Projects."),
    ("$CODEX_HOME/outpost/threads/", "What was last listed of each host."),
];

/// The source of a command's page.
///
/// # Errors
/// None that is known: it is written to memory.
pub(super) fn of(command: &Command) -> Result<Vec<u8>, Failure> {
    let (mut page, top) = (Vec::new(), !command.get_bin_name().unwrap_or_default().contains(' '));
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let grouped = command.clone().override_usage(usage).mut_args(|arg| {
        let heading = if arg.is_positional() { "Arguments" } else { "Options" };
        if arg.get_help_heading().is_none() { arg.help_heading(heading) } else { arg }
    });
    let man = Man::new(grouped).source(concat!("outpost ", env!("CARGO_PKG_VERSION"))).manual("Outpost");
    let clap = |page: &mut Vec<u8>| {
        man.render_title(page)?;
        man.render_name_section(page)?;
        man.render_synopsis_section(page)?;
        man.render_description_section(page)?;
        man.render_options_section(page)?;
        if command.get_subcommands().any(|below| !below.is_hide_set()) {
            man.render_subcommands_section(page)?;
        }
        Ok(())
    };
    clap(&mut page).map_err(|e: std::io::Error| Failure::new(Code::LocalIo, "make the manual page").said(e))?;
    let mut more = String::new();
    if command.get_bin_name() == Some("outpost shell") {
        more.push_str(".SH \"EXIT STATUS\"\nThat of the shell or command; 255 where it was not run, or the link was lost.\n");
    } else {
        section(&mut more, "EXIT STATUS", EXIT_STATUS);
    }
    if top {
        section(&mut more, "ENVIRONMENT", ENVIRONMENT);
        section(&mut more, "FILES", FILES);
    }
    if let Some(help) = command.get_after_help() {
        examples(&mut more, &help.to_string());
    }
    if !top {
        more.push_str(".SH \"SEE ALSO\"\n\\fBoutpost\\fR(1), which has ENVIRONMENT and FILES\n");
    }
    page.extend(more.into_bytes());
    Ok(page)
}

fn section(page: &mut String, title: &str, rows: &[(&str, &str)]) {
    page.push_str(&format!(".SH \"{title}\"\n"));
    for (word, meaning) in rows {
        page.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", line(word), line(meaning)));
    }
}

/// The text below a command's help: examples, as they are typed.
fn examples(page: &mut String, help: &str) {
    page.push_str(".SH EXAMPLES\n.nf\n");
    for text in help.lines().skip_while(|text| *text == "Examples:") {
        page.push_str(&line(text.strip_prefix("  ").unwrap_or(text)));
        page.push('\n');
    }
    page.push_str(".fi\n");
}

/// A line of text that roff takes for nothing else.
fn line(text: &str) -> String {
    let text = text
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq")
        .replace('~', "\\(ti")
        .replace('^', "\\(ha")
        .replace('`', "\\(ga");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roff_takes_text_for_text() {
        assert_eq!(line("it's a \\ -x ~/a"), "it\\(aqs a \\e \\-x \\(ti/a");
        assert_eq!(line(".bashrc"), "\\&.bashrc");
    }
}
