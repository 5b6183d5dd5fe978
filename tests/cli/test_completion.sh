#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the tab key offers: the completion of bash is asked as bash asks it, those of zsh and fish by these shells where
# they are there; all of them know every command and option that --help knows.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

scripts=$(dirname "$test_command")/generated/completion
commands=$(embedcache help | sed -n 's/^  \([a-z]\{2,\}\) .*/\1/p')

# options_of COMMAND: in all spellings.
options_of()
{
    embedcache help "$1" | sed -n '/^Options$/,$s/^  \(-[^ ].*\)/\1/p' | grep -oE '^(-[a-z], )?--?[a-z-]+' | tr ',' ' '
}

# --- bash -----------------------------------------------------------------------------------------------------------

# The command under test is the one that is asked for the names of spaces.
PATH=$(dirname "$test_command"):$PATH
# shellcheck disable=SC1091
. "$scripts/embedcache.bash"
complete -p embedcache >/dev/null || fail 'nothing is registered'

# offers WORD...: what is offered for the last word, in one line.
offers()
{
    COMP_WORDS=(embedcache "$@")
    COMP_CWORD=$#
    COMPREPLY=()
    _embedcache
    printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ' | sed 's/ $//'
}

expect 0 create cache.edb --dims 2 --space 'two words'
expect 0 create cache.edb --dims 2 --space other
touch array.npy keys.txt
mkdir folder

same 'commands' "$(offers '')" "$(printf '%s\n' $commands help | sort | tr '\n' ' ' | sed 's/ $//')"
same 'a command' "$(offers cre)" create
same 'a topic of help' "$(offers help sta)" stats
same 'behind help COMMAND' "$(offers help stats '')" ''
same 'the file' "$(offers info '')" 'cache.edb folder'
same 'a file without ending' "$(offers info arr)" array.npy
same 'a second file' "$(offers import cache.edb '')" 'array.npy cache.edb err folder keys.txt out'
same 'an option' "$(offers put cache.edb key --vector-)" --vector-file
same 'the words of an option' "$(offers create new.edb --metric '')" 'cosine dot l2'
same 'a word behind =' "$(offers create new.edb --metric = co)" cosine
same 'all words behind =' "$(offers create new.edb --metric =)" 'cosine dot l2'
same 'behind a word with =' "$(offers create --metric = dot '')" 'cache.edb folder'
same 'a file of an option' "$(offers put cache.edb key --vector-file a)" array.npy
same 'the spaces of the file' "$(offers get cache.edb --space '')" 'other two\ words'
same 'a space' "$(offers get cache.edb key --space o)" other
same 'spaces of no file' "$(offers get array.npy --space '')" ''
same 'a number' "$(offers create new.edb --dims '')" ''
same 'the file behind a value' "$(offers search --vector-x -k 3 ca)" cache.edb
for command in $commands; do
    wanted=$(options_of "$command" | tr ' ' '\n' | grep . | sort | tr '\n' ' ' | sed 's/ $//')
    same "options of $command" "$(offers "$command" a.edb -)" "$wanted"
done

# --- zsh and fish ---------------------------------------------------------------------------------------------------

for command in $commands; do
    sed -n "/^        ($command) specs=(/,/^        ) ;;/p" "$scripts/_embedcache" >zsh-options
    grep "__embedcache_runs $command'" "$scripts/embedcache.fish" >fish-options || fail "fish does not know $command"
    for option in $(options_of "$command"); do
        grep -qE -- "(^|[ {,)])$option[]=+,}'[]" zsh-options || fail "zsh does not know $command $option"
        grep -qE -- " -[sl] ${option##*-}( |$)| -l ${option#--} " fish-options || fail "fish does not know $command $option"
    done
done

if command -v zsh >/dev/null; then
    mkdir zsh
    cp "$scripts/_embedcache" zsh
    # zsh_offers LINE WANTED...
    zsh_offers()
    {
        local lines=() wanted=()
        while [ $# -gt 0 ]; do
            lines+=("$1")
            wanted+=("$2")
            shift 2
        done
        timeout 100 zsh -f "$test_tools/zsh_offers.zsh" "$PWD/zsh" "${lines[@]}" >offered || fail "zsh: $(cat offered)"
        diff <(printf '%s\n' "${wanted[@]}") offered || fail 'zsh offers something else'
    }
    typed=()
    for command in $commands; do
        typed+=("embedcache $command a.edb -" "$(options_of "$command" | tr ' ' '\n' | grep . | sort | tr '\n' ' ' | sed 's/ $//')")
    done
    zsh_offers 'embedcache ' "$(printf '%s\n' $commands help | sort | tr '\n' ' ' | sed 's/ $//')" \
        'embedcache cre' create \
        'embedcache help sta' stats \
        'embedcache help stats ' '' \
        'embedcache info ' 'cache.edb folder zsh' \
        'embedcache info arr' array.npy \
        'embedcache import cache.edb arr' array.npy \
        'embedcache put cache.edb key --vector-' --vector-file \
        'embedcache put cache.edb key --vector-file a' array.npy \
        'embedcache create new.edb --metric ' 'cosine dot l2' \
        'embedcache create new.edb --metric=co' cosine \
        'embedcache get cache.edb --space ' 'other two\ words' \
        'embedcache get cache.edb key --space=o' other \
        'embedcache get array.npy --space ' '' \
        'embedcache create new.edb --dims ' '' \
        'embedcache search --vector-x -k 3 ca' cache.edb \
        "${typed[@]}"
else
    echo 'zsh is not there: its completion was not tried'
fi

if command -v fish >/dev/null; then
    export HOME=$test_directory XDG_CONFIG_HOME=$test_directory XDG_DATA_HOME=$test_directory
    fish -n "$scripts/embedcache.fish" || fail 'fish does not read its completion'
    # fish_offers LINE
    fish_offers()
    {
        fish -c "source $scripts/embedcache.fish; complete -C '$1'" | cut -f 1 | sort | tr '\n' ' ' | sed 's/ $//'
    }
    same 'fish: a command' "$(fish_offers 'embedcache cre')" create
    same 'fish: an option' "$(fish_offers 'embedcache put a.edb key --vector-')" --vector-file
    same 'fish: words' "$(fish_offers 'embedcache create a.edb --metric ')" 'cosine dot l2'
    same 'fish: spaces' "$(fish_offers 'embedcache get cache.edb --space o')" other
    same 'fish: help' "$(fish_offers 'embedcache help sta')" stats
else
    echo 'fish is not there: its completion was not read'
fi
