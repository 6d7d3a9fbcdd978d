# Shows the log of the server that we started. Given: lines, follow.
log=$ours/server.log
if [ ! -f "$log" ]; then
fail log-missing "$log"
fi
say log "$log"
send .
exec 0<&5 1>&6 5<&- 6>&-
if [ -n "$follow" ]; then
# With its input at an end the reader has gone; a tail that nobody reads must not stay.
tail -n "$lines" -f "$log" &
cat >/dev/null
kill $!
exit 0
fi
exec tail -n "$lines" "$log"
