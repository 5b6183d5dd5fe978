#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# repair saves what is whole in a file of some size, into one file and nothing else; the source stays as it is, also on
# a read-only medium; an interrupted or killed one leaves no file of that name.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

python3 -c '
import json
for i in range(6000):
    print(json.dumps({"key": f"k{i}", "vector": [i, 1] * 100, "text": f"text {i}", "metadata": {"i": i}}))' >rows.jsonl
embedcache import good.edb - -q <rows.jsonl
for key in 5 55 555; do
    embedcache del good.edb k$key -q
done
embedcache export good.edb good.jsonl -q

# Of a good file: the same.
expect 0 repair good.edb same.edb --json
same 'nothing is damaged' "$(member out '(d["done"], d["damaged"], d["lost"], d["records"])')" '(True, [], 0, 5997)'
expect 0 diff good.edb same.edb
same permissions "$(stat -c %a same.edb)" "$(stat -c %a good.edb)"
for key in k0 k5999; do
    same "row of $key" "$(embedcache get same.edb $key --json | head -c 300 | grep -o '"row": [0-9]*')" \
        "$(embedcache get good.edb $key --json | head -c 300 | grep -o '"row": [0-9]*')"
done

# Holes all over the file: what is saved is what was there, and nothing is missing without a word.
cp good.edb bad.edb
for page in 20 300 301 302 777 901; do
    dd if=/dev/zero of=bad.edb bs=4096 seek=$page count=1 conv=notrunc status=none
done
cp bad.edb before.edb
chmod 444 bad.edb
expect 3 verify bad.edb
expect 0 repair bad.edb saved.edb --json
cmp bad.edb before.edb || fail 'the damaged file has changed'
saved=$(member out 'd["records"]')
lost=$(member out 'd["lost"]')
[ "$lost" -gt 0 ] || fail 'nothing is lost'
same 'saved and lost' $((saved + lost)) 5997
expect 0 verify saved.edb
embedcache export saved.edb saved.jsonl -q
same 'what is saved was there' "$(grep -vxFf good.jsonl saved.jsonl | head -n 1)" ''
same 'how many' "$(grep -c '"key"' saved.jsonl)" "$saved"

# Cut off, without the index.
head -c 2000000 good.edb >cut.edb
expect 0 repair cut.edb rest.edb
expect 0 get rest.edb k0
expect 1 get rest.edb k5999
expect 0 verify rest.edb

# Interrupted or killed: nothing has the name.
cp good.edb large.edb
for round in 1 2 3 4 5 6 7 8; do
    "$test_command" repair large.edb new.edb >out 2>err &
    repairing=$!
    python3 -c "import time; time.sleep($round * 0.004)"
    kill -9 $repairing 2>/dev/null || true
    { wait $repairing; } 2>/dev/null || true
    if [ -e new.edb ]; then
        expect 0 verify new.edb
        expect 0 diff large.edb new.edb
        rm new.edb
    fi
done
expect 0 repair large.edb new.edb
expect 0 diff large.edb new.edb
same 'temporary files' "$(find . -name '.*.tmp' | wc -l)" 0
