# Stage two begins: in the environment that codex runs in, with what every errand needs.
# Given: m (the marker), go (the line that ends the blank ones), home (CODEX_HOME of the settings).
# What SHELLOPTS may bring along from the start-up files would hold for us too.
set +eufC
kill -USR1 "$OUTPOST_PID" 2>/dev/null
if [ "$OUTPOST_AT" != interactive ]; then
while IFS= read -r _line; do
case $_line in
"#$_go")
break
;;
esac
done
fi
# Nothing that runs here may touch the channel: it is 5 and 6 from now on.
exec 5<&0 6>&1 </dev/null >&2 3<&- 4>&-
_login_path=$PATH
PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin
_answer=
say() {
_answer=$_answer$_m+$1=$2
}
send() {
printf %s "$_answer$_m$1" >&6
_answer=
}
fail() {
say error "$1"
say words "$2"
send .
exit 0
}
# Runs a program of the login environment, for a limited time where there is a program for that.
limited() {
_seconds=$1
shift
if command -v timeout >/dev/null 2>&1; then
set -- timeout "$_seconds" "$@"
elif command -v perl >/dev/null 2>&1; then
set -- perl -e "alarm shift; exec @ARGV" "$_seconds" "$@"
fi
"$@" </dev/null 5<&- 6>&-
}
# Whether a folder of this absolute path is, or could be made, by this account.
writable() {
_each=$1
while [ ! -e "${_each:-/}" ]; do
_each=${_each%/*}
done
[ -d "${_each:-/}" ] && [ -w "${_each:-/}" ]
}
owner() {
_mode=
_uid_of=
set -- $(ls -ldn "$1" 2>/dev/null)
_mode=$1
_uid_of=$3
}
# What makes a process the one we started, and not a later one with its number.
started_at() {
_begun=
if [ -r "/proc/$1/stat" ]; then
{ read -r _begun <"/proc/$1/stat"; } 2>/dev/null
set -- ${_begun##*") "}
_begun=
# It may have ended meanwhile; a shift by too many ends the shell.
if [ "$#" -gt 19 ]; then
shift 19
_begun=$1
fi
elif [ ! -d /proc/self ]; then
_begun=$(TZ=UTC0 LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null)
fi
}
# Whether nothing of a process runs, collected or not: as long as one of its threads does, its sockets are open.
dead() {
if [ ! -d /proc/self ]; then
case $(LC_ALL=C ps -o stat= -p "$1" 2>/dev/null) in
""|Z*)
return 0
;;
esac
return 1
fi
for _thread in "/proc/$1/task"/*/stat; do
_state=
{ read -r _state <"$_thread"; } 2>/dev/null
case ${_state##*") "} in
""|Z*|X*)
;;
*)
return 1
;;
esac
done
return 0
}
# Every program of a name on the login PATH; the first is the one that runs.
on_path() {
_found=
_first=
set -f
IFS=:
for _dir in $_login_path; do
_dir=${_dir:-.}
if [ -f "$_dir/$1" ] && [ -x "$_dir/$1" ]; then
case $_dir in
/*)
;;
*)
_dir=$PWD/$_dir
;;
esac
_found=$_found:$_dir/$1
_first=${_first:-$_dir/$1}
fi
done
unset IFS
set +f
}
say at "$OUTPOST_AT"
say login "${OUTPOST_LOGIN-}"
if [ "$OUTPOST_AT" != interactive ]; then
say shell "$OUTPOST_SHELL"
fi
send ";"
if [ "$_deaf" = bare ]; then
fail shell-reads-input env
fi
_id=$(id 2>/dev/null)
_uid=${_id#uid=}
_uid=${_uid%%[!0-9]*}
_user=${_id#*"("}
if [ "$_user" = "$_id" ]; then
# An account that only its number names.
_user=$_uid
fi
_user=${_user%%")"*}
_system=$(uname -s -n -m 2>/dev/null)
_name=${_system#* }
_name=${_name%% *}
_system="${_system%% *} ${_system##* }"
case $_system in
MINGW*|MSYS*|CYGWIN*)
fail windows-host "$_system"
;;
esac
_machine=
_boot=
if [ -r /etc/machine-id ]; then
read -r _machine </etc/machine-id
fi
if [ -r /proc/sys/kernel/random/boot_id ]; then
read -r _boot </proc/sys/kernel/random/boot_id
fi
case $_system in
Darwin*)
_machine=$(sysctl -n kern.uuid 2>/dev/null)
_boot=$(sysctl -n kern.bootsessionuuid 2>/dev/null)
;;
esac
# A container that starts again keeps the boot identity of its machine, but not its first process.
started_at 1
_boot=$_boot:$_begun
say user "$_user"
say uid "$_uid"
say home "$HOME"
say path "$_login_path"
say system "$_system"
say hostname "$_name"
say machine "$_machine"
say boot "$_boot"
_chosen_home=${_home:-${CODEX_HOME-}}
_home=${_chosen_home:-$HOME/.codex}
case $_home in
"~/"*)
_home=$HOME/${_home#??}
;;
esac
if [ -n "$_chosen_home" ]; then
CODEX_HOME=$_home
export CODEX_HOME
fi
say codex_home "$_home"
if [ -n "$_chosen_home" ] && [ ! -d "$_home" ]; then
if [ -e "$_home" ]; then
fail codex-home-missing file
fi
fail codex-home-missing ""
fi
file_system() {
case $_system in
Linux*)
say home_fs "$(stat -f -c %T "$_home" 2>/dev/null || stat -f -c %T "$HOME" 2>/dev/null)"
;;
esac
}
_ours=$_home/outpost
_socket=$_home/app-server-control/app-server-control.sock
