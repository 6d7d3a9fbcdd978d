# Signs codex in or out, or asks it who is signed in. Given: action, issuer, nonce (the word before the status).
case $_action in
device)
set -- login --device-auth
;;
api-key)
set -- login --with-api-key
;;
access-token)
set -- login --with-access-token
;;
status)
set -- login status
;;
logout)
set -- logout
;;
esac
if [ -n "$_issuer" ]; then
set -- "$@" --experimental_issuer "$_issuer"
fi
_running=
if [ -S "$_socket" ]; then
_running=yes
fi
say running "$_running"
send .
PATH=$_login_path
export PATH
exec 1>&6 2>&1 6>&-
# A secret comes on the channel after all that could be echoed; who wants none must not eat the channel.
case $_action in
api-key|access-token)
"$_codex" "$@" <&5 5<&-
;;
*)
"$_codex" "$@" </dev/null 5<&-
;;
esac
printf "\n%s=%s\n" "$_nonce" "$?"
