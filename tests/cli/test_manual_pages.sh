#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every command has a manual page, made from the tables that --help is printed from: each of its options, operands,
# examples and exit codes is in it, and the tools that read manual pages have nothing to say against any.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

pages=$(dirname "$test_command")/generated/man
commands=$(embedcache help | sed -n 's/^  \([a-z]\{2,\}\) .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 10 ] || fail 'help lists fewer than ten commands'
same 'pages' "$(ls "$pages" | wc -l)" $(($(wc -w <<<"$commands") + 1))

# plain PAGE: its text without fonts and line ends. The sources are plain enough to be read without a formatter.
plain()
{
    sed -e '/^\.\\"/d' -e 's/\\f[BIR]//g' -e 's/\\-/-/g' -e "s/\\\\(aq/'/g" -e 's/\\e/\\/g' -e 's/\\&//g' "$pages/$1" |
        tr '\n' ' '
}

# holds PAGE TEXT
holds()
{
    plain "$1" | grep -qF -- "$2" || fail "$1 lacks: $2"
}

for command in $commands; do
    embedcache help "$command" >help
    options=$(sed -n '/^Options$/,$s/^  \(-[^ ].*\)/\1/p' help | sed 's/  .*//')
    [ "$(wc -l <<<"$options")" -ge 3 ] || fail "help of $command shows fewer than three options"
    while IFS= read -r option; do
        holds "embedcache-$command.1" ".TP $option "
    done <<<"$options"
    sed -n 's/^  \(embedcache .*\)/\1/p' help >examples
    [ -s examples ] || fail "help of $command has no example"
    while IFS= read -r example; do
        holds "embedcache-$command.1" "$example"
        holds embedcache.1 "$example"
    done <examples
    holds "embedcache-$command.1" "$(sed -n '1s/ \[options\]//; 1s/embedcache [a-z]* \([A-Z][^ ]*\).*/\1/p' help)"
    holds embedcache.1 ".BR embedcache-$command (1)"
done
embedcache help | sed -n 's/^ *\([0-9]\+\)  \(.*\)/\1 \2/p' >codes
same 'exit codes' "$(wc -l <codes)" 7
while IFS= read -r code; do
    holds embedcache.1 ".TP .B $code"
done <codes
for pair in EDB_NOT_FOUND:1 EDB_MISMATCH:3 EDB_CORRUPT:3 EDB_FORMAT:3 EDB_BUSY:4 EDB_FULL:5 EDB_STALE:5 EDB_READ_ONLY:5 \
    EDB_NO_MEMORY:5 EDB_IO:5; do
    plain embedcache.1 | grep -qE "\.B ${pair#*:} [^.]*${pair%:*}[,)]" || fail "${pair%:*} is not told to end in ${pair#*:}"
done
holds embedcache.1 NO_COLOR

# A page has no date: it would be that of the build, and no two builds would be the same.
for page in "$pages"/*.1; do
    if command -v mandoc >/dev/null; then
        same "words of mandoc about $page" "$(mandoc -Tlint "$page" 2>&1 | grep -v 'missing date' || true)" ''
    fi
    if command -v groff >/dev/null; then
        same "words of groff about $page" "$(groff -man -ww -Tutf8 "$page" 2>&1 >text)" ''
        [ -s text ] || fail "groff prints nothing of $page"
    fi
done
for tool in mandoc groff; do
    command -v $tool >/dev/null || echo "$tool is not there: the pages were not checked by it"
done
