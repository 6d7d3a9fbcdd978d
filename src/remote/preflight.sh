# What would stand in the way of the first turn, asked of codex itself. Nothing of this stops the bring-up.
# Its own questions to the network end after 8 s; an answer that takes longer than all of them is not waited for.
patience=12
say at doctor
send ";"
words=$(limited "$patience" "$codex" doctor --json 2>/dev/null)
status=$?
say doctor "$words"
case $status in
124|137|142|143)
say doctor_late "$patience"
;;
esac
# The doctor reads the sandbox's settings; whether one can start is seen by starting one.
kind=linux
case $system in
Darwin*)
kind=macos
;;
esac
say at sandbox
send ";"
words=$(limited 15 "$codex" sandbox -- true 2>&1)
status=$?
case $words in
*"nrecognized subcommand"*|*"unexpected argument"*)
# The older releases name the kind.
words=$(limited 15 "$codex" sandbox "$kind" true 2>&1)
status=$?
;;
esac
case $words in
*"nrecognized subcommand"*|*"unexpected argument"*)
;;
*)
say sandbox_status "$status"
say sandbox "$words"
;;
esac
# A release that knows a program by name needs it beside itself.
real_of "$codex"
for each in codex-code-mode-host; do
if [ ! -x "${real%/*}/$each" ] && grep -qs "$each" "$real"; then
say companion "$each"
fi
done
