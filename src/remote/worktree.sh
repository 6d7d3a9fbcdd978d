# Makes a git worktree of the folder that was looked at. Given: folder, branch, place (a name for its folder).
on_path git
if [ -z "$_first" ]; then
fail worktree-failed "there is no git on the PATH of the login shell: $_login_path"
fi
here() {
git -C "$_folder" "$@" </dev/null 5<&- 6>&-
}
_top=$(here rev-parse --show-toplevel 2>/dev/null)
if [ -z "$_top" ]; then
fail not-a-repository "$(here rev-parse --show-toplevel 2>&1)"
fi
_inner=$(here rev-parse --show-prefix 2>/dev/null)
_tree=$_home/worktrees/$_place/${_top##*/}
if [ -e "$_tree" ]; then
fail worktree-failed "$_tree exists already"
fi
if ! _words=$( (umask 077 && mkdir -p "${_tree%/*}") 2>&1); then
fail worktree-failed "$_words"
fi
_dirty=$(here status --porcelain 2>/dev/null | wc -l)
# Another git that makes a worktree of this repository just now disturbs this one (2.47 reads what is half written there): then it
# is tried again. The branch, which was not there before, may be made by then.
add() {
if [ "$_tried" -gt 0 ] && here show-ref --verify --quiet "refs/heads/$_branch"; then
here worktree add "$_tree" "$_branch" 2>&1
else
here worktree add -b "$_branch" "$_tree" HEAD 2>&1
fi
}
_tried=0
until _words=$(add); do
_tried=$((_tried + 1))
case $_tried$_words in
[1-4]*"failed to read"*worktrees/*) sleep 1 ;;
*)
rmdir "${_tree%/*}" 2>/dev/null
fail worktree-failed "$_words"
;;
esac
done
# The threads that work there belong to the folder, also when the worktree is gone: two lines for each.
_like=$_tree/$_inner
case $_folder$_like in
*"$_newline"*)
;;
*)
(umask 077 && mkdir -p "$_ours" && printf "%s\n%s\n" "$_folder" "${_like%/}" >>"$_ours/worktrees") 2>/dev/null
;;
esac
say repository "$_top"
say tree "$_tree"
say inner "$_inner"
say dirty "$_dirty"
send .
