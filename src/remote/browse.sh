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
_git=$1/.git
if [ -f "$_git" ]; then
IFS= read -r _git <"$_git"
_git=${_git#gitdir: }
case $_git in
/*)
;;
*)
_git=$1/$_git
;;
esac
fi
_branch=
if [ -f "$_git/HEAD" ]; then
IFS= read -r _branch <"$_git/HEAD"
fi
case $_branch in
"ref: "*)
_branch=${_branch#ref: }
_branch=${_branch#refs/heads/}
;;
*)
_branch=${_branch%"${_branch#???????}"}
;;
esac
put "G$_branch"
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
_count=0
for _entry in * .*; do
if [ -d "./$_entry" ] && [ "$_entry" != . ] && [ "$_entry" != .. ]; then
_count=$((_count + 1))
if [ "$_count" -gt "$_most" ]; then
put "+"
return
fi
entry "$_entry"
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
while IFS= read -r _line; do
_asked=$(printf "%b." "$_line")
cd /
list "${_asked%.}"
done
