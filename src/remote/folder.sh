# Stage two goes on: looks at a folder. Given: folder.
if [ -n "$folder" ]; then
case $folder in
"~")
folder=$HOME
;;
"~/"*)
folder=$HOME/${folder#??}
;;
/*)
;;
*)
folder=$HOME/$folder
;;
esac
say asked_folder "$folder"
if [ ! -e "$folder" ]; then
fail folder-missing "$folder"
fi
if [ ! -d "$folder" ]; then
fail folder-not-a-directory "$folder"
fi
seen=$(unset CDPATH; cd -P "$folder" 2>/dev/null && printf "%s." "$PWD")
if [ -z "$seen" ] || [ ! -r "$folder" ]; then
fail folder-unreadable "$(ls "$folder" 2>&1 >/dev/null)"
fi
case $system in
Darwin*)
words=$(ls "$folder" 2>&1 >/dev/null) || fail folder-unreadable "$words"
;;
esac
say folder "${seen%.}"
fi
send ";"
