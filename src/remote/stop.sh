# Stops the server that we started, and no other. Given: now (whether to end it in the middle of its work).
if ! read_record "$record" || ! ours_runs; then
forget_record
if [ -S "$socket" ] && { [ ! -r /proc/net/unix ] || grep -qF " $(readlink "$socket" || echo "$socket")" /proc/net/unix; }; then
say stopped foreign
else
say stopped none
fi
send .
exit 0
fi
say pid "$was_pid"
if [ -z "$now" ]; then
say at stopping
fi
send ";"
# One that exits loses its executable before its sockets: it is waited for by number and start alone.
stands() {
started_at "$was_pid"
[ "$begun" = "$was_start" ] && ! dead "$was_pid"
}
kill -TERM "$was_pid"
tries=0
while stands; do
tries=$((tries + 1))
if [ -n "$now" ] && [ "$tries" = 60 ] && ours_runs; then
kill -KILL "$was_pid"
fi
sleep 0.05 2>/dev/null || sleep 1
done
forget_record
say stopped ours
send .
