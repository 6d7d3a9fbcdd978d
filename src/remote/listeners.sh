# Every app-server of anybody that listens on TCP beyond this machine and asks nobody who they are.
listening() {
case $1 in
*--ws-auth*|*ws://127.*|*ws://localhost*|*"ws://[::1]"*)
;;
*app-server*ws://*)
say listener "$1"
;;
esac
}
if [ -d /proc/self ]; then
for each in $(grep -als app-server /proc/[0-9]*/cmdline 2>/dev/null); do
listening "$(tr "\\000" " " <"$each" 2>/dev/null)"
done
else
lines=$(ps -axo args 2>/dev/null | grep app-server)
IFS=$newline
set -f
for each in $lines; do
listening "$each"
done
unset IFS
set +f
fi
