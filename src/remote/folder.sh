# Stage two goes on: looks at a folder. Given: folder.
if [ -n "$_folder" ]; then
case $_folder in
"~")
_folder=$HOME
;;
"~/"*)
_folder=$HOME/${_folder#??}
;;
/*)
;;
*)
_folder=$HOME/$_folder
;;
esac
say asked_folder "$_folder"
if [ ! -e "$_folder" ]; then
fail folder-missing "$_folder"
fi
if [ ! -d "$_folder" ]; then
fail folder-not-a-directory "$_folder"
fi
_seen=$(unset CDPATH; cd -P "$_folder" 2>/dev/null && printf "%s." "$PWD")
if [ -z "$_seen" ] || [ ! -r "$_folder" ]; then
fail folder-unreadable "$(ls "$_folder" 2>&1 >/dev/null)"
fi
case $_system in
Darwin*)
_words=$(ls "$_folder" 2>&1 >/dev/null) || fail folder-unreadable "$_words"
;;
esac
say folder "${_seen%.}"
fi
send ";"
