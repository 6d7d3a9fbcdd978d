# Installs codex for this account. Given: by (npm, standalone, upload), base (where the standalone archive is), errand (the id of this run).
_place=$_home/packages/standalone
_bin=${CODEX_INSTALL_DIR:-$HOME/.local/bin}
_stage=$_ours/install.$_errand
_archive=$_stage/archive.tar.gz
PATH=${_login_path:+$_login_path:}/usr/local/bin:/usr/bin:/bin
export PATH
case $_system in
"Linux x86_64"|"Linux amd64")
_target=x86_64-unknown-linux-musl
;;
"Linux aarch64"|"Linux arm64")
_target=aarch64-unknown-linux-musl
;;
"Darwin arm64")
_target=aarch64-apple-darwin
;;
"Darwin x86_64")
_target=x86_64-apple-darwin
;;
*)
_target=
;;
esac
_asset=codex-package-$_target.tar.gz
# One installation at a time in a home: npm and the archives put their codex into the same places. The lock is a link, which is made whole
# or not at all; its text names who made it.
_lock=$_ours/installing
started_at $$
_me="$$|$_machine|$_boot|$_begun"
# Whether whoever made this link still runs. What another host of this home does cannot be seen from here, but nothing takes an hour.
held() {
_holder=$(readlink "$1" 2>/dev/null)
case $_holder in
"")
return 1
;;
*"|$_machine|$_boot|"*)
started_at "${_holder%%"|"*}"
[ -n "$_begun" ] && [ "$_holder" = "${_holder%%"|"*}|$_machine|$_boot|$_begun" ] && ! dead "${_holder%%"|"*}"
;;
*)
[ -z "$(find "$1" -prune -mmin +60 2>/dev/null)" ]
;;
esac
}
# What was uploaded for this installation goes with it.
running() {
rm -rf "$_stage"
fail install-running "process ${_holder%%"|"*}"
}
take_lock() {
_words=$(umask 077 && mkdir -p "$_ours" 2>&1) || fail install-failed "$_words"
if _words=$(ln -s "$_me" "$_lock" 2>&1); then
return
fi
if held "$_lock"; then
running
fi
# It is renamed before it goes: of two who find it so at once, the slower one must not remove the lock of the other.
_stale=$_holder
if mv "$_lock" "$_lock.$_errand" 2>/dev/null; then
_holder=$(readlink "$_lock.$_errand")
if [ "$_holder" != "$_stale" ]; then
ln -s "$_holder" "$_lock"
fi
rm -f "$_lock.$_errand"
fi
if ! _words=$(ln -s "$_me" "$_lock" 2>&1); then
if held "$_lock"; then
running
fi
broken "$_words"
fi
}
leave() {
if [ "$(readlink "$_lock" 2>/dev/null)" = "$_me" ]; then
rm -f "$_lock"
fi
}
# Nothing half stays: what is not whole is in the stage, and the stage goes.
broken() {
rm -rf "$_stage"
leave
fail install-failed "$1"
}
# How many seconds a connection and all of it may take. A host without a way out must say so soon.
_connecting=15
_fetching=1500
fetch() {
if command -v curl >/dev/null 2>&1; then
limited "$_fetching" curl -fsSL --connect-timeout "$_connecting" -o "$2" "$1" 2>&1 || { _status=$?; told "$_status" "$1"; false; }
elif command -v wget >/dev/null 2>&1; then
limited "$_fetching" wget -q -T "$_connecting" -O "$2" "$1" 2>&1 || { echo "wget cannot fetch $1"; false; }
else
echo "there is neither curl nor wget"
false
fi
}
# What a program that was ended cannot say itself.
told() {
case $1 in
124|137|142|143)
echo "network timeout: no answer from $2 in $_fetching s"
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
npm_words() {
on_path npm
_npm=$_first
set --
if [ -n "$_npm" ]; then
_there=$(limited 60 "$_npm" prefix -g 2>/dev/null)
if [ "${_there#/}" = "$_there" ] || ! writable "$_there/lib/node_modules" || ! writable "$_there/bin"; then
# The account may not write where npm installs for everybody, or npm does not tell where that is.
_there=$HOME/.local
fi
fi
}
# One line of the name, the status and the words of a question, so that two can be asked at once.
asked() {
_which=$1
shift
_words=$("$@" 2>&1)
_status=$?
printf "%s\n" "$_which $_status $(printf %s "$_words" | tail -c 1500 | tr "\n" "\001")"
}
# npm waits for minutes and tries three times, if it is let.
ask_npm() {
limited "$_fetching" "$_npm" view @openai/codex version --fetch-retries=0 --fetch-timeout="${_connecting}000" --no-update-notifier || { _status=$?; told "$_status" "its registry"; false; }
}
ask_archives() {
_fetching=8
fetch "$_base/codex-package_SHA256SUMS" /dev/null
}
look() {
if held "$_lock"; then
running
fi
npm_words
_connecting=5
_fetching=20
if [ -n "$_npm" ]; then
say npm "$_npm install -g @openai/codex --prefix $_there"
fi
_answers=$({ [ -z "$_npm" ] || asked npm ask_npm; } & [ -z "$_target" ] || asked standalone ask_archives; wait)
IFS=$_newline
set -f
for _each in $_answers; do
_which=${_each%%" "*}
_each=${_each#*" "}
say "${_which}_status" "${_each%%" "*}"
say "${_which}_words" "$(printf %s "${_each#*" "}" | tr "\001" "\n")"
done
unset IFS
set +f
send .
exit 0
}
by_npm() {
npm_words
if [ -z "$_npm" ]; then
fail install-failed "there is no npm on the PATH of the login shell: $_login_path"
fi
take_lock
if ! _words=$(limited 1500 "$_npm" install -g --no-fund --no-audit --prefix "$_there" @openai/codex 2>&1); then
leave
fail install-failed "$_words"
fi
say installed "$_there/bin/codex"
}
download() {
if [ -z "$_target" ]; then
broken "there is no standalone codex for $_system"
fi
_words=$(fetch "$_base/codex-package_SHA256SUMS" "$_stage/sums") || broken "$_words"
_wanted=
while read -r _digest _file; do
if [ "${_file#[*]}" = "$_asset" ]; then
_wanted=$_digest
fi
done <"$_stage/sums"
if [ -z "$_wanted" ]; then
broken "the list of checksums at $_base does not name $_asset"
fi
_words=$(fetch "$_base/$_asset" "$_archive") || broken "$_words"
_digest=$(digest_of "$_archive")
case $_digest in
"$_wanted"*)
;;
"")
broken "there is no program to check the archive with: sha256sum, shasum or openssl"
;;
*)
broken "the archive is not the one of the list of checksums: $_asset"
;;
esac
}
by_archive() {
if [ -e "$_bin/codex" ] && [ ! -h "$_bin/codex" ]; then
broken "there is a file already: $_bin/codex"
fi
_words=$(mkdir "$_stage/new" && tar -xzf "$_archive" -C "$_stage/new" 2>&1) || broken "$_words"
rm -f "$_archive"
_entry=
for _each in codex/codex bin/codex; do
if [ -f "$_stage/new/$_each" ] && [ -x "$_stage/new/$_each" ]; then
_entry=$_each
fi
done
if [ -z "$_entry" ]; then
broken "there is no codex in the archive"
fi
_words=$(limited 60 "$_stage/new/$_entry" --version 2>&1) || broken "$_words"
_release=${_words##*"codex-cli "}
case $_release in
""|*[!0-9A-Za-z.+-]*)
broken "it does not tell its version: $_words"
;;
esac
_folder=$_place/releases/$_release-${_target:-unknown}
_words=$(mkdir -p "$_place/releases" "$_bin" 2>&1) || broken "$_words"
# A release that is whole may be running: it stays as it is.
if [ "$(limited 60 "$_folder/$_entry" --version 2>/dev/null)" != "codex-cli $_release" ]; then
rm -rf "$_folder"
_words=$(mv "$_stage/new" "$_folder" 2>&1) || broken "$_words"
fi
ln -s "$_folder" "$_stage/current" && rename "$_stage/current" "$_place/current" || broken "cannot make the link $_place/current"
ln -s "$_place/current/$_entry" "$_stage/codex" && mv -f "$_stage/codex" "$_bin/codex" || broken "cannot make the link $_bin/codex"
rm -rf "$_stage"
say installed "$_bin/codex"
say release "$_release"
}
# A folder of our own. Until it is complete, it names who fills it.
make_stage() {
umask 077
_words=$(mkdir -p "$_stage" 2>&1 && ln -s "$_me" "$_stage/filling" 2>&1) || broken "$_words"
}
# The folders of those who have died; one that is complete may wait for the part that comes next.
sweep() {
for _each in "$_ours"/install.*; do
if [ "$_each" = "$_stage" ] || held "$_each/filling"; then
continue
fi
# Looked at again: one that ended well took its name away first.
if [ -n "$_holder" ] && [ "$(readlink "$_each/filling" 2>/dev/null)" = "$_holder" ] || [ -n "$(find "$_each" -prune -mtime +0 2>/dev/null)" ]; then
rm -rf "$_each"
fi
done
}
case $_by in
look)
look
;;
receive)
if held "$_lock"; then
running
fi
make_stage
say at receiving
send .
exec 0<&5 5<&- 6>&-
cat >"$_archive"
if [ "$(wc -c <"$_archive")" -ne "$_size" ]; then
rm -rf "$_stage"
fi
rm -f "$_stage/filling"
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
if [ ! -f "$_archive" ]; then
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
