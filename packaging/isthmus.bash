# Completion of isthmus for bash. It asks the binary itself for its commands and
# flags, so it knows what the installed one knows.
_isthmus()
{
    local cur=${COMP_WORDS[COMP_CWORD]} command="" words
    ((COMP_CWORD > 1)) &&
        command=$(printf '%s ' "${COMP_WORDS[@]:1:COMP_CWORD-1}")
    if [[ $cur == -* ]]; then
        # Flags of the command so far, without what follows it.
        words=$(${COMP_WORDS[0]} ${command%% -*} -help 2>/dev/null |
            sed -n 's/^  \(-[a-z0-9-]*=\{0,1\}\).*/\1/p')
        compopt -o nospace
    else
        # The next word of every command that begins with those before.
        words=$(${COMP_WORDS[0]} help 2>/dev/null |
            awk -v before="$command" '
                /^  [a-z]/ {
                    sub(/^  /, ""); sub(/  .*/, "")
                    if (index($0 " ", before) == 1) {
                        rest = substr($0, length(before) + 1)
                        sub(/ .*/, "", rest)
                        if (!seen[rest]++) print rest
                    }
                }')
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} != *= ]] && compopt +o nospace
    return 0
}
complete -o default -F _isthmus isthmus
