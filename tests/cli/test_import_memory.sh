#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Import streams: what it holds does not grow with the array. Measured as the largest resident memory that is not the
# mapped file itself, and under a limit of the data segment.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

if grep -qa '__asan_init\|__tsan_init' "$test_command"; then
    echo 'skipped: a sanitizer has its own memory'
    trap - EXIT
    rm -rf "$test_directory"
    exit 77
fi

# array ROWS: a sparse array of 1,536 zeros a row, with keys and texts.
array()
{
    python3 - "$1" <<'PYTHON'
import struct, sys
rows = int(sys.argv[1])
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 1536), }}".ljust(117).encode() + b"\n"
with open("array.npy", "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    file.truncate(10 + len(header) + rows * 6144)
with open("keys.jsonl", "w") as file:
    for row in range(rows):
        file.write(f'{{"key": "key {row}", "text": "{"text " * 20}{row}"}}\n')
PYTHON
}

# peak COMMAND...: runs it and prints its largest resident memory in KiB.
peak()
{
    python3 - "$@" <<'PYTHON'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
}

# A gigabyte, with the data segment limited to 64 MiB, and the resident memory measured: mapped pages count, too.
rows=175000
[ "$(df -Pk . | awk 'NR == 2 {print $4}')" -ge 3000000 ] || rows=60000
array $rows
rss=$(ulimit -d 65536; peak "$test_command" import large.edb array.npy --keys keys.jsonl) || fail 'out of memory'
echo "$((rows * 6144 / 1000000)) MB imported with $((rss / 1024)) MiB resident"
[ "$rss" -le 65536 ] || fail "$((rss / 1024)) MiB resident, 64 are allowed"
expect 0 get large.edb 'key 0' "key $((rows - 1))"
expect 0 info large.edb --json
same rows "$(member out 'd["live"]')" $rows
rm large.edb array.npy

# Small rows, whose index is larger than they are; and keys and texts that fill a batch with few of them.
head -c 4800000 /dev/zero >small.raw
python3 -c '
import json
with open("wide.jsonl", "w") as file:
    for row in range(600):
        file.write(json.dumps({"key": str(row) + "k" * 60000, "text": "t" * 200000, "vector": [1, 2, 3]}) + "\n")'
for source in 'small.raw --dims 16 --dtype int8' wide.jsonl; do
    # shellcheck disable=SC2086
    rss=$(peak "$test_command" import large.edb $source) || fail "out of memory ($source)"
    echo "$source imported with $((rss / 1024)) MiB resident"
    [ "$rss" -le 65536 ] || fail "$((rss / 1024)) MiB resident, 64 are allowed"
    expect 0 verify large.edb
    rm large.edb ${source%% *}
done

# Lines of JSON, CSV and a pipe of rows need no more for being long.
python3 - <<'PYTHON'
import json, struct
with open("rows.jsonl", "w") as lines, open("rows.csv", "w") as table, open("rows.fvecs", "wb") as vecs:
    vector = [0.015625 * i for i in range(768)]
    numbers = json.dumps(vector)
    packed = struct.pack("<i768f", 768, *vector)
    table.write("key,vector\n")
    for row in range(30000):
        lines.write(f'{{"key": "{row}", "vector": {numbers}}}\n')
        table.write(f'{row},"{numbers}"\n')
        vecs.write(packed)
PYTHON
for source in rows.jsonl rows.csv rows.fvecs; do
    rss=$(ulimit -d 65536; peak "$test_command" import large.edb $source) || fail "out of memory ($source)"
    echo "$(($(stat -c %s $source) / 1000000)) MB of $source imported with $((rss / 1024)) MiB resident"
    [ "$rss" -le 65536 ] || fail "$((rss / 1024)) MiB resident, 64 are allowed"
    rm large.edb $source
done
