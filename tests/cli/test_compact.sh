#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# compact gives space back and changes nothing else; Ctrl-C leaves the file as it was; one at a time; what a killed one
# left behind goes with the next.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

rows()
{
    python3 -c '
import json, sys
for i in range(2000):
    print(json.dumps({"key": f"k{i}", "vector": [i, float(sys.argv[1])] * 50, "text": f"text {i}", "metadata": {"i": i}}))' "$1"
}
bytes_of()
{
    stat -c %s "$1"
}
# As cache.edb was, in content and in number of files.
unchanged()
{
    embedcache export cache.edb - >now.jsonl 2>/dev/null
    cmp before.jsonl now.jsonl || fail "$1: the content has changed"
    same "$1: temporary files" "$(find . -name '.cache.edb.*' | wc -l)" "${2:-0}"
}

for version in 1 2 3 4; do
    rows $version | embedcache import cache.edb - -q
done
for key in $(seq 1970 1999); do
    embedcache del cache.edb "k$key" -q
done
embedcache export cache.edb before.jsonl -q
chmod 640 cache.edb
before=$(bytes_of cache.edb)
cp cache.edb copy.edb

# Interrupted, by either signal.
for signal in INT TERM; do
    cp copy.edb cache.edb
    "$test_command" compact cache.edb --bytes-per-second 100K >out 2>err &
    compacting=$!
    sleep 0.5
    [ "$(find . -name '.cache.edb.*' | wc -l)" -eq 1 ] || fail 'no new file is being written'
    expect 4 compact cache.edb
    complains 'being compacted'
    embedcache get cache.edb k7 -q >/dev/null || fail 'no reading meanwhile'
    kill -s $signal $compacting
    code=0
    wait $compacting || code=$?
    same "exit code after SIG$signal" $code 130
    unchanged "SIG$signal"
done

# Killed: the next one removes what is left.
"$test_command" compact cache.edb --bytes-per-second 100K >out 2>err &
compacting=$!
sleep 0.5
kill -9 $compacting
{ wait $compacting; } 2>/dev/null || true
unchanged 'kill -9' 1

expect 0 compact cache.edb --json
same 'bytes now' "$(member out 'd["bytes_after"]')" "$(bytes_of cache.edb)"
same rows "$(member out 'd["rows"]')" 1970
after=$(bytes_of cache.edb)
[ $((after * 3)) -lt "$before" ] || fail "$before bytes became $after"
same permissions "$(stat -c %a cache.edb)" 640
unchanged compact
expect 0 verify cache.edb

# Written to meanwhile: it comes along.
"$test_command" compact cache.edb --bytes-per-second 300K >out 2>err &
compacting=$!
sleep 0.3
embedcache put cache.edb late --vector "$(python3 -c 'print([1.5] * 100)')" -q
wait $compacting || fail 'compact beside a writer'
expect 0 get cache.edb late
expect 0 get cache.edb k3
