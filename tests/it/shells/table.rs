//! The login shells, their start-up files, and what people put into those.

use std::path::{Path, PathBuf};

use crate::bed::Sandbox;

/// How a shell's files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    Sh,
    Csh,
    Fish,
    Xonsh,
    Elvish,
    Nu,
}

/// A login shell.
pub(super) struct Shell {
    pub(super) name: &'static str,
    program: &'static str,
    pub(super) syntax: Syntax,
    /// The file that a login shell reads.
    pub(super) login: &'static str,
    /// The file that it reads also for `-c` under sshd.
    every: Option<&'static str>,
    /// The file that it reads when it is interactive, where we may ask for that.
    interactive: Option<&'static str>,
}

/// What `ENV` names for the shells that read it when they are interactive.
pub(super) const ENV_FILE: &str = ".envrc";

const fn sh(name: &'static str, program: &'static str, every: Option<&'static str>) -> Shell {
    Shell { name, program, syntax: Syntax::Sh, login: ".profile", every, interactive: Some(ENV_FILE) }
}

/// Every one a real program.
pub(super) const SHELLS: &[Shell] = &[
    Shell { interactive: Some(".bashrc"), ..sh("bash", "/bin/bash", Some(".bashrc")) },
    Shell { login: ".zprofile", interactive: Some(".zshrc"), ..sh("zsh", "/usr/bin/zsh", Some(".zshenv")) },
    sh("ksh93", "/usr/bin/ksh93", None),
    sh("mksh", "/usr/bin/mksh", None),
    sh("dash", "/bin/dash", None),
    Shell { login: ".yash_profile", interactive: Some(".yashrc"), ..sh("yash", "/usr/bin/yash", None) },
    // busybox and bash go by the name they are called by.
    sh("ash", "/bin/busybox", None),
    Shell { interactive: None, ..sh("rbash", "/bin/bash", Some(".bashrc")) },
    csh("tcsh"),
    csh("csh"),
    Shell {
        name: "fish",
        program: "/usr/bin/fish",
        syntax: Syntax::Fish,
        login: ".config/fish/conf.d/login.fish",
        every: Some(".config/fish/config.fish"),
        interactive: Some(".config/fish/config.fish"),
    },
    Shell { login: ".xonshrc", syntax: Syntax::Xonsh, interactive: None, ..sh("xonsh", "/usr/bin/xonsh", None) },
    Shell {
        login: "",
        syntax: Syntax::Elvish,
        interactive: Some(".config/elvish/rc.elv"),
        ..sh("elvish", "/usr/bin/elvish", None)
    },
    Shell { login: ".config/nushell/login.nu", syntax: Syntax::Nu, interactive: None, ..sh("nu", "", None) },
];

const fn csh(name: &'static str) -> Shell {
    let every = Some(".cshrc");
    Shell { name, program: "/usr/bin/tcsh", syntax: Syntax::Csh, login: ".login", every, interactive: None }
}

/// Which start-up file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Login,
    Every,
    /// The login file leads nowhere; codex is on the PATH of the interactive shell.
    Interactive,
}

/// What a start-up file does.
pub(super) struct Behaviour {
    pub(super) name: &'static str,
    sh: Option<&'static str>,
    csh: Option<&'static str>,
    fish: Option<&'static str>,
    xonsh: Option<&'static str>,
    elvish: Option<&'static str>,
    nu: Option<&'static str>,
}

const fn all(name: &'static str, text: &'static str) -> Behaviour {
    let text = Some(text);
    Behaviour { name, sh: text, csh: text, fish: text, xonsh: text, elvish: text, nu: text }
}

/// For the shells of the POSIX kind alone.
const fn posix(name: &'static str, text: &'static str) -> Behaviour {
    Behaviour { csh: None, fish: None, xonsh: None, elvish: None, nu: None, ..all(name, text) }
}

