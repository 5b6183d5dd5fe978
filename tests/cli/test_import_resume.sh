#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An import that is killed at any moment goes on where it stood when it is started again with the same words, says so,
# and ends with what one that was never killed has: the same rows, once each.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

npy rows.npy '<f4' 4000x64
python3 - <<'PYTHON'
import json
with open("keys.jsonl", "w") as file, open("rows.jsonl", "w") as lines:
    for row in range(4000):
        record = {"key": f"key {row}", "text": f"text {row}", "metadata": {"n": row}}
        file.write(json.dumps(record) + "\n")
        record["vector"] = [row, row + 1, 0.5]
        lines.write(json.dumps(record) + "\n")
PYTHON

# Kills imports at random moments until one gets through. Prints how often it was killed and continued. One that does
# not get far on a busy machine is given longer, so that some tens of kills are enough everywhere.
cat >killing.py <<'PYTHON'
import json, os, random, subprocess, sys, time

command, path, seed, rows = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
words = [command, "import", path] + sys.argv[5:]
chance = random.Random(seed)
killed = continued = 0
reached = 0
longest = 0.03
while True:
    if killed > 200:
        sys.exit(f"seed {seed}: it never ends")
    before = reached
    started = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(chance.uniform(0.0, longest))
    done = started.poll() is not None
    if not done:
        started.kill()
    out, err = started.communicate()
    said = [line for line in err.decode().splitlines() if "continuing at row" in line]
    if said:
        row = int(said[0].split("row ")[1].split()[0].replace(",", ""))
        if row < reached or ('--batch' in words and row % 25 != 0):
            sys.exit(f"seed {seed}: went on at row {row} behind {reached}")
        reached = row
        continued += 1
    if reached < before + rows / 20:
        longest *= 1.3
    if started.returncode == 0:
        break
    if started.returncode != -9:
        sys.exit(f"seed {seed}: exit code {started.returncode}: {err.decode()}")
    killed += 1
    # Killed between its last commit and its end: it is done.
    info = subprocess.run([command, "info", path, "--json"], capture_output=True)
    if info.returncode == 0 and json.loads(info.stdout)["live"] == rows and not json.loads(info.stdout)["imports_unfinished"]:
        break
print("killed", killed, "times, continued", continued, "times, last at row", reached)
with open("continued", "a") as file:
    file.write("x" * continued)
PYTHON
seed=${EDB_SEED:-$RANDOM}
echo "EDB_SEED=$seed"
for round in 1 2 3; do
    for source in 'rows.npy --keys keys.jsonl' rows.jsonl; do
        # shellcheck disable=SC2086
        expect 0 import whole.edb $source -q
        # shellcheck disable=SC2086
        python3 killing.py "$test_command" killed.edb $((seed + round)) 4000 $source --batch 25 || fail 'killing'
        expect 0 verify killed.edb
        expect 0 diff whole.edb killed.edb
        same 'differences' "$(cat out)" ''
        expect 0 info killed.edb --json
        same 'rows and marker' "$(member out '(len(d["spaces"]), d["live"], d["imports_unfinished"])')" '(1, 4000, 0)'
        same 'each row once' "$(member out 'd["spaces"][0]["rows"]')" 4000
        rm whole.edb killed.edb
    done
done
[ "$(wc -c <continued)" -ge 3 ] || fail 'hardly any import was continued: the kills come too late or too early'

