# Stops the server that we started, and no other. Given: now (whether to end it in the middle of its work).
if ! read_record || ! ours_runs; then
rm -f "$record" 2>/dev/null
if [ -S "$socket" ] && { [ ! -r /proc/net/unix ] || grep -qF " $(readlink "$socket" || echo "$socket")" /proc/net/unix; }; then
say stopped foreign
else
say stopped none
fi
send .
exit 0
fi
say pid "$was_pid"
say at stopping
send ";"
kill -TERM "$was_pid"
tries=0
while ours_runs; do
tries=$((tries + 1))
if [ -n "$now" ] && [ "$tries" = 60 ]; then
kill -KILL "$was_pid"
fi
sleep 0.05 2>/dev/null || sleep 1
done
rm -f "$record"
say stopped ours
send .
