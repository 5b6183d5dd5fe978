#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# diff is silent where two files hold the same, in whatever order it was stored, and names every kind of difference.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

make()
{
    rm -f "$1"
    for key in ${2:-a b c}; do
        expect 0 put "$1" $key --vector '[1, 2]' --text "text $key" --metadata '{"n": 1}'
    done
}
# differs LINE SENTENCE: a.edb and b.edb do, both ways.
differs()
{
    expect 1 diff a.edb b.edb
    says "$1"
    complains "a.edb and b.edb differ: $2"
    expect 1 diff a.edb b.edb --json
    same 'not the same' "$(member out 'd["same"]')" False
    same 'one difference' "$(member out 'len(d["differences"])')" 1
    expect 1 diff b.edb a.edb
    make b.edb
}

make a.edb
make b.edb 'c x b a'
expect 0 del b.edb x
expect 0 diff a.edb b.edb
same 'silence' "$(cat out err)" ''
expect 0 diff a.edb a.edb
expect 0 diff a.edb b.edb --json
same 'the same' "$(member out '(d["same"], d["complete"], d["differences"])')" '(True, True, [])'
make b.edb

expect 0 put b.edb d --vector '[1, 2]'
differs 'space default: d is only in b.edb' '0 keys only in the first, 1 only in the second, 0 with other content'
expect 0 del b.edb a
differs 'space default: a is only in a.edb' '1 key only in the first, 0 only in the second'
expect 0 put b.edb a --vector '[1, 2.0000002]' --text 'text a' --metadata '{"n": 1}'
differs 'space default: a has another vector in b.edb' '0 keys only in the first, 0 only in the second, 1 with other'
expect 0 put a.edb z --vector '[0, 0]'
expect 0 put b.edb z --vector '[0, -0.0]'
differs 'z has another vector' '0 keys only'
expect 0 del a.edb z
expect 0 put b.edb a --vector '[1, 2]' --text 'other' --metadata '{"n": 1}'
differs 'space default: a has another text in b.edb' '0 keys only'
expect 0 put b.edb a --vector '[1, 2]' --metadata '{"n": 1}'
differs 'another text' '0 keys only'
expect 0 put b.edb a --vector '[1, 2]' --text 'text a' --metadata '{"n": 2}'
differs 'space default: a has other metadata in b.edb' '0 keys only'
expect 0 put b.edb a --vector '[1, 2]' --text 'text a'
differs 'other metadata' '0 keys only'
for option in '--ttl 9d' '--cost 3' '--pin'; do
    # shellcheck disable=SC2086
    expect 0 put b.edb a --vector '[1, 2]' --text 'text a' --metadata '{"n": 1}' $option
    case $option in *ttl*) what=expiry ;; *cost*) what=cost ;; *) what=pin ;; esac
    expect 1 diff a.edb b.edb --json
    same 'what differs' "$(member out '[one["what"] for one in d["differences"]]')" "['$what']"
    differs "space default: a has another $what in b.edb" '0 keys only in the first, 0 only in the second, 1 with other'
done
expect 0 create b.edb --space more --dims 3
differs 'space more is only in b.edb' '0 keys only in the first, 0 only in the second, 0 with other content, 1 difference of spaces'
expect 0 create b.edb --space more --dims 3
expect 0 diff a.edb b.edb --space default
expect 1 diff a.edb b.edb --space more
expect 1 diff a.edb b.edb --space nobody
complains 'neither a.edb nor b.edb has a space nobody'
expect 1 diff a.edb b.edb --space nobody --json
same 'a document also where it fails' "$(member out '(d["differences"], d["complete"], d["same"])')" '([], False, False)'
for option in '--metric l2' '--model m' '--revision r' '--role query' '--key-form sha256' '--dims 3'; do
    rm -f c.edb d.edb
    expect 0 create c.edb --dims 2
    # shellcheck disable=SC2086
    expect 0 create d.edb --dims 2 $option
    expect 1 diff c.edb d.edb
    says 'space default: '
    complains '1 difference of spaces'
done

# Ten are shown, all are counted.
expect 0 create c.edb --dims 2 --space s
seq 100 | sed 's/.*/{"key": "&", "vector": [1, 2]}/' >many.jsonl
rm c.edb d.edb
expect 0 import c.edb many.jsonl
expect 0 create d.edb --dims 2
expect 1 diff c.edb d.edb
same 'lines' "$(wc -l <out)" 10
complains '100 keys only in the first'
expect 1 diff c.edb d.edb --limit 3
same 'lines' "$(wc -l <out)" 3
expect 1 diff d.edb c.edb -n 1000 --json
same 'all of them' "$(member out '(len(d["differences"]), d["only_second"])')" '(100, 100)'
expect 5 diff c.edb nowhere.edb
expect 3 diff c.edb many.jsonl
expect 2 diff c.edb
