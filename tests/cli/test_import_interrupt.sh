#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Ctrl-C ends an import after the batch at hand: it says how many rows are in, and they are. Even kill -9 leaves a good
# file with every row that another process has seen.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# Rows that come slowly, a thousand a second, without end in sight.
cat >trickle.py <<'PYTHON'
import struct, sys, time
header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 4), }\n"
out = sys.stdout.buffer
try:
    out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    for row in range(1000000):
        out.write(struct.pack("<4f", row, 1, 2, 3))
        if row % 10 == 0:
            out.flush()
            time.sleep(0.01)
except BrokenPipeError:
    pass
PYTHON

live_rows()
{
    embedcache info "$1" --json 2>/dev/null >live.json && member live.json 'd["live"]' || echo 0
}

# Starts an import into $1, with further options, as process $import, and waits until another process sees rows.
start_import()
{
    mkfifo "pipe.$1"
    python3 trickle.py >"pipe.$1" 2>/dev/null &
    "$test_command" import "$1" - --batch 20 "${@:2}" <"pipe.$1" >out 2>err &
    import=$!
    for _ in $(seq 200); do
        [ "$(live_rows "$1")" -ge 100 ] && return
        sleep 0.05
    done
    fail 'no rows after ten seconds'
}

for signal in INT TERM; do
    start_import $signal.edb --json
    # A shell starts background jobs with SIGINT ignored; the command catches it all the same.
    kill -s $signal $import
    code=0
    wait $import || code=$?
    same "exit code after SIG$signal" $code 130
    complains 'interrupted: '
    complains 'of 1,000,000 rows are in'
    stored=$(sed -n 's/.*--start \([0-9]*\).*/\1/p' err)
    [ "$stored" -ge 100 ] || fail "only $stored rows"
    same 'rows for scripts' "$(member out 'd["rows"]')" "$stored"
    same 'stored in whole batches' $((stored % 20)) 0
    same 'rows that were told and rows that are there' "$(live_rows $signal.edb)" "$stored"
    expect 0 verify $signal.edb
    expect 0 get $signal.edb $((stored - 1))
    expect 1 get $signal.edb "$stored"
done

start_import kill.edb
seen=$(live_rows kill.edb)
kill -9 $import
wait $import 2>/dev/null || true
left=$(live_rows kill.edb)
[ "$left" -ge "$seen" ] || fail "$seen rows were seen, $left are left"
expect 0 verify kill.edb
expect 0 put kill.edb more --vector '[1, 2, 3, 4]'

# Ctrl-C at a terminal ends who writes the pipe, too: what that one had begun is cut in the middle of a row. The row is
# not there; the whole rows before it are, in a batch that is not full.
cat >cut.py <<'PYTHON'
import struct, sys, time
kind, rows = sys.argv[1], 1005
header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 2), }\n"
begins = {"npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header, "csv": b"key,a,b\n"}
row_of = {
    "npy": lambda row: struct.pack("<2f", row, 25),
    "fvecs": lambda row: struct.pack("<i2f", 2, row, 25),
    "csv": lambda row: b"k%d,1,25\n" % row,
    "quoted": lambda row: b'k%d,1,"25"\n' % row,
    "jsonl": lambda row: b'{"key": "k%d", "vector": [1, 25]}\n' % row,
}[kind]
begin = begins.get(kind, b"key,a,b\n" if kind == "quoted" else b"")
cut = {"csv": -2, "quoted": -3}.get(kind, -4)
sys.stdout.buffer.write(begin + b"".join(map(row_of, range(rows))) + row_of(rows)[:cut])
sys.stdout.buffer.flush()
time.sleep(60)
PYTHON
for kind in npy fvecs csv quoted jsonl; do
    mkfifo cut.$kind
    python3 cut.py $kind >cut.$kind &
    writer=$!
    "$test_command" import $kind.edb - --from ${kind/quoted/csv} --batch 100 <cut.$kind >out 2>err &
    import=$!
    for _ in $(seq 200); do
        [ "$(live_rows $kind.edb)" -ge 1000 ] && break
        sleep 0.05
    done
    sleep 0.3
    kill -s INT $import
    sleep 0.2
    kill $writer
    code=0
    wait $import || code=$?
    same "exit code of a cut .$kind" $code 130
    complains 'interrupted: '
    complains 'rows are in'
    complains '--start 1005'
    same "rows of a cut .$kind" "$(live_rows $kind.edb)" 1005
    expect 0 verify $kind.edb
done

# embed keeps what came: lines that wait for a full batch are stored on the way out.
mkfifo lines
(for i in $(seq 50); do echo "line number $i"; done; sleep 60) >lines &
sleeper=$!
"$test_command" embed lines.edb --input lines --json >out 2>err &
embed=$!
sleep 1
kill -s INT $embed
code=0
wait $embed || code=$?
kill $sleeper 2>/dev/null || true
same 'exit code of embed' $code 130
complains 'embedcache: interrupted: 50 texts: 0 hits, 50 embedded and stored'
same 'texts for scripts' "$(member out 'd["embedded"]')" 50
same 'rows of embed' "$(live_rows lines.edb)" 50