/// What people's files do.
pub(super) const BEHAVIOURS: &[Behaviour] = &[
    all("does nothing", ""),
    Behaviour {
        elvish: Some("head -c 3000000 /dev/zero | tr \"\\\\0\" x"),
        nu: Some("^head -c 3000000 /dev/zero | ^tr '\\0' x"),
        ..all("prints megabytes", "head -c 3000000 /dev/zero | tr '\\0' x")
    },
    Behaviour {
        elvish: Some("print \"\\e]0;title\\a\\e[2Jno newline\""),
        nu: Some("print -n \"\\e]0;title\\u{7}\\e[2J\\u{9b}no newline\""),
        ..all("prints escapes and no newline", "printf '\\033]0;title\\007\\033[2J\\302\\233no newline'")
    },
    Behaviour {
        csh: Some("set line = $<"),
        fish: Some("read LINE"),
        xonsh: Some("input()"),
        elvish: Some("nop (read-line)"),
        nu: Some("input"),
        ..all("reads a line", "read -r LINE")
    },
    Behaviour {
        csh: Some("set line = $<\nset line = $<\nset line = $<"),
        fish: Some("read LINE; read LINE; read LINE"),
        xonsh: Some("input(); input(); input()"),
        elvish: None,
        nu: Some("input\ninput\ninput"),
        ..all("reads three lines", "read -r L; read -r L; read -r L")
    },
    Behaviour { nu: Some("^cat o> /dev/null"), ..all("reads all of its input", "cat >/dev/null") },
    Behaviour { nu: Some("sleep 300ms"), ..all("sleeps", "sleep 0.3") },
    all("execs another shell", "exec /bin/bash --norc"),
    Behaviour { elvish: Some("fail odd"), ..all("fails", "no-such-command-of-ours") },
    all("exits", "exit 3"),
    all("goes elsewhere", "cd /"),
    Behaviour { xonsh: Some("$RAISE_SUBPROC_ERROR = True"), ..posix("is strict", "set -eu") },
    posix("turns strict and traced", "set -euxC; export SHELLOPTS"),
    Behaviour {
        csh: Some("setenv PATH /nowhere"),
        fish: Some("set -x PATH /nowhere"),
        xonsh: Some("$PATH = ['/nowhere']"),
        elvish: Some("set paths = [/nowhere]"),
        nu: Some("$env.PATH = [\"/nowhere\"]"),
        ..all("destroys PATH", "PATH=/nowhere; export PATH")
    },
    all("is broken", "if then fi ("),
];

impl Syntax {
    pub(super) fn of(self, behaviour: &Behaviour) -> Option<&'static str> {
        match self {
            Self::Sh => behaviour.sh,
            Self::Csh => behaviour.csh,
            Self::Fish => behaviour.fish,
            Self::Xonsh => behaviour.xonsh,
            Self::Elvish => behaviour.elvish,
            Self::Nu => behaviour.nu,
        }
    }

    pub(super) fn path_line(self, bin: &Path) -> String {
        let bin = bin.display();
        match self {
            Self::Sh => format!("export PATH=\"{bin}:$PATH\""),
            Self::Csh => format!("setenv PATH {bin}:$PATH"),
            Self::Fish => format!("status is-login; and set -x PATH {bin} $PATH"),
            Self::Xonsh => format!("$PATH.insert(0, '{bin}')"),
            Self::Elvish => format!("set paths = [{bin} $@paths]"),
            Self::Nu => format!("$env.PATH = ($env.PATH | prepend \"{bin}\")"),
        }
    }

    /// A file that does something in an interactive shell, and ends with PATH.
    pub(super) fn interactive(self, text: &str, bin: &Path) -> String {
        let path = self.path_line(bin);
        match self {
            Self::Sh => format!("case $- in *i*) ;; *) return ;; esac\n{text}\n{path}\n"),
            Self::Fish => format!("status is-interactive; or exit\n{text}\nset -x PATH {} $PATH\n", bin.display()),
            Self::Csh | Self::Xonsh | Self::Elvish | Self::Nu => format!("{text}\n{path}\n"),
        }
    }
}

impl Shell {
    /// Its path: by its own name, where one program is several shells.
    pub(super) fn installed(&self, sandbox: &Sandbox) -> PathBuf {
        if self.syntax == Syntax::Nu {
            return crate::bed::nushell();
        }
        if self.program.ends_with(self.name) {
            return self.program.into();
        }
        let link = sandbox.write("shells/README", "links").with_file_name(self.name);
        std::os::unix::fs::symlink(self.program, &link).unwrap();
        link
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &'static str> {
        let all = std::iter::once(self.login).chain(self.every).chain(self.interactive);
        all.filter(|file| !file.is_empty())
    }

    pub(super) fn file(&self, place: Where) -> Option<&'static str> {
        match place {
            Where::Login => Some(self.login).filter(|file| !file.is_empty()),
            Where::Every => self.every,
            Where::Interactive => self.interactive,
        }
    }
}
