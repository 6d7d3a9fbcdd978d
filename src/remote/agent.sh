# Stage two goes on: the person's agent, which their ForwardAgent lends. Given: agent (whether it is lent).
# sshd makes another socket at each login: a server that stays gets a link instead, which each login points at its own socket.
_agent_link=
if [ -z "$_agent" ]; then
:
elif [ ! -S "$OUTPOST_AGENT" ]; then
say agent refused
_agent=
elif [ "${SSH_AUTH_SOCK-}" != "$OUTPOST_AGENT" ]; then
say agent own
_agent=
else
_agent_link=$_ours/agent@$_name
if [ "${#_agent_link}" -gt 100 ]; then
# Longer than the path of a socket may be, link or not.
_own=/tmp/outpost-$_uid
(umask 077 && mkdir "$_own") 2>/dev/null
owner "$_own"
case $_uid_of:$_mode in
"$_uid":drwx------*)
_agent_link=$_own/$(printf %s "$_home" | cksum | tr -c "0-9\n" -).agent
;;
*)
say agent refused
_agent=
_agent_link=
;;
esac
fi
fi
# Points the link at the socket of this login, in one step: whoever uses it finds the old one or the new one. A check changes nothing.
lend() {
if [ -n "$_agent_link" ]; then
if [ "$_want" = server ]; then
(umask 077 && mkdir -p "$_ours" && ln -s "$OUTPOST_AGENT" "$_agent_link.$$" && mv -f "$_agent_link.$$" "$_agent_link") 2>/dev/null
fi
if read_record "$_record" && [ "$_was_agent" = "$_agent_link" ] && ours_runs; then
say agent lent
else
say agent unused
fi
fi
}
