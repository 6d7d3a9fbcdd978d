# An environment can be read by its account alone.
of_this_home() {
its_home=
variables=$(tr "\\000" "\\n" <"/proc/$1/environ" 2>/dev/null)
IFS=$newline
set -f
for variable in $variables; do
case $variable in
CODEX_HOME=?*)
its_home=${variable#*=}
break
;;
HOME=*)
its_home=${variable#*=}/.codex
;;
esac
done
unset IFS
set +f
[ "$its_home" = "$home" ]
}
# Every app-server of anybody that listens on TCP beyond this machine and asks nobody who they are, and codex's own updaters of this
# home. Given: a process, its account (where that is not to be looked up) and its command line.
running_there() {
case $3 in
*"codex app-server daemon pid-update-loop"*)
if [ "$2" = "$uid" ] || of_this_home "$1"; then
say updater "$1"
fi
;;
*--ws-auth*|*ws://127.*|*ws://localhost*|*"ws://[::1]"*)
;;
*app-server*ws://*)
say listener "$3"
;;
esac
}
told_by_ps() {
process=$1
account=$2
shift 2
running_there "$process" "$account" "$*"
}
if [ -d /proc/self ]; then
for each in $(grep -als app-server /proc/[0-9]*/cmdline 2>/dev/null); do
process=${each#/proc/}
running_there "${process%/*}" "" "$(tr "\\000" " " <"$each" 2>/dev/null)"
done
else
lines=$(ps -axo pid,uid,args 2>/dev/null | grep app-server)
IFS=$newline
set -f
for each in $lines; do
unset IFS
told_by_ps $each
done
unset IFS
set +f
fi
