#!/bin/sh
# Prints compile_commands.json from what make would run; $1 is make.
$1 -nwkB all 2>/dev/null | awk -v dir="$PWD" '
    BEGIN { print "["; sep = "" }
    / -c [^ ]+\.c -o / {
        file = $0; sub(/.* -c /, "", file); sub(/ -o .*/, "", file)
        gsub(/\\/, "\\\\"); gsub(/"/, "\\\"")
        printf "%s{\"directory\":\"%s\",\"file\":\"%s\",\"command\":\"%s\"}", sep, dir, file, $0
        sep = ",\n"
    }
    END { print "\n]" }'
