# Installs codex for this account. Given: by (npm, standalone, upload), base (where the standalone archive is), id (of this run).
place=$home/packages/standalone
bin=${CODEX_INSTALL_DIR:-$HOME/.local/bin}
stage=$ours/install.$id
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
# Nothing half stays: what is not whole is in the stage, and the stage goes.
broken() {
rm -rf "$stage"
fail install-failed "$1"
}
fetch() {
if command -v curl >/dev/null 2>&1; then
limited 1500 curl -fsSL --connect-timeout 15 -o "$2" "$1" 2>&1
elif command -v wget >/dev/null 2>&1; then
limited 1500 wget -q -T 30 -O "$2" "$1" 2>&1 || { echo "wget cannot fetch $1"; false; }
else
echo "there is neither curl nor wget"
false
fi
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
look() {
npm_words
if [ -n "$npm" ]; then
say npm "$npm install -g @openai/codex --prefix $there"
say npm_release "$(limited 30 "$npm" view @openai/codex version 2>/dev/null)"
fi
if [ -n "$target" ]; then
words=$(fetch "$base/codex-package_SHA256SUMS" /dev/null) && say standalone yes || say standalone_words "$words"
fi
send .
exit 0
}
by_npm() {
npm_words
if [ -z "$npm" ]; then
fail install-failed "there is no npm on the PATH of the login shell: $login_path"
fi
if ! words=$(limited 1500 "$npm" install -g --no-fund --no-audit --prefix "$there" @openai/codex 2>&1); then
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
make_stage() {
umask 077
rm -rf "$ours"/install.*
words=$(mkdir -p "$stage" 2>&1) || fail install-failed "$words"
}
case $by in
look)
look
;;
receive)
make_stage
say at receiving
send .
exec 0<&5 5<&- 6>&-
cat >"$archive"
if [ "$(wc -c <"$archive")" -ne "$size" ]; then
rm -rf "$stage"
fi
exit 0
;;
npm)
by_npm
;;
standalone)
make_stage
download
umask 022
by_archive
;;
upload)
if [ ! -f "$archive" ]; then
fail install-failed "the upload was cut off"
fi
umask 022
by_archive
;;
esac
send .
exit 0
