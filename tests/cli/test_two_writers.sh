#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Two commands that write one file at once take turns: both finish and all rows are there, while readers go on. Where
# one holds the file for good, the other gives up after its wait and says why, with an exit code of its own.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

npy array.npy '<f4' 2000x4
seq 2000 | sed 's/^/a/' >a.txt
seq 2000 | sed 's/^/b/' >b.txt
expect 0 create both.edb --dims 4
embedcache import both.edb array.npy --keys a.txt --batch 50 -q 2>a.err &
first=$!
embedcache import both.edb array.npy --keys b.txt --batch 50 -q 2>b.err &
second=$!
seen=0
while kill -0 $first 2>/dev/null; do
    expect 0 info both.edb --json
    now=$(member out 'd["live"]')
    [ "$now" -ge "$seen" ] || fail "a reader saw $seen rows, then $now"
    seen=$now
done
wait $first || fail "the first import: $(cat a.err)"
wait $second || fail "the second import: $(cat b.err)"
expect 0 info both.edb --json
same 'rows of both' "$(member out 'd["live"]')" 4000
expect 0 get both.edb a1 a2000 b1 b2000
expect 0 verify both.edb

# A holder that does not let go: an open file description lock on the whole file.
cat >hold.py <<'PYTHON'
import fcntl, struct, sys, time
file = open("both.edb", "r+b")
fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
print("held", flush=True)
time.sleep(60)
PYTHON
coproc holder { exec python3 hold.py; }
# shellcheck disable=SC2154
pid=$holder_PID
read -r word <&"${holder[0]}"
same holder "$word" held
expect 4 put both.edb key --vector '[1, 2, 3, 4]'
complains both.edb
complains ' ms'
expect 0 get both.edb a1
kill "$pid"
wait "$pid" 2>/dev/null || true
expect 1 get both.edb key
expect 0 put both.edb key --vector '[1, 2, 3, 4]'
