#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# merge makes the union of two files of some size, in either order; killed in the middle and run again, it is the same
# union; the other file and unfinished imports stay where they are.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# rows FIRST LAST
rows()
{
    python3 -c '
import json, sys
for i in range(int(sys.argv[1]), int(sys.argv[2])):
    print(json.dumps({"key": f"k{i}", "vector": [i, 1] * 60, "text": f"text {i}", "metadata": {"i": i}}))' "$1" "$2"
}

rows 0 9000 | embedcache import one.edb - -q
rows 6000 15000 >rows.jsonl
embedcache import two.edb rows.jsonl -q
embedcache put two.edb value --space more --vector '[1]' -q
cp one.edb copy.edb
cp two.edb two.before

expect 0 merge one.edb two.edb --json
same 'added and equal' "$(member out '(d["added"], d["equal"], d["replaced"], d["spaces"])')" '(6001, 3000, 0, 1)'
cmp two.edb two.before || fail 'the other file has changed'
expect 0 verify one.edb
expect 0 merge two.edb copy.edb
expect 0 diff one.edb two.edb

# Killed, again and again; then it runs to its end.
for round in 1 2 3 4 5 6 7 8; do
    cp copy.edb killed.edb
    "$test_command" merge killed.edb two.before >out 2>err &
    merging=$!
    python3 -c "import time; time.sleep($round * 0.006)"
    kill -9 $merging 2>/dev/null || true
    { wait $merging; } 2>/dev/null || true
    expect 0 verify killed.edb
    expect 0 merge killed.edb two.before
    expect 0 diff one.edb killed.edb
done

# Two mergers and a writer at once.
cp copy.edb busy.edb
"$test_command" merge busy.edb two.before -q &
first=$!
"$test_command" merge busy.edb two.before -q &
second=$!
for i in 1 2 3 4 5; do
    embedcache put busy.edb "own $i" --vector "$(python3 -c 'print([1.5] * 120)')" -q
done
wait $first || fail 'the first merge'
wait $second || fail 'the second merge'
expect 0 verify busy.edb
for i in 1 2 3 4 5; do
    expect 0 del busy.edb "own $i"
done
expect 0 diff one.edb busy.edb
