#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An imported array comes back number by number under its keys, whatever its element type; what is beside the keys
# comes with them.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# Every element type, both byte orders: the numbers are exact in all of them.
for dtype in '<f4' '>f4' '<f2' '>f2' '<f8' '>f8'; do
    npy array.npy "$dtype" 4x3 0.5 -2 65504 0 6e-8 -0.25 1 2048 0.00006097555160522461
    expect 0 import "$dtype.edb" array.npy
    says '4 rows'
    expect 0 get "$dtype.edb" 0 1 2 3 --json
    sed 's/.*"vector": \(\[[^]]*\]\).*/\1/' out >found
    case $dtype in *f2) cp found "halves" ;; esac
    sed 's/5.9604645e-08/6e-08/' found >"rows$dtype"
done
for dtype in '>f4' '<f8' '>f8' '<f2' '>f2'; do
    cmp "rows<f4" "rows$dtype" || fail "$dtype differs from <f4"
done
same 'the smallest half' "$(grep -c 5.9604645e-08 halves)" 1
npy array.npy '|u1' 2x2 0 1 254 255
expect 0 import bytes.edb array.npy --metric l2
expect 0 get bytes.edb 1 --json
same uint8 "$(member out 'd["vector"]')" '[254.0, 255.0]'
npy array.npy '|i1' 2x2 0 -1 -128 127
expect 0 import bytes.edb array.npy
says '2 keys were there before and are replaced'
expect 0 get bytes.edb 0 1 --json
same int8 "$(sed -n '2s/.*"vector": \(\[[^]]*\]\).*/\1/p' out)" '[-128.0, 127.0]'
same 'the first row of the second import' "$(sed -n '1s/.*"row": \([0-9]*\).*/\1/p' out)" 2

# Row i of the array is row i; batches of any size give the same.
npy array.npy '<f4' 2500x2
expect 0 import rows.edb array.npy --batch 7 --json
python3 -m json.tool out >/dev/null
same summary "$(member out '(d["rows"], d["duplicates"], d["replaced"])')" '(2500, 0, 0)'
expect 0 get rows.edb 0 1234 2499 --json
same rows "$(sed 's/.*"row": \([0-9]*\).*/\1/' out | tr '\n' ' ')" '0 1234 2499 '
same vector "$(sed -n '2s/.*"vector": \(\[[^]]*\]\).*/\1/p' out)" '[2469.0, 2470.0]'
embedcache import stdin.edb - <array.npy >out
says '2,500 rows of standard input'
expect 0 import from.edb array.npy --start 2400
says '100 rows'
expect 0 get from.edb 2400
expect 1 get from.edb 2399
expect 2 import from.edb array.npy --start 2501

# Keys, texts and metadata.
npy array.npy '<f4' 3x2
printf 'a\nb\r\n' >keys.txt
printf ' c ' >>keys.txt
expect 0 import keys.edb array.npy --keys keys.txt
expect 0 get keys.edb a b ' c '
cat >keys.jsonl <<'JSON'
{"key": "x", "text": "first", "metadata": {"n": 1.5, "list": [1, "two", null]}, "more": true}
{"key": 17, "text": null, "metadata": null}

{"key": "a\u0000b", "other": "text"}
JSON
expect 0 import objects.edb array.npy --keys keys.jsonl
expect 0 get objects.edb x 17 --json
head -1 out >first
same 'text and metadata' "$(member first '(d["text"], d["metadata"])')" "('first', {'n': 1.5, 'list': [1, 'two', None]})"
tail -1 out >second
same 'null text' "$(member second '(d["text"], d["metadata"])')" '(None, None)'
expect 0 import rest.edb array.npy --keys keys.jsonl --metadata-rest --text-field other
expect 0 get rest.edb x --json
same 'the rest as metadata' "$(member out 'sorted(d["metadata"])')" "['metadata', 'more', 'text']"
expect 0 import numbered.edb array.npy --keys keys.jsonl --key-field '' --text-field ''
expect 0 get numbered.edb 0 --json
same 'no text wanted' "$(member out '(d["text"], d["metadata"]["n"])')" '(None, 1.5)'

# Of equal keys the last row stays, and the number of the others is told.
printf 'a\nb\na\n' >keys.txt
for batch in 1 2 1000; do
    expect 0 import "twice$batch.edb" array.npy --keys keys.txt --batch $batch
    says '1 duplicate key (the last'
    expect 0 get "twice$batch.edb" a --json
    same 'the last row' "$(member out '(d["row"], d["vector"])')" '(2, [5.0, 6.0])'
done

# No rows are no error.
npy empty.npy '<f4' 0x5
: >none.txt
expect 0 import empty.edb empty.npy --keys none.txt
says '0 rows'
expect 0 info empty.edb --json
same 'dims of the empty space' "$(member out '(d["spaces"][0]["dims"], d["live"])')" '(5, 0)'
expect 0 search empty.edb --vector '[1, 2, 3, 4, 5]'
says 'nothing found'
expect 0 verify rows.edb
