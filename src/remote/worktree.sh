# Makes a git worktree of the folder that was looked at. Given: folder, branch, place (a name for its folder).
on_path git
if [ -z "$first" ]; then
fail worktree-failed "there is no git on the PATH of the login shell: $login_path"
fi
here() {
git -C "$folder" "$@" </dev/null 5<&- 6>&-
}
top=$(here rev-parse --show-toplevel 2>/dev/null)
if [ -z "$top" ]; then
fail not-a-repository "$(here rev-parse --show-toplevel 2>&1)"
fi
inner=$(here rev-parse --show-prefix 2>/dev/null)
tree=$home/worktrees/$place/${top##*/}
if [ -e "$tree" ]; then
fail worktree-failed "$tree exists already"
fi
if ! words=$( (umask 077 && mkdir -p "${tree%/*}") 2>&1); then
fail worktree-failed "$words"
fi
dirty=$(here status --porcelain 2>/dev/null | wc -l)
# Another git that makes a worktree of this repository just now disturbs this one (2.47 reads what is half written there): then it
# is tried again. The branch, which was not there before, may be made by then.
add() {
if [ "$tried" -gt 0 ] && here show-ref --verify --quiet "refs/heads/$branch"; then
here worktree add "$tree" "$branch" 2>&1
else
here worktree add -b "$branch" "$tree" HEAD 2>&1
fi
}
tried=0
until words=$(add); do
tried=$((tried + 1))
case $tried$words in
[1-4]*"failed to read"*worktrees/*) sleep 1 ;;
*)
rmdir "${tree%/*}" 2>/dev/null
fail worktree-failed "$words"
;;
esac
done
say repository "$top"
say tree "$tree"
say inner "$inner"
say dirty "$dirty"
send .
