# Shows the log of the server that we started. Given: lines, follow.
_log=$_ours/server.log
if [ ! -f "$_log" ]; then
fail log-missing "$_log"
fi
say log "$_log"
send .
exec 0<&5 1>&6 5<&- 6>&-
if [ -n "$_follow" ]; then
# With its input at an end the reader has gone; a tail that nobody reads must not stay.
tail -n "$_lines" -f "$_log" &
cat >/dev/null
kill $!
exit 0
fi
exec tail -n "$_lines" "$_log"
