#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# compdb.sh FLAGS FILE...   compile_commands.json on standard output, for clangd and its like.
set -eu
# Once for the shell that reads "command", once for JSON.
flags=$(printf '%s' "$1" | sed -e 's/"/\\"/g' -e 's/\\/\\\\/g' -e 's/"/\\"/g')
shift
separator='['
for file in "$@"; do
	case $file in *.c) ;; *) continue ;; esac
	printf '%s\n{"directory":"%s","file":"%s","command":"cc %s -c %s"}' "$separator" "$PWD" "$file" "$flags" "$file"
	separator=','
done
printf '\n]\n'