# Large enough for batches that are durable together.
python3 - <<'PYTHON'
import struct
header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (26000, 1536), }\n"
with open("large.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    for row in range(26000):
        file.seek(6144 * row + 10 + len(header))
        file.write(struct.pack("<f", row))
    file.truncate(6144 * 26000 + 10 + len(header))
PYTHON
expect 0 import whole.edb large.npy -q
python3 killing.py "$test_command" killed.edb $seed 26000 large.npy || fail 'killing'
expect 0 diff whole.edb killed.edb
expect 0 info killed.edb --json
same 'rows of the large one' "$(member out '(d["live"], d["spaces"][0]["rows"], d["imports_unfinished"])')" '(26000, 26000, 0)'
rm whole.edb killed.edb large.npy

# stop FILE SOURCE...: leaves an import unfinished, by a row that cannot be stored.
npy whole.npy '<f4' 400x4
python3 - <<'PYTHON'
data = bytearray(open("whole.npy", "rb").read())
data[-4 * 4 * 100:-4 * 4 * 100 + 4] = b"\x00\x00\xc0\x7f"
open("bad.npy", "wb").write(data)
PYTHON
stop()
{
    rm -f new.edb
    cp -p bad.npy rows.npy
    expect 3 import new.edb rows.npy --batch 50 "$@"
    complains 'row 300, element 0 is NaN'
    complains '300 of 400 rows are in new.edb: go on with --start 300, or with the same words'
}
stop
expect 0 info new.edb
says '1 import not finished'
expect 0 stats new.edb --json
same 'the marker is no space' "$(member out '[space["name"] for space in d["spaces"]]')" "['default']"
expect 3 import new.edb rows.npy --batch 50
complains 'continuing at row 300 of 400 of rows.npy'
# The source is mended: it has changed, so it is read from its beginning.
cp whole.npy rows.npy
expect 0 import new.edb rows.npy --json
complains 'has changed since its import stood at row 300'
same 'from the beginning' "$(member out '(d["rows"], d["continued_at"], d["replaced"])')" '(400, 0, 300)'
expect 0 info new.edb --json
same 'no marker' "$(member out 'd["imports_unfinished"]')" 0
# What is done is not done again, as long as neither the source nor the space has changed.
again()
{
    local rows=$1 spent=$2
    shift 2
    expect 0 import new.edb whole.npy --json "$@"
    same "rows stored again ($*)" "$(member out '(d["rows"], d["continued_at"])')" "$rows"
    [ "$rows" != '(0, 400)' ] ||
        complains 'whole.npy is in new.edb already, and neither has changed since: --restart imports it again'
    expect 0 info new.edb --json
    same "rows of the space ($*)" "$(member out '(d["spaces"][0]["rows"], d["live"], d["imports_unfinished"])')" "$spent"
}
rm new.edb
expect 0 import new.edb whole.npy
again '(0, 400)' '(400, 400, 0)'
again '(400, 0)' '(800, 400, 0)' --restart
again '(0, 400)' '(800, 400, 0)'
expect 0 del new.edb 7
again '(400, 0)' '(1200, 400, 0)'
expect 0 put new.edb 7 --vector '[1, 2, 3, 4]'
again '(400, 0)' '(1601, 400, 0)'
seq 400 >keys.txt
again '(400, 0)' '(2001, 401, 0)' --keys keys.txt
again '(0, 400)' '(2001, 401, 0)' --keys keys.txt
again '(100, 0)' '(2101, 401, 0)' --keys keys.txt --start 300
again '(0, 400)' '(2101, 401, 0)' --keys keys.txt
expect 0 import new.edb rows.npy
again '(400, 0)' '(2901, 401, 0)' --keys keys.txt
# Rows before --start are not in for that: only a start that joins what is there makes it whole.
rm new.edb
again '(100, 0)' '(100, 100, 0)' --start 300
again '(400, 0)' '(500, 400, 0)'
# The last commit is in, and its summary gets nowhere: the rows are not stored again.
rm new.edb
for source in whole.npy lines.jsonl; do
    [ -e lines.jsonl ] || seq 50 | sed 's/.*/{"key": "&", "vector": [&]}/' >lines.jsonl
    rm -f new.edb
    code=0
    embedcache import new.edb $source >/dev/full 2>err || code=$?
    same 'exit code of a full device' $code 5
    embedcache info new.edb --json >before
    expect 0 import new.edb $source
    complains 'already'
    embedcache info new.edb --json >after
    cmp before after || fail "$source was stored twice"
done
# --restart, --start, another space, another option: none of them goes on.
stop
expect 3 import new.edb rows.npy --restart --batch 50
! grep -q continuing err || fail '--restart went on'
stop
expect 3 import new.edb rows.npy --start 250 --batch 50
! grep -q continuing err || fail '--start went on elsewhere'
stop
expect 3 import new.edb rows.npy --space other --batch 50
! grep -q continuing err || fail 'another space went on'
expect 0 info new.edb
says '2 imports not finished'
seq 400 >keys.txt
expect 3 import new.edb rows.npy --keys keys.txt --batch 50
complains 'has changed'
# The same file by another path goes on.
stop
expect 3 import new.edb "$PWD/./rows.npy" --batch 50
complains 'continuing at row 300'
expect 0 import new.edb rows.npy --start 301 -q
expect 0 info new.edb --json
same 'done by --start' "$(member out 'd["imports_unfinished"]')" 0
# A short import leaves nothing behind.
expect 0 import short.edb whole.npy
expect 0 stats short.edb --json
same 'spaces of a short import' "$(member out '(d["live"], len(d["spaces"]))')" '(400, 1)'
# An import that goes on counts as one that did not stop: a key of its first part that comes again is a duplicate.
seq 400 | sed 's,.*,key,' >keys.txt
stop --keys keys.txt
expect 3 import new.edb rows.npy --keys keys.txt --batch 50
complains continuing

# start_slowly SOURCE...: an import with small batches, as process $import, that has stored some of them.
start_slowly()
{
    rm -f slow.edb
    "$test_command" import slow.edb "$@" >out 2>err &
    import=$!
    for _ in $(seq 500); do
        embedcache info slow.edb --json >live.json 2>/dev/null && [ "$(member live.json 'd["live"]')" -ge 20 ] && return
        sleep 0.01
    done
    fail 'no rows after five seconds'
}

# end_slowly CODE
end_slowly()
{
    local code=0
    wait $import || code=$?
    same 'exit code of the slow import' $code "$1"
}

# A source, its keys or its texts that change while they are read.
npy slow.npy '<f4' 6000x4
npy other.npy '<f4' 6000x4 1 2 3
seq 6000 >slow.txt
for changed in slow.npy slow.txt; do
    start_slowly slow.npy --keys slow.txt --batch 2
    kill -STOP $import
    [ $changed = slow.txt ] && seq 6001 12000 >slow.txt || cp other.npy slow.npy
    kill -CONT $import
    end_slowly 3
    complains ', or what is read beside it, was changed while it was read'
    complains 'rows of what it was are in slow.edb: import it again'
    expect 0 import slow.edb slow.npy --keys slow.txt
    complains 'has changed since its import stood'
done

# A directory whose files are others: no file is passed over. And one whose texts are others.
mkdir -p store/a store/b
for i in $(seq 3000); do echo "[$i, 1]" >"store/a/$i"; done
echo '{"a/1": "one"}' >texts.json
interrupt_directory()
{
    start_slowly store --texts texts.json --batch 2
    kill -INT $import
    end_slowly 130
}
interrupt_directory
expect 0 import slow.edb store --texts texts.json --json
complains 'continuing at row'
same 'rows of the directory' "$(embedcache info slow.edb --json >info && member info '(d["spaces"][0]["rows"], d["live"])')" '(3000, 3000)'
expect 0 import slow.edb store --texts texts.json
complains 'store is in slow.edb already'
echo '[5, 5]' >store/a/17
expect 0 import slow.edb store --texts texts.json -q
expect 0 get slow.edb a/17 --json
same 'a file that was written again' "$(member out 'd["vector"]')" '[5.0, 5.0]'
interrupt_directory
expect 0 export slow.edb slow.jsonl --force
head -n 20 slow.jsonl | sed -E 's/.*"key": "([^"]*)".*/\1/' >stored
for i in $(seq 20); do rm "store/$(sed -n ${i}p stored)"; echo '[1, 2]' >"store/b/$i"; done
expect 0 import slow.edb store --texts texts.json
complains 'store, or how it is read, has changed since its import stood'
(cd store && find . -type f | cut -c 3-) >files
xargs "$test_command" get slow.edb -q <files >/dev/null || fail 'a file was passed over'
interrupt_directory
echo '{"a/1": "two"}' >texts.json
expect 0 import slow.edb store --texts texts.json
complains 'has changed since its import stood'
expect 0 get slow.edb a/1 --json
same 'the text' "$(member out 'd["text"]')" two
