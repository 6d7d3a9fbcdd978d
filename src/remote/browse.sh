# Lists folders, one for each line of standard input, until its end. A line is an absolute path in the escapes of printf %b.
# An answer is records that end with NUL: P, the folder as it is really called; for each folder in it D (X where it cannot be
# opened) and its name, then G and a branch where it is a repository; and "." at the end, "+" where there were more.
# E and a word stand for a folder that cannot be listed.
send .
exec 0<&5 1>&6 5<&- 6>&- 2>/dev/null
unset CDPATH
put() {
printf "%s\0" "$1"
}
branch_of() {
git=$1/.git
if [ -f "$git" ]; then
IFS= read -r git <"$git"
git=${git#gitdir: }
case $git in
/*)
;;
*)
git=$1/$git
;;
esac
fi
branch=
if [ -f "$git/HEAD" ]; then
IFS= read -r branch <"$git/HEAD"
fi
case $branch in
"ref: "*)
branch=${branch#ref: }
branch=${branch#refs/heads/}
;;
*)
branch=${branch%"${branch#???????}"}
;;
esac
put "G$branch"
}
entry() {
if [ -r "./$1" ] && [ -x "./$1" ]; then
put "D$1"
else
put "X$1"
fi
if [ -e "./$1/.git" ]; then
branch_of "./$1"
fi
}
entries() {
count=0
for entry in * .*; do
if [ -d "./$entry" ] && [ "$entry" != . ] && [ "$entry" != .. ]; then
count=$((count + 1))
if [ "$count" -gt "$most" ]; then
put "+"
return
fi
entry "$entry"
fi
done
put "."
}
list() {
if [ ! -e "$1" ]; then
put Emissing
return
fi
if [ ! -d "$1" ]; then
put Enot-a-directory
return
fi
if [ ! -r "$1" ] || ! cd -P "$1"; then
put Eunreadable
return
fi
put "P$PWD"
entries
}
while IFS= read -r line; do
asked=$(printf "%b." "$line")
cd /
list "${asked%.}"
done
