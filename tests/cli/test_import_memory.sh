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

array 30000
rss=$(peak "$test_command" import large.edb array.npy --keys keys.jsonl)
echo "184 MB imported with $((rss / 1024)) MiB resident"
[ "$rss" -le 65536 ] || fail "$((rss / 1024)) MiB resident, 64 are allowed"
expect 0 get large.edb 'key 29999'
rm large.edb

# The data segment alone, as a limit: 64 MiB are enough for any array.
(ulimit -d 65536; embedcache import limited.edb array.npy --keys keys.jsonl >out 2>err) || fail 'out of memory'
says '30,000 rows'
