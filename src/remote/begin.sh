# Stage two begins: in the environment that codex runs in, with what every errand needs.
# Given: m (the marker), go (the line that ends the blank ones), home (CODEX_HOME of the settings).
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
set -- timeout "$seconds" "$@"
elif command -v perl >/dev/null 2>&1; then
set -- perl -e "alarm shift; exec @ARGV" "$seconds" "$@"
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
# What makes a process the one we started, and not a later one with its number.
started_at() {
begun=
if [ -r "/proc/$1/stat" ]; then
{ read -r begun <"/proc/$1/stat"; } 2>/dev/null
set -- ${begun##*") "}
begun=
# It may have ended meanwhile; a shift by too many ends the shell.
if [ "$#" -gt 19 ]; then
shift 19
begun=$1
fi
elif [ ! -d /proc/self ]; then
begun=$(TZ=UTC0 LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null)
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
for thread in "/proc/$1/task"/*/stat; do
state=
{ read -r state <"$thread"; } 2>/dev/null
case ${state##*") "} in
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
say at "$OUTPOST_AT"
say login "${OUTPOST_LOGIN-}"
if [ "$OUTPOST_AT" != interactive ]; then
say shell "$OUTPOST_SHELL"
fi
send ";"
id=$(id 2>/dev/null)
uid=${id#uid=}
uid=${uid%%[!0-9]*}
user=${id#*"("}
if [ "$user" = "$id" ]; then
# An account that only its number names.
user=$uid
fi
user=${user%%")"*}
system=$(uname -s -n -m 2>/dev/null)
name=${system#* }
name=${name%% *}
system="${system%% *} ${system##* }"
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
# A container that starts again keeps the boot identity of its machine, but not its first process.
started_at 1
boot=$boot:$begun
say user "$user"
say uid "$uid"
say home "$HOME"
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
file_system() {
case $system in
Linux*)
say home_fs "$(stat -f -c %T "$home" 2>/dev/null || stat -f -c %T "$HOME" 2>/dev/null)"
;;
esac
}
ours=$home/outpost
socket=$home/app-server-control/app-server-control.sock
