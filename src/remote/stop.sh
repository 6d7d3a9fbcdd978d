# Stops the server that we started, and no other. Given: now (whether to end it in the middle of its work).
if ! read_record "$_record" || ! ours_runs; then
forget_record
if [ -S "$_socket" ] && { [ ! -r /proc/net/unix ] || grep -qF " $(readlink "$_socket" || echo "$_socket")" /proc/net/unix; }; then
say stopped foreign
else
say stopped none
fi
send .
exit 0
fi
say pid "$_was_pid"
if [ -z "$_now" ]; then
say at stopping
fi
send ";"
# One that exits loses its executable before its sockets: it is waited for by number and start alone.
stands() {
started_at "$_was_pid"
[ "$_begun" = "$_was_start" ] && ! dead "$_was_pid"
}
# Nobody takes it for one that the host ended, also if nobody sees its end.
: >"$_record.survived"
# A second TERM ends codex in the middle of its turns: without --now it gets one only.
_told=
if [ -r "$_record.stopping" ]; then
read -r _told <"$_record.stopping"
fi
if [ -n "$_now" ] || [ "$_told" != "$_was_pid $_was_start" ]; then
echo "$_was_pid $_was_start" >"$_record.stopping"
kill -TERM "$_was_pid"
fi
_tries=0
while stands; do
_tries=$((_tries + 1))
if [ -n "$_now" ] && [ "$_tries" = 60 ] && ours_runs; then
kill -KILL "$_was_pid"
fi
case $_tries in
*0)
# Nobody waits for this any more when it cannot be written.
printf %s "$_m;" >&6 2>/dev/null || exit
;;
esac
sleep 0.05 2>/dev/null || sleep 1
done
forget_record
say stopped ours
send .
