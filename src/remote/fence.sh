# Stage two goes on: what carried the lost connection of whoever comes must deliver nothing more. Given: _fence (what an earlier
# answer told as the carrier, if it was lost).
# The SSH server's process for this one connection: the nearest ancestor of that name.
name_carrier() {
_each=$$
while [ "${_each:-0}" -gt 1 ] && read -r _line <"/proc/$_each/stat"; do
case ${_line#*"("} in
sshd*|dropbear*)
started_at "$_each"
if [ -n "$_begun" ]; then
say carrier "$_each $_begun $_boot"
fi
return
;;
esac
set -- ${_line##*") "}
_each=${2-}
done 2>/dev/null
}
# Ends it, if it is still the same process of the same boot. It may be that of another user; then it stays.
end_carrier() {
set -- $_fence
if [ "$#" -ne 3 ] || [ "$3" != "$_boot" ]; then
return
fi
_tries=0
while [ "$_tries" -lt 100 ]; do
started_at "$1"
if [ "$_begun" != "$2" ] || dead "$1"; then
return
fi
case $_tries in
0)
kill -TERM "$1" || return
;;
25)
kill -KILL "$1"
;;
esac
_tries=$((_tries + 1))
sleep 0.02 2>/dev/null || sleep 1
done 2>/dev/null
}
end_carrier
name_carrier
