# Completion of embedcache for bash: commands, options, words of options, files, spaces of a file.

@TABLES@

# One a line: what people would have to type exactly. Nothing when the file is none.
_embedcache_spaces()
{
    embedcache info "$1" 2>/dev/null | sed -n 's/^space //p'
}

# The files that begin with $1 and end in .edb, and directories; where there is none, all files.
_embedcache_files()
{
    compopt -o filenames 2>/dev/null
    [ "$2" = all ] || mapfile -t COMPREPLY < <(compgen -f -X '!*.edb' -- "$1"; compgen -d -- "$1")
    [ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Those of the lines $2 that begin with $1.
_embedcache_words()
{
    local word
    while IFS= read -r word; do
        [[ -n $word && $word == "$1"* ]] && COMPREPLY+=("$(printf %q "$word")")
    done <<<"$2"
}

_embedcache()
{
    local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]}
    local options= valued= words= files= waiting= file= operands=0 i word
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ] || [ "$command" = help ]; then
        [ "$COMP_CWORD" -gt 2 ] || _embedcache_words "$current" "${_embedcache_commands// /$'\n'}"
        return
    fi
    _embedcache_options "$command"
    # "--option=value" comes as three words.
    for ((i = 2; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [ "$word" = = ]; then
            continue
        elif [ -n "$waiting" ]; then
            waiting=
        elif [[ " $valued" == *" $word "* ]]; then
            waiting=$word
        elif [[ $word != -?* ]]; then
            operands=$((operands + 1))
            [ -n "$file" ] || file=${word//[\\\"\']/}
        fi
    done
    [ "$current" != = ] || current=
    file=${file/#\~\//$HOME/}
    if [ -n "$waiting" ]; then
        _embedcache_value "$command" "$waiting"
        [ -z "$files" ] || _embedcache_files "$current" "$files"
    elif [[ $current == -* ]]; then
        words=${options// /$'\n'}
    else
        _embedcache_files "$current" "$([ "$operands" -eq 0 ] || echo all)"
    fi
    _embedcache_words "$current" "$words"
}

complete -F _embedcache embedcache
