#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Files of every format cut at every length, and with every byte of their beginning set to something else: a sentence or
# the rows that are there, never a crash, never more rows than there were.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

python3 "$test_tools/make_sources.py" 2 3
npy f32.npy '<f4' 2x3
mkdir cut

cat >try.py <<'PYTHON'
import os, subprocess, sys

command, kind, source = sys.argv[1:4]
arguments = ["--from", kind] + (["--dims", "3"] if kind == "memmap" else [])
data = open(source, "rb").read()
cases = [data[:length] for length in range(len(data))]
head = min(len(data), 128 if kind in ("npy", "safetensors") else 24)
cases += [data[:at] + bytes([value]) + data[at + 1:] for at in range(head) for value in (0, 0xff)]
codes = {}
for case in cases:
    with open("cut/source", "wb") as file:
        file.write(case)
    if os.path.exists("cut/new.edb"):
        os.unlink("cut/new.edb")
    done = subprocess.run([command, "import", "cut/new.edb", "cut/source", "--json"] + arguments, capture_output=True)
    codes[done.returncode] = codes.get(done.returncode, 0) + 1
    lines = done.stderr.decode().splitlines()
    good = done.returncode in (0, 2, 3) and all(line.startswith("embedcache: ") for line in lines)
    good = good and (done.returncode == 0 or (lines and "cut/source" in lines[0]))
    good = good and (done.returncode == 0 or not os.path.exists("cut/new.edb"))
    if not good:
        print(f"{source}: {case!r}: exit code {done.returncode}: {done.stderr!r}")
        sys.exit(1)
print(source, codes)
if not codes.get(3):
    sys.exit(f"{source}: nothing was refused")
PYTHON
while read -r kind source; do
    python3 try.py "$test_command" "$kind" "$source" || fail "$source"
done <<'KINDS'
npy f32.npy
safetensors f16.safetensors
fvecs f32.fvecs
bvecs u8.bvecs
ivecs i32.ivecs
fbin f32.fbin
u8bin u8.u8bin
i8bin i8.i8bin
memmap float32.raw
jsonl rows.jsonl
csv rows.csv
KINDS

# refuses REASON KIND BYTES: a header that promises too much.
refuses()
{
    printf '%b' "$3" >bad
    expect 3 import new.edb bad --from "$2"
    complains "$1"
    [ ! -e new.edb ] || fail "a refused import created a file ($1)"
}
refuses 'its rows have 0 numbers' fvecs '\0\0\0\0'
refuses 'its rows have 4294967295 numbers' fvecs '\xff\xff\xff\xff\1\1\1\1'
refuses 'its rows have 65537 numbers' bvecs '\1\0\1\0\1\1\1\1'
refuses 'its rows have 0 numbers' fbin '\1\0\0\0\0\0\0\0'
refuses '4294967295 rows of 65536 numbers need' fbin '\xff\xff\xff\xff\0\0\1\0'
refuses 'ends inside its header' fbin '\1\0\0\0\1\0'
refuses 'row 1 says that it has 2 numbers' bvecs '\1\0\0\0\5\2\0\0\0\5'
refuses '18,446,744,073,709,551,615' safetensors '\xff\xff\xff\xff\xff\xff\xff\xff{}'

# tensors REASON HEADER: with 24 bytes of data.
tensors()
{
    python3 - "$2" <<'PYTHON'
import struct, sys
text = sys.argv[1].encode()
open("bad", "wb").write(struct.pack("<Q", len(text)) + text + bytes(24))
PYTHON
    local code=0
    embedcache import new.edb bad --from safetensors >out 2>err || code=$?
    [ $code -eq 2 ] || [ $code -eq 3 ] || fail "exit code $code ($1)"
    complains "$1"
    [ ! -e new.edb ] || fail "a refused import created a file ($1)"
}
tensors 'has no tensor of two dimensions' '{}'
tensors 'it has v' '{"v": {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}}'
tensors 'no JSON object' '[]'
tensors 'no JSON object' '{"m": '
tensors 'elements are "I64"' '{"m": {"dtype": "I64", "shape": [1, 3], "data_offsets": [0, 24]}}'
tensors 'elements are "nothing"' '{"m": {"shape": [2, 3], "data_offsets": [0, 24]}}'
tensors 'that is not its size' '{"m": {"dtype": "F32", "shape": [3, 3], "data_offsets": [0, 24]}}'
tensors 'that is not its size' '{"m": {"dtype": "F32", "shape": [9223372036854775807, 4], "data_offsets": [0, 24]}}'
tensors 'no whole numbers' '{"m": {"dtype": "F32", "shape": [2, 3], "data_offsets": [24, 0]}}'
tensors 'no whole numbers' '{"m": {"dtype": "F32", "shape": [-2, 3], "data_offsets": [0, 24]}}'
tensors 'no whole numbers' '{"m": {"dtype": "F32", "shape": [2, 3]}}'
tensors 'it is truncated' '{"m": {"dtype": "F32", "shape": [2, 3], "data_offsets": [8, 32]}}'
tensors 'rows have 0 numbers' '{"m": {"dtype": "F32", "shape": [2, 0], "data_offsets": [0, 0]}}'
tensors 'choose --tensor from a, b' '{"a": {"dtype": "F32", "shape": [1, 3], "data_offsets": [0, 12]}, "b": {"dtype": "F32", "shape": [1, 3], "data_offsets": [12, 24]}}'
expect 2 import new.edb bad --tensor c
complains 'has no tensor "c": choose --tensor from a, b'

# Files that people take for one of ours.
printf 'PK\x03\x04 a zip file' >bad
expect 3 import new.edb bad
complains 'zip archive'
printf '\x89HDF\r\n\x1a\n' >bad
expect 3 import new.edb bad
complains 'HDF5'
printf '[[1, 2], [3, 4]]' >bad
expect 3 import new.edb bad
complains 'one object on each line'
embedcache create cache.edb --dims 3
cp cache.edb bad
expect 3 import new.edb bad
complains 'embedcache export'
: >bad
expect 3 import new.edb bad
complains 'is empty'
expect 5 import new.edb nowhere
complains 'No such file'
truncate -s 10 bad
expect 3 import new.edb bad --dims 3
complains 'no whole number of rows'
expect 2 import new.edb bad --from memmap
complains '--dims'
expect 2 import new.edb bad --dims 3 --dtype float
complains '--dtype float: give one of float32|'
