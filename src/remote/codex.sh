# Stage two goes on: finds codex. Given: codex (the path of the settings), versions (whether to ask every one).
on_path codex
case $codex in
"~/"*)
codex=$HOME/${codex#??}
;;
esac
asked=$codex
codex=${codex:-$first}
if [ -z "$codex" ] && [ "$OUTPOST_AT" != interactive ]; then
# People set PATH in files that only an interactive shell reads. (No -l: an interactive login bash closes descriptors 3 to 20.)
OUTPOST_AT=interactive
OUTPOST_PID=$$
reached=
lost=yes
trap reached=1 USR1
# Who waits for it for ever has its start-up files to look at, and not codex.
printf %s "$m+waits=interactive$m;" >&6
case ${OUTPOST_SHELL##*/} in
csh|tcsh|xonsh|nu|rbash|rksh|rzsh)
lost=
;;
elvish)
# rc.elv is for interactive shells alone, and that one cannot be had without a terminal: its text is evaluated instead.
PATH=$login_path "$OUTPOST_SHELL" -c "try { eval (slurp < ~/.config/elvish/rc.elv) } catch e { nop }; exec /bin/sh -c 'exec 0<&3 1>&4; eval \"\$OUTPOST_STAGE\"'" 3<&5 4>&6 5<&- 6>&-
;;
*)
PATH=$login_path "$OUTPOST_SHELL" -i -c "exec /bin/sh -c 'exec 0<&3 1>&4; eval \"\$OUTPOST_STAGE\"'" 3<&5 4>&6 5<&- 6>&-
;;
esac
if [ -n "$reached" ]; then
exit 0
fi
printf %s "$m+waits=$m;" >&6
say lost "$lost"
fi
known_places() {
# Where npm installs for this account, when a file says so.
prefix=
if [ -r "$HOME/.npmrc" ]; then
while IFS="= " read -r key value; do
if [ "$key" = prefix ]; then
prefix=$value
fi
done <"$HOME/.npmrc"
fi
prefix=${NPM_CONFIG_PREFIX:-${npm_config_prefix:-$prefix}}
case $prefix in
"~/"*|"\${HOME}/"*)
prefix=$HOME/${prefix#*/}
;;
esac
fnm=${FNM_DIR:-$HOME/.local/share/fnm}
asdf=${ASDF_DATA_DIR:-$HOME/.asdf}
mise=${MISE_DATA_DIR:-$HOME/.local/share/mise}
for each in "${CODEX_INSTALL_DIR:-$HOME/.local/bin}"/codex "$HOME"/.local/bin/codex "$HOME"/bin/codex "$home"/packages/standalone/current/bin/codex "$home"/packages/standalone/current/codex "$HOME"/.codex/packages/standalone/current/bin/codex "$HOME"/.codex/packages/standalone/current/codex "${NVM_DIR:-$HOME/.nvm}"/versions/node/*/bin/codex "$fnm"/node-versions/*/installation/bin/codex "$HOME"/.fnm/node-versions/*/installation/bin/codex "${VOLTA_HOME:-$HOME/.volta}"/bin/codex "$asdf"/shims/codex "$asdf"/installs/nodejs/*/bin/codex "$mise"/shims/codex "$mise"/installs/node/*/bin/codex "$mise"/installs/*codex*/*/bin/codex "$mise"/installs/*codex*/*/codex "${BUN_INSTALL:-$HOME/.bun}"/bin/codex "${prefix:-$HOME/.npm-global}"/bin/codex "$HOME"/.npm-global/bin/codex "$HOME"/.npm-packages/bin/codex "${PNPM_HOME:-$HOME/.local/share/pnpm}"/codex "$HOME"/.local/share/pnpm/codex "$HOME"/Library/pnpm/codex "$HOME"/.yarn/bin/codex "${N_PREFIX:-$HOME/n}"/bin/codex "$HOME"/.nix-profile/bin/codex "${HOMEBREW_PREFIX:-/opt/homebrew}"/bin/codex /opt/homebrew/bin/codex /home/linuxbrew/.linuxbrew/bin/codex "$HOME"/.linuxbrew/bin/codex /usr/local/bin/codex /usr/bin/codex /snap/bin/codex /run/current-system/sw/bin/codex; do
if [ -f "$each" ] && [ -x "$each" ]; then
case $found: in
*":$each:"*)
;;
*)
found=$found:$each
;;
esac
fi
done
}
candidates() {
IFS=:
set -f
for each in ${found#:}; do
say candidate "$each"
if [ -n "$versions" ]; then
unset IFS
say candidate_version "$(limited 10 "$each" --version 2>/dev/null)"
fi
done
unset IFS
set +f
}
if [ -z "$codex" ] || [ ! -f "$codex" ]; then
# The hint names every one with its version.
versions=yes
fi
if [ -n "$versions" ]; then
known_places
candidates
fi
if [ -z "$codex" ]; then
fail codex-missing "$login_path"
fi
say codex "$codex"
if [ ! -f "$codex" ]; then
fail codex-missing "$asked"
fi
if [ ! -x "$codex" ]; then
fail codex-broken "$codex is not executable"
fi
# Where a program is, behind all of its links.
real_of() {
real=$1
while step=$(readlink "$real" 2>/dev/null) && [ -n "$step" ]; do
case $step in
/*)
real=$step
;;
*)
real=${real%/*}/$step
;;
esac
done
}
# The package that an npm wrapper belongs to; the native program in it needs no node.
native() {
real_of "$1"
package=$(cd "${real%/*}/.." 2>/dev/null && pwd -P)
for each in "$package"/../codex-*/vendor/*/bin/codex "$package"/node_modules/@openai/codex-*/vendor/*/bin/codex "$package"/vendor/*/bin/codex "$package"/vendor/*/codex/codex; do
case $each in
*"/${system##* }-"*|*/aarch64-apple-*)
if [ -x "$each" ]; then
codex=$each
CODEX_MANAGED_PACKAGE_ROOT=$package
CODEX_MANAGED_BY_NPM=1
export CODEX_MANAGED_PACKAGE_ROOT CODEX_MANAGED_BY_NPM
for tools in "${each%/*/*}"/codex-path "${each%/*/*}"/path; do
if [ -d "$tools" ]; then
login_path=$tools:$login_path
fi
done
return 0
fi
;;
esac
done
return 1
}
line=
IFS= read -r line <"$codex" 2>/dev/null
case $line in
"#!"*node*)
on_path node
if ! native "$codex" && [ -z "$first" ]; then
fail codex-no-node "$line"
fi
;;
esac
say runs "$codex"
if [ -n "$versions" ]; then
version=$(limited 10 "$codex" --version 2>&1)
status=$?
say version "$version"
if [ "$status" != 0 ]; then
fail codex-broken "$version"
fi
fi
