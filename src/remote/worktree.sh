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
if ! words=$(here worktree add -b "$branch" "$tree" HEAD 2>&1); then
rmdir "${tree%/*}" 2>/dev/null
fail worktree-failed "$words"
fi
say repository "$top"
say tree "$tree"
say inner "$inner"
say dirty "$dirty"
send .
