//! The shells' sides. For bash and zsh they are our own: to bash a colon ends a word, to us it stands within one, and what bash is
//! given goes onto the line unquoted; zsh would put a blank behind it. What is offered comes from files, and from hosts.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

/// All of them.
pub(super) const ALL: &[&dyn EnvCompleter] = &[&WholeWords, &Elvish, &Fish, &Powershell, &OpenEnds];

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
    local typed=$word offered reply
    # What is asked for is the word, not how it is written.
    words[at]=${words[at]//[\\\'\"]/}
    offered=$(_CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$at" VAR=bash "COMPLETER" -- "${words[@]}") || return
    IFS=$'\013' read -r -d '' -a COMPREPLY < <(printf '%s' "$offered")
    if [[ ${COMPREPLY-} =~ [=/:]$ ]]; then
        compopt -o nospace 2>/dev/null
    fi
    # bash puts what is offered in the place of what stands behind the last colon.
    if [[ ${words[at]} == *:* && $COMP_WORDBREAKS == *:* ]]; then
        before=${words[at]%"${words[at]##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
    fi
    # It goes onto the line as it is, behind a quote that a person has begun: there only what needs none is safe.
    for i in "${!COMPREPLY[@]}"; do
        reply=
        [[ -z ${COMPREPLY[i]} ]] || printf -v reply %q "${COMPREPLY[i]}"
        if [[ $typed == [\'\"]* && $reply != "${COMPREPLY[i]}" ]]; then
            unset "COMPREPLY[i]"
        else
            COMPREPLY[i]=$reply
        fi
    done
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
        to.write_all(registration(SCRIPT, var, (bin, completer)).as_bytes())
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

/// zsh, with no blank behind what ends in a colon or a slash.
struct OpenEnds;

const ZSH: &str = r#"#compdef BIN
function _outpost() {
    local completion first
    local -a open=() other=()
    local completions=("${(@f)$(_CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((CURRENT - 1)) \
        VAR=zsh COMPLETER -- "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    [[ -n $completions ]] || return
    for completion in $completions; do
        first=${completion%%:*}
        if [[ $first == */ || ( $first == *\\ && $completion == $first::* ) ]]; then
            open+=("$completion")
        else
            other+=("$completion")
        fi
    done
    [[ -n $open ]] && _describe -V 'values' open -S ''
    [[ -n $other ]] && _describe -V 'values' other
}
compdef _outpost BIN
"#;

impl EnvCompleter for OpenEnds {
    fn name(&self) -> &'static str {
        Zsh.name()
    }

    fn is(&self, name: &str) -> bool {
        Zsh.is(name)
    }

    fn write_registration(&self, var: &str, _: &str, bin: &str, completer: &str, to: &mut dyn Write) -> Result<(), io::Error> {
        to.write_all(registration(ZSH, var, (bin, completer)).as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        to: &mut dyn Write,
    ) -> Result<(), io::Error> {
        Zsh.write_complete(command, words, folder, to)
    }
}

fn registration(script: &str, var: &str, (bin, completer): (&str, &str)) -> String {
    script.replace("VAR", var).replace("BIN", bin).replace("COMPLETER", completer)
}
