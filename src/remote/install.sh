# Installs codex for this account. Given: by (npm, or upload: a tar archive on standard input), entry (its codex).
say at installing
case $by in
npm)
on_path npm
if [ -z "$first" ]; then
fail install-failed "there is no npm on the PATH of the login shell: $login_path"
fi
send .
exec 0<&5 1>&6 2>&1 5<&- 6>&-
PATH=$login_path
export PATH
prefix=$(npm prefix -g 2>/dev/null </dev/null)
set -- npm install -g --no-fund --no-audit @openai/codex
if [ ! -w "$prefix/lib" ] || { [ -e "$prefix/lib/node_modules" ] && [ ! -w "$prefix/lib/node_modules" ]; }; then
# The account may not write where npm installs for everybody.
set -- "$@" --prefix "$HOME/.local"
fi
echo "$*"
exec "$@" </dev/null
;;
upload)
link=$HOME/.local/bin/codex
place=$HOME/.local/lib/outpost-codex
if [ -e "$link" ] && [ ! -L "$link" ]; then
fail install-failed "there is a file $link already"
fi
send .
exec 0<&5 1>&6 2>&1 5<&- 6>&-
rm -rf "$place.new"
if mkdir -p "$place.new" "${link%/*}" && tar -xf - -C "$place.new" && [ -x "$place.new/$entry" ]; then
rm -rf "$place"
mv "$place.new" "$place"
ln -sf "$place/$entry" "$link"
echo "$link"
else
rm -rf "$place.new"
fi
;;
esac
