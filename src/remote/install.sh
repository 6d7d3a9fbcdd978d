# Installs codex for this account. Given: by (npm, standalone, upload), base (where the standalone archive is), errand (the id of this run).
place=$home/packages/standalone
bin=${CODEX_INSTALL_DIR:-$HOME/.local/bin}
stage=$ours/install.$errand
archive=$stage/archive.tar.gz
PATH=${login_path:+$login_path:}/usr/local/bin:/usr/bin:/bin
export PATH
case $system in
"Linux x86_64"|"Linux amd64")
target=x86_64-unknown-linux-musl
;;
"Linux aarch64"|"Linux arm64")
target=aarch64-unknown-linux-musl
;;
"Darwin arm64")
target=aarch64-apple-darwin
;;
"Darwin x86_64")
target=x86_64-apple-darwin
;;
*)
target=
;;
esac
asset=codex-package-$target.tar.gz
# One installation at a time in a home: npm and the archives put their codex into the same places. The lock is a link, which is made whole
# or not at all; its text names who made it.
lock=$ours/installing
started_at $$
me="$$|$machine|$boot|$begun"
# Whether whoever made this link still runs. What another host of this home does cannot be seen from here, but nothing takes an hour.
held() {
holder=$(readlink "$1" 2>/dev/null)
case $holder in
"")
return 1
;;
*"|$machine|$boot|"*)
started_at "${holder%%"|"*}"
[ -n "$begun" ] && [ "$holder" = "${holder%%"|"*}|$machine|$boot|$begun" ] && ! dead "${holder%%"|"*}"
;;
*)
[ -z "$(find "$1" -prune -mmin +60 2>/dev/null)" ]
;;
esac
}
# What was uploaded for this installation goes with it.
running() {
rm -rf "$stage"
fail install-running "process ${holder%%"|"*}"
}
take_lock() {
words=$(umask 077 && mkdir -p "$ours" 2>&1) || fail install-failed "$words"
if words=$(ln -s "$me" "$lock" 2>&1); then
return
fi
if held "$lock"; then
running
fi
# It is renamed before it goes: of two who find it so at once, the slower one must not remove the lock of the other.
stale=$holder
if mv "$lock" "$lock.$errand" 2>/dev/null; then
holder=$(readlink "$lock.$errand")
if [ "$holder" != "$stale" ]; then
ln -s "$holder" "$lock"
fi
rm -f "$lock.$errand"
fi
if ! words=$(ln -s "$me" "$lock" 2>&1); then
if held "$lock"; then
running
fi
broken "$words"
fi
}
leave() {
if [ "$(readlink "$lock" 2>/dev/null)" = "$me" ]; then
rm -f "$lock"
fi
}
# Nothing half stays: what is not whole is in the stage, and the stage goes.
broken() {
rm -rf "$stage"
leave
fail install-failed "$1"
}
# How many seconds a connection and all of it may take. A host without a way out must say so soon.
connecting=15
fetching=1500
fetch() {
if command -v curl >/dev/null 2>&1; then
limited "$fetching" curl -fsSL --connect-timeout "$connecting" -o "$2" "$1" 2>&1 || { status=$?; told "$status" "$1"; false; }
elif command -v wget >/dev/null 2>&1; then
limited "$fetching" wget -q -T "$connecting" -O "$2" "$1" 2>&1 || { echo "wget cannot fetch $1"; false; }
else
echo "there is neither curl nor wget"
false
fi
}
# What a program that was ended cannot say itself.
told() {
case $1 in
124|137|142|143)
echo "network timeout: no answer from $2 in $fetching s"
;;
esac
}
digest_of() {
{ sha256sum "$1" || shasum -a 256 "$1" || openssl dgst -sha256 -r "$1"; } 2>/dev/null
}
# Renames over what is there, also over a link to a folder.
rename() {
mv -Tf "$1" "$2" 2>/dev/null || mv -hf "$1" "$2" 2>/dev/null || { rm -f "$2" && mv -f "$1" "$2"; }
}
# Whether a folder is, or could be made, by this account.
writable() {
each=$1
while [ ! -e "$each" ]; do
each=${each%/*}
done
[ -n "$each" ] && [ -w "$each" ]
}
npm_words() {
on_path npm
npm=$first
set --
if [ -n "$npm" ]; then
there=$(limited 60 "$npm" prefix -g 2>/dev/null)
if ! writable "$there/lib/node_modules" || ! writable "$there/bin"; then
# The account may not write where npm installs for everybody.
there=$HOME/.local
fi
fi
}
# One line of the name, the status and the words of a question, so that two can be asked at once.
asked() {
which=$1
shift
words=$("$@" 2>&1)
status=$?
printf "%s\n" "$which $status $(printf %s "$words" | tail -c 1500 | tr "\n" "\001")"
}
# npm waits for minutes and tries three times, if it is let.
ask_npm() {
limited "$fetching" "$npm" view @openai/codex version --fetch-retries=0 --fetch-timeout="${connecting}000" --no-update-notifier || { status=$?; told "$status" "its registry"; false; }
}
ask_archives() {
fetching=8
fetch "$base/codex-package_SHA256SUMS" /dev/null
}
look() {
if held "$lock"; then
running
fi
npm_words
connecting=5
fetching=20
if [ -n "$npm" ]; then
say npm "$npm install -g @openai/codex --prefix $there"
fi
answers=$({ [ -z "$npm" ] || asked npm ask_npm; } & [ -z "$target" ] || asked standalone ask_archives; wait)
IFS=$newline
set -f
for each in $answers; do
which=${each%%" "*}
each=${each#*" "}
say "${which}_status" "${each%%" "*}"
say "${which}_words" "$(printf %s "${each#*" "}" | tr "\001" "\n")"
done
unset IFS
set +f
send .
exit 0
}
by_npm() {
npm_words
if [ -z "$npm" ]; then
fail install-failed "there is no npm on the PATH of the login shell: $login_path"
fi
take_lock
if ! words=$(limited 1500 "$npm" install -g --no-fund --no-audit --prefix "$there" @openai/codex 2>&1); then
leave
fail install-failed "$words"
fi
say installed "$there/bin/codex"
}
download() {
if [ -z "$target" ]; then
broken "there is no standalone codex for $system"
fi
words=$(fetch "$base/codex-package_SHA256SUMS" "$stage/sums") || broken "$words"
wanted=
while read -r digest file; do
if [ "${file#[*]}" = "$asset" ]; then
wanted=$digest
fi
done <"$stage/sums"
if [ -z "$wanted" ]; then
broken "the list of checksums at $base does not name $asset"
fi
words=$(fetch "$base/$asset" "$archive") || broken "$words"
digest=$(digest_of "$archive")
case $digest in
"$wanted"*)
;;
"")
broken "there is no program to check the archive with: sha256sum, shasum or openssl"
;;
*)
broken "the archive is not the one of the list of checksums: $asset"
;;
esac
}
by_archive() {
if [ -e "$bin/codex" ] && [ ! -h "$bin/codex" ]; then
broken "there is a file $bin/codex already"
fi
words=$(mkdir "$stage/new" && tar -xzf "$archive" -C "$stage/new" 2>&1) || broken "$words"
rm -f "$archive"
entry=
for each in codex/codex bin/codex; do
if [ -f "$stage/new/$each" ] && [ -x "$stage/new/$each" ]; then
entry=$each
fi
done
if [ -z "$entry" ]; then
broken "there is no codex in the archive"
fi
words=$(limited 60 "$stage/new/$entry" --version 2>&1) || broken "$words"
release=${words##*"codex-cli "}
case $release in
""|*[!0-9A-Za-z.+-]*)
broken "it does not tell its version: $words"
;;
esac
folder=$place/releases/$release-${target:-unknown}
words=$(mkdir -p "$place/releases" "$bin" 2>&1) || broken "$words"
# A release that is whole may be running: it stays as it is.
if [ "$(limited 60 "$folder/$entry" --version 2>/dev/null)" != "codex-cli $release" ]; then
rm -rf "$folder"
words=$(mv "$stage/new" "$folder" 2>&1) || broken "$words"
fi
ln -s "$folder" "$stage/current" && rename "$stage/current" "$place/current" || broken "cannot make the link $place/current"
ln -s "$place/current/$entry" "$stage/codex" && mv -f "$stage/codex" "$bin/codex" || broken "cannot make the link $bin/codex"
rm -rf "$stage"
say installed "$bin/codex"
say release "$release"
}
# A folder of our own. Until it is complete, it names who fills it.
make_stage() {
umask 077
words=$(mkdir -p "$stage" 2>&1 && ln -s "$me" "$stage/filling" 2>&1) || broken "$words"
}
# The folders of those who have died; one that is complete may wait for the part that comes next.
sweep() {
for each in "$ours"/install.*; do
if [ "$each" = "$stage" ] || held "$each/filling"; then
continue
fi
# Looked at again: one that ended well took its name away first.
if [ -n "$holder" ] && [ "$(readlink "$each/filling" 2>/dev/null)" = "$holder" ] || [ -n "$(find "$each" -prune -mtime +0 2>/dev/null)" ]; then
rm -rf "$each"
fi
done
}
case $by in
look)
look
;;
receive)
if held "$lock"; then
running
fi
make_stage
say at receiving
send .
exec 0<&5 5<&- 6>&-
cat >"$archive"
if [ "$(wc -c <"$archive")" -ne "$size" ]; then
rm -rf "$stage"
fi
rm -f "$stage/filling"
exit 0
;;
npm)
by_npm
;;
standalone)
take_lock
sweep
make_stage
download
umask 022
by_archive
;;
upload)
if [ ! -f "$archive" ]; then
fail install-failed "the upload was cut off"
fi
take_lock
sweep
umask 022
by_archive
;;
esac
leave
send .
exit 0
