# An environment can be read by its account alone.
of_this_home() {
_its_home=
_variables=$({ tr "\\000" "\\n" <"/proc/$1/environ"; } 2>/dev/null)
IFS=$_newline
set -f
for _variable in $_variables; do
case $_variable in
CODEX_HOME=?*)
_its_home=${_variable#*=}
break
;;
HOME=*)
_its_home=${_variable#*=}/.codex
;;
esac
done
unset IFS
set +f
[ "$_its_home" = "$_home" ]
}
# Every app-server of anybody that listens on TCP beyond this machine and asks nobody who they are, and codex's own updaters of this
# home. Given: a process, its account (where that is not to be looked up) and its command line.
running_there() {
case $3 in
*"codex app-server daemon pid-update-loop"*)
if [ "$2" = "$_uid" ] || of_this_home "$1"; then
say updater "$1"
fi
;;
*--ws-auth*|*ws://127.*|*ws://localhost*|*"ws://[::1]"*)
;;
*app-server*ws://*)
_word=${3%%" "*}
case ${_word##*/} in
*codex*|node*|bun*|deno*)
say listener "$3"
say listener_seen "$(listening "$1" "${3##*ws://}")"
;;
esac
;;
esac
}
# Whether somebody listens on the port of this address (HOST:PORT and more words), in the network that the process has.
listening() {
_port=${2%%[ /]*}
_port=${_port##*:}
case $_port in
""|0|*[!0-9]*)
return
;;
esac
if grep -qsi ":$(printf %04x "$_port" 2>/dev/null) 0*:0000 0A " "/proc/$1/net/tcp" "/proc/$1/net/tcp6"; then
echo yes
fi
}
told_by_ps() {
_process=$1
_account=$2
shift 2
running_there "$_process" "$_account" "$*"
}
if [ -d /proc/self ]; then
for _each in $(grep -als app-server /proc/[0-9]*/cmdline 2>/dev/null); do
_process=${_each#/proc/}
running_there "${_process%/*}" "" "$({ tr "\\000" " " <"$_each"; } 2>/dev/null)"
done
else
_lines=$(ps -axo pid,uid,args 2>/dev/null | grep app-server)
IFS=$_newline
set -f
for _each in $_lines; do
unset IFS
told_by_ps $_each
done
unset IFS
set +f
fi
