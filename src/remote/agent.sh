# Stage two goes on: the person's agent, which their ForwardAgent lends. Given: agent (whether it is lent).
# sshd makes another socket at each login: a server that stays gets a link instead, which each login points at its own socket.
agent_link=
if [ -z "$agent" ]; then
:
elif [ ! -S "$OUTPOST_AGENT" ]; then
say agent refused
agent=
elif [ "${SSH_AUTH_SOCK-}" != "$OUTPOST_AGENT" ]; then
say agent own
agent=
else
agent_link=$ours/agent@$name
if [ "${#agent_link}" -gt 100 ]; then
# Longer than the path of a socket may be, link or not.
own=/tmp/outpost-$uid
(umask 077 && mkdir "$own") 2>/dev/null
owner "$own"
case $uid_of:$mode in
"$uid":drwx------*)
agent_link=$own/$(printf %s "$home" | cksum | tr -c "0-9\n" -).agent
;;
*)
say agent refused
agent=
agent_link=
;;
esac
fi
fi
# Points the link at the socket of this login, in one step: whoever uses it finds the old one or the new one. A check changes nothing.
lend() {
if [ -n "$agent_link" ]; then
if [ "$want" = server ]; then
(umask 077 && mkdir -p "$ours" && ln -s "$OUTPOST_AGENT" "$agent_link.$$" && mv -f "$agent_link.$$" "$agent_link") 2>/dev/null
fi
if read_record "$record" && [ "$was_agent" = "$agent_link" ] && ours_runs; then
say agent lent
else
say agent unused
fi
fi
}
