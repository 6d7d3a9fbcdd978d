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
    /// Reads no file that we could fill.
    None,
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
}

const fn sh(name: &'static str, program: &'static str, every: Option<&'static str>) -> Shell {
    Shell { name, program, syntax: Syntax::Sh, login: ".profile", every }
}

/// Every one a real program.
pub(super) const SHELLS: &[Shell] = &[
    sh("bash", "/bin/bash", Some(".bashrc")),
    Shell { login: ".zprofile", ..sh("zsh", "/usr/bin/zsh", Some(".zshenv")) },
    sh("ksh93", "/usr/bin/ksh93", None),
    sh("mksh", "/usr/bin/mksh", None),
    sh("dash", "/bin/dash", None),
    Shell { login: ".yash_profile", ..sh("yash", "/usr/bin/yash", None) },
    // busybox and bash go by the name they are called by.
    sh("ash", "/bin/busybox", None),
    sh("rbash", "/bin/bash", Some(".bashrc")),
    Shell { name: "tcsh", program: "/usr/bin/tcsh", syntax: Syntax::Csh, login: ".login", every: Some(".cshrc") },
    Shell { name: "csh", program: "/usr/bin/tcsh", syntax: Syntax::Csh, login: ".login", every: Some(".cshrc") },
    Shell {
        name: "fish",
        program: "/usr/bin/fish",
        syntax: Syntax::Fish,
        login: ".config/fish/conf.d/login.fish",
        every: Some(".config/fish/config.fish"),
    },
    Shell { name: "xonsh", program: "/usr/bin/xonsh", syntax: Syntax::Xonsh, login: ".xonshrc", every: None },
    Shell { name: "elvish", program: "/usr/bin/elvish", syntax: Syntax::None, login: ".config/elvish/rc.elv", every: None },
];

/// Which start-up file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Login,
    Every,
}

/// What a start-up file does.
pub(super) struct Behaviour {
    pub(super) name: &'static str,
    sh: Option<&'static str>,
    csh: Option<&'static str>,
    fish: Option<&'static str>,
    xonsh: Option<&'static str>,
}

const fn all(name: &'static str, text: &'static str) -> Behaviour {
    Behaviour { name, sh: Some(text), csh: Some(text), fish: Some(text), xonsh: Some(text) }
}

/// What people's files do.
pub(super) const BEHAVIOURS: &[Behaviour] = &[
    all("does nothing", ""),
    all("prints megabytes", "head -c 3000000 /dev/zero | tr '\\0' x"),
    all("prints escapes and no newline", "printf '\\033]0;title\\007\\033[2J\\302\\233no newline'"),
    Behaviour { csh: Some("set line = $<"), fish: Some("read LINE"), xonsh: None, ..all("reads a line", "read -r LINE") },
    Behaviour {
        csh: Some("set line = $<\nset line = $<\nset line = $<"),
        fish: None,
        xonsh: None,
        ..all("reads three lines", "read -r L; read -r L; read -r L")
    },
    all("reads all of its input", "cat >/dev/null"),
    all("sleeps", "sleep 0.3"),
    all("execs another shell", "exec /bin/bash --norc"),
    Behaviour { csh: None, ..all("fails", "no-such-command-of-ours") },
    all("goes elsewhere", "cd /"),
    Behaviour { csh: None, fish: None, xonsh: None, ..all("is strict", "set -eu") },
    Behaviour { csh: None, fish: None, xonsh: None, ..all("turns strict and traced", "set -eux; export SHELLOPTS") },
    Behaviour {
        csh: Some("setenv PATH /nowhere"),
        fish: Some("set -x PATH /nowhere"),
        xonsh: Some("$PATH = ['/nowhere']"),
        ..all("destroys PATH", "PATH=/nowhere; export PATH")
    },
    Behaviour { csh: None, fish: None, xonsh: None, ..all("is broken", "if then fi (") },
];

impl Syntax {
    pub(super) fn of(self, behaviour: &Behaviour) -> Option<&'static str> {
        match self {
            Self::Sh => behaviour.sh,
            Self::Csh => behaviour.csh,
            Self::Fish => behaviour.fish,
            Self::Xonsh => behaviour.xonsh,
            Self::None => Some("").filter(|_| behaviour.sh == Some("")),
        }
    }

    pub(super) fn path_line(self, bin: &Path) -> String {
        let bin = bin.display();
        match self {
            Self::Sh => format!("export PATH=\"{bin}:$PATH\""),
            Self::Csh => format!("setenv PATH {bin}:$PATH"),
            Self::Fish => format!("status is-login; and set -x PATH {bin} $PATH"),
            Self::Xonsh => format!("$PATH.insert(0, '{bin}')"),
            Self::None => String::new(),
        }
    }
}

impl Shell {
    /// Its path: by its own name, where one program is several shells.
    pub(super) fn installed(&self, sandbox: &Sandbox) -> PathBuf {
        if self.program.ends_with(self.name) {
            return self.program.into();
        }
        let link = sandbox.write("shells/README", "links").with_file_name(self.name);
        std::os::unix::fs::symlink(self.program, &link).unwrap();
        link
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.login).chain(self.every)
    }

    pub(super) fn file(&self, place: Where) -> Option<&'static str> {
        match place {
            Where::Login => Some(self.login),
            Where::Every => self.every,
        }
    }
}
