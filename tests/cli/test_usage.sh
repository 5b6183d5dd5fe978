#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Help is there for everything, and a slip of the hand gets a message that says what was meant.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

expect 0
same 'lines to start with' "$(wc -l <out)" 5
expect 0 --version
grep -qE '^embedcache [0-9]+\.[0-9]+\.[0-9]+$' out || fail 'the version has another form'

expect 0 help
commands=$(sed -n 's/^  \([a-z]\{2,\}\) .*/\1/p' out)
[ "$(wc -w <<<"$commands")" -ge 12 ] || fail "help lists these commands only: $commands"
for code in '0  done' '1  ' '2  wrong usage' '3  ' '4  busy' '5  I/O' '130  interrupted'; do
    says "  $code"
done
expect 0 help put
says '--vector-file FILE'
says '--metric cosine|dot|l2'
says "  embedcache put cache.edb hello --vector '[0.1, 0.2, 0.3]'"
same 'words of help that were cut' "$(tr -s ' \n' ' ' <out | grep -cF 'A space that is not there is created with')" 1
expect 0 help
for name in $commands; do
    expect 0 help
    says "  $name"
    expect 0 $name --help
    says "embedcache $name FILE"
    says '--quiet'
    cp out help-by-option
    expect 0 help $name
    cmp -s out help-by-option || fail "help $name and $name --help differ"
    awk 'length($0) > 100 { exit 1 }' out || fail "$name --help is wider than 100 columns"
done

# Every command says which operands it lacks.
for name in $commands; do
    expect 2 $name
    complains "$name"
done

expect 2 serach
complains 'did you mean search?'
for pair in delete:del remove:del rm:del query:search find:search insert:put add:put set:put fetch:get show:get \
    list:info ls:info load:import new:create check:verify stat:stats pit:put vrify:verify; do
    expect 2 "${pair%:*}"
    complains "did you mean ${pair#*:}?"
done
expect 2 frobnicate
complains 'embedcache help'
expect 2 --dims 3
complains 'a command comes first'
expect 2 help serach
expect 2 get a.edb key --jsno
complains 'did you mean --json?'
expect 2 search a.edb --thresh 0.5
complains 'did you mean --threshold?'
expect 2 get a.edb key --frobnicate
complains 'unknown option --frobnicate'
expect 2 get a.edb key -x
complains 'unknown option -x'
expect 2 get a.edb key --json=yes
complains 'takes no value'
expect 2 create a.edb
complains '--dims'
expect 2 create a.edb --dims
complains 'needs a value'
expect 2 create a.edb --dims --model x
complains '--dims'
expect 2 get a.edb key --space --json
complains '--space needs a value'
for dims in -1 x 65537 1.5 99999999999999999999 ''; do
    expect 2 create a.edb --dims "$dims"
    complains '0 to 65536'
done
expect 2 create a.edb --dims 3 --metric cosin
complains 'cosine|dot|l2'
expect 0 embed --help
says '(hashing-v1)'
expect 2 create a.edb b.edb --dims 3
complains '"b.edb" is too much'
expect 2 search a.edb
complains '--text'
expect 2 search a.edb --text a --vector '[1]'
expect 2 search a.edb --text a -k 0
expect 2 search a.edb --text a --threshold high
expect 2 search a.edb --text a --threshold nan
expect 2 embed a.edb
complains '--input'
expect 2 del a.edb
complains '--keys'
expect 2 put a.edb key --vector '[1]' --vector-file v.npy
[ ! -e a.edb ] || fail 'a wrong usage has created a file'

# Words that went to the wrong place.
expect 2 put a.edb key '[1, 2]'
complains 'behind --vector'
expect 2 search a.edb 'a question'
complains 'behind --text'
expect 2 embed a.edb texts.txt
complains 'behind --input'
expect 2 import vectors.npy a.edb
complains 'comes first'
expect 2 GET
complains 'did you mean get?'
expect 2 get a.edb key --JSON
complains 'did you mean --json?'
expect 2 ''
complains '""'
expect 2 get '' key
complains 'name of the file is empty'
expect 2 get a.edb key --raw --json
complains 'not both'
expect 2 search a.edb --text a -k
complains '-k needs a value: -k N'
expect 3 put a.edb key </dev/null
complains 'standard input is empty'
expect 2 embed a.edb --input .
same 'sentences about a directory' "$(wc -l <err)" 1
[ ! -e a.edb ] || fail 'a wrong usage has created a file'

# Options are found anywhere, in all their forms.
expect 0 create --dims=2 a.edb
expect 0 put a.edb --vector '[1, 2]' -q -- -key
[ ! -s out ] || fail '--quiet printed something'
expect 0 get a.edb -- -key
expect 0 search a.edb --vector '[1, 2]' -k1
expect 0 search a.edb --vector '[1, 2]' -k 1 --threshold -0.5

# What could not be printed is an error; a reader that went away is not worth a word.
if [ -e /dev/full ]; then
    code=0
    embedcache help >/dev/full 2>err || code=$?
    same 'exit code with a full stdout' $code 5
    complains 'standard output'
fi
{ embedcache help 2>err || true; } | true
[ ! -s err ] || fail 'a closed pipe was complained about'
