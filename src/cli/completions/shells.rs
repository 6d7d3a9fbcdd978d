//! The shells' sides. For bash it is our own: to bash a colon ends a word, to us it stands within one.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

/// All of them.
pub(super) const ALL: &[&dyn EnvCompleter] = &[&WholeWords, &Elvish, &Fish, &Powershell, &Zsh];

/// bash, with `HOST:PATH` put together again before the program is asked.
struct WholeWords;

const SCRIPT: &str = r#"_outpost() {
    local IFS=$'\013' words=() word before= i at=0
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)) && [[ $word != : ]]; then
            word=$2
        fi
        if ((i > 1)) && [[ $word == : || $before == : ]]; then
            words[at]+=$word
        else
            ((i > 0)) && ((at += 1))
            words[at]=$word
        fi
        before=${COMP_WORDS[i]}
    done
    compopt +o nospace 2>/dev/null
    COMPREPLY=($(_CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$at" VAR=bash "COMPLETER" -- "${words[@]}"))
    if (($? != 0)); then
        unset COMPREPLY
    elif [[ ${COMPREPLY-} =~ [=/:]$ ]]; then
        compopt -o nospace 2>/dev/null
    fi
    # bash puts what is offered in the place of what stands behind the last colon.
    if [[ ${words[at]} == *:* && $COMP_WORDBREAKS == *:* ]]; then
        before=${words[at]%"${words[at]##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
    fi
}
complete -o nospace -o bashdefault -F _outpost BIN
"#;

impl EnvCompleter for WholeWords {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(&self, var: &str, _: &str, bin: &str, completer: &str, to: &mut dyn Write) -> Result<(), io::Error> {
        let script = SCRIPT.replace("VAR", var).replace("BIN", bin).replace("COMPLETER", completer);
        to.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        to: &mut dyn Write,
    ) -> Result<(), io::Error> {
        Bash.write_complete(command, words, folder, to)
    }
}
