#!/bin/sh
# The git of a host; the first worktree fails after its branch was made.
case "$*" in *"worktree add -b"*)
  if [ ! -e "${0%/*}/once" ]; then
    : >"${0%/*}/once"
    'REAL' -C "$2" branch "$6" || exit
    echo "fatal: failed to read .git/worktrees/app/commondir: Success" >&2
    exit 128
  fi
esac
exec 'REAL' "$@"
