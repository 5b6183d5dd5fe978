#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Keeps out of the tree what means something on one machine or in one workplace only: absolute paths of somebody's
# disk, numbers of tickets, names of people's tools. `--self-test` proves that it can fail.

cd "$(dirname "$0")/.." || exit 1

# Word starts are guarded so that URLs and relative paths ("a/home/b") are left alone.
paths='(^|[^[:alnum:]_.:/~}-])/(work|root|home|Users|mnt|data)/'
temporary='(^|[^[:alnum:]_.:/~}-])/tmp(/|[^[:alnum:]_]|$)'
words='\b((issue|ticket|bug|PR|pull request) ?#?[0-9]+|anthropic|claude|chatgpt|copilot|language model|sub-?agents?|ai assistant|co-?workers?|helper engineer|shared/(design|research|hooks))\b'

# search <rule> <pattern> <file>...: prints file:line: rule, succeeds when there is nothing.
search()
{
    local rule=$1 pattern=$2
    shift 2
    [ $# -eq 0 ] && return 0
    grep -nHEi "$pattern" "$@" /dev/null | cut -c 1-140 | sed "s/^\([^:]*:[0-9]*\):/\1: $rule:/" | grep . && return 1
    return 0
}

# check: looks at all text files below the current directory.
check()
{
    local all=() quiet=() status=0
    mapfile -t all < <(find . \( -name .git -o -name 'build' -o -name 'build-*' -o -name __pycache__ \) -prune -o \
        -type f ! -name LICENSE ! -name check_words.sh -print | sed 's|^\./||' | sort | xargs -r -d '\n' grep -lI '')
    # Tests and tools may name /tmp, as the default of $TMPDIR.
    mapfile -t quiet < <(printf '%s\n' "${all[@]}" | grep -vE '^(tests|tools|bench|fuzz)/')
    search 'path of one machine' "$paths" "${all[@]}" || status=1
    search 'fixed temporary path' "$temporary" "${quiet[@]}" || status=1
    search 'means nothing to a stranger' "$words" "${all[@]}" || status=1
    return $status
}

self_test()
{
    local directory text
    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' RETURN
    cd "$directory" && mkdir docs tests || return 1
    printf '%s\n' 'see https://example.org/home/x and ../data/x and a/work/b, the tmp folder' >docs/good.md
    printf '%s\n' '${TMPDIR:-/tmp}' >tests/good.sh
    check || { echo "check_words: self-test: a finding in a good tree"; return 1; }
    for text in 'in /work/x' '"/home/me"/' '/root/a' 'cd /tmp' 'fixes issue 12' 'see Bug #7' 'as Claude says'; do
        printf '%s\n' "$text" >docs/bad.md
        check >/dev/null && { echo "check_words: self-test: nothing found in '$text'"; return 1; }
    done
    return 0
}

case ${1:-} in
    --self-test) self_test ;;
    *) check ;;
esac
