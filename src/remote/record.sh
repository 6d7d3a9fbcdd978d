# The record of the server that we started on this host; a home may be shared with other hosts, so each has its own. Beside it:
# .watch names the process that waits to see the server outlive its session, .survived says that it did.
record=$ours/server@$name
exe_of() {
exe=$(readlink "/proc/$1/exe" 2>/dev/null)
exe=${exe%" (deleted)"}
if [ ! -d /proc/self ]; then
exe=$(LC_ALL=C ps -o comm= -p "$1" 2>/dev/null)
fi
}
# A program keeps its identity when the folder it is in is renamed, as npm does at an update; its path it does not.
file_of() {
file=$(stat -L -c %d.%i "/proc/$1/exe" 2>/dev/null)
}
write_record() {
started_at "$pid"
exe_of "$pid"
file_of "$pid"
{
echo "pid=$pid"
echo "start=$begun"
echo "boot=$boot"
echo "machine=$machine"
echo "exe=$exe"
echo "file=$file"
echo "socket=$socket"
echo "codex=$codex"
echo "agent=$agent_link"
} >"$record.new" && mv -f "$record.new" "$record"
}
# Given: the record.
read_record() {
was_pid=
was_start=
was_boot=
was_machine=
was_exe=
was_file=
was_socket=
was_agent=
if [ ! -f "$1" ]; then
return 1
fi
while IFS== read -r key value; do
case $key in
pid)
was_pid=$value
;;
start)
was_start=$value
;;
boot)
was_boot=$value
;;
machine)
was_machine=$value
;;
exe)
was_exe=$value
;;
file)
was_file=$value
;;
socket)
was_socket=$value
;;
agent)
was_agent=$value
;;
esac
done <"$1"
}
# Whether the recorded process is still there: by number, start time and executable.
ours_runs() {
case $was_pid in
""|*[!0-9]*)
return 1
;;
esac
if [ "$was_boot" != "$boot" ] || [ "$was_machine" != "$machine" ] || ! kill -0 "$was_pid" 2>/dev/null; then
return 1
fi
started_at "$was_pid"
exe_of "$was_pid"
if [ -z "$begun" ] || [ "$begun" != "$was_start" ]; then
return 1
fi
if [ "$exe" = "$was_exe" ]; then
return 0
fi
file_of "$was_pid"
[ -n "$file" ] && [ "$file" = "$was_file" ]
}
forget_record() {
rm -f "$record" "$record.survived" "$record.watch" 2>/dev/null
}
