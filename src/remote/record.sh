# The record of the server that we started on this host; a home may be shared with other hosts, so each has its own. Beside it:
# .watch names the process that waits to see the server outlive its session, .survived says that it did, .stopping which one was told to end.
_record=$_ours/server@$_name
exe_of() {
_exe=$(readlink "/proc/$1/exe" 2>/dev/null)
_exe=${_exe%" (deleted)"}
if [ ! -d /proc/self ]; then
_exe=$(LC_ALL=C ps -o comm= -p "$1" 2>/dev/null)
fi
}
# A program keeps its identity when the folder it is in is renamed, as npm does at an update; its path it does not.
file_of() {
_file=$(stat -L -c %d.%i "/proc/$1/exe" 2>/dev/null)
}
write_record() {
started_at "$_pid"
exe_of "$_pid"
file_of "$_pid"
{
echo "pid=$_pid"
echo "start=$_begun"
echo "boot=$_boot"
echo "machine=$_machine"
echo "exe=$_exe"
echo "file=$_file"
echo "socket=$_socket"
echo "codex=$_codex"
echo "agent=$_agent_link"
} >"$_record.new" && mv -f "$_record.new" "$_record"
}
# Given: the record.
read_record() {
_was_pid=
_was_start=
_was_boot=
_was_machine=
_was_exe=
_was_file=
_was_socket=
_was_agent=
if [ ! -f "$1" ]; then
return 1
fi
while IFS== read -r _key _value; do
case $_key in
pid)
_was_pid=$_value
;;
start)
_was_start=$_value
;;
boot)
_was_boot=$_value
;;
machine)
_was_machine=$_value
;;
exe)
_was_exe=$_value
;;
file)
_was_file=$_value
;;
socket)
_was_socket=$_value
;;
agent)
_was_agent=$_value
;;
esac
done <"$1"
}
# Whether the recorded process is still there: by number, start time and executable.
ours_runs() {
case $_was_pid in
""|*[!0-9]*)
return 1
;;
esac
if [ "$_was_boot" != "$_boot" ] || [ "$_was_machine" != "$_machine" ] || ! kill -0 "$_was_pid" 2>/dev/null; then
return 1
fi
started_at "$_was_pid"
exe_of "$_was_pid"
if [ -z "$_begun" ] || [ "$_begun" != "$_was_start" ]; then
return 1
fi
if [ "$_exe" = "$_was_exe" ]; then
return 0
fi
file_of "$_was_pid"
[ -n "$_file" ] && [ "$_file" = "$_was_file" ]
}
forget_record() {
rm -f "$_record" "$_record.survived" "$_record.watch" "$_record.stopping" 2>/dev/null
}
