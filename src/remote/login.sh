# Stage one: begins where sshd and SHELL -c left us and goes on inside the account's login shell.
# Given: m (the marker), OUTPOST_STAGE (the text of stage two).
set +eufC
_began_path=$PATH
PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin
OUTPOST_PID=$$
OUTPOST_AT=login
OUTPOST_AGENT=${SSH_AUTH_SOCK-}
OUTPOST_SHELL=${SHELL:-/bin/sh}
printf %s "$_m+starts=$OUTPOST_SHELL$_m+at=sh$_m;"
export OUTPOST_STAGE OUTPOST_PID OUTPOST_AT OUTPOST_AGENT OUTPOST_SHELL
# Exit codes of login shells lie: stage two says with a signal that it was reached.
_reached=
trap _reached=1 USR1
_inside="/bin/sh -c 'exec 0<&3 1>&4; eval \"\$OUTPOST_STAGE\"'"
begin() {
PATH=$_began_path "$OUTPOST_SHELL" -l -c "$1" 3<&0 4>&1 </dev/null >&2
}
case ${OUTPOST_SHELL##*/} in
csh|tcsh)
# It takes no -l beside -c and closes other descriptors: its start-up files see our standard input (hence the blank lines).
PATH=$_began_path "$OUTPOST_SHELL" -c "if ( -r /etc/csh.login ) source /etc/csh.login ; if ( -r ~/.login ) source ~/.login ; exec /bin/sh -c 'eval \"\$OUTPOST_STAGE\"'"
;;
xonsh)
begin "/bin/sh -c r'exec 0<&3 1>&4; eval \"\$OUTPOST_STAGE\"'"
;;
rbash|rksh|rzsh|rksh93)
begin "${_inside#/bin/}"
;;
elvish)
# It has no login start-up files.
;;
*)
begin "exec $_inside"
;;
esac
if [ -z "$_reached" ]; then
OUTPOST_AT=plain
case ${OUTPOST_SHELL##*/} in
elvish)
;;
*)
OUTPOST_LOGIN=lost
export OUTPOST_LOGIN
;;
esac
PATH=$_began_path
eval "$OUTPOST_STAGE"
fi
