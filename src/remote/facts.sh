# Stage two: runs in the environment that codex will run in, and says what it finds there.
# Given: m, go (the line that ends the blank ones), want, codex, home, folder, versions.
set +eu
kill -USR1 "$OUTPOST_PID" 2>/dev/null
if [ "$OUTPOST_AT" != interactive ]; then
while IFS= read -r line; do
case $line in
"#$go")
break
;;
esac
done
fi
# Nothing that runs here may touch the channel: it is 5 and 6 from now on.
exec 5<&0 6>&1 </dev/null >&2 3<&- 4>&-
login_path=$PATH
PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin
answer=
say() {
answer=$answer$m+$1=$2
}
send() {
printf %s "$answer$m$1" >&6
answer=
}
fail() {
say error "$1"
say words "$2"
send .
exit 0
}
# Runs a program of the login environment, for a limited time where there is a program for that.
limited() {
seconds=$1
shift
if command -v timeout >/dev/null 2>&1; then
set -- timeout "$seconds" env "PATH=$login_path" "$@"
else
set -- env "PATH=$login_path" "$@"
fi
"$@" </dev/null 5<&- 6>&-
}
owner() {
mode=
uid_of=
set -- $(ls -ldn "$1" 2>/dev/null)
mode=$1
uid_of=$3
}
say at "$OUTPOST_AT"
send ";"
id=$(id 2>/dev/null)
uid=${id#uid=}
uid=${uid%%[!0-9]*}
user=${id%%")"*}
user=${user#*"("}
system=$(uname -s -m 2>/dev/null)
name=$(uname -n 2>/dev/null)
machine=
boot=
if [ -r /etc/machine-id ]; then
read -r machine </etc/machine-id
fi
if [ -r /proc/sys/kernel/random/boot_id ]; then
read -r boot </proc/sys/kernel/random/boot_id
fi
case $system in
Darwin*)
machine=$(sysctl -n kern.uuid 2>/dev/null)
boot=$(sysctl -n kern.bootsessionuuid 2>/dev/null)
;;
esac
say user "$user"
say uid "$uid"
say home "$HOME"
say shell "$OUTPOST_SHELL"
say path "$login_path"
say system "$system"
say hostname "$name"
say machine "$machine"
say boot "$boot"
chosen_home=${home:-${CODEX_HOME-}}
home=${chosen_home:-$HOME/.codex}
case $home in
"~/"*)
home=$HOME/${home#??}
;;
esac
if [ -n "$chosen_home" ]; then
CODEX_HOME=$home
export CODEX_HOME
fi
say codex_home "$home"
if [ -n "$chosen_home" ] && [ ! -d "$home" ]; then
fail codex-home-missing "$home"
fi
case $system in
Linux*)
say home_fs "$(stat -f -c %T "$home" 2>/dev/null || stat -f -c %T "$HOME" 2>/dev/null)"
;;
esac
# Every codex on the login PATH; the first is the one that runs.
on_path() {
found=
first=
set -f
IFS=:
for dir in $login_path; do
if [ -f "$dir/$1" ] && [ -x "$dir/$1" ]; then
case $dir in
/*)
;;
*)
dir=$PWD/$dir
;;
esac
found=$found:$dir/$1
first=${first:-$dir/$1}
fi
done
unset IFS
set +f
}
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
trap reached=1 USR1
case ${OUTPOST_SHELL##*/} in
csh|tcsh|xonsh|nu|rbash|rksh|rzsh)
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
fi
known_places() {
for each in "$HOME"/.local/bin/codex "$HOME"/bin/codex "$HOME"/.codex/packages/standalone/current/codex "$HOME"/.codex/packages/standalone/current/bin/codex "${CODEX_INSTALL_DIR:-$HOME/.local/bin}"/codex "$HOME"/.nvm/versions/node/*/bin/codex "$HOME"/.local/share/fnm/node-versions/*/installation/bin/codex "$HOME"/.fnm/node-versions/*/installation/bin/codex "$HOME"/.volta/bin/codex "$HOME"/.asdf/shims/codex "$HOME"/.local/share/mise/shims/codex "$HOME"/.bun/bin/codex "$HOME"/.npm-global/bin/codex "$HOME"/.npm-packages/bin/codex "$HOME"/.local/share/pnpm/codex "$HOME"/Library/pnpm/codex "$HOME"/.yarn/bin/codex "$HOME"/n/bin/codex "$HOME"/.nix-profile/bin/codex /opt/homebrew/bin/codex /home/linuxbrew/.linuxbrew/bin/codex /usr/local/bin/codex /usr/bin/codex /snap/bin/codex /run/current-system/sw/bin/codex; do
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
if [ -z "$codex" ] || [ -n "$versions" ]; then
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
# The package that an npm wrapper belongs to, found through its links; the native program in it needs no node.
native() {
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
package=$(cd "${real%/*}/.." 2>/dev/null && pwd -P)
for each in "$package"/../codex-*/vendor/*/bin/codex "$package"/node_modules/@openai/codex-*/vendor/*/bin/codex "$package"/vendor/*/bin/codex "$package"/vendor/*/codex/codex; do
case $each in
*"/${system##* }-"*|*/aarch64-apple-*)
if [ -x "$each" ]; then
codex=$each
CODEX_MANAGED_PACKAGE_ROOT=$package
CODEX_MANAGED_BY_NPM=1
export CODEX_MANAGED_PACKAGE_ROOT CODEX_MANAGED_BY_NPM
tools=${each%/*/*}/path
if [ -d "$tools" ]; then
login_path=$tools:$login_path
fi
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
if [ -n "$folder" ]; then
case $folder in
"~")
folder=$HOME
;;
"~/"*)
folder=$HOME/${folder#??}
;;
/*)
;;
*)
folder=$HOME/$folder
;;
esac
say asked_folder "$folder"
if [ ! -e "$folder" ]; then
fail folder-missing "$folder"
fi
if [ ! -d "$folder" ]; then
fail folder-not-a-directory "$folder"
fi
seen=$(unset CDPATH; cd -P "$folder" 2>/dev/null && printf "%s." "$PWD")
if [ -z "$seen" ] || [ ! -r "$folder" ]; then
fail folder-unreadable "$(ls "$folder" 2>&1 >/dev/null)"
fi
case $system in
Darwin*)
words=$(ls "$folder" 2>&1 >/dev/null) || fail folder-unreadable "$words"
;;
esac
say folder "${seen%.}"
fi
send ";"
