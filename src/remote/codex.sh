# Stage two goes on: finds codex. Given: codex (the path of the settings), versions (whether to ask every one).
on_path codex
case $_codex in
"~/"*)
_codex=$HOME/${_codex#??}
;;
esac
_asked=$_codex
_codex=${_codex:-$_first}
if [ -z "$_codex" ] && [ "$OUTPOST_AT" != interactive ]; then
# People set PATH in files that only an interactive shell reads. (No -l: an interactive login bash closes descriptors 3 to 20.)
OUTPOST_AT=interactive
OUTPOST_PID=$$
_reached=
_lost=yes
trap _reached=1 USR1
# Who waits for it for ever has its start-up files to look at, and not codex.
printf %s "$_m+waits=interactive$_m;" >&6
case ${OUTPOST_SHELL##*/} in
csh|tcsh|xonsh|nu|rbash|rksh|rzsh)
_lost=
;;
elvish)
# rc.elv is for interactive shells alone, and that one cannot be had without a terminal: its text is evaluated instead.
PATH=$_login_path "$OUTPOST_SHELL" -c "try { eval (slurp < ~/.config/elvish/rc.elv) } catch e { nop }; exec /bin/sh -c 'exec 0<&3 1>&4; eval \"\$OUTPOST_STAGE\"'" 3<&5 4>&6 5<&- 6>&-
;;
*)
PATH=$_login_path "$OUTPOST_SHELL" -i -c "exec /bin/sh -c 'exec 0<&3 1>&4; eval \"\$OUTPOST_STAGE\"'" 3<&5 4>&6 5<&- 6>&-
;;
esac
if [ -n "$_reached" ]; then
exit 0
fi
printf %s "$_m+waits=$_m;" >&6
say lost "$_lost"
fi
# Where a program is, behind all of its links.
real_of() {
_real=$1
while _step=$(readlink "$_real" 2>/dev/null) && [ -n "$_step" ]; do
case $_step in
/*)
_real=$_step
;;
*)
_real=${_real%/*}/$_step
;;
esac
done
}
# The native program in the package that an npm wrapper belongs to; it needs no node.
native() {
real_of "$1"
_package=$(cd "${_real%/*}/.." 2>/dev/null && pwd -P)
for _native in "$_package"/../codex-*/vendor/*/bin/codex "$_package"/node_modules/@openai/codex-*/vendor/*/bin/codex "$_package"/vendor/*/bin/codex "$_package"/vendor/*/codex/codex; do
case $_native in
*"/${_system##* }-"*|*/aarch64-apple-*)
if [ -x "$_native" ]; then
return 0
fi
;;
esac
done
return 1
}
# Whether it is a program of Node.js.
of_node() {
_line=
{ IFS= read -r _line <"$1"; } 2>/dev/null
case $_line in
"#!"*node*)
return 0
;;
esac
return 1
}
known_places() {
# Where npm installs for this account, when a file says so.
_prefix=
if [ -r "$HOME/.npmrc" ]; then
while IFS="= " read -r _key _value; do
if [ "$_key" = prefix ]; then
_prefix=$_value
fi
done <"$HOME/.npmrc"
fi
_prefix=${NPM_CONFIG_PREFIX:-${npm_config_prefix:-$_prefix}}
case $_prefix in
"~/"*|"\${HOME}/"*)
_prefix=$HOME/${_prefix#*/}
;;
esac
_fnm=${FNM_DIR:-$HOME/.local/share/fnm}
_asdf=${ASDF_DATA_DIR:-$HOME/.asdf}
_mise=${MISE_DATA_DIR:-$HOME/.local/share/mise}
for _each in "${CODEX_INSTALL_DIR:-$HOME/.local/bin}"/codex "$HOME"/.local/bin/codex "$HOME"/bin/codex "$_home"/packages/standalone/current/bin/codex "$_home"/packages/standalone/current/codex "$HOME"/.codex/packages/standalone/current/bin/codex "$HOME"/.codex/packages/standalone/current/codex "${NVM_DIR:-$HOME/.nvm}"/versions/node/*/bin/codex "$_fnm"/node-versions/*/installation/bin/codex "$HOME"/.fnm/node-versions/*/installation/bin/codex "${VOLTA_HOME:-$HOME/.volta}"/bin/codex "$_asdf"/shims/codex "$_asdf"/installs/nodejs/*/bin/codex "$_mise"/shims/codex "$_mise"/installs/node/*/bin/codex "$_mise"/installs/*codex*/*/bin/codex "$_mise"/installs/*codex*/*/codex "${BUN_INSTALL:-$HOME/.bun}"/bin/codex "${_prefix:-$HOME/.npm-global}"/bin/codex "$HOME"/.npm-global/bin/codex "$HOME"/.npm-packages/bin/codex "${PNPM_HOME:-$HOME/.local/share/pnpm}"/codex "$HOME"/.local/share/pnpm/codex "$HOME"/Library/pnpm/codex "$HOME"/.yarn/bin/codex "${N_PREFIX:-$HOME/n}"/bin/codex "$HOME"/.nix-profile/bin/codex "${HOMEBREW_PREFIX:-/opt/homebrew}"/bin/codex /opt/homebrew/bin/codex /home/linuxbrew/.linuxbrew/bin/codex "$HOME"/.linuxbrew/bin/codex /usr/local/bin/codex /usr/bin/codex /snap/bin/codex /run/current-system/sw/bin/codex; do
if [ -f "$_each" ] && [ -x "$_each" ]; then
case $_found: in
*":$_each:"*)
;;
*)
_found=$_found:$_each
;;
esac
fi
done
}
candidates() {
IFS=:
set -f
for _each in ${_found#:}; do
unset IFS
set +f
say candidate "$_each"
if [ -n "$_versions" ]; then
_native=$_each
if of_node "$_each"; then
native "$_each" || _native=$_each
fi
say candidate_version "$(limited 10 "$_native" --version 2>/dev/null)"
fi
done
unset IFS
set +f
}
if [ -z "$_codex" ] || [ ! -f "$_codex" ]; then
# The hint names every one with its version.
_versions=yes
fi
if [ -n "$_versions" ]; then
known_places
candidates
fi
if [ -z "$_codex" ]; then
# The file that a login bash reads.
for _each in .bash_profile .bash_login .profile; do
if [ -r "$HOME/$_each" ]; then
say profile "$_each"
break
fi
done
fail codex-missing "$_login_path"
fi
say codex "$_codex"
if [ ! -f "$_codex" ]; then
fail codex-missing "$_asked"
fi
if [ ! -x "$_codex" ]; then
fail codex-broken "$_codex is not executable"
fi
if of_node "$_codex"; then
on_path node
if native "$_codex"; then
_codex=$_native
CODEX_MANAGED_PACKAGE_ROOT=$_package
CODEX_MANAGED_BY_NPM=1
export CODEX_MANAGED_PACKAGE_ROOT CODEX_MANAGED_BY_NPM
for _tools in "${_codex%/*/*}"/codex-path "${_codex%/*/*}"/path; do
if [ -d "$_tools" ]; then
_login_path=$_tools:$_login_path
fi
done
elif [ -z "$_first" ]; then
fail codex-no-node "$_line"
fi
fi
say runs "$_codex"
if [ -n "$_versions" ]; then
_version=$(limited 10 "$_codex" --version 2>&1)
_status=$?
say version "$_version"
if [ "$_status" != 0 ]; then
fail codex-broken "$_version"
fi
fi
