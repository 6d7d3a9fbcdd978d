# Stage two goes on: joins or starts the app-server, and becomes the way to it.
socket=$home/app-server-control/app-server-control.sock
ours=$home/outpost
# The default socket is a link into a folder of /tmp that anybody could have made: it must be ours alone.
trusted() {
place=$(readlink "$socket" 2>/dev/null)
place=${place:-$socket}
case $place in
/*)
;;
*)
place=${socket%/*}/$place
;;
esac
if [ -e "${place%/*}" ]; then
owner "${place%/*}"
if [ "$uid_of" != "$uid" ]; then
fail socket-foreign "${place%/*} belongs to user id $uid_of"
fi
case $mode in
drwx------*)
;;
*)
fail socket-foreign "${place%/*} is open to others: $mode"
;;
esac
fi
if [ -e "$place" ]; then
owner "$place"
if [ "$uid_of" != "$uid" ]; then
fail socket-foreign "$place belongs to user id $uid_of"
fi
fi
}
# An inode is no sign of life: a connection is.
alive() {
[ -S "$socket" ] && limited 5 "$codex" app-server proxy --sock "$socket" >/dev/null 2>&1
}
leave_session() {
unset OUTPOST_STAGE OUTPOST_PID OUTPOST_AT OUTPOST_SHELL SSH_CONNECTION SSH_CLIENT SSH_TTY SSH_ORIGINAL_COMMAND
if [ "${SSH_AUTH_SOCK-}" = "$OUTPOST_AGENT" ]; then
unset SSH_AUTH_SOCK
fi
unset OUTPOST_AGENT
case :$login_path: in
*:/bin:*|*:/usr/bin:*)
PATH=$login_path
;;
*)
PATH=${login_path:+$login_path:}/usr/local/bin:/usr/bin:/bin
;;
esac
export PATH
cd "$HOME" 2>/dev/null || cd /
}
detached() {
if command -v setsid >/dev/null 2>&1; then
set -- setsid "$@"
elif command -v perl >/dev/null 2>&1; then
set -- perl -MPOSIX -e "POSIX::setsid(); exec @ARGV" "$@"
elif command -v python3 >/dev/null 2>&1; then
set -- python3 -c "import os,sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])" "$@"
else
set -- nohup "$@"
fi
leave_session
exec "$@"
}
# What makes a process the one we started, and not a later one with its number.
started_at() {
stat_line=
if [ -r "/proc/$1/stat" ]; then
read -r stat_line <"/proc/$1/stat"
set -- ${stat_line##*") "}
shift 19
begun=$1
else
begun=$(LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null)
fi
}
# Whether it is our process that holds the socket: in a race the slower one is still there for a moment.
holds_socket() {
if [ -r /proc/net/unix ] && [ -r "/proc/$1/fd" ]; then
inode=$(grep -F " $place" /proc/net/unix 2>/dev/null)
set -- "$1" $inode
inode=${8-}
case $(ls -l "/proc/$1/fd" 2>/dev/null) in
*"socket:[$inode]"*)
return 0
;;
esac
return 1
fi
kill -0 "$1" 2>/dev/null
}
record() {
started_at "$pid"
{
echo "pid=$pid"
echo "start=$begun"
echo "boot=$boot"
echo "machine=$machine"
echo "hostname=$name"
echo "exe=$codex"
echo "socket=$socket"
} >"$ours/server.new" && mv -f "$ours/server.new" "$ours/server"
}
last_words() {
tail -c 4000 "$ours/server.log" 2>/dev/null
}
attach() {
if [ -n "$deaf" ]; then
fail shell-reads-input ""
fi
say how attached
send .
exec 0<&5 1>&6 5<&- 6>&-
if [ -n "$early" ]; then
# An HTTP upgrade was sent ahead; this server speaks lines. It ends with an empty line, that is with one carriage return.
while IFS= read -r line && [ "${#line}" -gt 1 ]; do
:
done
fi
leave_session
exec "$codex" app-server
}
# Tells one server process from the next: each makes its own socket.
epoch() {
stat -c %d.%i.%Z "$place" 2>/dev/null || stat -f %d.%i.%c "$place" 2>/dev/null || ls -di "$place"
}
join() {
say how "$1"
say socket "$socket"
say epoch "$(epoch)"
send .
if [ -n "$deaf" ]; then
exit 0
fi
exec 0<&5 1>&6 5<&- 6>&-
PATH=$login_path
exec "$codex" app-server proxy --sock "$socket"
}
start() {
(umask 077; mkdir -p "$ours") 2>/dev/null || fail server-died "cannot make the folder $ours"
if [ -f "$ours/server.log" ]; then
mv -f "$ours/server.log" "$ours/server.log.1"
fi
(umask 077; : >"$ours/server.log") 2>/dev/null || fail server-died "cannot write in the folder $ours"
(detached "$codex" app-server --listen unix://) </dev/null >>"$ours/server.log" 2>&1 5<&- 6>&- &
pid=$!
}
wait_for_server() {
tries=0
while [ "$tries" -lt 1500 ]; do
if alive; then
return 0
fi
if ! kill -0 "$pid" 2>/dev/null; then
return 1
fi
tries=$((tries + 1))
sleep 0.02 2>/dev/null || sleep 1
done
fail server-silent "$(last_words)"
}
if [ "$want" = attached ]; then
attach
fi
trusted
if alive; then
join joined
fi
if [ "$want" = check ]; then
attach
fi
start
say at starting
send ";"
if wait_for_server; then
trusted
if holds_socket "$pid"; then
record
join started
fi
join joined
fi
# Ours ended: another starter was faster, or this release knows no such socket, or it cannot run.
if alive; then
trusted
join joined
fi
words=$(last_words)
case $words in
*"nsupported"*listen*|*"invalid value"*listen*|*"unexpected argument"*listen*)
attach
;;
esac
fail server-died "$words"
