# Stage two goes on: joins or starts the app-server, and becomes the way to it.
# Where the socket really is: the default one is a link into a folder of /tmp.
locate() {
place=$(readlink "$socket" 2>/dev/null)
place=${place:-$socket}
case $place in
/*)
;;
*)
place=${socket%/*}/$place
;;
esac
}
# Who keeps to the session needs no socket that cannot be trusted.
refuse() {
if [ "$want" = inside ]; then
say killing remembered
attach
fi
fail "$@"
}
# Anybody could have made that folder: it must be ours alone.
trusted() {
locate
if [ -e "${socket%/*}" ] && [ ! -d "${socket%/*}" ]; then
refuse socket-refused "not a folder: ${socket%/*}"
fi
if [ -h "${place%/*}" ]; then
refuse socket-refused "the folder of the socket is a link: ${place%/*}"
fi
if [ -d "${place%/*}" ]; then
owner "${place%/*}"
if [ "$uid_of" != "$uid" ]; then
refuse socket-foreign "${place%/*} belongs to user id $uid_of"
fi
case $mode in
drwx------*)
;;
*)
refuse socket-foreign "${place%/*} is open to others: $mode"
;;
esac
fi
if [ -e "$place" ]; then
owner "$place"
if [ "$uid_of" != "$uid" ]; then
refuse socket-foreign "$place belongs to user id $uid_of"
fi
fi
}
# An inode is no sign of life: somebody who listens is. Where that cannot be looked up (or the server lives in another network
# namespace), a connection is tried.
listens() {
grep -F " $place" /proc/net/unix 2>/dev/null | grep " 00010000 "
}
alive() {
[ -S "$socket" ] && locate && { [ -n "$(listens)" ] || reachable; }
}
reachable() {
limited 5 "$codex" app-server proxy --sock "$socket" >/dev/null 2>&1
}
# Given: the socket of the lent agent, if it is.
leave_session() {
unset OUTPOST_STAGE OUTPOST_PID OUTPOST_AT OUTPOST_LOGIN OUTPOST_SHELL SSH_CONNECTION SSH_CLIENT SSH_TTY SSH_ORIGINAL_COMMAND
if [ "${SSH_AUTH_SOCK-}" = "$OUTPOST_AGENT" ]; then
unset SSH_AUTH_SOCK
fi
unset OUTPOST_AGENT
if [ -n "$1" ]; then
SSH_AUTH_SOCK=$1
export SSH_AUTH_SOCK
fi
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
if [ -n "$scope" ]; then
# A scope of the person's own service manager is not part of the session that is killed.
set -- systemd-run --user --scope --quiet --collect "$@"
fi
leave_session "$agent_link"
exec "$@"
}
# Whether it is our process that holds the socket: in a race the slower one is still there for a moment.
holds_socket() {
if [ -r /proc/net/unix ] && [ -r "/proc/$1/fd" ]; then
inode=$(listens)
if [ -z "$inode" ]; then
kill -0 "$1" 2>/dev/null
return
fi
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
last_words() {
tail -c 4000 "$log" 2>/dev/null
}
# One starter at a time: the older releases have no lock of their own.
lock=$ours/starting@$name
enter() {
tries=0
until mkdir "$lock" 2>/dev/null; do
if alive; then
join joined
fi
holder=
read -r holder <"$lock/pid"
if [ "$tries" -gt 600 ] || { [ -n "$holder" ] && ! kill -0 "$holder"; }; then
rm -rf "$lock"
fi
tries=$((tries + 1))
sleep 0.05 2>/dev/null || sleep 1
done 2>/dev/null
echo $$ >"$lock/pid"
locked=yes
}
leave() {
if [ -n "$locked" ]; then
rm -rf "$lock"
fi
}
locked=
version_of_codex() {
if [ -z "$versions" ]; then
say version "$(limited 5 "$codex" --version 2>/dev/null)"
fi
}
give_up() {
leave
version_of_codex
fail "$@"
}
too_old() {
give_up codex-too-old ""
}
attach() {
leave
# Before there was one, the word was taken for a prompt.
case $(limited 10 "$codex" app-server --help 2>/dev/null) in
*Usage:*app-server*)
;;
*Usage:*)
too_old
;;
esac
if [ -n "$deaf" ] && [ "$want" = check ]; then
for_a_while
fi
if [ -n "$deaf" ]; then
fail shell-reads-input ""
fi
if [ -n "$token" ]; then
own_home
fi
if [ -n "$agent" ]; then
say agent lent
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
if [ -n "$agent" ]; then
leave_session "$OUTPOST_AGENT"
else
leave_session ""
fi
if [ -n "$token" ]; then
with_token
fi
exec "$codex" app-server
}
# A session whose input is closed cannot carry a server. A check gets one on a socket of its own, which ends by itself.
for_a_while() {
command -v timeout >/dev/null 2>&1 || command -v perl >/dev/null 2>&1 || return
own=/tmp/outpost-$uid
(umask 077 && mkdir "$own") 2>/dev/null
socket=$own/check.$$.sock
trusted
(leave_session ""; limited 30 "$codex" app-server --listen "unix://$socket"; rm -f "$socket") </dev/null >/dev/null 2>&1 5<&- 6>&- &
pid=$!
while kill -0 "$pid" 2>/dev/null && ! alive; do
sleep 0.02 2>/dev/null || sleep 1
done
if alive; then
say how attached
say socket "$socket"
send .
exit 0
fi
}
# A CODEX_HOME for one run: in memory where the system keeps such a folder for the account.
own_home() {
own=$ours/run-$go
case ${XDG_RUNTIME_DIR-} in
/*)
owner "$XDG_RUNTIME_DIR"
if [ "$uid_of" = "$uid" ] && [ -w "$XDG_RUNTIME_DIR" ]; then
own=$XDG_RUNTIME_DIR/outpost-run-$go
fi
;;
esac
if ! (umask 077 && mkdir -p "$own") 2>/dev/null; then
fail server-died "cannot make the folder $own"
fi
for each in config.toml AGENTS.md AGENTS.override.md; do
if [ -f "$home/$each" ]; then
(umask 077 && cp "$home/$each" "$own/$each")
fi
done
}
# The secret is the first line on the channel: nobody echoes it any more, and only the server's environment gets it.
with_token() {
IFS= read -r secret
# The folder must go however the server ends.
trap : HUP INT TERM PIPE
CODEX_HOME=$own CODEX_ACCESS_TOKEN=$secret "$codex" app-server
rm -rf "$own"
exit 0
}
# Tells one server process from the next: each makes its own socket.
epoch() {
stat -c %d.%i.%Z "$place" 2>/dev/null || stat -f %d.%i.%c "$place" 2>/dev/null || ls -di "$place"
}
proxy() {
exec 0<&5 1>&6 5<&- 6>&-
PATH=$login_path
exec "$codex" app-server proxy --sock "$socket"
}
# Whether the process still waits that is to see our server outlive its session.
watched() {
if [ ! -r "$record.watch" ]; then
return 1
fi
read -r watcher watcher_start <"$record.watch"
started_at "$watcher"
exe_of "$watcher"
[ "$begun" = "$watcher_start" ] && { [ -n "$exe" ] || [ ! -d /proc/self ]; }
}
# In one step: who reads it half takes a server that is watched for one that has outlived its session.
name_watcher() {
started_at "$1"
echo "$1 $begun" >"$record.watch.new" && mv -f "$record.watch.new" "$record.watch"
}
# What a server that was running before can tell: an update of codex does not reach it.
joined() {
version_of_codex
if read_record "$record" && ours_runs; then
say ours yes
if [ ! -e "$record.survived" ] && ! watched; then
: >"$record.survived"
fi
fi
}
join() {
leave
if [ "$1" = joined ]; then
joined
fi
lend
say how "$1"
say socket "$socket"
say epoch "$(epoch)"
send .
if [ -n "$deaf" ]; then
exit 0
fi
if [ "$1" = joined ]; then
proxy
fi
# We started it: whether it outlives this session is seen by who is still there when the session has ended. Hosts that kill
# what a session leaves behind kill the watcher with it, and then there is no mark.
pipe=$ours/pipe.$$
if mkfifo "$pipe"; then
# Open to write in both directions, so that this does not wait for a reader.
exec 8<>"$pipe" 9<"$pipe"
# By exec: of descriptors that a function is called with, the shell keeps copies, and with a copy of 8 it would wait for itself.
(exec 8>&- 5<&- 6>&- <&9 9<&- >/dev/null 2>&1; watch) &
name_watcher $!
exec 9<&-
rm -f "$pipe"
fi
(proxy)
exit 0
}
# Waits for the end of the pipe: as long as the proxy runs, it is open.
watch() {
cat
sleep 2
runs=
if ours_runs; then
runs=yes
fi
watched_for=$was_pid.$was_start
if ! read_record "$record" || [ "$was_pid.$was_start" != "$watched_for" ]; then
# Another server has the record by now.
return
fi
if [ -n "$runs" ]; then
: >"$record.survived"
rm -f "$record.watch"
else
# It ended by itself, and nobody ended us.
forget_record
fi
}
start() {
log=$ours/starting.$$.log
if ! (umask 077 && : >"$log") 2>/dev/null; then
give_up server-died "cannot write in the folder $ours"
fi
rm -f "$record.survived" "$record.watch"
{ detached "$codex" app-server --listen "$1"; } </dev/null >>"$log" 2>&1 5<&- 6>&- &
pid=$!
}
wait_for_server() {
tries=0
while [ "$tries" -lt 1500 ]; do
if alive; then
return 0
fi
if ! kill -0 "$pid" 2>/dev/null; then
wait "$pid"
status=$?
return 1
fi
if [ "$tries" = 100 ] && [ -h "$socket" ] && ! readlink "$socket" >/dev/null 2>&1; then
# A file system that follows no link out of itself (sshfs): nobody can reach a server through codex's own.
unfollowed=yes
kill -TERM "$pid"
return 1
fi
tries=$((tries + 1))
sleep 0.02 2>/dev/null || sleep 1
done
words=$(last_words)
kill -TERM "$pid"
name_log
give_up server-silent "$words"
}
# The log is named only when the server is known to be the one, or when there is none: a starter that was too late must not take its place.
name_log() {
mv -f "$ours/server.log" "$ours/server.log.1" 2>/dev/null
mv -f "$log" "$ours/server.log"
}
started() {
name_log
# Whoever joins by the record finds that this session is still there.
name_watcher $$
write_record
read_record "$record"
join started
}
# The servers that we started on other hosts which share this home; the newest of them that had this socket.
newest=
for each in "$ours"/server@*; do
case $each in
*.survived|*.watch|*.new|"$ours/server@*")
continue
;;
esac
read_record "$each"
other=${each#"$ours/server@"}
if [ "$was_machine" = "$machine" ] && { [ "$other" = "$name" ] || [ "$was_boot" = "$boot" ]; }; then
continue
fi
say other_host "$other"
if [ "$was_socket" = "$socket" ] && { [ -z "$newest" ] || [ "$each" -nt "$newest" ]; }; then
newest=$each
fi
done
# A server there cannot be seen from here, and one that is started here takes its socket away.
elsewhere() {
if [ -n "$newest" ] && { [ -e "$socket" ] || [ -h "$socket" ]; } && [ ! "$record" -nt "$newest" ]; then
fail server-elsewhere "${newest#"$ours/server@"}"
fi
}
if [ -n "$versions" ]; then
file_system
fi
if [ "$want" = attached ]; then
attach
fi
trusted
if alive; then
join joined
fi
if [ "$want" != inside ]; then
elsewhere
fi
# Whether this session is a container of its own, which ends with it: no SSH server stands between us and its first process, and
# that one is as young as we are.
own_container() {
if [ ! -r /proc/1/stat ]; then
return 1
fi
each=$$
last=
while [ "$each" -gt 0 ]; do
read -r line <"/proc/$each/stat" || return 1
case ${line%") "*} in
*ssh*|*dropbear*)
return 1
;;
esac
last=$each
set -- ${line##*") "}
each=$2
done 2>/dev/null
started_at $$
young=$begun
started_at 1
[ "$last" = 1 ] && [ $((young - begun)) -lt 1000 ]
}
# Who starts a server that the host then kills does harm: look for the signs of such a host.
killing=
scope=
if own_container; then
killing=container
fi
if grep -qsE "^[[:space:]]*KillUserProcesses=(yes|true|on|1)" /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf /usr/lib/systemd/logind.conf.d/*.conf; then
if [ ! -e "/var/lib/systemd/linger/$user" ]; then
killing=logind
elif command -v systemd-run >/dev/null 2>&1; then
scope=yes
fi
fi
if read_record "$record" && [ "$was_boot" = "$boot" ] && [ "$was_machine" = "$machine" ] && ! ours_runs && [ ! -e "$record.survived" ] && ! watched; then
killing=reaped
# Whoever is told remembers it.
forget_record
fi
if [ "$want" = inside ]; then
killing=remembered
fi
# A server of ours may have a socket of its own.
default=$socket
if [ -n "$was_socket" ] && [ "$was_socket" != "$socket" ]; then
socket=$was_socket
trusted
if alive; then
join joined
fi
socket=$default
fi
if [ -z "$versions" ]; then
file_system
fi
say killing "$killing"
if [ "$want" = check ] || [ "$want" = inside ] || [ -n "$killing" ]; then
attach
fi
say at starting
send ";"
if ! (umask 077 && mkdir -p "$ours") 2>/dev/null; then
fail server-died "cannot make the folder $ours"
fi
enter
if alive; then
join joined
fi
# Starts it, and goes on only if that failed.
try() {
start "$1"
if wait_for_server; then
trusted
if holds_socket "$pid"; then
started
fi
rm -f "$log"
join joined
fi
words=$(last_words)
words="${words:-it said nothing; its exit code is $status}"
if alive; then
rm -f "$log"
trusted
join joined
fi
}
own_socket() {
own=/tmp/outpost-$uid
(umask 077 && mkdir "$own") 2>/dev/null
socket=$own/$(printf %s "$home" | cksum | tr -c "0-9\n" -).sock
trusted
if alive; then
join joined
fi
try "unix://$socket"
}
unfollowed=
try unix://
if [ -n "$unfollowed" ]; then
own_socket
fi
case $words in
*"nsupported"*listen*|*"invalid value"*listen*|*"unexpected argument"*listen*)
rm -f "$log"
attach
;;
*SUN_LEN*|*"too long"*)
# The socket's path is too long for the system, and this release makes no link to a shorter one.
own_socket
;;
esac
name_log
give_up server-died "$words"
