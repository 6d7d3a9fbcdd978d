# What would stand in the way of the first turn, asked of codex itself. Nothing of this stops the bring-up.
# Its own questions to the network end after 8 s; an answer that takes longer than all of them is not waited for.
_patience=12
say at doctor
send ";"
_words=$(limited "$_patience" "$_codex" doctor --json 2>/dev/null)
_status=$?
say doctor "$_words"
case $_status in
124|137|142|143)
say doctor_late "$_patience"
;;
esac
# The doctor reads the sandbox's settings; whether one can start is seen by starting one.
_kind=linux
case $_system in
Darwin*)
_kind=macos
;;
esac
say at sandbox
send ";"
_words=$(limited 15 "$_codex" sandbox -- true 2>&1)
_status=$?
case $_words in
*"nrecognized subcommand"*|*"unexpected argument"*)
# The older releases name the kind.
_words=$(limited 15 "$_codex" sandbox "$_kind" true 2>&1)
_status=$?
;;
esac
case $_words in
*"nrecognized subcommand"*|*"unexpected argument"*)
;;
*)
say sandbox_status "$_status"
say sandbox "$_words"
;;
esac
# A release that knows a program by name needs it beside itself.
real_of "$_codex"
for _each in codex-code-mode-host; do
if [ ! -x "${_real%/*}/$_each" ] && grep -qs "$_each" "$_real"; then
say companion "$_each"
fi
done
