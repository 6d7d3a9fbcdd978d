#!/bin/bash
# An MCP server whose tools ask their person: `ask` for a text that may be left out, `choose` for one of two and a number;
# `do` asks nothing, but may change things, so that codex itself asks before it is called.
tool() { echo '{"name":"'"$1"'","description":"'"$1"'s","inputSchema":{"type":"object","properties":{}},"annotations":'"$2"'}'; }
asks() { echo '{"jsonrpc":"2.0","id":900,"method":"elicitation/create","params":{"message":"which one?","requestedSchema":'"$1"'}}'; }
answer() { echo '{"jsonrpc":"2.0","id":'"$1"',"result":'"$2"'}'; }
text() { answer "$call" '{"content":[{"type":"text","text":"'"$1"'"}]}'; }
while IFS= read -r line; do
  id=$(sed -n 's/.*"id":\([0-9]*\).*/\1/p' <<<"$line")
  case $line in
    *'"method":"initialize"'*) answer "$id" '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"asker","version":"1"}}' ;;
    *'"method":"tools/list"'*)
      reads='{"readOnlyHint":true}'
      answer "$id" '{"tools":['"$(tool ask $reads),$(tool choose $reads),$(tool do '{"destructiveHint":true}')"']}' ;;
    *'"method":"tools/call"'*)
      call=$id
      case $line in
        *'"name":"choose"'*) asks '{"type":"object","properties":{"colour":{"type":"string","enum":["red","blue"]},"count":{"type":"integer","default":2}},"required":["colour","count"]}' ;;
        *'"name":"do"'*) text 'it was done' ;;
        *) asks '{"type":"object","properties":{"it":{"type":"string"}}}' ;;
      esac ;;
    *'"result"'*'"action":"accept"'*)
      content=$(sed -n 's/.*"content":{\([^}]*\)}.*/\1/p' <<<"$line")
      text "the person took it: ${content//\"/\'}" ;;
    *'"result"'*'"action"'*) text 'the person did not want to' ;;
    *'"method":"ping"'*) answer "$id" '{}' ;;
  esac
done
