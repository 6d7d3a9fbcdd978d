# Stage two goes on: joins or starts the app-server, and becomes the way to it.
# Where the socket really is: the default one is a link into a folder of /tmp.
locate() {
_place=$(readlink "$_socket" 2>/dev/null)
_place=${_place:-$_socket}
case $_place in
/*)
;;
*)
_place=${_socket%/*}/$_place
;;
esac
}
# Who keeps to the session needs no socket that cannot be trusted.
refuse() {
if [ "$_want" = inside ]; then
say killing remembered
attach
fi
fail "$@"
}
# Anybody could have made that folder: it must be ours alone.
trusted() {
locate
if [ -e "${_socket%/*}" ] && [ ! -d "${_socket%/*}" ]; then
refuse socket-refused "not a folder: ${_socket%/*}"
fi
if [ -h "${_place%/*}" ]; then
refuse socket-refused "the folder of the socket is a link: ${_place%/*}"
fi
if [ -d "${_place%/*}" ]; then
owner "${_place%/*}"
if [ "$_uid_of" != "$_uid" ]; then
refuse socket-foreign "${_place%/*} belongs to user id $_uid_of"
fi
case $_mode in
drwx------*)
;;
*)
refuse socket-foreign "${_place%/*} is open to others: $_mode"
;;
esac
fi
if [ -e "$_place" ]; then
owner "$_place"
if [ "$_uid_of" != "$_uid" ]; then
refuse socket-foreign "$_place belongs to user id $_uid_of"
fi
fi
}
# An inode is no sign of life: somebody who listens is. Where that cannot be looked up (or the server lives in another network
# namespace), a connection is tried.
listens() {
grep -F " $_place" /proc/net/unix 2>/dev/null | grep " 00010000 "
}
alive() {
[ -S "$_socket" ] && locate && { [ -n "$(listens)" ] || reachable; }
}
reachable() {
limited 5 "$_codex" app-server proxy --sock "$_socket" >/dev/null 2>&1
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
case :$_login_path: in
*:/bin:*|*:/usr/bin:*)
PATH=$_login_path
;;
*)
PATH=${_login_path:+$_login_path:}/usr/local/bin:/usr/bin:/bin
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
if [ -n "$_scope" ]; then
# A scope of the person's own service manager is not part of the session that is killed.
set -- systemd-run --user --scope --quiet --collect "$@"
fi
leave_session "$_agent_link"
exec "$@"
}
# Whether it is our process that holds the socket: in a race the slower one is still there for a moment.
holds_socket() {
if [ -r /proc/net/unix ] && [ -r "/proc/$1/fd" ]; then
_inode=$(listens)
if [ -z "$_inode" ]; then
kill -0 "$1" 2>/dev/null
return
fi
set -- "$1" $_inode
_inode=${8-}
case $(ls -l "/proc/$1/fd" 2>/dev/null) in
*"socket:[$_inode]"*)
return 0
;;
esac
return 1
fi
kill -0 "$1" 2>/dev/null
}
last_words() {
tail -c 4000 "$_log" 2>/dev/null
}
# One starter at a time: the older releases have no lock of their own.
_lock=$_ours/starting@$_name
enter() {
_tries=0
until mkdir "$_lock" 2>/dev/null; do
if alive; then
join joined
fi
# Where it is not there either, it is not held: then the folder takes nothing.
if [ ! -d "$_lock" ]; then
_words=$(mkdir "$_lock" 2>&1) && break
[ -d "$_lock" ] || give_up home-not-writable "$_words"
fi
if [ "$_tries" -gt 660 ]; then
give_up home-not-writable "cannot remove $_lock"
fi
_holder=
read -r _holder <"$_lock/pid"
if [ "$_tries" -gt 600 ] || { [ -n "$_holder" ] && ! kill -0 "$_holder"; }; then
rm -rf "$_lock"
fi
_tries=$((_tries + 1))
sleep 0.05 2>/dev/null || sleep 1
done 2>/dev/null
echo $$ >"$_lock/pid"
_locked=yes
}
leave() {
if [ -n "$_locked" ]; then
rm -rf "$_lock"
fi
}
_locked=
version_of_codex() {
if [ -z "$_versions" ]; then
say version "$(limited 5 "$_codex" --version 2>/dev/null)"
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
case $(limited 10 "$_codex" app-server --help 2>/dev/null) in
*Usage:*app-server*)
;;
*Usage:*)
too_old
;;
esac
if [ -n "$_deaf" ] && [ "$_want" = check ]; then
for_a_while
fi
if [ -n "$_deaf" ]; then
fail shell-reads-input ""
fi
if [ -n "$_token" ]; then
own_home
fi
if [ -n "$_agent" ]; then
say agent lent
fi
say how attached
send .
exec 0<&5 1>&6 5<&- 6>&-
if [ -n "$_early" ]; then
# An HTTP upgrade was sent ahead; this server speaks lines. It ends with an empty line, that is with one carriage return.
while IFS= read -r _line && [ "${#_line}" -gt 1 ]; do
:
done
fi
if [ -n "$_agent" ]; then
leave_session "$OUTPOST_AGENT"
else
leave_session ""
fi
if [ -n "$_token" ]; then
with_token
fi
exec "$_codex" app-server
}
# A session whose input is closed cannot carry a server. A check gets one on a socket of its own, which ends by itself.
for_a_while() {
command -v timeout >/dev/null 2>&1 || command -v perl >/dev/null 2>&1 || return
_own=/tmp/outpost-$_uid
(umask 077 && mkdir "$_own") 2>/dev/null
_socket=$_own/check.$$.sock
trusted
(leave_session ""; limited 30 "$_codex" app-server --listen "unix://$_socket"; rm -f "$_socket") </dev/null >/dev/null 2>&1 5<&- 6>&- &
_pid=$!
while kill -0 "$_pid" 2>/dev/null && ! alive; do
sleep 0.02 2>/dev/null || sleep 1
done
if alive; then
say how attached
say socket "$_socket"
send .
exit 0
fi
}
# A CODEX_HOME for one run: in memory where the system keeps such a folder for the account.
own_home() {
_own=$_ours/run-$_go
case ${XDG_RUNTIME_DIR-} in
/*)
owner "$XDG_RUNTIME_DIR"
if [ "$_uid_of" = "$_uid" ] && [ -w "$XDG_RUNTIME_DIR" ]; then
_own=$XDG_RUNTIME_DIR/outpost-run-$_go
fi
;;
esac
if ! (umask 077 && mkdir -p "$_own") 2>/dev/null; then
fail home-not-writable "cannot make the folder $_own"
fi
for _each in config.toml AGENTS.md AGENTS.override.md; do
if [ -f "$_home/$_each" ]; then
(umask 077 && cp "$_home/$_each" "$_own/$_each")
fi
done
}
# The secret is the first line on the channel: nobody echoes it any more, and only the server's environment gets it.
with_token() {
IFS= read -r _secret
# The folder must go however the server ends.
trap : HUP INT TERM PIPE
CODEX_HOME=$_own CODEX_ACCESS_TOKEN=$_secret "$_codex" app-server
rm -rf "$_own"
exit 0
}
# Tells one server process from the next: each makes its own socket.
epoch() {
stat -c %d.%i.%Z "$_place" 2>/dev/null || stat -f %d.%i.%c "$_place" 2>/dev/null || ls -di "$_place"
}
proxy() {
exec 0<&5 1>&6 5<&- 6>&-
PATH=$_login_path
exec "$_codex" app-server proxy --sock "$_socket"
}
# Whether the process still waits that is to see our server outlive its session.
watched() {
if [ ! -r "$_record.watch" ]; then
return 1
fi
read -r _watcher _watcher_start <"$_record.watch"
started_at "$_watcher"
exe_of "$_watcher"
[ "$_begun" = "$_watcher_start" ] && { [ -n "$_exe" ] || [ ! -d /proc/self ]; }
}
# In one step: who reads it half takes a server that is watched for one that has outlived its session.
name_watcher() {
started_at "$1"
echo "$1 $_begun" >"$_record.watch.new" && mv -f "$_record.watch.new" "$_record.watch"
}
# What a server that was running before can tell: an update of codex does not reach it.
joined() {
version_of_codex
if read_record "$_record" && ours_runs; then
say ours yes
if [ ! -e "$_record.survived" ] && ! watched; then
: >"$_record.survived"
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
say socket "$_socket"
say epoch "$(epoch)"
send .
if [ -n "$_deaf" ]; then
exit 0
fi
if [ "$1" = joined ]; then
proxy
fi
# We started it: whether it outlives this session is seen by who is still there when the session has ended. Hosts that kill
# what a session leaves behind kill the watcher with it, and then there is no mark.
_pipe=$_ours/pipe.$$
if mkfifo "$_pipe"; then
# Open to write in both directions, so that this does not wait for a reader.
exec 8<>"$_pipe" 9<"$_pipe"
# By exec: of descriptors that a function is called with, the shell keeps copies, and with a copy of 8 it would wait for itself.
(exec 8>&- 5<&- 6>&- <&9 9<&- >/dev/null 2>&1; watch) &
name_watcher $!
exec 9<&-
rm -f "$_pipe"
fi
(proxy)
exit 0
}
# Waits for the end of the pipe: as long as the proxy runs, it is open.
watch() {
cat
sleep 2
_runs=
if ours_runs; then
_runs=yes
fi
_watched_for=$_was_pid.$_was_start
if ! read_record "$_record" || [ "$_was_pid.$_was_start" != "$_watched_for" ]; then
# Another server has the record by now.
return
fi
if [ -n "$_runs" ]; then
: >"$_record.survived"
rm -f "$_record.watch"
else
# It ended by itself, and nobody ended us.
forget_record
fi
}
start() {
_log=$_ours/starting.$$.log
_words=$(umask 077 && { : >"$_log"; } 2>&1) || give_up home-not-writable "$_words"
rm -f "$_record.survived" "$_record.watch" "$_record.stopping"
{ detached "$_codex" app-server --listen "$1"; } </dev/null >>"$_log" 2>&1 5<&- 6>&- &
_pid=$!
}
wait_for_server() {
_tries=0
while [ "$_tries" -lt 1500 ]; do
if alive; then
return 0
fi
if ! kill -0 "$_pid" 2>/dev/null; then
wait "$_pid"
_status=$?
return 1
fi
if [ "$_tries" = 100 ] && [ -h "$_socket" ] && ! readlink "$_socket" >/dev/null 2>&1; then
# A file system that follows no link out of itself (sshfs): nobody can reach a server through codex's own.
_unfollowed=yes
kill -TERM "$_pid"
return 1
fi
_tries=$((_tries + 1))
sleep 0.02 2>/dev/null || sleep 1
done
_words=$(last_words)
kill -TERM "$_pid"
name_log
give_up server-silent "$_words"
}
# The log is named only when the server is known to be the one, or when there is none: a starter that was too late must not take its place.
name_log() {
mv -f "$_ours/server.log" "$_ours/server.log.1" 2>/dev/null
mv -f "$_log" "$_ours/server.log"
}
started() {
name_log
# Whoever joins by the record finds that this session is still there.
name_watcher $$
write_record
read_record "$_record"
join started
}
# The servers that we started on other hosts which share this home; the newest of them that had this socket.
_newest=
for _each in "$_ours"/server@*; do
case $_each in
*.survived|*.watch|*.stopping|*.new|"$_ours/server@*")
continue
;;
esac
read_record "$_each"
_other=${_each#"$_ours/server@"}
if [ "$_was_machine" = "$_machine" ] && { [ "$_other" = "$_name" ] || [ "$_was_boot" = "$_boot" ]; }; then
continue
fi
say other_host "$_other"
if [ "$_was_socket" = "$_socket" ] && { [ -z "$_newest" ] || [ "$_each" -nt "$_newest" ]; }; then
_newest=$_each
fi
done
# A server there cannot be seen from here, and one that is started here takes its socket away.
elsewhere() {
if [ -n "$_newest" ] && { [ -e "$_socket" ] || [ -h "$_socket" ]; } && [ ! "$_record" -nt "$_newest" ]; then
fail server-elsewhere "${_newest#"$_ours/server@"}"
fi
}
if [ -n "$_versions" ]; then
file_system
fi
if [ "$_want" = attached ]; then
attach
fi
trusted
if alive; then
join joined
fi
if [ "$_want" != inside ]; then
elsewhere
fi
# Whether this session is a container of its own, which ends with it: no SSH server stands between us and its first process, and
# that one is as young as we are.
own_container() {
if [ ! -r /proc/1/stat ]; then
return 1
fi
_each=$$
_last=
while [ "$_each" -gt 0 ]; do
read -r _line <"/proc/$_each/stat" || return 1
case ${_line%") "*} in
*ssh*|*dropbear*)
return 1
;;
esac
_last=$_each
set -- ${_line##*") "}
_each=$2
done 2>/dev/null
started_at $$
_young=$_begun
started_at 1
[ "$_last" = 1 ] && [ $((_young - _begun)) -lt 1000 ]
}
# Who starts a server that the host then kills does harm: look for the signs of such a host.
_killing=
_scope=
if own_container; then
_killing=container
fi
if grep -qsE "^[[:space:]]*KillUserProcesses=(yes|true|on|1)" /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf /usr/lib/systemd/logind.conf.d/*.conf; then
if [ ! -e "/var/lib/systemd/linger/$_user" ]; then
_killing=logind
elif command -v systemd-run >/dev/null 2>&1; then
_scope=yes
fi
fi
if read_record "$_record" && [ "$_was_boot" = "$_boot" ] && [ "$_was_machine" = "$_machine" ] && ! ours_runs && [ ! -e "$_record.survived" ] && ! watched; then
_killing=reaped
# Whoever is told remembers it.
forget_record
fi
if [ "$_want" = inside ]; then
_killing=remembered
fi
# A server of ours may have a socket of its own.
_default=$_socket
if [ -n "$_was_socket" ] && [ "$_was_socket" != "$_socket" ]; then
_socket=$_was_socket
trusted
if alive; then
join joined
fi
_socket=$_default
fi
if [ -z "$_versions" ]; then
file_system
fi
# Nothing is made by a check; what a server could not do without is looked at all the same.
if [ "$_want" = check ] && ! writable "$_ours"; then
fail home-not-writable "$_ours: you may not write there"
fi
say killing "$_killing"
if [ "$_want" = check ] || [ "$_want" = inside ] || [ -n "$_killing" ]; then
attach
fi
say at starting
send ";"
_words=$(umask 077 && mkdir -p "$_ours" 2>&1) || fail home-not-writable "$_words"
enter
if alive; then
join joined
fi
# Starts it, and goes on only if that failed.
try() {
start "$1"
if wait_for_server; then
trusted
if holds_socket "$_pid"; then
started
fi
rm -f "$_log"
join joined
fi
_words=$(last_words)
_words="${_words:-it said nothing; its exit code is $_status}"
if alive; then
rm -f "$_log"
trusted
join joined
fi
}
own_socket() {
_own=/tmp/outpost-$_uid
(umask 077 && mkdir "$_own") 2>/dev/null
_socket=$_own/$(printf %s "$_home" | cksum | tr -c "0-9\n" -).sock
trusted
if alive; then
join joined
fi
try "unix://$_socket"
}
_unfollowed=
try unix://
if [ -n "$_unfollowed" ]; then
own_socket
fi
case $_words in
*"nsupported"*listen*|*"invalid value"*listen*|*"unexpected argument"*listen*)
rm -f "$_log"
attach
;;
*SUN_LEN*|*"too long"*)
# The socket's path is too long for the system, and this release makes no link to a shorter one.
own_socket
;;
esac
name_log
give_up server-died "$_words"
